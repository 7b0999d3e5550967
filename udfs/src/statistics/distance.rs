//! Distances between distributions.

/// Half the sum of the absolute differences of two lists of shares, 0 to 1: the share that would have to move.
pub(crate) fn total_variation(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0
}

/// The square root of the Jensen-Shannon divergence in base 2, 0 to 1: a metric (Endres and Schindelin, "A new metric for
/// probability distributions", IEEE Transactions on Information Theory 49, 2003).
pub(crate) fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let towards = |x: f64, mean: f64| if x > 0.0 { x * (x / mean).log2() } else { 0.0 };
    let term = |(p, q): (&f64, &f64)| {
        let mean = (p + q) / 2.0;
        (towards(*p, mean) + towards(*q, mean)) / 2.0
    };
    p.iter().zip(q).map(term).sum::<f64>().clamp(0.0, 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distances() {
        assert_eq!(total_variation(&[0.5, 0.5], &[0.5, 0.5]), 0.0);
        assert_eq!(total_variation(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
        assert!((total_variation(&[0.5, 0.3, 0.2], &[0.4, 0.3, 0.3]) - 0.1).abs() < 1e-15);
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
        assert_eq!(jensen_shannon(&[0.5, 0.5], &[0.5, 0.5]), 0.0);
        // scipy.spatial.distance.jensenshannon([1, 0], [0.5, 0.5], base=2)
        assert!((jensen_shannon(&[1.0, 0.0], &[0.5, 0.5]) - 0.5579230452841438).abs() < 1e-12);
    }
}
