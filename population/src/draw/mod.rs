//! Drawing people from a pack. Uses `model`, `infer` and `pack`.

pub(crate) mod sampler;
pub(crate) mod stream;
