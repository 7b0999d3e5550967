//! People: drawn, completed, otherwise, and how likely.

pub(crate) mod assumed_independences;
pub(crate) mod census;
pub(crate) mod complete_persona;
pub(crate) mod counterfactual;
pub(crate) mod persona_probability;
pub(crate) mod sample_persona;
