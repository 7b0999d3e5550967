//! Student's t distribution, as far as intervals of confidence and tests need it.

use super::gamma::ln_gamma;

/// What lies outside of an interval of 95 %.
const OUTSIDE: f64 = 0.05;

/// The normal distribution's quantile of 0.975
const NORMAL: f64 = 1.959_963_984_540_054;

/// Beyond it the expansion about the normal distribution is exact to the last digits.
const MANY: f64 = 1000.0;

/// How many standard errors an interval of 95 % reaches to either side of its middle: the quantile of 0.975 of Student's
/// t distribution with so many degrees of freedom, more than 0.
pub(crate) fn reach(freedom: f64) -> f64 {
    if freedom >= MANY {
        return expansion(freedom);
    }
    let scale =
        (ln_gamma((freedom + 1.0) / 2.0) - ln_gamma(freedom / 2.0)).exp() / (freedom * std::f64::consts::PI).sqrt();
    let density = |t: f64| scale * (-(freedom + 1.0) / 2.0 * (t * t / freedom).ln_1p()).exp();
    // Newton's method from the left: the share outside falls, and less and less, so that no step goes too far.
    let mut t = NORMAL;
    for _ in 0..200 {
        let next = t + (outside(t, freedom) - OUTSIDE) / (2.0 * density(t));
        if next <= t * (1.0 + 1e-15) {
            break;
        }
        t = next;
    }
    t
}

/// The share of the distribution with so many degrees of freedom, more than 0, beyond ±t: the incomplete beta function I
/// of ν/2 and ½ at ν/(ν + t²) (DLMF 8.17.2, Abramowitz and Stegun 26.7.1).
pub(crate) fn outside(t: f64, freedom: f64) -> f64 {
    // Beyond it differences of logarithms of the gamma function have lost their digits, and the normal is as near.
    let freedom = freedom.min(1e7);
    let (a, b, square) = (freedom / 2.0, 0.5, t * t);
    let (x, rest) = (freedom / (freedom + square), square / (freedom + square));
    let factor = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * rest.ln()).exp();
    match x < (a + 1.0) / (a + b + 2.0) {
        true => factor * fraction(a, b, x) / a,
        false => 1.0 - factor * fraction(b, a, rest) / b,
    }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |x: f64| if x.abs() < 1e-300 { 1e-300 } else { x };
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut found) = (1.0, d);
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = found;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            found *= c * d;
        }
        if (found / before - 1.0).abs() < 1e-16 {
            break;
        }
    }
    found
}

/// The quantile by its expansion in 1/ν (Abramowitz and Stegun 26.7.5).
fn expansion(freedom: f64) -> f64 {
    let z = NORMAL;
    let square = z * z;
    let of = |coefficients: &[f64]| z * coefficients.iter().fold(0.0, |sum, c| sum * square + c);
    let terms = [
        of(&[79.0, 776.0, 1482.0, -1920.0, -945.0]) / 92_160.0,
        of(&[3.0, 19.0, 17.0, -15.0]) / 384.0,
        of(&[5.0, 16.0, 3.0]) / 96.0,
        of(&[1.0, 1.0]) / 4.0,
        z,
    ];
    terms.iter().fold(0.0, |sum, term| sum / freedom + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-13 * expected, "{found} is not {expected}");
    }

    /// With 1, 2 and 4 degrees of freedom the quantile has a closed form.
    #[test]
    fn few_degrees_of_freedom() {
        near(reach(1.0), (0.475 * std::f64::consts::PI).tan());
        near(reach(2.0), 0.95 / (2.0 * 0.975 * 0.025f64).sqrt());
        let a = 4.0 * 0.975 * 0.025f64;
        near(reach(4.0), 2.0 * ((a.sqrt().acos() / 3.0).cos() / a.sqrt() - 1.0).sqrt());
    }

    /// Tables of the distribution, to 16 digits
    #[test]
    fn known_quantiles() {
        for (freedom, expected) in [
            (0.5, 164.55767348048853),
            (3.0, 3.1824463052837096),
            (5.0, 2.5705818356363155),
            (10.0, 2.228_138_851_986_274),
            (23.0, 2.0686576104190487),
            (30.0, 2.042_272_456_301_238),
            (39.0, 2.0226909200367611),
            (100.0, 1.9839715185235523),
            (500.0, 1.9647198374673678),
            (999.0, 1.96234146113345),
            (1000.0, 1.9623390808264085),
            (2500.0, 1.9609133447955673),
            (1000000.0, 1.959966356814107),
            (1000000000.0, 1.9599639869123255),
        ] {
            near(reach(freedom), expected);
        }
    }

    /// What SciPy's `2 * t.sf(abs(x), freedom)` says
    #[test]
    fn known_tails() {
        for (t, freedom, expected) in [
            (0.0, 7.0, 1.0),
            (0.5, 1.0, 0.7048327646991335),
            (-2.5, 10.0, 0.03144684423660882),
            (3.0, 39.0, 0.0046865679403646845),
            (12.0, 5.0, 7.089492517161522e-05),
            (1.96, 1e9, 0.049995790573729625),
            (40.0, 200.0, 2.2487396535202197e-97),
        ] {
            let found = outside(t, freedom);
            assert!((found - expected).abs() <= 1e-6 * expected, "{t}, {freedom}: {found} is not {expected}");
        }
    }

    #[test]
    fn both_ways_meet() {
        for freedom in [999.0, 999.999] {
            assert!((reach(freedom) - expansion(freedom)).abs() < 1e-11, "{freedom}");
        }
        near(reach(f64::INFINITY), NORMAL);
        assert!((1..3000).all(|n| reach(f64::from(n)) > reach(f64::from(n + 1))));
    }
}
