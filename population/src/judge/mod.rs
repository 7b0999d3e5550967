//! What the network of a pack says, to judge people and figures by. Uses `model`, `infer` and `pack`.

pub(crate) mod association;
pub(crate) mod expected;
pub(crate) mod holdouts;
pub(crate) mod independence;
mod network;

use std::sync::{Arc, OnceLock};

use crate::judge::expected::Expected;
use crate::model::potential::Potential;
use crate::pack::{Figure, Pack};

/// A pack, asked what its network says. What takes long is worked out once for a pack, whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Analysis<'a> {
    pack: &'a Pack,
    worked: &'a Worked,
}

/// What has been worked out so far.
#[derive(Debug)]
struct Worked {
    /// The joint distribution of the parents of each node.
    parents: Vec<OnceLock<Potential>>,
    /// What the network says of the cells of each figure.
    expected: Vec<OnceLock<Arc<Expected>>>,
}

impl Worked {
    fn new(nodes: usize, figures: usize) -> Worked {
        Worked {
            parents: (0..nodes).map(|_| OnceLock::new()).collect(),
            expected: (0..figures).map(|_| OnceLock::new()).collect(),
        }
    }
}

/// For a pack of which something else has been worked out; never so.
static NOTHING: Worked = Worked { parents: vec![], expected: vec![] };

impl<'a> Analysis<'a> {
    /// Of a pack.
    pub fn of(pack: &'a Pack) -> Analysis<'a> {
        let worked = pack
            .worked_out
            .get_or_init(|| Box::new(Worked::new(pack.network.tables.len(), pack.figures.len() + pack.holdouts.len())));
        Analysis { pack, worked: worked.downcast_ref().unwrap_or(&NOTHING) }
    }

    /// Where what is expected of a figure is kept; `None` for a figure of another pack.
    fn known(&self, figure: &Figure) -> Option<&'a OnceLock<Arc<Expected>>> {
        let at = self.pack.figures.iter().chain(&self.pack.holdouts).position(|own| std::ptr::eq(own, figure))?;
        self.worked.expected.get(at)
    }
}
