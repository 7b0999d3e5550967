//! The standard deviation of numbers, the same in whatever order they come.

/// Sums in twice the precision of a double: exact for whole numbers, and else so near that their order is lost in rounding.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    count: u64,
    sum: Double,
    squares: Double,
}

/// A number as the unevaluated sum of two doubles (Dekker, Numerische Mathematik 18, 1971).
#[derive(Debug, Clone, Copy, Default)]
struct Double(f64, f64);

impl Double {
    fn add(&mut self, x: f64, rest: f64) {
        let sum = self.0 + x;
        let of_x = sum - self.0;
        let lost = (self.0 - (sum - of_x)) + (x - of_x) + self.1 + rest;
        self.0 = sum + lost;
        self.1 = lost - (self.0 - sum);
    }
}

/// The square of a number, and what rounding took from it.
fn square(x: f64) -> (f64, f64) {
    let split = 134_217_729.0 * x;
    let high = split - (split - x);
    let low = x - high;
    let square = x * x;
    (square, ((high * high - square) + 2.0 * high * low) + low * low)
}

impl Moments {
    pub fn add(&mut self, x: f64) {
        let (squared, rest) = square(x);
        self.count += 1;
        self.sum.add(x, 0.0);
        self.squares.add(squared, rest);
    }

    /// With the divisor n - 1; 0 for less than two numbers, and no number where there was one that is not finite.
    pub fn deviation(&self) -> f64 {
        if self.count < 2 {
            return if self.sum.0.is_finite() { 0.0 } else { f64::NAN };
        }
        let n = self.count as f64;
        // Σx² - (Σx)²/n, in twice the precision
        let (squared, rest) = square(self.sum.0);
        let rest = rest + 2.0 * self.sum.0 * self.sum.1;
        let (expected, expected_rest) = {
            let quotient = squared / n;
            let (product, lost) = product(quotient, n);
            (quotient, (squared - product - lost + rest) / n)
        };
        let mut left = self.squares;
        left.add(-expected, -expected_rest);
        let variance = (left.0 + left.1) / (n - 1.0);
        let mean = self.sum.0 / n;
        // What is left of equal numbers is rounding.
        let none = variance <= mean * mean * 1e-28;
        if none { 0.0 } else { variance.sqrt() }
    }
}

fn product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let scaled = 134_217_729.0 * x;
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    let product = a * b;
    (product, ((ah * bh - product) + ah * bl + al * bh) + al * bl)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviation(numbers: impl IntoIterator<Item = f64>) -> f64 {
        let mut moments = Moments::default();
        numbers.into_iter().for_each(|x| moments.add(x));
        moments.deviation()
    }

    #[test]
    fn deviations() {
        assert_eq!(deviation([]), 0.0);
        assert_eq!(deviation([5.0]), 0.0);
        assert_eq!(deviation([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), (32.0f64 / 7.0).sqrt());
        assert_eq!(deviation([0.1; 1000]), 0.0);
        assert!((deviation([1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]) - 1.0).abs() < 1e-12);
        assert!(deviation([f64::INFINITY]).is_nan());
        assert!(deviation([f64::NAN, 1.0]).is_nan());
        assert!(deviation([1.0, f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn the_order_does_not_matter() {
        let numbers: Vec<f64> = (0..10_000).map(|i| (f64::from(i) * 0.7).sin() * 1e3 + 0.1).collect();
        assert_eq!(deviation(numbers.iter().copied()), deviation(numbers.iter().rev().copied()));
    }
}
