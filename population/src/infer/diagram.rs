//! Decision diagrams over variables of many levels: the same set of people is the same diagram, however it was spelt.
//!
//! Bryant, "Graph-based algorithms for Boolean function manipulation", IEEE Transactions on Computers 35 (1986); here a
//! node has an edge for each class of its variable's levels. (Srinivasan et al., ICCAD 1990.)

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The diagram of nobody.
pub(crate) const FALSE: u32 = 0;
/// The diagram of everybody.
pub(crate) const TRUE: u32 = 1;

/// The most edges that the diagrams of one predicate may have together (4 bytes each).
const MAX_EDGES: usize = 1 << 24;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// The place of its variable in the order.
    pub at: u32,
    /// Where each class of the variable leads.
    pub kids: Arc<[u32]>,
}

/// All diagrams of one predicate. Nodes are shared: equal sets have equal numbers.
#[derive(Debug, Default)]
pub(crate) struct Diagrams {
    nodes: Vec<Node>,
    known: HashMap<Node, u32>,
    memo: HashMap<(bool, u32, u32), u32>,
    edges: usize,
}

impl Diagrams {
    /// A node that is none of the two ends.
    pub fn node(&self, of: u32) -> Option<&Node> {
        of.checked_sub(2).and_then(|n| self.nodes.get(n as usize))
    }

    /// The node with these edges; where they all lead to one place, that place.
    pub fn make(&mut self, at: u32, kids: Vec<u32>) -> Result<u32> {
        if let Some(first) = kids.first()
            && kids.iter().all(|k| k == first)
        {
            return Ok(*first);
        }
        let node = Node { at, kids: kids.into() };
        if let Some(known) = self.known.get(&node) {
            return Ok(*known);
        }
        self.edges += node.kids.len();
        if self.edges > MAX_EDGES {
            return Err(Error::TooLarge {
                cells: self.edges as u128,
                bound: MAX_EDGES as u64,
                variables: "the tests of the predicate".into(),
            });
        }
        let number = self.nodes.len() as u32 + 2;
        self.nodes.push(node.clone());
        self.known.insert(node, number);
        Ok(number)
    }

    /// The people in both.
    pub fn and(&mut self, a: u32, b: u32) -> Result<u32> {
        self.apply(true, a, b)
    }

    /// The people in either.
    pub fn or(&mut self, a: u32, b: u32) -> Result<u32> {
        self.apply(false, a, b)
    }

    fn apply(&mut self, both: bool, a: u32, b: u32) -> Result<u32> {
        let (neutral, decisive) = if both { (TRUE, FALSE) } else { (FALSE, TRUE) };
        match (a, b) {
            _ if a == b || b == neutral => return Ok(a),
            _ if a == neutral => return Ok(b),
            _ if a == decisive || b == decisive => return Ok(decisive),
            _ => {}
        }
        let key = (both, a.min(b), a.max(b));
        if let Some(known) = self.memo.get(&key) {
            return Ok(*known);
        }
        let (x, y) = (self.nodes[a as usize - 2].clone(), self.nodes[b as usize - 2].clone());
        let at = x.at.min(y.at);
        let classes = if x.at == at { x.kids.len() } else { y.kids.len() };
        let mut kids = Vec::with_capacity(classes);
        for class in 0..classes {
            let left = if x.at == at { x.kids[class] } else { a };
            let right = if y.at == at { y.kids[class] } else { b };
            kids.push(self.apply(both, left, right)?);
        }
        let made = self.make(at, kids)?;
        self.memo.insert(key, made);
        Ok(made)
    }

    /// Those who are not in it.
    pub fn not(&mut self, of: u32) -> Result<u32> {
        self.not_within(of, &mut HashMap::new())
    }

    fn not_within(&mut self, of: u32, done: &mut HashMap<u32, u32>) -> Result<u32> {
        let Some(node) = self.node(of).cloned() else { return Ok(1 - of) };
        if let Some(done) = done.get(&of) {
            return Ok(*done);
        }
        let kids = node.kids.iter().map(|k| self.not_within(*k, done)).collect::<Result<Vec<_>>>()?;
        let made = self.make(node.at, kids)?;
        done.insert(of, made);
        Ok(made)
    }

    /// The nodes below and with this one, each once, parents before their kids.
    pub fn below(&self, root: u32) -> Vec<u32> {
        let (mut seen, mut order, mut stack) = (std::collections::HashSet::new(), vec![], vec![root]);
        while let Some(of) = stack.pop() {
            if let Some(node) = self.node(of)
                && seen.insert(of)
            {
                order.push(of);
                let mut kids = node.kids.to_vec();
                kids.dedup();
                stack.extend(kids.into_iter().rev());
            }
        }
        // By variable; a node's number is no part of the order, so that the same set gives the same list.
        order.sort_by_key(|n| self.nodes[*n as usize - 2].at);
        order
    }

