//! Which values of two variables go together, and how often: what records are checked against.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::elimination::MAX_CELLS;
use crate::infer::joint::supported;
use crate::judge::Analysis;
use crate::model::network::{Rows, UNREACHABLE};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, cells, strides};

/// Pairs up to this many are weighed; of more it is only known whether they occur.
const WEIGHED: usize = 1 << 17;

/// The most products that are formed to weigh pairs: a second's work.
const MAX_WORK: u128 = 1 << 28;

/// Levels that are each tried by itself where a joint distribution is too large.
const ONE_BY_ONE: usize = 128;

/// How a value of one variable goes with one of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CoOccurrence {
    /// They go together; how often is not known where they are too many to weigh
    Known,
    /// They go together: the share of the whole population, and what it were if the two did not depend on each other
    Weighed { share: f64, independent: f64 },
    /// Nobody has both
    Never,
}

/// Two variables of a pack, and which of their levels go together.
#[derive(Debug, Clone)]
pub struct Association {
    /// How many levels the second variable has
    width: usize,
    pairs: Pairs,
}

#[derive(Debug, Clone)]
enum Pairs {
    /// The one level of the second for each of the first
    Function(Vec<u16>),
    /// Whether they occur: a bit a pair, row by row
    Occurring(Vec<u64>),
    /// Shares of the population, with those of the levels by themselves
    Weighed { shares: Vec<f64>, first: Vec<f64>, second: Vec<f64> },
}

impl Association {
    /// How a level of the first variable goes with a level of the second.
    pub fn co_occurrence(&self, first: usize, second: usize) -> CoOccurrence {
        let at = first * self.width + second;
        let occurs = |occurs: bool| if occurs { CoOccurrence::Known } else { CoOccurrence::Never };
        match &self.pairs {
            Pairs::Function(levels) => occurs(levels.get(first).is_some_and(|l| usize::from(*l) == second)),
            Pairs::Occurring(bits) => occurs(bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)),
            Pairs::Weighed { shares, first: of_first, second: of_second } => match shares.get(at) {
                Some(share) if *share > 0.0 => {
                    CoOccurrence::Weighed { share: *share, independent: of_first[first] * of_second[second] }
                }
                _ => CoOccurrence::Never,
            },
        }
    }

    /// The one level that goes with a level of the first variable, where there is only one.
    pub fn only(&self, first: usize) -> Option<usize> {
        match &self.pairs {
            Pairs::Function(levels) => levels.get(first).map(|l| usize::from(*l)),
            _ => None,
        }
    }
}

