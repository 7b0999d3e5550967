//! What a stream's people are conditioned on: evidence, margins, and the tables to draw them from.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::draw::as_drawn::AsDrawn;
use crate::draw::margins::Margins;
use crate::error::Result;
use crate::infer::elimination::{Case, MAX_BYTES, Posterior, condition};
use crate::infer::evidence::Evidence;
use crate::infer::predicate::Predicate;
use crate::infer::prepared::Plan;
use crate::infer::projection::{Projection, project};
use crate::infer::weighed::Weighed;
use crate::model::network::{Address, Network, Table, quantise};
use crate::model::potential::Potential;

/// Those whom a stream draws, where that is not everybody as they are.
#[derive(Debug)]
pub(super) struct Conditioned {
    pub given: Predicate,
    pub probability: f64,
    pub plan: Plan,
    /// The words that draw each case of the evidence, as the thresholds of a table.
    pub thresholds: Vec<u32>,
    pub cases: Vec<Drawing>,
    /// What people are drawn to, and what they are weighed by for it.
    pub margins: Option<(Margins, Vec<Potential>)>,
    /// The same bytes for what means the same.
    pub canonical: Vec<u8>,
}

/// The tables of one case.
#[derive(Debug)]
pub(super) struct Drawing {
    pub tables: Vec<Option<(Table, Address)>>,
    /// What draws those of which no table is made yet.
    pub as_drawn: Vec<Option<AsDrawn>>,
    pub order: Vec<usize>,
    /// The share of the people that are of this case.
    pub share: f64,
}

impl Drawing {
    /// How many tables were made after all, since many people were drawn.
    #[cfg(test)]
    fn made(&self) -> usize {
        self.as_drawn.iter().flatten().filter(|as_drawn| as_drawn.is_made()).count()
    }
}

impl Conditioned {
    /// `None` where the predicate says nothing.
    pub fn given(network: &Network, given: &Predicate) -> Result<Option<Conditioned>> {
        let (evidence, posterior) = condition(network, given)?;
        if evidence.is_empty() {
            return Ok(None);
        }
        Ok(Some(Conditioned::new(&evidence, posterior.probability, posterior, None)))
    }

    /// Of those who satisfy the predicate, by margins that say something.
    pub fn to_margins(network: &Network, given: &Predicate, margins: &Margins) -> Result<Conditioned> {
        let parts = given.conjuncts();
        let evidence = Evidence::new(&parts, &network.variables)?;
        let Projection { factors, probability, posterior } = project(network, &evidence, &parts, margins.tables())?;
        Ok(Conditioned::new(&evidence, probability, posterior, Some((margins.clone(), factors))))
    }

    fn new(
        evidence: &Evidence,
        probability: f64,
        posterior: Posterior,
        margins: Option<(Margins, Vec<Potential>)>,
    ) -> Conditioned {
        let mut thresholds = vec![];
        let largest = posterior.cases.iter().map(|c| c.log_probability).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = posterior.cases.iter().map(|c| (c.log_probability - largest).exp()).collect();
        quantise(&weights, &mut thresholds);
        let room = Arc::new(AtomicU64::new(MAX_BYTES.saturating_sub(posterior.plan.bytes)));
        let total: f64 = weights.iter().sum();
        let drawing = |(case, weight): (Case, f64)| {
            let with_address = |table: Table| {
                let address = Address::new(&table.parents);
                (table, address)
            };
            let tables = case.tables.into_iter().map(|t| t.map(with_address)).collect();
            let as_drawn = |weighed: Option<Weighed>| weighed.map(|weighed| AsDrawn::new(weighed, room.clone()));
            let as_drawn = case.weighed.into_iter().map(as_drawn).collect();
            Drawing { tables, as_drawn, order: case.order, share: weight / total }
        };
        let mut canonical = evidence.canonical().to_vec();
        if let Some((margins, _)) = &margins {
            // The evidence has no part that begins so.
            canonical.push(b'Q');
            canonical.extend(margins.canonical());
        }
        Conditioned {
            given: evidence.predicate().clone(),
            probability,
            plan: posterior.plan,
            thresholds,
            cases: posterior.cases.into_iter().zip(weights).map(drawing).collect(),
            margins,
            canonical,
        }
    }

