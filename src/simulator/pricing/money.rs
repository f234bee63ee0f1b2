//! Exact amounts of US dollars.

use crate::models::ValueError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

/// An amount in whole pico-dollars (10^-12 USD); rounded only when it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

const PICO_PER_DOLLAR: i128 = 1_000_000_000_000;

impl Money {
    /// No money.
    pub const ZERO: Money = Money(0);

    /// Whole pico-dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Money(pico)
    }

    /// Whole pico-dollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// `quantity` units at this price for each `per` units, rounded half up at the last
    /// pico-dollar; the greatest amount there is, where that is too little.
    ///
    /// # Panics
    /// If `per` is 0.
    pub fn times(self, quantity: u128, per: u128) -> Money {
        let whole = i128::try_from(quantity / per).unwrap_or(i128::MAX);
        // Less than `per`, so that the product does not overflow for prices that catalogs may have.
        let part = i128::try_from(quantity % per).unwrap_or(i128::MAX);
        let per = i128::try_from(per).unwrap_or(i128::MAX);
        let product = self.0.saturating_mul(part);
        let of_part = match product.checked_mul(2).and_then(|p| p.checked_add(per)) {
            Some(p) => p.div_euclid(per.saturating_mul(2)),
            None => product / per,
        };
        Money(self.0.saturating_mul(whole).saturating_add(of_part))
    }

    /// With as many decimals as it needs, two at least: `$6.992`, `$5.00`.
    pub fn exact(self) -> String {
        let text = format!("{self:.12}");
        let cut = text.trim_end_matches('0').len();
        let cents = text.find('.').map_or(text.len(), |dot| dot + 3);
        text[..cut.max(cents)].to_owned()
    }

    /// Dollars, for charts and statistics only; sums are made in whole pico-dollars.
    pub fn to_usd(self) -> f64 {
        self.0 as f64 / PICO_PER_DOLLAR as f64
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

impl FromStr for Money {
    type Err = ValueError;

    /// Reads `$0.50`, with at most twelve decimals.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fail = || {
            ValueError::new(format!(
                "found \"{text}\", expected an amount such as \"$0.50\""
            ))
        };
        let number = text.trim().strip_prefix('$').ok_or_else(fail)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || whole.len() > 12 || decimals.len() > 12 {
            return Err(fail());
        }
        if !digits(whole) || !digits(decimals) {
            return Err(fail());
        }
        let whole: i128 = whole.parse().map_err(|_| fail())?;
        let pico: i128 = format!("{decimals:0<12}").parse().map_err(|_| fail())?;
        Ok(Money(whole * PICO_PER_DOLLAR + pico))
    }
}

impl fmt::Display for Money {
    /// With two decimals, rounded half up; the precision of the format (`{:.6}`) may ask for more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(2).min(12);
        let unit = 10_u128.pow(12 - decimals as u32);
        let cut = self.0.unsigned_abs();
        let rounded = cut / unit + u128::from(2 * (cut % unit) >= unit);
        let scale = 10_u128.pow(decimals as u32);
        let sign = if self.0 < 0 && rounded > 0 { "-" } else { "" };
        let (whole, rest) = (rounded / scale, rounded % scale);
        if decimals == 0 {
            write!(f, "{sign}${whole}")
        } else {
            write!(f, "{sign}${whole}.{rest:0decimals$}")
        }
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{self:.12}"))
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "US dollars",
            "pattern": r"^\s*\$[0-9]{1,12}(?:\.[0-9]{0,12})?\s*$",
            "examples": ["$0.50", "$5.00"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_are_read_exactly_and_shown_rounded() {
        let half: Money = "$0.50".parse().unwrap();
        assert_eq!(half, Money::from_pico(500_000_000_000));
        assert_eq!(half.times(1_234_567, 1_000_000).pico(), 617_283_500_000);
        assert_eq!(Money::from_pico(5_000_000_000).to_string(), "$0.01");
        assert_eq!(Money::from_pico(-5_000_000_000).to_string(), "-$0.01");
        assert_eq!(Money::from_pico(-1).to_string(), "$0.00");
        assert_eq!(format!("{:.6}", Money::from_pico(1_500_000)), "$0.000002");
        let exact = |t: &str| t.parse::<Money>().unwrap().exact();
        assert_eq!(
            ["$3", "$0.0065", "$0.000003"].map(exact),
            ["$3.00", "$0.0065", "$0.000003"]
        );
        for bad in ["0.50", "$", "$-1", "$1.2.3", "$1e3", "$0.1234567890123"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn too_much_is_the_most_there_is() {
        let most = Money::from_pico(10_i128.pow(18));
        assert_eq!(most.times(u128::MAX, 1).pico(), i128::MAX);
        assert_eq!(
            most.times(10_u128.pow(19), 10_u128.pow(18)).pico(),
            10_i128.pow(19)
        );
        assert_eq!((most.times(u128::MAX, 1) + most).pico(), i128::MAX);
        let least = Money::ZERO - most.times(u128::MAX, 1) - most;
        assert_eq!((least.pico(), (-least).pico()), (i128::MIN, i128::MAX));
        // Shown without overflow.
        assert!(most.times(u128::MAX, 1).to_string().starts_with('$'));
    }

    proptest! {
        #[test]
        fn rounding_is_to_the_nearest_pico(price in 0_i128..10_i128.pow(15), n in 0_u128..10_u128.pow(15), per in 1_u128..10_u128.pow(9)) {
            let amount = Money::from_pico(price).times(n, per).pico();
            let error = amount * per as i128 - price * n as i128;
            prop_assert!(2 * error.abs() <= per as i128);
        }

        #[test]
        fn what_is_written_reads_back(pico in 0_i128..10_i128.pow(20)) {
            let text = format!("{:.12}", Money::from_pico(pico));
            prop_assert_eq!(text.parse::<Money>().unwrap(), Money::from_pico(pico));
        }
    }
}