impl Analysis<'_> {
    /// Which levels of two variables go together, by exact inference; where they make too many pairs, whether one is
    /// ever drawn with the other.
    ///
    /// # Errors
    /// If there is no such variable, or the two are too far apart in the network for so many pairs.
    pub fn association(&self, first: &str, second: &str) -> Result<Association> {
        let variables = &self.pack.network.variables;
        let (a, b) =
            (crate::model::variable::find(variables, first)?, crate::model::variable::find(variables, second)?);
        let (height, width) = (variables[a].len(), variables[b].len());
        if let Some(levels) = self.function(b, a) {
            return Ok(Association { width, pairs: Pairs::Function(levels) });
        }
        if height * width > WEIGHED {
            let occurring = self.occurring(a, b);
            let too_large = || Error::TooLarge {
                cells: (height * width) as u128,
                bound: WEIGHED as u64,
                variables: format!("{first}, {second}"),
            };
            return Ok(Association { width, pairs: Pairs::Occurring(occurring.ok_or_else(too_large)?) });
        }
        let axis = |variable: usize| {
            let levels = variables[variable].len();
            Axis { variable, partition: Partition::finest(levels) }
        };
        let joint = self.pack.network.marginal_within(&[axis(a), axis(b)], MAX_CELLS, MAX_WORK);
        let shares = match joint {
            Some(joint) => joint.values,
            None if height.min(width) <= ONE_BY_ONE => {
                return Ok(Association { width, pairs: Pairs::Occurring(self.one_by_one(a, b)) });
            }
            None => {
                let (cells, variables) = ((height * width) as u128, format!("{first}, {second}"));
                return Err(Error::TooLarge { cells, bound: MAX_CELLS, variables });
            }
        };
        let first = shares.chunks(width).map(|row| row.iter().sum()).collect();
        let second = (0..width).map(|w| shares.iter().skip(w).step_by(width).sum()).collect();
        Ok(Association { width, pairs: Pairs::Weighed { shares, first, second } })
    }

    /// Which levels of two variables are not ruled out together, each level of the one with fewer by itself: a bit a pair.
    fn one_by_one(&self, a: usize, b: usize) -> Vec<u64> {
        let network = &self.pack.network;
        let (height, width) = (network.variables[a].len(), network.variables[b].len());
        let (of, known) = if height <= width { (b, a) } else { (a, b) };
        let rows = (0..height.min(width)).into_par_iter().map(|level| supported(network, of, (known, level)));
        let rows: Vec<Vec<bool>> = rows.collect();
        let mut bits = vec![0u64; (height * width).div_ceil(64)];
        for (at, row) in rows.iter().enumerate() {
            for (level, _) in row.iter().enumerate().filter(|(_, left)| **left) {
                let pair = if height <= width { at * width + level } else { level * width + at };
                bits[pair / 64] |= 1 << (pair % 64);
            }
        }
        bits
    }

    /// The level of a variable for each level of its only parent, where it is a function of that.
    fn function(&self, variable: usize, of: usize) -> Option<Vec<u16>> {
        let table = &self.pack.network.tables[variable];
        match (&table.rows, &table.parents[..]) {
            (Rows::Function { levels }, [parent]) if parent.variable == of => {
                let classes = parent.partition.class_of().iter();
                classes.map(|c| levels.get(usize::from(*c)).copied()).collect()
            }
            _ => None,
        }
    }

    /// Which levels of a variable are drawn with which of another that it is drawn from, or whose function it is of one
    /// that is: a bit a pair.
    fn occurring(&self, a: usize, b: usize) -> Option<Vec<u64>> {
        let (height, width) = (self.pack.network.variables[a].len(), self.pack.network.variables[b].len());
        let mut bits = vec![0u64; (height * width).div_ceil(64)];
        let mut set = |first: usize, second: usize| {
            let at = first * width + second;
            bits[at / 64] |= 1 << (at % 64);
        };
        let table = &self.pack.network.tables[a];
        if let Some(axis) = table.parents.iter().position(|p| p.variable == b) {
            let (parent, stride) = (&table.parents[axis], strides(&table.parents)[axis]);
            let mut members = vec![vec![]; parent.partition.classes()];
            parent.partition.class_of().iter().enumerate().for_each(|(l, c)| members[usize::from(*c)].push(l));
            for at in 0..cells(&table.parents) as usize {
                let row = table.compact.as_ref().map_or(at as u32, |compact| compact[at]);
                if row == UNREACHABLE {
                    continue;
                }
                let levels = &members[at / stride % parent.partition.classes()];
                table.rows.each(row as usize, |l, _| levels.iter().for_each(|level| set(l, *level)));
            }
            return Some(bits);
        }
        let [parent] = &table.parents[..] else { return None };
        let to = self.function(a, parent.variable)?;
        let between = Association { width, pairs: Pairs::Occurring(self.occurring(parent.variable, b)?) };
        for (from, to) in to.iter().enumerate() {
            for second in (0..width).filter(|second| between.co_occurrence(from, *second) != CoOccurrence::Never) {
                set(usize::from(*to), second);
            }
        }
        Some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pack;
    use std::path::Path;

    #[test]
    fn values_that_nobody_has_together_are_told_from_those_that_some_have() {
        let usa = Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack")).unwrap();
        let level = |name: &str, label: &str| usa.variable(name).unwrap().level(label).unwrap();
        let company = |a: (&str, &str), b: (&str, &str)| {
            Analysis::of(&usa).association(a.0, b.0).unwrap().co_occurrence(level(a.0, a.1), level(b.0, b.1))
        };
        assert_eq!(company(("age", "18"), ("education_level", "graduate")), CoOccurrence::Never);
        let CoOccurrence::Weighed { share, independent } = company(("age", "30"), ("marital_status", "widowed")) else {
            panic!("thirty and widowed");
        };
        let both = Analysis::of(&usa).association("age", "marital_status").unwrap();
        assert!(share > 0.0 && share < independent && both.only(0).is_none(), "{share} {independent}");
        assert_eq!(company(("zipcode", "90001"), ("state", "CA")), CoOccurrence::Known);
        assert_eq!(company(("zipcode", "90001"), ("state", "NY")), CoOccurrence::Never);
        assert_eq!(company(("city", "Los Angeles"), ("state", "CA")), CoOccurrence::Known);
        assert_eq!(company(("city", "Los Angeles"), ("state", "VT")), CoOccurrence::Never);
        let cities = Analysis::of(&usa).association("zipcode", "city").unwrap();
        assert_eq!(cities.only(level("zipcode", "90001")), Some(level("city", "Los Angeles")));
        assert_eq!(company(("labour_status", "not_in_labor_force"), ("occupation", "dentists")), CoOccurrence::Never);
        assert_eq!(company(("labour_status", "employed"), ("occupation", "dentists")), CoOccurrence::Known);
        assert_eq!(company(("occupation", "dentists"), ("labour_status", "unemployed")), CoOccurrence::Never);
        assert_ne!(company(("age", "40"), ("occupation", "dentists")), CoOccurrence::Never);
        assert!(matches!(Analysis::of(&usa).association("zipcode", "last_name"), Err(Error::TooLarge { .. })));
        assert!(matches!(Analysis::of(&usa).association("zip", "age"), Err(Error::UnknownVariable { .. })));
    }
}
