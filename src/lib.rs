//! An embedded database of synthetic people.

pub mod embedders;
