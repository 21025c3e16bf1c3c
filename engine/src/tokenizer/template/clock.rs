//! `strftime_now`: today's date for templates that write it. In UTC, because the machine's zone is no part of a prompt.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

use crate::calendar::{Date, MONTHS};

const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Seconds since 1970.
pub(super) fn now_secs() -> u64 {
    // A clock before 1970 is wrong anyway.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The directives of `strftime` that templates use.
pub(super) fn strftime(format: &str, unix_secs: u64) -> Result<String, Error> {
    let days = unix_secs / 86_400;
    // A quotient of a u64 by 86,400 fits an i64.
    let Date { year, month, day } = Date::of_day(days.cast_signed());
    let (hour, minute, second) = (unix_secs / 3600 % 24, unix_secs / 60 % 60, unix_secs % 60);
    let month_name = MONTHS[month - 1];
    let weekday = WEEKDAYS[(days % 7) as usize];
    let day_of_year = days.cast_signed() - days_before(year) + 1;
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let piece = match chars.next() {
            Some('d') => format!("{day:02}"),
            Some('e') => format!("{day:2}"),
            Some('m') => format!("{month:02}"),
            Some('b') => month_name[..3].to_owned(),
            Some('B') => month_name.to_owned(),
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('a') => weekday[..3].to_owned(),
            Some('A') => weekday.to_owned(),
            Some('j') => format!("{day_of_year:03}"),
            Some('H') => format!("{hour:02}"),
            Some('I') => format!("{:02}", (hour + 11) % 12 + 1),
            Some('M') => format!("{minute:02}"),
            Some('S') => format!("{second:02}"),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('%') => "%".to_owned(),
            other => {
                let detail = format!("strftime_now knows no %{}", other.unwrap_or(' '));
                return Err(Error::new(ErrorKind::InvalidOperation, detail));
            }
        };
        text.push_str(&piece);
    }
    Ok(text)
}

/// Days from 1 January 1970 to 1 January of `year`.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    let leap_days = |past: i64| past / 4 - past / 100 + past / 400;
    (year - 1970) * 365 + leap_days(past) - leap_days(1969)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_date_writes_them() {
        let line = "%a %A %d %e %b %B %m %Y %y %j %H:%M:%S %I %p %F %T %%";
        let cases = [
            (0, "Thu Thursday 01  1 Jan January 01 1970 70 001 00:00:00 12 AM 1970-01-01 00:00:00 %"),
            (
                951_827_696,
                "Tue Tuesday 29 29 Feb February 02 2000 00 060 12:34:56 12 PM 2000-02-29 12:34:56 %",
            ),
            (
                1_735_689_599,
                "Tue Tuesday 31 31 Dec December 12 2024 24 366 23:59:59 11 PM 2024-12-31 23:59:59 %",
            ),
            (4_107_542_400, "Mon Monday 01  1 Mar March 03 2100 00 060 00:00:00 12 AM 2100-03-01 00:00:00 %"),
        ];
        for (secs, expected) in cases {
            assert_eq!(strftime(line, secs).expect("known directives"), expected, "{secs}");
        }
    }

    #[test]
    fn an_unknown_directive_is_an_error_that_names_it() {
        assert!(strftime("%Q", 0).expect_err("unknown").to_string().contains("%Q"));
    }
}
