//! What servers of tests and benchmarks write of, so that no two texts are alike.

use std::hash::{DefaultHasher, Hash, Hasher};

pub const THINGS: [&str; 32] = [
    "lamp", "river", "kettle", "ladder", "orchard", "ribbon", "harbour", "lantern", "meadow", "anvil", "basket",
    "chimney", "drawer", "engine", "feather", "garden", "hammer", "island", "jacket", "kitchen", "letter", "mirror",
    "needle", "oven", "paddle", "quilt", "rope", "saddle", "table", "umbrella", "valley", "window",
];

/// A number that looks random, and is the same for the same value.
pub fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
