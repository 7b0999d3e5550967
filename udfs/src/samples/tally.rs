//! The first pass over a table: how many rows each stratum has, and which ranks are its lowest.

use super::moments::Moments;

/// The rank of a row, and its number where it has one.
pub(crate) type Ranked = (u128, u64);

/// Counts the rows of strata, and keeps as many of their lowest ranks as can be asked for, or up to twice as many: 32
/// bytes for each.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    keep: usize,
    strata: Vec<StratumTally>,
}

#[derive(Debug, Clone, Default)]
struct StratumTally {
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

    /// Memory that it holds, about.
    pub fn bytes(&self) -> usize {
        let ranks: usize = self.strata.iter().map(|s| s.lowest.capacity()).sum();
        ranks * size_of::<Ranked>() + self.strata.capacity() * size_of::<StratumTally>()
    }

    /// Counts a row; `value` is that of the study variable.
    pub fn add(&mut self, stratum: usize, (rank, number): Ranked, value: Option<f64>) {
        if stratum >= self.strata.len() {
            self.strata.resize_with(stratum + 1, StratumTally::default);
        }
        let StratumTally { population, lowest, highest, moments } = &mut self.strata[stratum];
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
        let mut strata: Vec<StratumTally> = before.iter().map(|_| StratumTally::default()).collect();
        self.strata.resize_with(before.len().max(self.strata.len()), StratumTally::default);
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
        let taken = |(stratum, quota): (StratumTally, &u64)| {
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
    use super::*;

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
}
