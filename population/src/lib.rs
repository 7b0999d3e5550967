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

mod binary;
mod compile;
mod error;
mod evidence;
mod expected;
mod factor;
mod harmonised;
mod independence;
mod inference;
mod network;
mod pack;
mod pairing;
mod partition;
mod philox;
mod predicate;
pub mod raking;
mod sampler;
mod variable;

pub use compile::{Compiled, check, compile, place, read_text};
pub use error::{Error, Result, did_you_mean, nearest, there_are};
pub use expected::Expected;
pub use harmonised::{Code, FILE as HARMONISED, Harmonised, Mapping};
pub use independence::Independence;
pub use pack::{Figure, FigureColumn, Fit, Pack, Source, Status, equals};
pub use pairing::{Company, Pairing};
pub use philox::{permuted, unpermuted};
pub use predicate::{Comparison, Predicate, Value};
pub use sampler::Sampler;
pub use variable::{Levels, Variable};
