//! What follows from which variables are known: which of the others hang together.

use std::collections::HashMap;
use std::sync::Arc;

use crate::draw::envelope::Envelope;
use crate::draw::groups::Groups;
use crate::draw::trellis::{Sweep, base};
use crate::model::network::Network;
use crate::pack::Pack;

/// What follows from which variables are known.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub number: u32,
    /// Known variables whose parents are known.
    pub certain: Vec<usize>,
    pub parts: Vec<Part>,
    /// Unknown variables without known descendants.
    pub barren: Vec<usize>,
}

/// Unknown variables that are tied together, and the known ones that they are the parents of.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub variables: Vec<usize>,
    pub observed: Vec<usize>,
    /// Of each that is observed, the groups of its levels.
    pub groups: Vec<Option<Arc<Groups>>>,
    pub sweep: Option<Sweep>,
    /// Whether it is carried forward before envelopes are tried.
    pub sweeps: bool,
    pub envelopes: Vec<Envelope>,
}

impl Part {
    /// What is known around a part, no finer than its tables tell apart: after two numbers that say which part it is the
    /// base of each variable, and the level and then the group of each that is observed.
    pub fn key(&self, pack: &Pack, number: [u32; 2], codes: &[i32]) -> Vec<u32> {
        let mut key = number.to_vec();
        for v in self.variables.iter().chain(&self.observed) {
            key.push(base(&pack.addresses[*v], codes));
        }
        key.extend(self.observed.iter().map(|v| codes[*v] as u32));
        let groups = self.observed.iter().zip(&self.groups);
        key.extend(groups.map(|(v, groups)| groups.as_ref().map_or(0, |groups| u32::from(groups.of(codes[*v])))));
        key
    }
}

impl Pattern {
    pub fn new(network: &Network, known: &[bool], number: u32) -> Pattern {
        let count = network.tables.len();
        let wanted = network.ancestors((0..count).filter(|v| known[*v]));
        // Variables in one table that are unknown are in one part: the least of them names it.
        let mut part_of: Vec<usize> = (0..count).collect();
        fn least(part_of: &mut [usize], mut v: usize) -> usize {
            while part_of[v] != v {
                part_of[v] = part_of[part_of[v]];
                v = part_of[v];
            }
            v
        }
        let unknown_of = |v: usize| {
            let parents = network.tables[v].parents.iter().map(|a| a.variable);
            parents.chain([v]).filter(|u| !known[*u]).collect::<Vec<usize>>()
        };
        for v in (0..count).filter(|v| wanted[*v]) {
            for pair in unknown_of(v).windows(2) {
                let (a, b) = (least(&mut part_of, pair[0]), least(&mut part_of, pair[1]));
                part_of[a.max(b)] = a.min(b);
            }
        }
        let mut parts: HashMap<usize, Part> = HashMap::new();
        let (mut certain, mut barren) = (vec![], vec![]);
        for v in 0..count {
            match (known[v], wanted[v], unknown_of(v).first()) {
                (true, _, None) => certain.push(v),
                (true, _, Some(parent)) => {
                    parts.entry(least(&mut part_of, *parent)).or_default().observed.push(v);
                }
                (false, true, _) => parts.entry(least(&mut part_of, v)).or_default().variables.push(v),
                (false, false, _) => barren.push(v),
            }
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        parts.sort_by_key(|p| p.variables.first().copied());
        Pattern { number, certain, parts, barren }
    }
}
