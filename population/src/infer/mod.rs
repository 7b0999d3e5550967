//! Exact inference: predicates, the evidence that they are, and what is known of the network given it. Uses `model` alone.

pub(crate) mod contradiction;
pub(crate) mod diagram;
pub(crate) mod eliminated;
pub(crate) mod elimination;
pub(crate) mod evidence;
pub(crate) mod joint;
pub(crate) mod lines;
pub(crate) mod made;
pub(crate) mod order;
pub(crate) mod predicate;
pub(crate) mod prepared;
pub(crate) mod product;
pub(crate) mod projection;
pub(crate) mod reduction;
pub(crate) mod resolve;
pub(crate) mod weighed;
pub(crate) mod whole;
