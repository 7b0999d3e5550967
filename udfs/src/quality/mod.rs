//! Texts and rows that are not as they should be.

pub mod checks;
pub(crate) mod duplicates;
mod plausibility;
pub(crate) mod validate;
