//! Pearson's chi-square test, with its p-value right for cells of a few rows too.

use super::gamma::upper_gamma;

/// The fewest rows that a cell is expected to have; cells of fewer are pooled with their neighbours (Cochran, "Some
/// methods for strengthening the common χ² tests", Biometrics 10, 1954).
const LEAST_EXPECTED: f64 = 5.0;

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Test {
    pub chi_square: f64,
    /// One less than the cells, after pooling.
    pub df: usize,
    pub p_value: f64,
}

/// Whether a sample of `n` with the shares `observed` was drawn from the shares `expected`. `None` where the rows are too
/// few to tell: all cells together, pooled until each is expected to have 5 rows, are one. A share where none is expected
/// leaves no doubt: p is 0.
///
/// The statistic has mean k - 1 and variance 2(k - 1) + (Σ 1/p - k² - 2k + 2) / n exactly (Haldane, "The exact value of
/// the moments of the distribution of χ²", Biometrika 29, 1937). The p-value is that of the multiple of a chi-square
/// variable with these two moments: with many cells of few rows, the usual one rejects too often.
pub(crate) fn of_fit(n: f64, observed: &[f64], expected: &[f64]) -> Option<Test> {
    let certain = observed.iter().zip(expected).any(|(o, e)| *o > 0.0 && *e <= 0.0);
    let pools = pooled(observed.iter().copied().zip(expected.iter().copied()), |(_, e)| n * e);
    if pools.len() < 2 {
        return certain.then_some(Test { chi_square: f64::INFINITY, df: 1, p_value: 0.0 });
    }
    let k = pools.len() as f64;
    let statistic = n * pools.iter().map(|(o, e)| (o - e).powi(2) / e).sum::<f64>();
    let mean = k - 1.0;
    let inverses: f64 = pools.iter().map(|(_, e)| 1.0 / e).sum();
    let variance = 2.0 * mean + (inverses - k * k - 2.0 * k + 2.0) / n;
    let (chi_square, p_value) =
        if certain { (f64::INFINITY, 0.0) } else { (statistic, tail(statistic, mean, variance)) };
    Some(Test { chi_square, df: pools.len() - 1, p_value })
}

/// Whether two samples, of so many rows with these shares, were drawn from the same shares. `None` where the rows are too
/// few to tell.
pub(crate) fn two_samples((n, p): (f64, &[f64]), (m, q): (f64, &[f64])) -> Option<Test> {
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let together = |(p, q): (f64, f64)| (n * p + m * q) / (n + m);
    let pools = pooled(p.iter().copied().zip(q.iter().copied()), |cell| n.min(m) * together(cell));
    if pools.len() < 2 {
        return None;
    }
    let of_pool = |pool: &(f64, f64)| (pool.0 - pool.1).powi(2) / together(*pool);
    let chi_square = n * m / (n + m) * pools.iter().map(of_pool).sum::<f64>();
    let mean = pools.len() as f64 - 1.0;
    Some(Test { chi_square, df: pools.len() - 1, p_value: tail(chi_square, mean, 2.0 * mean) })
}

/// Adds up neighbouring cells until each is expected to have enough rows; large cells stay by themselves.
fn pooled(cells: impl Iterator<Item = (f64, f64)>, rows: impl Fn((f64, f64)) -> f64) -> Vec<(f64, f64)> {
    let (mut pools, mut open) = (vec![], (0.0, 0.0));
    for cell in cells {
        if rows(cell) >= LEAST_EXPECTED {
            pools.push(cell);
            continue;
        }
        open = (open.0 + cell.0, open.1 + cell.1);
        if rows(open) >= LEAST_EXPECTED {
            pools.push(open);
            open = (0.0, 0.0);
        }
    }
    if let Some(last) = pools.last_mut() {
        *last = (last.0 + open.0, last.1 + open.1);
    }
    pools
}

