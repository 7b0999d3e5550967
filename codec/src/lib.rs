//! Plans with the functions of `populace-udfs` as bytes, for sessions on other machines.
//!
//! [`PopulaceLogicalCodec`] and [`PopulacePhysicalCodec`] go with `datafusion-proto`. Both sides register the functions
//! with the same [`Populace`](populace_udfs::Populace) as they give to the codec:
//!
//! ```
//! use std::sync::Arc;
//!
//! use datafusion::prelude::SessionContext;
//! use datafusion_proto::bytes::{
//!     physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
//! };
//! use populace_codec::PopulacePhysicalCodec;
//! use populace_udfs::{Populace, register};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let populace = Arc::new(Populace::new());
//! let context = SessionContext::new();
//! register(&context, populace.clone())?;
//! let codec = PopulacePhysicalCodec::new(populace);
//!
//! let plan = context.sql("SELECT age_band(age, 30, 60) FROM (VALUES (29), (61)) AS people(age)").await?;
//! let bytes = physical_plan_to_bytes_with_extension_codec(plan.create_physical_plan().await?, &codec)?;
//! let plan = physical_plan_from_bytes_with_extension_codec(&bytes, &context.task_ctx(), &codec)?;
//! # assert_eq!(plan.schema().fields().len(), 1);
//! # Ok::<_, datafusion::error::DataFusionError>(())
//! # }).unwrap();
//! ```
//!
//! What travels is what a statement has become: seeds that were drawn, parameters that were bound. A draw is its pack (by
//! name, edition and hash), seed, count and predicate; the other side refuses another pack, and so draws the same people.
//! A call of a function over relations is its SQL and what planning saw of its relations, and is planned anew by the same
//! code. Narrators and embedders go by their names, tables in memory with their rows. Of the tables that a host stores
//! nothing travels: their scans and writes are refused by name.

mod logical;
mod messages;
mod physical;
mod predicates;
mod tables;

pub use logical::PopulaceLogicalCodec;
pub use physical::PopulacePhysicalCodec;