    /// The places of the variables that it tests, in order.
    pub fn tested(&self, root: u32) -> Vec<u32> {
        let mut tested: Vec<u32> = self.below(root).iter().map(|n| self.nodes[*n as usize - 2].at).collect();
        tested.dedup();
        tested
    }

    /// Takes out a variable on which membership depends apart from all others: the classes that it may have, and the
    /// rest. `None` if it does not stand apart.
    pub fn apart(&mut self, root: u32, at: u32) -> Result<Option<(Vec<bool>, u32)>> {
        let nodes = self.below(root);
        let mut mask: Option<Vec<bool>> = None;
        let mut onto: HashMap<u32, u32> = HashMap::new();
        for of in &nodes {
            let node = &self.nodes[*of as usize - 2];
            if node.at != at {
                // An edge past the variable is a node at which all of its classes are alike.
                if node.at < at && node.kids.iter().any(|k| *k == TRUE || self.node(*k).is_some_and(|n| n.at > at)) {
                    return Ok(None);
                }
                continue;
            }
            let mut kept = node.kids.iter().filter(|k| **k != FALSE);
            let Some(kid) = kept.next().copied() else { return Ok(None) };
            if kept.any(|k| *k != kid) {
                return Ok(None);
            }
            let own: Vec<bool> = node.kids.iter().map(|k| *k != FALSE).collect();
            if *mask.get_or_insert_with(|| own.clone()) != own {
                return Ok(None);
            }
            onto.insert(*of, kid);
        }
        let Some(mask) = mask else { return Ok(None) };
        let rest = self.replaced(root, &mut onto)?;
        Ok(Some((mask, rest)))
    }

    fn replaced(&mut self, of: u32, onto: &mut HashMap<u32, u32>) -> Result<u32> {
        if let Some(done) = onto.get(&of) {
            return Ok(*done);
        }
        let Some(node) = self.node(of).cloned() else { return Ok(of) };
        let kids = node.kids.iter().map(|k| self.replaced(*k, onto)).collect::<Result<Vec<_>>>()?;
        let made = self.make(node.at, kids)?;
        onto.insert(of, made);
        Ok(made)
    }

    /// How many disjoint conjunctions it is the sum of.
    pub fn count_paths(&self, root: u32) -> u128 {
        let mut counts: HashMap<u32, u128> = HashMap::from([(FALSE, 0), (TRUE, 1)]);
        for of in self.below(root).into_iter().rev() {
            let mut kids = self.nodes[of as usize - 2].kids.to_vec();
            kids.sort_unstable();
            kids.dedup();
            let count = kids.iter().map(|k| counts.get(k).copied().unwrap_or(0)).fold(0, u128::saturating_add);
            counts.insert(of, count);
        }
        counts.get(&root).copied().unwrap_or(0)
    }

    /// These conjunctions: for each variable on the way, which of its classes lead along.
    pub fn paths(&self, root: u32) -> Vec<Vec<(u32, Vec<bool>)>> {
        let Some(node) = self.node(root) else { return if root == TRUE { vec![vec![]] } else { vec![] } };
        let mut kids: Vec<u32> = vec![];
        for kid in node.kids.iter().filter(|k| **k != FALSE) {
            if !kids.contains(kid) {
                kids.push(*kid);
            }
        }
        let mut paths = vec![];
        for kid in kids {
            let mask: Vec<bool> = node.kids.iter().map(|k| *k == kid).collect();
            for rest in self.paths(kid) {
                paths.push([vec![(node.at, mask.clone())], rest].concat());
            }
        }
        paths
    }

    /// Whether somebody with these classes is in it.
    pub fn holds(&self, root: u32, class: impl Fn(u32) -> usize) -> bool {
        let mut of = root;
        while let Some(node) = self.node(of) {
            of = node.kids[class(node.at)];
        }
        of == TRUE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_one_node() {
        let mut d = Diagrams::default();
        let a = d.make(0, vec![FALSE, TRUE, TRUE]).unwrap();
        let b = d.make(1, vec![TRUE, FALSE]).unwrap();
        let either = d.or(a, b).unwrap();
        let (no_a, no_b) = (d.not(a).unwrap(), d.not(b).unwrap());
        let neither = d.and(no_a, no_b).unwrap();
        assert_eq!(d.not(neither).unwrap(), either);
        assert_eq!(d.and(either, a).unwrap(), a);
        assert_eq!(d.count_paths(either), 2);
        assert_eq!(d.paths(either).len(), 2);
        let both = d.and(a, b).unwrap();
        assert_eq!(d.apart(both, 0).unwrap(), Some((vec![false, true, true], b)));
        assert_eq!(d.apart(both, 1).unwrap(), Some((vec![true, false], a)));
        assert_eq!(d.apart(either, 0).unwrap(), None);
        assert_eq!(d.apart(either, 1).unwrap(), None);
    }
}
