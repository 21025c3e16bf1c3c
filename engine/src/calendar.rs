//! Dates of the Gregorian calendar. Knows no time zone and no clock.

/// Names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A date: year, month from 1 to 12, day from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Year.
    pub year: i64,
    /// Month, from 1 to 12.
    pub month: usize,
    /// Day of the month, from 1.
    pub day: i64,
}

impl Date {
    /// The date of a day since 1970, after Howard Hinnant's `civil_from_days`.
    pub fn of_day(day: i64) -> Self {
        // Years that begin in March have their leap day at the end; 719,468 days lie between 1 March 0000 and 1970.
        let day = day.saturating_add(719_468);
        let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = usize::try_from(month_from_march).unwrap_or(0).min(11);
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: era * 400 + year_of_era + i64::from(month <= 2), month, day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_and_end_where_the_calendar_says() {
        for (number, (year, month, day)) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (790, (1972, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_088, (2024, 12, 31)),
            (20_089, (2025, 1, 1)),
            (-719_468, (0, 3, 1)),
        ] {
            assert_eq!(Date::of_day(number), Date { year, month, day }, "day {number}");
        }
    }
}
