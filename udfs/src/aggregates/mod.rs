//! Aggregates.

pub(crate) mod diversity;
pub(crate) mod survey_mean;
