//! Seeds of draws and samples.

use std::hash::{BuildHasher, Hasher};

/// A seed that no statement had before; within 53 bits, so that it survives JSON.
pub fn fresh_seed() -> u64 {
    // The standard library keys its hashers from the system's entropy.
    std::hash::RandomState::new().build_hasher().finish() >> 11
}
