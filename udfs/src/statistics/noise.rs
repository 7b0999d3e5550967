//! The distance that chance alone makes.

use super::gamma::ln_gamma;

/// The expected total variation distance between the shares of a sample of `n` and the shares that it was drawn from:
/// half the sum of the mean absolute deviations of binomials, by De Moivre's formula
/// E|X - np| = 2 ν C(n, ν) p^ν (1 - p)^(n - ν + 1) with ν = ⌊np⌋ + 1 (Diaconis and Zabell, "Closed form summation for
/// classical distributions", Statistical Science 6, 1991). Exact for whole `n`, however small the shares; near
/// Σ √(p(1 - p) / 2πn) where they are large.
pub(crate) fn of_sample(n: f64, shares: &[f64]) -> f64 {
    if n <= 0.0 {
        return 0.0;
    }
    shares.iter().map(|p| deviation(n, *p)).sum::<f64>() / (2.0 * n)
}

fn deviation(n: f64, p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    let v = (n * p).floor() + 1.0;
    let rest = n - v + 1.0;
    let choose = ln_gamma(n + 1.0) - ln_gamma(v + 1.0) - ln_gamma(rest);
    (2f64.ln() + v.ln() + choose + v * p.ln() + rest * (-p).ln_1p()).exp()
}

/// The expected total variation distance between samples of `a` and `b` rows that have these shares together. Of the rows
/// of a cell, each is in the first sample with chance a / (a + b); their mean deviation is De Moivre's, times √(1 - p),
/// since the sizes are given.
pub(crate) fn between_samples(a: f64, b: f64, shares: &[f64]) -> f64 {
    if a <= 0.0 || b <= 0.0 {
        return 0.0;
    }
    let both = a + b;
    let of_cell = |p: &f64| deviation(both * p, a / both) * (1.0 - p).max(0.0).sqrt() * both / (a * b);
    shares.iter().map(of_cell).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_deviation_of_binomials() {
        // By enumeration: n = 4, p = 1/2: |X - 2| is 2, 1, 0, 1, 2 with weights 1, 4, 6, 4, 1 of 16.
        assert!((deviation(4.0, 0.5) - 12.0 / 16.0).abs() < 1e-12);
        // n = 3, p = 0.2: |X - 0.6| with P(X) = 0.512, 0.384, 0.096, 0.008.
        let expected = 0.6 * 0.512 + 0.4 * 0.384 + 1.4 * 0.096 + 2.4 * 0.008;
        assert!((deviation(3.0, 0.2) - expected).abs() < 1e-12);
        // n = 1: E|X - p| = 2p(1 - p).
        assert!((deviation(1.0, 0.3) - 0.42).abs() < 1e-12);
        assert_eq!(deviation(10.0, 0.0), 0.0);
        assert_eq!(deviation(10.0, 1.0), 0.0);
    }

    #[test]
    fn large_samples_are_near_the_normal_formula() {
        let shares = [0.5, 0.3, 0.2];
        let normal = |n: f64| shares.iter().map(|p| (p * (1.0 - p) / (2.0 * std::f64::consts::PI * n)).sqrt()).sum();
        let expected: f64 = normal(1e6);
        assert!((of_sample(1e6, &shares) / expected - 1.0).abs() < 1e-4);
        assert!((between_samples(2e6, 2e6, &shares) / expected - 1.0).abs() < 1e-4);
        assert_eq!(of_sample(0.0, &shares), 0.0);
        // Values that occur once: each puts 1/n into the one sample or the other.
        assert!((between_samples(50.0, 50.0, &[0.01; 100]) - 0.5 * 100.0 / 50.0 * 0.99f64.sqrt()).abs() < 1e-12);
    }
}
