//! Partitions: coarser views of a variable's levels.

use std::collections::HashMap;
use std::sync::Arc;

/// A map from the levels of a variable to classes `0..classes`; every class is met.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Partition {
    class_of: Arc<[u16]>,
    classes: usize,
}

impl Partition {
    /// Every level a class of its own.
    pub fn finest(levels: usize) -> Partition {
        Partition { class_of: (0..levels).map(|l| l as u16).collect(), classes: levels }
    }

    /// Classes numbered by first appearance of a signature.
    pub fn by_signature<S: std::hash::Hash + Eq>(signatures: impl IntoIterator<Item = S>) -> Partition {
        let mut seen = HashMap::new();
        let class_of: Arc<[u16]> = signatures
            .into_iter()
            .map(|s| {
                let next = seen.len() as u16;
                *seen.entry(s).or_insert(next)
            })
            .collect();
        Partition { class_of, classes: seen.len() }
    }

    /// One class of all.
    pub fn whole(levels: usize) -> Partition {
        Partition { class_of: (0..levels).map(|_| 0).collect(), classes: usize::from(levels > 0) }
    }

    /// As [`by_signature`](Self::by_signature), by numbers, which are looked up in a table: no number is hashed.
    pub fn by_numbers(numbers: impl IntoIterator<Item = u32>) -> Partition {
        Partition::of_numbers(&numbers.into_iter().collect::<Vec<u32>>())
    }

    fn of_numbers(numbers: &[u32]) -> Partition {
        let most = numbers.iter().copied().max().unwrap_or_default() as usize;
        if most <= usize::from(u16::MAX) {
            let mut known = vec![u32::MAX; most + 1];
            let mut next = 0;
            let class_of = numbers.iter().map(|number| {
                let class = &mut known[*number as usize];
                if *class == u32::MAX {
                    (*class, next) = (next, next + 1);
                }
                *class as u16
            });
            let class_of = class_of.collect();
            return Partition { class_of, classes: next as usize };
        }
        // By their halves.
        let halves = |of: fn(u32) -> u32| numbers.iter().map(|number| of(*number)).collect::<Vec<u32>>();
        let high = Partition::of_numbers(&halves(|number| number >> 16));
        high.refine(&Partition::of_numbers(&halves(|number| number & 0xFFFF)))
    }

    /// The coarsest partition that both refine to: classes are the pairs that occur.
    pub fn refine(&self, other: &Partition) -> Partition {
        if self == other || other.classes == 1 {
            return self.clone();
        }
        if self.classes == 1 {
            return other.clone();
        }
        if self.classes == self.class_of.len() {
            return self.clone();
        }
        if self.classes * other.classes <= 1 << 16 {
            // A class for each pair in a small table, instead of a map.
            let (mut next, mut known) = (0u32, vec![u32::MAX; self.classes * other.classes]);
            let pairs = self.class_of.iter().zip(other.class_of.iter());
            let class_of: Arc<[u16]> = pairs
                .map(|(a, b)| {
                    let class = &mut known[usize::from(*a) * other.classes + usize::from(*b)];
                    if *class == u32::MAX {
                        (*class, next) = (next, next + 1);
                    }
                    *class as u16
                })
                .collect();
            return Partition { class_of, classes: next as usize };
        }
        self.refine_in_turn(other)
    }

    /// As [`refine`](Self::refine), one class of `self` after another: no table of all pairs.
    fn refine_in_turn(&self, other: &Partition) -> Partition {
        let mut starts = vec![0usize; self.classes + 1];
        self.class_of.iter().for_each(|class| starts[usize::from(*class) + 1] += 1);
        (1..starts.len()).for_each(|class| starts[class] += starts[class - 1]);
        let mut members = vec![0u32; self.class_of.len()];
        for (level, class) in self.class_of.iter().enumerate() {
            let place = &mut starts[usize::from(*class)];
            members[*place] = level as u32;
            *place += 1;
        }
        // For each class of `other` the class of `self` that it was met in last, and the number that the two have.
        let (mut met, mut next) = (vec![(u32::MAX, 0); other.classes], 0u32);
        let mut pairs = vec![0u32; self.class_of.len()];
        for level in members {
            let mine = u32::from(self.class_of[level as usize]);
            let of = &mut met[usize::from(other.class_of[level as usize])];
            if of.0 != mine {
                (*of, next) = ((mine, next), next + 1);
            }
            pairs[level as usize] = of.1;
        }
        // There are no more pairs than levels: these are looked up in a table.
        Partition::by_numbers(pairs)
    }

