//! Plain texts from the facts of a person alone, the same text for the same person, without a model.
//!
//! An [`Outline`] is a generative grammar for one country in one language: sentence plans chosen by what is known of the
//! person, filled with facts and with clauses about temperament, work, household and place. Every alternative is drawn
//! from a generator keyed by the person's uuid and the kind of text.
//!
//! ```
//! use populace_outline::{Kinds, Outline};
//! use serde_json::json;
//!
//! let files = [
//!     ("outline.toml", "language = \"en\"\nfull = \"{name}\"\nshort = \"{name}\"\n"),
//!     ("all.txt", "@persona\n{N} swims.\n"),
//! ];
//! let outline = Outline::parse("outline/en", &files, Kinds::Any(&["persona"])).unwrap();
//! let facts = json!({ "name": "Ama" });
//! assert_eq!(outline.write("persona", facts.as_object().unwrap()).unwrap(), "Ama swims.");
//! ```

mod finish;
mod grammar;
mod lexicon;
mod manifest;
mod pen;
mod person;
mod read;
mod seed;

#[cfg(test)]
mod tests;

pub use read::{Kinds, Outline, Skeleton, columns_of, read_folder};
