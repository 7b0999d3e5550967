//! Drawing people from a pack. Uses `model`, `infer` and `pack`.

pub(crate) mod completion;
pub(crate) mod counterfactual;
pub(crate) mod facts;
pub(crate) mod intervention;
pub(crate) mod kernels;
pub(crate) mod posteriors;
pub(crate) mod sampler;
pub(crate) mod stream;
pub(crate) mod trellis;
