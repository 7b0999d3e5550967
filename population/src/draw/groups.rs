//! Levels of a variable that are alike in what they say of its parents, as names of one culture.
//!
//! What bounds a group's levels bounds each of them by a factor: bounds that are made for a group serve all who have one of
//! its levels, and who is drawn under them is taken back in the proportion in which the level itself is less likely.

use crate::model::network::Network;

/// Variables of fewer levels have no groups, and how many there may be.
const MANY: usize = 128;
const MOST_GROUPS: usize = 256;

/// The most entries of a table that is grouped, and the most cells of what bounds the groups.
const MOST_ENTRIES: usize = 1 << 22;
const MOST_TOPS: usize = 1 << 22;

/// A level joins a group if what bounds it is then at most so many times the level in all.
const LOOSE: f64 = 3.0;

/// What rounding a bound to single precision may take away is added to it before.
const ROUNDED: f64 = 1.0 + 1e-6;

/// The groups of a variable's levels.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Of each level the group, and the sum of its probabilities over the rows of the table.
    levels: Vec<(u16, f64)>,
    /// Of each group the largest of its levels' probabilities in each row, each divided by its level's sum.
    tops: Vec<Vec<f32>>,
}

impl Groups {
    /// By the rows of a variable's table, the same for the same network; `None` where it would not pay.
    pub fn new(network: &Network, variable: usize) -> Option<Groups> {
        let (rows, count) = (&network.tables[variable].rows, network.variables[variable].len());
        if count < MANY || rows.len() < 2 || rows.entries() > MOST_ENTRIES {
            return None;
        }
        let most = MOST_GROUPS.min(MOST_TOPS / rows.len());
        if most < 2 {
            return None;
        }
        let mut lists: Vec<Vec<(u32, f64)>> = vec![vec![]; count];
        (0..rows.len()).for_each(|row| rows.each(row, |level, p| lists[level].push((row as u32, p))));
        let sums: Vec<f64> = lists.iter().map(|list| list.iter().map(|(_, p)| p).sum()).collect();
        let mut order: Vec<usize> = (0..count).filter(|level| sums[*level] > 0.0).collect();
        // The most frequent ones first, so that groups are made for many.
        order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]).then(a.cmp(b)));
        let mut levels: Vec<(u16, f64)> = sums.iter().map(|sum| (0, *sum)).collect();
        let (mut tops, mut sizes): (Vec<Vec<f32>>, Vec<f64>) = (vec![], vec![]);
        for level in order {
            let (list, sum) = (&lists[level], sums[level]);
            let larger = |top: &[f32]| {
                let more = list.iter().map(|(row, p)| (p / sum - f64::from(top[*row as usize])).max(0.0));
                more.sum::<f64>()
            };
            let joined = (0..tops.len()).map(|group| (group, sizes[group] + larger(&tops[group])));
            let least = joined.min_by(|a, b| a.1.total_cmp(&b.1));
            let (group, size) = match least {
                Some((group, size)) if size <= LOOSE || tops.len() == most => (group, size),
                _ => {
                    tops.push(vec![0.0; rows.len()]);
                    sizes.push(1.0);
                    (tops.len() - 1, 1.0)
                }
            };
            sizes[group] = size;
            for (row, p) in list {
                let top = &mut tops[group][*row as usize];
                *top = top.max((p / sum * ROUNDED) as f32);
            }
            levels[level].0 = group as u16;
        }
        Some(Groups { levels, tops })
    }

    /// The group of a level; the first one for what is no level.
    pub fn of(&self, level: i32) -> u16 {
        usize::try_from(level).ok().and_then(|level| self.levels.get(level)).map_or(0, |(group, _)| *group)
    }

    /// What bounds a group in a row, to a factor of each level's own.
    pub fn top(&self, group: u16, row: usize) -> f64 {
        self.tops[usize::from(group)].get(row).map_or(0.0, |top| f64::from(*top))
    }

    /// What share of its bound a level's probability in a row is.
    pub fn share(&self, level: i32, row: usize, probability: f64) -> f64 {
        let sum = usize::try_from(level).ok().and_then(|level| self.levels.get(level)).map_or(0.0, |(_, sum)| *sum);
        let bound = self.top(self.of(level), row) * sum;
        if bound > 0.0 { probability / bound } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Pack;
    use std::path::Path;

    /// No level is more likely than what bounds its group, and not much less as a rule.
    #[test]
    fn groups_bound_their_levels() {
        for (country, names) in [("india", ["first_name", "last_name"]), ("japan", ["occupation", "first_name"])] {
            let path = format!("../datasets/{country}/{country}.pack");
            let pack = Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            for name in names {
                let variable = pack.network.variables.iter().position(|v| v.name == name).unwrap();
                let Some(groups) = Groups::new(&pack.network, variable) else {
                    panic!("{country}: no groups of {name}")
                };
                let rows = &pack.network.tables[variable].rows;
                let (mut sum, mut all) = (0.0, 0.0);
                for row in 0..rows.len() {
                    rows.each(row, |level, p| {
                        let share = groups.share(level as i32, row, p);
                        assert!(share > 0.0 && share <= 1.0, "{country}: {name}: {share}");
                        (sum, all) = (sum + share * p, all + p);
                    });
                }
                println!("{country} {name}: {} groups, {:.2}", groups.tops.len(), sum / all);
                assert!(groups.tops.len() > 1 && sum / all > 0.1, "{country}: {name}: {}", sum / all);
            }
        }
    }
}
