//! Drawing people from a pack. Uses `model`, `infer` and `pack`.

pub(crate) mod as_drawn;
pub(crate) mod bounds;
pub(crate) mod completion;
pub(crate) mod conditioned;
pub(crate) mod counterfactual;
pub(crate) mod envelope;
pub(crate) mod facts;
pub(crate) mod groups;
pub(crate) mod intervention;
pub(crate) mod kept;
pub(crate) mod kernels;
pub(crate) mod links;
pub(crate) mod margins;
pub(crate) mod pattern;
pub(crate) mod planner;
pub(crate) mod posteriors;
pub(crate) mod read_margins;
pub(crate) mod rows;
pub(crate) mod sampler;
pub(crate) mod shares;
pub(crate) mod stream;
pub(crate) mod trellis;
pub(crate) mod values;
