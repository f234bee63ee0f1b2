//! A special function that no library at hand has.

/// The trigamma function, the derivative of digamma, for `x` above 0: by recurrence to 10, from
/// there by its asymptotic series (Abramowitz and Stegun 6.4.6 and 6.4.12).
pub(crate) fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series =
        1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0)));
    sum + 1.0 / x + y / 2.0 + series * y / x
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::function::gamma::digamma;
    use std::f64::consts::PI;

    #[test]
    fn trigamma_has_its_known_values_and_is_the_slope_of_digamma() {
        assert!((trigamma(1.0) - PI * PI / 6.0).abs() < 1e-12);
        assert!((trigamma(0.5) - PI * PI / 2.0).abs() < 1e-12);
        for x in [0.2, 1.7, 9.9, 40.0] {
            let h = 1e-5 * x;
            let slope = (digamma(x + h) - digamma(x - h)) / (2.0 * h);
            assert!((trigamma(x) / slope - 1.0).abs() < 1e-6, "{x}");
        }
    }
}
