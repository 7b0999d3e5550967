//! Functions of a row.

pub(crate) mod age_band;
pub(crate) mod cosine_similarity;
pub(crate) mod embed;
pub(crate) mod unaccent;