    /// What the column `given` holds.
    pub fn text(&self) -> String {
        let margins = self.margins.as_ref().map(|(margins, _)| format!("margins => '{}'", margins.id()));
        let given = (self.given != Predicate::Literal(Some(true))).then(|| self.given.to_string());
        given.into_iter().chain(margins).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::draw::sampler::Sampler;
    use crate::infer::elimination::condition_within;
    use crate::infer::predicate::{Comparison, Value};
    use crate::infer::prepared::Unmade;
    use crate::pack::{Pack, equals};

    const BYTES: u64 = 256 << 20;

    /// Rows that are worked out as they are drawn from are those of tables: whether few or all are, the same people are drawn.
    #[test]
    fn the_same_people_are_drawn_with_tables_and_without() {
        for country in ["brazil", "india", "japan", "singapore", "usa"] {
            let file = format!("{}/../datasets/{country}/{country}.pack", env!("CARGO_MANIFEST_DIR"));
            let pack = Pack::open(Path::new(&file)).unwrap();
            let schema = pack.schema();
            let shown: Vec<_> =
                pack.variables().iter().filter(|v| schema.column_with_name(&v.name).is_some()).collect();
            let fact = |at: usize| {
                let variable = shown[at % shown.len()];
                let level = (0..variable.len()).rev().find(|l| variable.null_level != Some(*l as u16)).unwrap_or(0);
                equals(&variable.name, &variable.label(level * (1 + at % 3) / 3))
            };
            let adult = Predicate::Compare { variable: "age".into(), op: Comparison::GtEq, value: Value::Integer(30) };
            let mut asked = vec![adult.clone(), Predicate::Not(Box::new(fact(3)))];
            for at in 0..12 {
                let either = Predicate::Or(vec![fact(2 * at), Predicate::Not(Box::new(fact(5 * at + 1)))]);
                asked.push(Predicate::And(vec![either, adult.clone()]));
            }
            let (mut answered, mut left_out, mut made) = (0, 0, 0);
            let all: Vec<usize> = (0..schema.fields().len()).collect();
            for given in asked {
                let people = |large: u128, left_out: &mut usize, later: &mut usize| {
                    let unmade = Unmade { planned: large, worked: large };
                    let (evidence, posterior) = condition_within(&pack.network, &given, BYTES, unmade).ok()?;
                    let (probability, cases) = (posterior.probability, posterior.cases.len());
                    let conditioned = Conditioned::new(&evidence, probability, posterior, None);
                    let made = |d: &Drawing| d.as_drawn.iter().flatten().count();
                    *left_out += conditioned.cases.iter().map(made).sum::<usize>();
                    // Of many people tables are made after all, of those of few rows first.
                    let sampler = Sampler::of(pack.clone(), 5, Some(conditioned));
                    let first = sampler.draw(0..300, None).unwrap();
                    sampler.draw(0..20_000, Some(&all)).unwrap();
                    *later += sampler.conditioned.as_ref().unwrap().cases.iter().map(Drawing::made).sum::<usize>();
                    assert_eq!(sampler.draw(0..300, None).unwrap(), first, "{country}: {given}");
                    Some((first, probability, cases))
                };
                let none = people(u128::MAX, &mut 0, &mut 0);
                assert_eq!(people(0, &mut left_out, &mut made), none, "{country}: {given}");
                assert_eq!(people(1 << 16, &mut 0, &mut 0), none, "{country}: {given}");
                answered += usize::from(none.is_some());
            }
            assert!(answered > 8 && left_out > 20, "{country}: {answered} answered, {left_out} without a table");
            assert!(made > 10 && made < left_out, "{country}: {made} tables of {left_out} after all");
        }
    }
}
