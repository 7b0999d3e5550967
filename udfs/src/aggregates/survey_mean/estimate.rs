//! Estimates of a mean from a sample, with their standard errors, by Taylor linearisation.
//!
//! The weighted mean ȳ = Σ w y / Σ w is a ratio; to first order it varies as the weighted total of z = (y − ȳ) / Σ w does
//! (Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, chapter 5). Of a group of the rows, z is 0 for
//! those outside of it, which stay in the design (chapter 10; Lumley, Complex Surveys, 2010).

use std::collections::HashMap;

use crate::statistics::{outside, reach};

/// What is told of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub mean: f64,
    /// `None` where one row alone was taken of a stratum that has others, or one row alone without strata: how far its
    /// like are from each other is not known
    pub standard_error: Option<f64>,
    /// Rows taken less strata, of the strata that the group has rows in (Korn and Graubard, Analysis of Health Surveys,
    /// 1999, chapter 5)
    pub degrees_of_freedom: u64,
    /// Rows of the group
    pub rows: u64,
}

impl Estimate {
    /// An interval that holds the mean of the table in 95 of 100 samples.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let error = self.standard_error?;
        // Where all rows were taken nothing is left to chance.
        let reach = if error == 0.0 { 0.0 } else { reach(self.degrees_of_freedom as f64) * error };
        Some((self.mean - reach, self.mean + reach))
    }

    /// How likely a mean as far from 0 is where the table's is 0, by Student's t.
    pub fn p_value(&self) -> Option<f64> {
        let error = self.standard_error?;
        match (error == 0.0, self.mean == 0.0) {
            (true, true) => Some(1.0),
            (true, false) => Some(0.0),
            _ => Some(outside(self.mean / error, self.degrees_of_freedom as f64)),
        }
    }
}

/// The weight, the mean and the sum of squared deviations of values, in one pass (West, Communications of the ACM 22,
/// 1979; Chan, Golub and LeVeque, The American Statistician 37, 1983).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spread {
    pub weight: f64,
    pub mean: f64,
    pub squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64, weight: f64) {
        self.merge(&Spread { weight, mean: value, squares: 0.0 });
    }

    fn merge(&mut self, other: &Spread) {
        let weight = self.weight + other.weight;
        if weight > 0.0 {
            let apart = other.mean - self.mean;
            let share = other.weight / weight;
            self.mean += apart * share;
            self.squares += other.squares + apart * apart * self.weight * share;
            self.weight = weight;
        }
    }
}

/// Rows with weights of any kind, drawn with replacement.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weighted {
    pub rows: u64,
    /// By their weights
    pub values: Spread,
    /// By the squares of their weights
    pub squared: Spread,
}

impl Weighted {
    pub fn add(&mut self, value: f64, weight: f64) {
        self.rows += 1;
        self.values.add(value, weight);
        self.squared.add(value, weight * weight);
    }

    pub fn merge(&mut self, other: &Weighted) {
        self.rows += other.rows;
        self.values.merge(&other.values);
        self.squared.merge(&other.squared);
    }

    /// With the variance n / (n − 1) · Σ (w z)², as Σ w z is 0; `None` without weight.
    pub fn estimate(&self) -> Option<Estimate> {
        let Weighted { rows, values: Spread { weight, mean, .. }, squared } = *self;
        if weight <= 0.0 {
            return None;
        }
        // Σ w²(y − ȳ)²
        let deviations = squared.squares + squared.weight * (squared.mean - mean).powi(2);
        let n = rows as f64;
        let standard_error = (rows > 1).then(|| (n / (n - 1.0) * deviations).sqrt() / weight);
        Some(Estimate { mean, standard_error, degrees_of_freedom: rows.saturating_sub(1), rows })
    }
}

/// The rows of a group in one stratum of a sample without replacement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stratum {
    /// The weight of each row
    pub weight: f64,
    /// Rows of the stratum in the table that the sample is of
    pub size: f64,
    /// Of the group's rows, which count as 1 each
    pub values: Spread,
}

/// Weights and sizes may differ by this share of them: what dividing and multiplying again leaves.
const SAME: f64 = 1e-9;

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// A stratified sample without replacement: the rows of a group, by their strata's names; `None` is that of NULL.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stratified {
    numbers: HashMap<Option<Box<str>>, usize>,
    pub strata: Vec<(Option<Box<str>>, Stratum)>,
}

impl Stratified {
    /// Counts a row.
    ///
    /// # Errors
    /// If its weight or its stratum's size is another than that of the rows before.
    pub fn add(&mut self, name: Option<&str>, weight: f64, size: f64, value: f64) -> Result<(), String> {
        self.merge(name, &Stratum { weight, size, values: Spread { weight: 1.0, mean: value, squares: 0.0 } })
    }

