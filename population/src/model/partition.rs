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
        Partition::by_signature(self.class_of.iter().zip(other.class_of.iter()))
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
        let c = Partition::by_signature([0, 1, 1, 2, 2]);
        assert_eq!(Partition::by_signature([0, 1, 2, 3, 4]).coarsen(&c), c);
        assert_eq!(c.coarsen(&Partition::by_signature([0, 1, 2, 3, 3])), c);
    }
}