/// P(X ≥ x) of a multiple of a chi-square variable with this mean and variance.
fn tail(x: f64, mean: f64, variance: f64) -> f64 {
    let scale = variance / (2.0 * mean);
    if x <= 0.0 {
        return 1.0;
    }
    upper_gamma(mean / scale / 2.0, x / scale / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use populace_population::permuted;

    #[test]
    fn tails_of_the_chi_square_distribution() {
        // R: pchisq(x, df, lower.tail = FALSE)
        for (x, df, p) in [
            (3.841458820694124, 1.0, 0.05),
            (18.307038053275146, 10.0, 0.05),
            (10.0, 10.0, 0.4404932850652124),
            (1.0, 2.0, 0.6065306597126334),
            (60.0, 20.0, 7.121750863815e-6),
        ] {
            let found = tail(x, df, 2.0 * df);
            assert!((found / p - 1.0).abs() < 1e-6, "{x}, {df}: {found} against {p}");
        }
        // Near its mean, half; far beyond, nothing. Of many degrees of freedom too.
        assert!((tail(1e5, 1e5, 2e5) - 0.5).abs() < 1e-3);
        assert_eq!(tail(1e6, 1e3, 2e3), 0.0);
        assert_eq!(tail(0.0, 3.0, 6.0), 1.0);
    }

    #[test]
    fn by_hand() {
        // 60 heads of 100: (10² + 10²) / 50
        let test = of_fit(100.0, &[0.6, 0.4], &[0.5, 0.5]).unwrap();
        assert!((test.chi_square - 4.0).abs() < 1e-12);
        assert_eq!(test.df, 1);
        assert_eq!(of_fit(8.0, &[0.5, 0.5], &[0.5, 0.5]), None);
        let impossible = of_fit(100.0, &[0.5, 0.49, 0.01], &[0.5, 0.5, 0.0]).unwrap();
        assert_eq!(impossible.p_value, 0.0);
        // R: chisq.test(matrix(c(30, 70, 45, 55), 2), correct = FALSE)
        let test = two_samples((100.0, &[0.3, 0.7]), (100.0, &[0.45, 0.55])).unwrap();
        assert!((test.chi_square - 4.8).abs() < 1e-12);
        assert!((test.p_value - 0.02845973691631061).abs() < 1e-9);
        assert_eq!(two_samples((0.0, &[]), (5.0, &[])), None);
    }

    /// Samples of shares that fall off as 1/rank, with from 2 to 50 rows a cell: of 2,000 p-values, as many as the level
    /// are below it, save 4 standard deviations of the binomial; a right test fails here once in 10,000 runs.
    #[test]
    fn p_values_hold_their_level() {
        for (cells, n) in [(10usize, 200u64), (100, 300), (400, 2000)] {
            let total: f64 = (1..=cells).map(|rank| 1.0 / rank as f64).sum();
            let expected: Vec<f64> = (1..=cells).map(|rank| 1.0 / rank as f64 / total).collect();
            let mut sums = vec![0.0];
            expected.iter().for_each(|p| sums.push(sums[sums.len() - 1] + p));
            let p_value = |draw: u64| {
                let mut observed = vec![0.0; cells];
                for row in 0..n {
                    let uniform = (permuted(u128::from(row), 7_000_000 + draw) >> 64) as f64 / 2f64.powi(64);
                    let cell = sums.partition_point(|s| *s <= uniform).clamp(1, cells) - 1;
                    observed[cell] += 1.0 / n as f64;
                }
                of_fit(n as f64, &observed, &expected).unwrap().p_value
            };
            let p_values: Vec<f64> = (0..2000).map(p_value).collect();
            for level in [0.05, 0.01] {
                let below = p_values.iter().filter(|p| **p <= level).count() as f64;
                let (mean, deviation) = (2000.0 * level, (2000.0 * level * (1.0 - level)).sqrt());
                assert!((below - mean).abs() < 4.0 * deviation, "{cells} cells, {n} rows, {level}: {below}");
            }
        }
    }
}