    /// The finest partition that both refine: classes that share a level are one.
    pub fn coarsen(&self, other: &Partition) -> Partition {
        // The least class of `self` that each of `other` meets, until nothing changes.
        let mut of_mine: Vec<u16> = (0..self.classes).map(|class| class as u16).collect();
        loop {
            let mut of_theirs = vec![u16::MAX; other.classes];
            let pairs =
                || self.class_of.iter().zip(other.class_of.iter()).map(|(a, b)| (usize::from(*a), usize::from(*b)));
            pairs().for_each(|(mine, theirs)| of_theirs[theirs] = of_theirs[theirs].min(of_mine[mine]));
            let before = of_mine.clone();
            pairs().for_each(|(mine, theirs)| of_mine[mine] = of_mine[mine].min(of_theirs[theirs]));
            if of_mine == before {
                return Partition::by_signature(self.class_of.iter().map(|class| of_mine[usize::from(*class)]));
            }
        }
    }

    /// For each class of `self`, the class of the coarser `other` that holds it; `None` if one is torn apart.
    pub fn onto(&self, other: &Partition) -> Option<Vec<u16>> {
        let mut onto = vec![u16::MAX; self.classes];
        let mut known = vec![false; self.classes];
        for (mine, theirs) in self.class_of.iter().zip(other.class_of.iter()) {
            let mine = usize::from(*mine);
            if known[mine] && onto[mine] != *theirs {
                return None;
            }
            (onto[mine], known[mine]) = (*theirs, true);
        }
        Some(onto)
    }

    pub fn class_of(&self) -> &Arc<[u16]> {
        &self.class_of
    }

    pub fn from_classes(class_of: Arc<[u16]>, classes: usize) -> Partition {
        Partition { class_of, classes }
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    pub fn is_finest(&self) -> bool {
        self.classes == self.class_of.len()
    }

    /// The levels of each class.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![vec![]; self.classes];
        for (level, class) in self.class_of.iter().enumerate() {
            members[usize::from(*class)].push(level);
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refining_meets_both() {
        let a = Partition::by_signature([0, 0, 1, 1, 2]);
        let b = Partition::by_signature([0, 1, 1, 1, 1]);
        let both = a.refine(&b);
        assert_eq!(both.class_of().as_ref(), &[0, 1, 2, 2, 3]);
        assert_eq!(both.onto(&a), Some(vec![0, 0, 1, 2]));
        assert_eq!(a.onto(&b), None);
        assert_eq!(a.coarsen(&b).class_of().as_ref(), &[0, 0, 0, 0, 0]);
        assert_eq!(a.refine_in_turn(&b), both);
        assert_eq!(b.refine_in_turn(&a), both);
        let c = Partition::by_signature([0, 1, 1, 2, 2]);
        let numbers = [9, 70_000, 9, 3, u32::MAX, 70_000, 65_536 + 9];
        assert_eq!(Partition::by_numbers(numbers), Partition::by_signature(numbers));
        assert_eq!(Partition::by_numbers(numbers[..1].iter().copied()), Partition::whole(1));
        assert_eq!(Partition::by_numbers([]), Partition::whole(0));
        let many =
            |step: usize| Partition::by_numbers((0..5000).map(|level| (level * step % 1777 * step) as u32 % 999));
        let (one, other) = (many(7), many(11));
        let pairs = one.class_of().iter().zip(other.class_of().iter());
        assert_eq!(one.refine(&other), Partition::by_signature(pairs));
        assert_eq!(Partition::by_signature([0, 1, 2, 3, 4]).coarsen(&c), c);
        assert_eq!(c.coarsen(&Partition::by_signature([0, 1, 2, 3, 3])), c);
    }
}
