//! The first pass over a table: how many rows each stratum has, and which ranks are its lowest.

use super::moments::Moments;

/// The rank of a row, and its number where it has one.
pub(crate) type Ranked = (u128, u64);

/// Counts the rows of strata, and keeps as many of their lowest ranks as can be asked for, or up to twice as many: 32
/// bytes for each.
#[derive(Debug)]
pub(crate) struct Tally {
    keep: usize,
    strata: Vec<Stratum>,
}

#[derive(Debug, Default)]
struct Stratum {
    population: u64,
    /// The lowest ranks among others, in no order
    lowest: Vec<Ranked>,
    /// None above it is among the lowest, once there are enough of them
    highest: Option<u128>,
    moments: Moments,
}

impl Tally {
    /// For samples with at most `most` rows of a stratum.
    pub fn new(most: u64) -> Tally {
        // One more, to see whether it can be told from the last one taken.
        Tally { keep: usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1), strata: vec![] }
    }

    /// Counts a row; `value` is that of the study variable.
    pub fn add(&mut self, stratum: usize, (rank, number): Ranked, value: Option<f64>) {
        if stratum >= self.strata.len() {
            self.strata.resize_with(stratum + 1, Stratum::default);
        }
        let Stratum { population, lowest, highest, moments } = &mut self.strata[stratum];
        *population += 1;
        if let Some(value) = value {
            moments.add(value);
        }
        if highest.is_none_or(|highest| rank < highest) {
            lowest.push((rank, number));
            if lowest.len() >= self.keep.saturating_mul(2) {
                // In time that grows with their number alone: for each rank that leaves, one came.
                let (_, at, _) = lowest.select_nth_unstable(self.keep - 1);
                *highest = Some(at.0);
                lowest.truncate(self.keep);
            }
        }
    }

    /// Puts the strata into another order: each where `before` has its old number.
    pub fn reorder(&mut self, before: &[usize]) {
        let mut strata: Vec<Stratum> = before.iter().map(|_| Stratum::default()).collect();
        self.strata.resize_with(before.len().max(self.strata.len()), Stratum::default);
        for (stratum, before) in strata.iter_mut().zip(before) {
            std::mem::swap(stratum, &mut self.strata[*before]);
        }
        self.strata = strata;
    }

    /// The population of each stratum, and the standard deviation of the study variable.
    pub fn counts(&self) -> impl Iterator<Item = (u64, f64)> {
        self.strata.iter().map(|s| (s.population, s.moments.deviation()))
    }

    /// The ranks that are taken, lowest first, if so many rows of each stratum are; `None` if two of them are equal.
    pub fn lowest(self, quotas: &[u64]) -> Option<Vec<Vec<Ranked>>> {
        let taken = |(stratum, quota): (Stratum, &u64)| {
            let mut ranks = stratum.lowest;
            let quota = usize::try_from(*quota).unwrap_or(usize::MAX);
            if quota < ranks.len() {
                ranks.select_nth_unstable(quota);
                ranks.truncate(quota + 1);
            }
            ranks.sort_unstable();
            let seen = &ranks[..ranks.len().min(quota.saturating_add(1))];
            if quota > 0 && seen.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            ranks.truncate(quota);
            Some(ranks)
        };
        self.strata.into_iter().zip(quotas).map(taken).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::allocation::{Allocation, Design, OnShort, Stratum, allocate};
    use super::*;
    use populace_population::permuted;

    #[test]
    fn the_lowest_are_kept() {
        let mut tally = Tally::new(3);
        for (stratum, rank) in [(0, 9), (1, 4), (0, 2), (0, 7), (0, 1), (1, 5), (0, 8), (0, 7)] {
            tally.add(stratum, (rank, 70 + rank as u64), Some(1.0));
        }
        tally.reorder(&[1, 0]);
        assert_eq!(tally.counts().collect::<Vec<_>>(), [(2, 0.0), (6, 0.0)]);
        assert_eq!(tally.lowest(&[1, 2]), Some(vec![vec![(4, 74)], vec![(1, 71), (2, 72)]]));
    }

    #[test]
    fn equal_ranks_are_told() {
        let tally = |quota| {
            let mut tally = Tally::new(3);
            [5, 5, 1, 3].into_iter().for_each(|rank| tally.add(0, (rank, 0), None));
            tally.lowest(&[quota])
        };
        assert_eq!(tally(2), Some(vec![vec![(1, 0), (3, 0)]]));
        assert_eq!(tally(3), None);
    }

    /// Over 1,000 seeds, the intervals of 95 % about weighted means hold the truth 950 times, save 7 (the standard
    /// deviation of the binomial); 20 more or less would be met once in 300 such tests by chance.
    #[test]
    fn intervals_about_weighted_means_cover_the_truth() {
        // Four strata that differ in size, mean and spread; the values within them are skewed.
        let sizes = [4000u64, 2000, 900, 100];
        let value = |stratum: usize, i: u64| {
            let uniform = (permuted(u128::from(i), 99 + stratum as u64) >> 64) as f64 / 2f64.powi(64);
            (stratum as f64 * 10.0) - (1.0 + stratum as f64) * 5.0 * (1.0 - uniform).ln()
        };
        let people: Vec<(usize, u128, f64)> = (0..sizes.len())
            .flat_map(|s| (0..sizes[s]).map(move |i| (s, u128::from(i) << 8 | s as u128, value(s, i))))
            .collect();
        let total: u64 = sizes.iter().sum();
        let truth = people.iter().map(|(.., y)| y).sum::<f64>() / total as f64;
        for allocation in [Allocation::Proportional, Allocation::Equal, Allocation::Neyman] {
            let on_short = OnShort::Redistribute;
            let design = Design { n: 420, allocation, min: 5, max: None, on_short };
            let (mut covered, mut errors) = (0, 0.0);
            for seed in 0..1000 {
                let mut tally = Tally::new(design.n);
                people.iter().for_each(|(s, key, y)| tally.add(*s, (permuted(*key, seed), 0), Some(*y)));
                let stratum = |(population, deviation)| Stratum { population, deviation, ..Stratum::default() };
                let strata: Vec<Stratum> = tally.counts().map(stratum).collect();
                let quotas = allocate(&design, &strata).unwrap();
                let bounds: Vec<u128> =
                    tally.lowest(&quotas).unwrap().iter().map(|r| r.last().map_or(0, |(rank, _)| *rank)).collect();
                let mut sample: Vec<Vec<f64>> = vec![vec![]; sizes.len()];
                for (s, key, y) in &people {
                    if permuted(*key, seed) <= bounds[*s] {
                        sample[*s].push(*y);
                    }
                }
                assert_eq!(sample.iter().map(|s| s.len() as u64).collect::<Vec<_>>(), quotas);
                // The estimator of a stratified mean and its variance (Cochran, Sampling Techniques, 1977, 5.3 and 5.4).
                let (mut mean, mut variance) = (0.0, 0.0);
                for (values, stratum) in sample.iter().zip(&strata) {
                    let (n, size) = (values.len() as f64, stratum.population as f64);
                    let sampling_weight = size / n;
                    let of_stratum = values.iter().sum::<f64>() / n;
                    let spread = values.iter().map(|y| (y - of_stratum).powi(2)).sum::<f64>() / (n - 1.0);
                    mean += values.iter().map(|y| sampling_weight * y).sum::<f64>() / total as f64;
                    variance += (size / total as f64).powi(2) * (1.0 - n / size) * spread / n;
                }
                covered += u32::from((mean - truth).abs() <= 1.96 * f64::sqrt(variance));
                errors += mean - truth;
            }
            assert!((930..=970).contains(&covered), "{allocation:?}: {covered} of 1000 intervals hold the truth");
            assert!((errors / 1000.0).abs() < 0.1, "{allocation:?}: off by {} on average", errors / 1000.0);
        }
    }
}
