//! Margins: new totals that people are drawn to, as another year's ages.

use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::draw::read_margins::read;
use crate::draw::stream::text;
use crate::error::{Error, Result};
use crate::infer::projection::{MET, cell_name, names};
use crate::model::network::Network;
use crate::model::potential::{Axis, Potential};
use crate::pack::Pack;

/// What the hash is of that tells margins apart.
const DOMAIN: &str = "populace 2026-11 margins v1";

/// Totals that a population is to have, each over one or more variables: [`Sampler::to_margins`](crate::Sampler::to_margins)
/// draws people to them. Cheap to clone.
///
/// Margins that mean the same are the same: the order of rows, columns and batches makes no difference, nor whether a
/// margin is in counts or shares, which are taken to 12 digits. What follows from another margin, as totals by sex from those
/// by sex and age, is left out.
#[derive(Debug, Clone)]
pub struct Margins {
    pack: Arc<Pack>,
    margins: Arc<[Potential]>,
    hash: [u8; 32],
    id: Arc<str>,
}

impl Margins {
    /// Reads the result of a query. Columns named like variables of the pack say of whom a row is; the one other column,
    /// of numbers, says how many they are: counts or shares, which are divided by their sum, margin by margin.
    ///
    /// - Each row is a cell of a margin: the one over the columns that are not NULL in it, so that the result of
    ///   `GROUP BY GROUPING SETS ((age), (sex, region))` is two margins.
    /// - Values are those that people are drawn with, texts and integers; for integers also texts such as `18-24` and `85+`.
    /// - A margin is of everybody: who is in no cell of it has share 0.
    /// - NULL is no value: the level that people are shown with as NULL goes by its name in the pack, as by
    ///   `COALESCE(occupation, 'none')` below the GROUP BY. Where NULL might be meant so, it is an error.
    ///
    /// # Errors
    /// [`Error::Margins`] if a column is of a list, of a hidden variable or of no variable, or there is not one of numbers;
    /// if a value is no level, bands overlap or a cell stands there twice; if a share is missing, negative or not finite, or
    /// those of a margin sum to 0; if a margin has more than 4,194,304 cells. [`Error::ContradictoryMargins`] if two margins
    /// differ by more than 1e-9 in the share that they give the same people.
    pub fn read(pack: &Arc<Pack>, batches: &[RecordBatch]) -> Result<Margins> {
        let margins = reconciled(&pack.network, read(pack, batches)?)?;
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        margins.iter().for_each(|margin| hash(&mut hasher, &pack.network, margin));
        let hash = *hasher.finalize().as_bytes();
        let over: Vec<String> = margins.iter().map(|m| names(&pack.network, m)).collect();
        let short: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{}@{short}", over.join("; ")).into();
        Ok(Margins { pack: pack.clone(), margins: margins.into(), hash, id })
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The variables and a short hash of what the margins mean: `age; region, sex@1a2b3c4d5e6f7a8b`. The column `given` of
    /// those who are drawn to them has it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The variables of each margin, in alphabetical order.
    pub fn variables(&self) -> Vec<Vec<&str>> {
        let name = |axis: &Axis| self.pack.network.variables[axis.variable].name.as_str();
        self.margins.iter().map(|margin| margin.axes.iter().map(name).collect()).collect()
    }

    /// Whether they say nothing: one band that is everybody.
    pub fn is_empty(&self) -> bool {
        self.margins.is_empty()
    }

    /// The same bytes for margins that mean the same.
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.hash
    }

    /// Each a table of shares that sum to 1.
    pub(crate) fn tables(&self) -> &[Potential] {
        &self.margins
    }
}

/// Adds a margin by names and labels: what else a pack has makes no difference.
fn hash(hasher: &mut blake3::Hasher, network: &Network, margin: &Potential) {
    hasher.update(&(margin.axes.len() as u32).to_le_bytes());
    for axis in &margin.axes {
        let variable = &network.variables[axis.variable];
        text(hasher, &variable.name);
        hasher.update(&(axis.partition.classes() as u32).to_le_bytes());
        for levels in axis.partition.members() {
            hasher.update(&(levels.len() as u32).to_le_bytes());
            levels.into_iter().for_each(|level| text(hasher, &variable.label(level)));
        }
    }
    margin.values.iter().for_each(|share| _ = hasher.update(&share.to_le_bytes()));
}

/// Margins of which none follows from another; an error where two contradict each other.
fn reconciled(network: &Network, mut margins: Vec<Potential>) -> Result<Vec<Potential>> {
    for (at, one) in margins.iter().enumerate() {
        for other in &margins[..at] {
            agree(network, other, one)?;
        }
    }
    // Each of its classes is one of the other's, or several.
    let follows = |of: &Potential, from: &Potential| {
        of.axes.iter().all(|axis| {
            let same = from.axes.iter().find(|a| a.variable == axis.variable);
            same.is_some_and(|a| a.partition.onto(&axis.partition).is_some())
        })
    };
    let left_out = |at: usize| {
        let others = (0..margins.len()).filter(|other| *other != at && follows(&margins[at], &margins[*other]));
        // Of two that are the same the first stays.
        others.into_iter().any(|other| other < at || !follows(&margins[other], &margins[at]))
    };
    let keep: Vec<bool> = (0..margins.len()).map(|at| !left_out(at)).collect();
    let mut keep = keep.into_iter();
    margins.retain(|_| keep.next().unwrap_or(true));
    Ok(margins)
}

/// An error if two margins give different shares to the same people: those whom the variables of both tell apart, in the
/// classes of both.
fn agree(network: &Network, one: &Potential, other: &Potential) -> Result<()> {
    let shared = one.axes.iter().filter_map(|axis| {
        let same = other.axes.iter().find(|a| a.variable == axis.variable)?;
        Some(Axis { variable: axis.variable, partition: axis.partition.coarsen(&same.partition) })
    });
    let shared: Vec<Axis> = shared.filter(|axis| axis.partition.classes() > 1).collect();
    if shared.is_empty() {
        return Ok(());
    }
    let of = |margin: &Potential| Potential::product_onto(&[margin], &shared).values;
    let (asked, left) = (of(one), of(other));
    let gap = |cell: &usize| (asked[*cell] - left[*cell]).abs();
    let most = (0..asked.len()).map(|cell| gap(&cell)).fold(0.0, f64::max);
    // Of gaps that rounding alone tells apart, the first.
    match (0..asked.len()).find(|cell| gap(cell) >= most - MET / 2.0) {
        Some(cell) if most > MET => Err(Error::ContradictoryMargins {
            margin: names(network, one),
            cell: cell_name(network, &shared, cell),
            asked: asked[cell],
            left: left[cell],
            others: names(network, other),
            sweeps: 0,
        }),
        _ => Ok(()),
    }
}