    /// Counts rows of a stratum.
    ///
    /// # Errors
    /// If their weight or their stratum's size is another than that of the rows before.
    pub fn merge(&mut self, name: Option<&str>, other: &Stratum) -> Result<(), String> {
        // Rows of a stratum often come one after the other.
        let at = match self.strata.last() {
            Some((last, _)) if last.as_deref() == name => self.strata.len() - 1,
            _ => {
                let name: Option<Box<str>> = name.map(Box::from);
                let next = self.strata.len();
                let at = *self.numbers.entry(name.clone()).or_insert(next);
                if at == next {
                    self.strata.push((name, Stratum { values: Spread::default(), ..*other }));
                }
                at
            }
        };
        let Stratum { weight, size, values } = &mut self.strata[at].1;
        for (what, a, b) in [("weights", *weight, other.weight), ("stratum sizes", *size, other.size)] {
            if !same(a, b) {
                return Err(format!(
                    "rows of stratum `{}` have different {what}, such as {a} and {b}; those of a stratum are all alike, as \
                     stratified_sample gives them. For other weights, such as those of rake, leave out stratum and \
                     stratum_size",
                    name.unwrap_or("NULL")
                ));
            }
        }
        values.merge(&other.values);
        Ok(())
    }

    /// With the variance Σ (1 − f) n s² over the strata that the group has rows in, where n rows were taken of a stratum,
    /// the share f of it, and s² is the variance of w z among these n: 0 for those outside of the group. `None` without
    /// rows.
    ///
    /// # Errors
    /// If the weights and sizes are none that such a sample has.
    pub fn estimate(&self) -> Result<Option<Estimate>, String> {
        let mut strata: Vec<&(Option<Box<str>>, Stratum)> = self.strata.iter().collect();
        // In one order, so that sums have the same last digits.
        strata.sort_by(|a, b| a.0.cmp(&b.0));
        let mut all = Spread::default();
        for (_, stratum) in &strata {
            all.merge(&Spread { weight: stratum.values.weight * stratum.weight, ..stratum.values });
        }
        if all.weight <= 0.0 {
            return Ok(None);
        }
        let (mut rows, mut degrees_of_freedom, mut variance) = (0, 0, Some(0.0));
        for (name, stratum) in strata {
            let Stratum { weight, size, values: Spread { weight: count, mean, squares } } = *stratum;
            let taken = (size / weight).round();
            let name = name.as_deref().unwrap_or("NULL");
            if (size / weight - taken).abs() > 1e-6 * taken {
                return Err(format!(
                    "stratum `{name}` has {size} rows of weight {weight}, so that {} were taken, which is no whole number; \
                     weight and stratum_size are those of stratified_sample. For other weights, such as those of rake, \
                     leave out stratum and stratum_size",
                    size / weight
                ));
            }
            if taken > size {
                return Err(format!(
                    "stratum `{name}`: a weight of {weight} is less than 1, that of a row taken surely"
                ));
            }
            if count > taken {
                return Err(format!(
                    "stratum `{name}` has {count} rows here, but {taken} were taken of its {size}; a row of the sample may \
                     be there once, not twice, as after a join"
                ));
            }
            rows += count as u64;
            degrees_of_freedom += taken as u64 - 1;
            let apart = mean - all.mean;
            // Σ (wz − its mean)² times (Σ w)² over the n rows taken, of which all but `count` are 0
            let deviations = weight * weight * (squares + count * apart * apart * (1.0 - count / taken));
            let left = 1.0 - taken / size;
            variance = match taken > 1.0 {
                true => variance.map(|sum| sum + left * taken / (taken - 1.0) * deviations),
                // One row tells all of a stratum that has no other.
                false => variance.filter(|_| left <= 0.0),
            };
        }
        let standard_error = variance.map(|sum| sum.sqrt() / all.weight);
        Ok(Some(Estimate { mean: all.mean, standard_error, degrees_of_freedom, rows }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../tests/survey/sample.csv");
    const EXPECTED: &str = include_str!("../../../tests/survey/expected.csv");

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
    }

    fn rows(csv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
        csv.lines().skip(1).map(|line| line.split(',').collect())
    }

    fn number(text: &str) -> f64 {
        text.parse().unwrap()
    }

    /// What others find in the same sample: see the script beside it.
    #[test]
    fn others_find_the_same() {
        for case in rows(EXPECTED) {
            let of_case = || rows(SAMPLE).filter(|row| case[0].is_empty() || row[3] == case[0]);
            let found = match case[1] {
                "weights" => {
                    let mut parts = [Weighted::default(); 2];
                    of_case().enumerate().for_each(|(i, row)| parts[i % 2].add(number(row[4]), number(row[5])));
                    let [mut all, other] = parts;
                    all.merge(&other);
                    all.estimate().unwrap()
                }
                _ => {
                    let mut sample = Stratified::default();
                    of_case().for_each(|r| sample.add(Some(r[0]), number(r[2]), number(r[1]), number(r[4])).unwrap());
                    sample.estimate().unwrap().unwrap()
                }
            };
            let (lower, upper) = found.interval().unwrap();
            let found = [found.mean, found.standard_error.unwrap(), lower, upper, found.degrees_of_freedom as f64];
            found.into_iter().zip(&case[2..]).for_each(|(found, expected)| near(found, number(expected)));
        }
    }

    /// Cochran, Sampling Techniques, 1977, 2.6 and 2.7: a simple random sample.
    #[test]
    fn simple_random_samples() {
        let values = [3.0, 5.0, 8.0, 4.0];
        let mut sample = Stratified::default();
        values.iter().for_each(|y| sample.add(None, 10.0, 40.0, *y).unwrap());
        let found = sample.estimate().unwrap().unwrap();
        assert_eq!((found.mean, found.degrees_of_freedom, found.rows), (5.0, 3, 4));
        // (1 − 4/40) · (14/3) / 4
        near(found.standard_error.unwrap(), (0.9 * 14.0 / 3.0 / 4.0f64).sqrt());
        let mut weighted = Weighted::default();
        values.iter().for_each(|y| weighted.add(*y, 10.0));
        near(weighted.estimate().unwrap().standard_error.unwrap(), (14.0 / 3.0 / 4.0f64).sqrt());
    }

    #[test]
    fn nothing_is_left_to_chance_where_all_were_taken() {
        let mut sample = Stratified::default();
        [1.0, 2.0, 6.0].iter().for_each(|y| sample.add(Some("a"), 1.0, 3.0, *y).unwrap());
        sample.add(Some("b"), 1.0, 1.0, 11.0).unwrap();
        let found = sample.estimate().unwrap().unwrap();
        assert_eq!((found.mean, found.standard_error, found.interval()), (5.0, Some(0.0), Some((5.0, 5.0))));
        assert_eq!((found.degrees_of_freedom, found.rows), (2, 4));
    }

    #[test]
    fn one_row_tells_no_variance() {
        let mut sample = Stratified::default();
        sample.add(Some("a"), 20.0, 20.0, 1.0).unwrap();
        [1.0, 3.0].iter().for_each(|y| sample.add(Some("b"), 10.0, 20.0, *y).unwrap());
        let found = sample.estimate().unwrap().unwrap();
        assert_eq!((found.mean, found.standard_error, found.interval(), found.rows), (1.5, None, None, 3));
        let mut weighted = Weighted::default();
        assert_eq!(weighted.estimate(), None);
        weighted.add(2.0, 3.0);
        let found = weighted.estimate().unwrap();
        assert_eq!((found.mean, found.standard_error, found.degrees_of_freedom), (2.0, None, 0));
        assert_eq!(Stratified::default().estimate(), Ok(None));
    }

    #[test]
    fn what_no_such_sample_has() {
        let of = |rows: &[(f64, f64)]| {
            let mut sample = Stratified::default();
            for (weight, size) in rows {
                sample.add(Some("x"), *weight, *size, 1.0)?;
            }
            sample.estimate()
        };
        assert!(
            of(&[(2.0, 10.0), (3.0, 10.0)])
                .unwrap_err()
                .contains("stratum `x` have different weights, such as 2 and 3")
        );
        assert!(of(&[(2.0, 10.0), (2.0, 12.0)]).unwrap_err().contains("different stratum sizes"));
        assert!(of(&[(3.0, 10.0)]).unwrap_err().contains("no whole number"));
        assert!(of(&[(0.5, 10.0)]).unwrap_err().contains("less than 1"));
        assert!(of(&[(10.0, 20.0); 3]).unwrap_err().contains("has 3 rows here, but 2 were taken of its 20"));
        assert!(of(&[(10.0 / 3.0, 10.0); 3]).is_ok());
    }

    /// Far from 0, and put together from parts
    #[test]
    fn digits_are_kept() {
        let values: Vec<f64> = (0..100).map(|i| 1e6 + f64::from(i % 7)).collect();
        let estimate = |shift: f64, parts: usize| {
            let mut sample = Stratified::default();
            for part in values.chunks(100 / parts) {
                let mut of_part = Stratified::default();
                part.iter().for_each(|y| of_part.add(Some("x"), 5.0, 500.0, y - shift).unwrap());
                of_part.strata.iter().for_each(|(name, s)| sample.merge(name.as_deref(), s).unwrap());
            }
            sample.estimate().unwrap().unwrap()
        };
        let (far, near_zero) = (estimate(0.0, 1), estimate(1e6, 1));
        near(far.standard_error.unwrap(), near_zero.standard_error.unwrap());
        near(estimate(0.0, 10).standard_error.unwrap(), near_zero.standard_error.unwrap());
        near(far.mean - 1e6, near_zero.mean);
    }
}
