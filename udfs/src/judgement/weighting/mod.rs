//! Tables beside a country's people: which strata they lack (`rebalance`), and weights that make up for it (`rake`).

pub(crate) mod fit;
pub(crate) mod margins;
pub(crate) mod rake;
pub(crate) mod rebalance;
pub(crate) mod strata;
