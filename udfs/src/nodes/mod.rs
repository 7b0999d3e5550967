//! How a call runs: as a node of a plan.

pub(crate) mod call;
pub(crate) mod properties;
pub(crate) mod relation_function;
pub(crate) mod scan;
pub(crate) mod unbound_draw;
