//! An embedded database of synthetic people, drawn from official statistics.
//!
//! The binary `populace` is a thin layer over this library; the library is a DataFusion session with the functions of
//! `populace-udfs` and the country packs of `datasets/` built in.

pub mod arrow;
pub mod catalog;
pub mod cli;
pub mod database;
pub mod embedders;
pub mod engine;
pub mod error;
pub mod export;
pub mod import;
pub mod narrators;
pub mod packs;
pub mod recipes;
pub mod report;
pub mod rerankers;
pub mod runs;
#[cfg(feature = "serve")]
pub mod serve;
pub mod servers;
pub mod sql;
