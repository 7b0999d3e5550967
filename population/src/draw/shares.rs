//! What share of those whom a sampler draws is what, by exact inference, before anybody is drawn.

use crate::draw::sampler::Sampler;
use crate::error::Result;
use crate::infer::evidence::Evidence;
use crate::infer::joint::joint;
use crate::model::partition::Partition;
use crate::model::potential::{Axis, labelled};
use crate::model::variable::find;

impl Sampler {
    /// The marginal distribution of one variable among those whom this draws: a probability for each level.
    ///
    /// # Errors
    /// If there is no such variable, or it needs more memory than the bound.
    pub fn marginal(&self, variable: &str) -> Result<Vec<f64>> {
        if self.conditioned.is_none() {
            return self.pack().marginal(variable);
        }
        let variables = self.pack().variables();
        let variable = find(variables, variable)?;
        self.shares(&[Axis { variable, partition: Partition::finest(variables[variable].len()) }])
    }

    /// The joint distribution of some variables among those whom this draws, each seen through a label for every level.
    /// Labels are numbered from 0 by their first appearance among the levels. The shares sum to 1 and are row-major: the
    /// last variable's labels run fastest.
    ///
    /// # Errors
    /// If a variable is unknown or has another number of levels, or it needs more memory than the bound.
    pub fn joint(&self, columns: &[(&str, &[u16])]) -> Result<Vec<f64>> {
        self.shares(&labelled(self.pack().variables(), columns)?)
    }

    fn shares(&self, axes: &[Axis]) -> Result<Vec<f64>> {
        let network = &self.pack().network;
        let parts = self.given_predicate().map_or(vec![], |given| given.conjuncts());
        let evidence = Evidence::new(&parts, &network.variables)?;
        let margins = self.conditioned.as_ref().and_then(|c| c.margins.as_ref());
        let factors = margins.map_or(&[][..], |(_, factors)| factors);
        Ok(joint(network, &evidence, factors, axes)?.shares)
    }
}
