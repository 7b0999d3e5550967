//! Tables beside a country or another table: how well they agree, and weights that make them agree.

pub(crate) mod compare;
pub(crate) mod domain;
pub(crate) mod fidelity;
pub(crate) mod stereotype_index;
pub(crate) mod weighting;
