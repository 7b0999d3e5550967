//! Which parts of a predicate contradict each other.

use crate::error::Error;
use crate::infer::elimination::is_empty;
use crate::infer::evidence::Evidence;
use crate::infer::predicate::Predicate;
use crate::interrupt;
use crate::model::network::Network;

/// How many subsets of the parts are tried for a smallest one that is impossible.
const SUBSETS: usize = 400;

/// A smallest set of parts that contradict each other: single parts first, then pairs, and so on. Of many parts, one from
/// which none can be left out. What would take too much memory to know counts as possible.
pub(super) fn contradiction(network: &Network, mut parts: Vec<Predicate>) -> Error {
    let mut tried = 0;
    let mut impossible = |parts: &[Predicate]| {
        tried += 1;
        let known = match Evidence::new(parts, &network.variables) {
            Ok(evidence) => is_empty(network, &evidence).unwrap_or_default(),
            Err(Error::Impossible { .. }) => true,
            Err(_) => false,
        };
        (known, tried)
    };
    let named = |parts: &[Predicate]| Error::Impossible { predicates: parts.iter().map(Predicate::brief).collect() };
    for size in 1..parts.len() {
        let mut at: Vec<usize> = (0..size).collect();
        let count = (0..size).fold(1.0, |c, i| c * (parts.len() - i) as f64 / (i + 1) as f64);
        if count > SUBSETS as f64 {
            break;
        }
        loop {
            let subset: Vec<Predicate> = at.iter().map(|i| parts[*i].clone()).collect();
            if impossible(&subset).0 {
                return named(&subset);
            }
            // The next subset of this size.
            let Some(turn) = (0..size).rev().find(|i| at[*i] < parts.len() - size + i) else { break };
            at[turn] += 1;
            (turn + 1..size).for_each(|i| at[i] = at[i - 1] + 1);
        }
    }
    let mut at = 0;
    while at < parts.len() && parts.len() > 1 {
        let left_out = parts.remove(at);
        let (still, tried) = impossible(&parts);
        if !still {
            parts.insert(at, left_out);
            at += 1;
        }
        if tried > 4 * SUBSETS {
            break;
        }
    }
    interrupt::check().err().unwrap_or_else(|| named(&parts))
}
