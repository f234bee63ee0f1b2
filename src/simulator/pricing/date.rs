//! Days of the calendar, for prices that change.

use crate::models::ValueError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar in UTC, `2026-12-01`; a month alone stands for its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day; `None` if the calendar has no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days)
            .contains(&day)
            .then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01, by the calendar's 400 years of 146,097 days.
    pub fn days_since_1970(self) -> i64 {
        // Years that begin in March end with the day that leaps.
        let (y, m) = match self.month {
            1 | 2 => (i64::from(self.year) - 1, i64::from(self.month) + 9),
            _ => (i64::from(self.year), i64::from(self.month) - 3),
        };
        let of_year = (153 * m + 2) / 5 + i64::from(self.day) - 1;
        365 * y + y / 4 - y / 100 + y / 400 + of_year - 719_468
    }

    /// The day that is so many days after 1970-01-01; `None` if it has no year of four digits.
    pub fn of_days_since_1970(days: i64) -> Option<Self> {
        // A first guess at the year, at most one too high.
        let year = 1970 + days.div_euclid(365);
        let start = |y: i64| Date::new(u16::try_from(y).ok()?, 1, 1).map(Date::days_since_1970);
        let mut year = year;
        while start(year)? > days {
            year -= 1;
        }
        let mut left = days - start(year)?;
        let year = u16::try_from(year).ok().filter(|y| *y <= 9_999)?;
        for month in 1..=12 {
            let length = (28..=31)
                .rev()
                .find(|d| Date::new(year, month, *d).is_some())?;
            if left < i64::from(length) {
                return Date::new(year, month, left as u8 + 1);
            }
            left -= i64::from(length);
        }
        None
    }

    /// The first day of its month, and that of the next one.
    pub fn month(self) -> (Self, Self) {
        let first = Date { day: 1, ..self };
        let next = match self.month {
            12 => Date {
                year: self.year + 1,
                month: 1,
                day: 1,
            },
            _ => Date {
                month: self.month + 1,
                ..first
            },
        };
        (first, next)
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fail = || {
            ValueError::new(format!(
                "found \"{text}\", expected a date such as 2026-12-01, or 2026-12"
            ))
        };
        // Fixed widths, so that "2026-1" or "+026-01-01" are not taken for dates.
        let number = |part: &str, width: usize| -> Option<u16> {
            let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let mut parts = text.trim().split('-');
        let year = parts.next().and_then(|p| number(p, 4));
        let month = parts.next().and_then(|p| number(p, 2));
        let day = match parts.next() {
            None => Some(1),
            Some(p) => number(p, 2),
        };
        match (year, month, day, parts.next()) {
            (Some(y), Some(m), Some(d), None) => Date::new(y, m as u8, d as u8).ok_or_else(fail),
            _ => Err(fail()),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a day in UTC",
            "pattern": r"^\s*[0-9]{4}-[0-9]{2}(-[0-9]{2})?\s*$",
            "examples": ["2026-12-01"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        let number = |t: &str| t.parse::<Date>().unwrap().days_since_1970();
        assert_eq!(
            [
                number("1970-01-01"),
                number("2000-03-01"),
                number("2026-11-02")
            ],
            [0, 11_017, 20_759]
        );
        for days in (0..80_000).step_by(13) {
            assert_eq!(
                Date::of_days_since_1970(days).unwrap().days_since_1970(),
                days
            );
        }
        let (first, next) = "2026-12-15".parse::<Date>().unwrap().month();
        assert_eq!(
            [first.to_string(), next.to_string()],
            ["2026-12-01", "2027-01-01"]
        );
    }

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        let date = |t: &str| t.parse::<Date>();
        assert_eq!(date("2026-11").unwrap().to_string(), "2026-11-01");
        assert_eq!(date(" 2028-02-29 ").unwrap().to_string(), "2028-02-29");
        assert!(date("2026-11-30").unwrap() < date("2026-12-01").unwrap());
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "2026-02-29",
            "2100-02-29",
            "2026-12-00",
            "2026-12-32",
            "26-12-01",
            "2026-12-01-01",
            "2026-12-1x",
            "+026-12-01",
        ] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }
}
