//! The gamma function's logarithm, and the tail of the gamma distribution.

/// ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1) beyond 15, brought there by Γ(x + 1) = x Γ(x).
pub(crate) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 1.0);
    while x < 15.0 {
        below *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let terms = [1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0];
    let series = terms.iter().fold(0.0, |sum, term| sum * square + term) * inverse;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - below.ln()
}

/// The regularised incomplete gamma function Q(a, x) = Γ(a, x) / Γ(a), for a > 0 and x ≥ 0: by the power series of
/// its complement below the mean (DLMF 8.7.1), by the continued fraction above it (DLMF 8.9.2, evaluated by Lentz's
/// method).
pub(crate) fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if !x.is_finite() {
        return 0.0;
    }
    let factor = (a * x.ln() - x - ln_gamma(a)).exp();
    // Some multiples of √a steps suffice.
    let most = 1000 + (20.0 * a.sqrt()) as usize;
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..most {
            term *= x / (a + step as f64);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (1.0 - factor * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut fraction = d;
    for step in 1..most {
        let step = step as f64;
        let numerator = step * (a - step);
        b += 2.0;
        let away_from_zero = |x: f64| if x.abs() < 1e-300 { 1e-300 } else { x };
        d = 1.0 / away_from_zero(b + numerator * d);
        c = away_from_zero(b + numerator / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (factor * fraction).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, error: f64) {
        assert!((found - expected).abs() <= error * expected.abs().max(1e-300), "{found} is not {expected}");
    }

    #[test]
    fn factorials_and_halves() {
        let mut factorial = 1.0f64;
        for n in 1..30 {
            near(ln_gamma(f64::from(n)).exp(), factorial, 1e-13);
            factorial *= f64::from(n);
        }
        near(ln_gamma(0.5).exp(), std::f64::consts::PI.sqrt(), 1e-14);
        near(ln_gamma(1e-3), 6.907178885383853, 1e-14);
        near(ln_gamma(1e6), 12815504.569147612, 1e-15);
    }

    /// Q(n, x) is the chance of fewer than n events of a Poisson process with mean x.
    #[test]
    fn whole_numbers_are_sums_of_poisson() {
        for n in [1, 2, 10, 40] {
            for x in [0.1, 1.0, 5.0, 20.0, 45.0, 90.0f64] {
                let mut term = (-x).exp();
                let mut sum = 0.0;
                for k in 0..n {
                    sum += term;
                    term *= x / f64::from(k + 1);
                }
                near(upper_gamma(f64::from(n), x), sum, 1e-12);
            }
        }
    }

    #[test]
    fn halves_are_the_error_function() {
        // erfc(1), erfc(2), erfc(0.1)
        near(upper_gamma(0.5, 1.0), 0.15729920705028513, 1e-13);
        near(upper_gamma(0.5, 4.0), 0.004677734981047266, 1e-13);
        near(upper_gamma(0.5, 0.01), 0.8875370839817152, 1e-13);
    }

    #[test]
    fn far_from_the_mean_and_large() {
        assert_eq!(upper_gamma(3.0, 0.0), 1.0);
        assert_eq!(upper_gamma(3.0, f64::INFINITY), 0.0);
        assert_eq!(upper_gamma(500.0, 1e6), 0.0);
        assert_eq!(upper_gamma(1e6, 1.0), 1.0);
        // Near its mean the gamma distribution is nearly normal; its median is about a - 1/3.
        near(upper_gamma(1e5, 1e5 - 1.0 / 3.0), 0.5, 1e-8);
        near(upper_gamma(1e6, 1e6 - 1.0 / 3.0), 0.5, 1e-8);
    }
}
