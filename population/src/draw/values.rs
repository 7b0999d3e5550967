//! What weighs unknown variables: the probabilities of what is known, and what bounds them.

use std::sync::Arc;

use crate::draw::rows::{Inverse, span};
use crate::draw::trellis::{base, row};
use crate::model::network::WORDS;
use crate::model::potential::{Axis, cells, strides, walk};
use crate::pack::Pack;

/// What is kept of a function, by a key: its values, or the levels of its variable at which they are not 0, with them.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    All(Arc<[f64]>),
    Listed(Arc<[(u16, f64)]>),
}

impl Values {
    pub fn bytes(&self) -> usize {
        size_of_val(self.all()) + size_of_val(self.listed())
    }

    pub fn all(&self) -> &[f64] {
        match self {
            Values::All(values) => values,
            Values::Listed(_) => &[],
        }
    }

    pub fn listed(&self) -> &[(u16, f64)] {
        match self {
            Values::All(_) => &[],
            Values::Listed(levels) => levels,
        }
    }

    /// Whether they say that nobody is like that.
    pub fn is_nothing(&self) -> bool {
        match self {
            Values::All(values) => values.len() == 1 && values[0] <= 0.0,
            Values::Listed(levels) => levels.is_empty(),
        }
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Values {
        Values::All(values.into())
    }
}

/// The levels of its parent at which what is known of a variable has a probability, with that.
pub(crate) fn listed(pack: &Pack, variable: usize, inverse: &Inverse, codes: &[i32]) -> Values {
    let (table, address) = (&pack.network.tables[variable], &pack.addresses[variable]);
    let offsets = address.parents.first().map_or(&[][..], |(_, offsets)| &offsets[..]);
    let weighed = |level: &u16| {
        let row = row(table, *offsets.get(usize::from(*level))?)?;
        let (low, high) = span(&table.rows, row, codes[variable])?;
        Some((*level, f64::from(high - low) / WORDS))
    };
    Values::Listed(inverse.of(codes[variable]).iter().filter_map(weighed).collect())
}

/// What each row of a known variable's table has, for each configuration of its unknown parents.
pub(super) fn likelihoods(
    pack: &Pack,
    variable: usize,
    axes: &[Axis],
    codes: &[i32],
    of: impl Fn(usize) -> f64,
) -> Values {
    let table = &pack.network.tables[variable];
    let mut adds = vec![];
    for (axis, stride) in table.parents.iter().zip(strides(&table.parents)) {
        if axes.iter().any(|a| a.variable == axis.variable) {
            adds.push((0..axis.partition.classes()).map(|c| c * stride).collect::<Vec<usize>>());
        }
    }
    let from = base(&pack.addresses[variable], codes);
    let mut values = vec![];
    walk(axes, std::slice::from_ref(&adds), 0..cells(axes) as usize, |_, at| {
        values.push(row(table, from + at[0] as u32).map_or(0.0, &of));
    });
    values.into()
}
