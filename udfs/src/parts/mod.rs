//! What the nodes and tables of the functions are made of, for whoever sends plans to other sessions: `of` takes them
//! apart, `planned` puts them together in a session with the same packs and narrators.

mod functions;
mod nodes;
mod operators;
mod tables;

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::execution::TaskContext;
use populace_population::{Pack, Predicate};

use crate::call::arguments::MAX_COUNT;
use crate::host::Populace;
use crate::nodes::relation_function::{RelationFunction, RelationFunctionNode};
use crate::people::sample_persona::Draw;
use crate::session::replay::replay;

pub use self::functions::{aggregate, asynchronous, is_aggregate, is_scalar, scalar};
pub use self::nodes::{NodeParts, UnboundDrawParts};
pub use self::operators::OperatorParts;
pub use self::tables::TableParts;
pub use crate::nodes::call::{Call, RelationFacts};

/// A pack by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackId {
    pub name: String,
    pub edition: u32,
    /// Of everything that decides who is drawn
    pub hash: [u8; 32],
}

impl PackId {
    pub fn of(pack: &Pack) -> PackId {
        PackId { name: pack.name().into(), edition: pack.edition(), hash: *pack.hash() }
    }

    /// The pack, as a session has it.
    fn find(&self, populace: &Populace) -> Result<Arc<Pack>> {
        let pack = populace.packs.get(&self.name).map_err(|e| {
            plan_datafusion_err!("the plan is for {self}, which this session has not: {}", e.strip_backtrace())
        })?;
        self.check(&pack)?;
        Ok(pack)
    }

    fn check(&self, pack: &Pack) -> Result<()> {
        let here = PackId::of(pack);
        match *self == here {
            true => Ok(()),
            false => plan_err!("the plan is for {self}, and this session has {here}: give both the same pack"),
        }
    }
}

impl std::fmt::Display for PackId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.hash;
        write!(f, "{}@{a:02x}{b:02x}{c:02x}{d:02x} of edition {}", self.name, self.edition)
    }
}

/// A draw: so many people of a seed, of whom a predicate holds.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawParts {
    pub pack: PackId,
    pub seed: u64,
    pub count: u64,
    pub given: Option<Predicate>,
}

impl DrawParts {
    fn of(draw: &Draw) -> DrawParts {
        let (pack, seed) = (PackId::of(draw.sampler.pack()), draw.sampler.seed());
        DrawParts { pack, seed, count: draw.count, given: draw.given.clone() }
    }

    fn planned(self, populace: &Populace) -> Result<Draw> {
        if i128::from(self.count) > MAX_COUNT {
            return plan_err!("a draw of {} people; at most {MAX_COUNT} are drawn", self.count);
        }
        Draw::new(self.pack.find(populace)?, self.count, self.seed, self.given)
    }
}

/// A call of a function over relations.
#[derive(Debug, Clone, PartialEq)]
pub struct CallParts {
    pub call: Call,
    /// The country that it goes by
    pub pack: Option<PackId>,
    /// The columns that it shows, by their places among the function's
    pub projection: Vec<usize>,
    /// The columns of its relation that it shows after these, by their names
    pub carried: Vec<String>,
}

impl CallParts {
    fn of(function: &dyn RelationFunction, parts: Option<(&Arc<Call>, &[usize], &[String])>) -> Result<CallParts> {
        let Some((call, projection, carried)) = parts else {
            return plan_err!(
                "{} reads a table of this host by its rows' numbers there, and cannot be sent elsewhere",
                function.operator()
            );
        };
        Ok(CallParts {
            call: call.as_ref().clone(),
            pack: function.pack().map(|pack| PackId::of(&pack)),
            projection: projection.to_vec(),
            carried: carried.to_vec(),
        })
    }

    /// The call over relations of which only facts are known.
    fn planned(&self, populace: &Arc<Populace>, task: &TaskContext) -> Result<RelationFunctionNode> {
        if let Some(pack) = &self.pack {
            pack.find(populace)?;
        }
        let call = Arc::new(self.call.clone());
        let node = self::nodes::first::<RelationFunctionNode>(&replay(&call, populace, task)?)?;
        let Some(node) = node else { return plan_err!("`{}` is no function over relations", call.sql) };
        let node = node.written(call);
        match (&self.pack, node.function().pack()) {
            (Some(pack), Some(here)) => pack.check(&here)?,
            (None, None) => {}
            _ => return plan_err!("`{}` goes by another country here", self.call.sql),
        }
        Ok(node)
    }
}

/// Whether a plan is of so many relations.
fn inputs<T, const N: usize>(name: &str, inputs: &[T]) -> Result<[T; N]>
where
    T: Clone,
{
    match <[T; N]>::try_from(inputs.to_vec()) {
        Ok(inputs) => Ok(inputs),
        Err(inputs) => plan_err!("{name} has {N} inputs, not {}", inputs.len()),
    }
}
