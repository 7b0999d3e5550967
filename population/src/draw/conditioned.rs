//! What a stream's people are conditioned on: evidence, margins, and the tables to draw them from.

use crate::draw::margins::Margins;
use crate::error::Result;
use crate::infer::elimination::{Case, Plan, Posterior, condition};
use crate::infer::evidence::Evidence;
use crate::infer::predicate::Predicate;
use crate::infer::projection::{Projection, project};
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
    pub order: Vec<usize>,
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
        let drawing = |case: Case| {
            let with_address = |table: Table| {
                let address = Address::new(&table.parents);
                (table, address)
            };
            Drawing { tables: case.tables.into_iter().map(|t| t.map(with_address)).collect(), order: case.order }
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
            cases: posterior.cases.into_iter().map(drawing).collect(),
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
