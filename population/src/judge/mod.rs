//! What the network of a pack says, to judge people and figures by. Uses `model`, `infer` and `pack`.

pub(crate) mod expected;
pub(crate) mod independence;
pub(crate) mod pairing;
