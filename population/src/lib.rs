//! Synthetic people drawn from a country's official statistics.
//!
//! A *country pack* holds a Bayesian network that was fitted to official figures by raking. A [`Sampler`] draws people
//! from it: the same people from the same seed on any machine, exactly conditioned on any predicate, as Arrow batches.
//!
//! ```no_run
//! use populace_population::{Comparison, Pack, Predicate, Sampler, Value};
//!
//! # fn main() -> populace_population::Result<()> {
//! let usa = Pack::open("datasets/usa/usa.pack".as_ref())?;
//! let old = Predicate::Compare { variable: "age".into(), op: Comparison::GtEq, value: Value::Integer(65) };
//! let sampler = Sampler::given(usa, 42, &old)?;
//! println!("{:.1} % of the population", 100.0 * sampler.probability());
//! let people = sampler.draw(0..1000, None)?;
//! assert_eq!(people.num_rows(), 1000);
//! # Ok(())
//! # }
//! ```

mod compile;
mod draw;
mod error;
mod infer;
mod interrupt;
mod judge;
mod model;
mod pack;

pub use compile::harmonised::{Code, FILE as HARMONISED, Harmonised, Mapping};
pub use compile::{Compiled, check, compile, place, raking, read_text};
pub use draw::completion::{Completion, OnImpossible};
pub use draw::counterfactual::Counterfactual;
pub use draw::intervention::interventional;
pub use draw::margins::Margins;
pub use draw::sampler::Sampler;
pub use error::{Error, Result, did_you_mean, nearest, there_are};
pub use infer::predicate::{Comparison, Predicate, Value};
pub use infer::prepared::Plan;
pub use interrupt::{Interrupt, Waiting};
pub use judge::Analysis;
pub use judge::association::{Association, CoOccurrence};
pub use judge::expected::Expected;
pub use judge::holdouts::{HoldoutDistance, distance_from_margins, distance_of_shares};
pub use judge::independence::Independence;
pub use model::philox::{permuted, unpermuted};
pub use model::variable::{Levels, Names, Variable};
#[doc(hidden)]
pub use pack::testing;
pub use pack::{Figure, FigureColumn, Fit, Pack, Source, Status, equals};
