//! Local time of day, for grouping chats by day. The standard library knows no time zone; SQLite, which is linked anyway, does.

use onebit_engine::calendar::{Date, MONTHS};

/// Seconds to add to UTC for the wall clock of this computer; `None` when it cannot be told. Reads the time-zone file: not for
/// the UI thread.
pub fn utc_offset_secs() -> Option<i64> {
    let connection = rusqlite::Connection::open_in_memory().ok()?;
    let query =
        "SELECT CAST(strftime('%s', 'now', 'localtime') AS INTEGER) - CAST(strftime('%s', 'now') AS INTEGER)";
    connection.query_row(query, [], |row| row.get(0)).ok()
}

/// Which part of the list of chats a time belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Since midnight, and anything dated in the future.
    Today,
    /// The day before.
    Yesterday,
    /// Up to seven days ago.
    LastWeek,
    /// Before that: the year, and the month from 1 to 12.
    Month(i64, usize),
}

impl Age {
    /// Age of `millis` at `now_millis` (both since 1970, UTC) under the given offset.
    pub fn of(millis: i64, now_millis: i64, utc_offset_secs: i64) -> Self {
        let day = |millis: i64| (millis.div_euclid(1000).saturating_add(utc_offset_secs)).div_euclid(86_400);
        match day(now_millis) - day(millis) {
            ..=0 => Self::Today,
            1 => Self::Yesterday,
            2..=7 => Self::LastWeek,
            _ => {
                let date = Date::of_day(day(millis));
                Self::Month(date.year, date.month)
            }
        }
    }

    /// Title of the part.
    pub fn title(self) -> String {
        match self {
            Self::Today => "Today".to_owned(),
            Self::Yesterday => "Yesterday".to_owned(),
            Self::LastWeek => "Last 7 days".to_owned(),
            Self::Month(year, month) => format!("{} {year}", MONTHS[month - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_of_the_wall_clock_parts_today_from_yesterday() {
        let hour = 3_600_000;
        let noon = 20_000 * 24 * hour + 12 * hour;
        assert_eq!(Age::of(noon - 11 * hour, noon, 0), Age::Today);
        assert_eq!(Age::of(noon - 13 * hour, noon, 0), Age::Yesterday);
        // Two hours east of Greenwich the day began two hours earlier in UTC.
        assert_eq!(Age::of(noon - 13 * hour, noon, 7200), Age::Today);
        assert_eq!(Age::of(noon - 13 * hour, noon, -7200), Age::Yesterday);
        assert_eq!(Age::of(noon - 7 * 24 * hour, noon, 0), Age::LastWeek);
        // Day 20,000 is 4 October 2024.
        assert_eq!(Age::of(noon - 8 * 24 * hour, noon, 0).title(), "September 2024");
        assert_eq!(Age::of(noon - 300 * 24 * hour, noon, 0).title(), "December 2023");
        assert_eq!(Age::of(noon + 48 * hour, noon, 0), Age::Today);
    }

    #[test]
    fn the_offset_of_this_computer_is_a_real_one() {
        let offset = utc_offset_secs().unwrap();
        assert!(offset.abs() <= 15 * 3600 && offset % 900 == 0, "{offset}");
    }
}
