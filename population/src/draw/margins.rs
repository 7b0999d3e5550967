//! Margins: new totals that people are drawn to, as another year's ages.

use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::draw::read_margins::{Read, read, twelve_digits};
use crate::draw::stream::text;
use crate::error::{Error, Result};
use crate::infer::projection::{MET, cell_name, names};
use crate::model::network::Network;
use crate::model::potential::{Axis, Potential, offsets, walk};
use crate::pack::Pack;

/// What the hash is of that tells margins apart.
const DOMAIN: &str = "populace 2026-11 margins v1";

/// Two margins that differ by no more than this share of everybody, in what they say of the same people, are as good as
/// rounded.
const ALWAYS_ROUNDING: f64 = 1e-6;

/// A larger gap than this is none of rounding, however few digits there are.
const MOST_ROUNDING: f64 = 1e-3;

/// How often margins that differ by rounding are brought together, one pair after another.
const SWEEPS: usize = 1000;

/// Totals that a population is to have, each over one or more variables: [`Sampler::to_margins`](crate::Sampler::to_margins)
/// draws people to them. Cheap to clone.
///
/// Margins that mean the same are the same: the order of rows, columns and batches makes no difference, nor whether a
/// margin is in counts or shares, which are taken to 12 digits. What follows from another margin, as totals by sex from those
/// by sex and age, is left out.
///
/// Figures that were rounded, as shares to four digits or counts to thousands, seldom agree to the last: where two margins
/// speak of the same people, and rounding explains by what they differ, they are brought together, and
/// [`notices`](Self::notices) says by how much. Rounding explains half of a margin's last digit for each of its cells that the
/// people are in, and their share of that for its total, of both margins together: never less than a share of 1e-6, and never
/// more than 1e-3. Between the two the shares lie nearer to those of the margin with more digits.
#[derive(Debug, Clone)]
pub struct Margins {
    pack: Arc<Pack>,
    margins: Arc<[Potential]>,
    hash: [u8; 32],
    id: Arc<str>,
    notices: Arc<[String]>,
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
    /// differ by more than rounding explains in the share that they give the same people.
    pub fn read(pack: &Arc<Pack>, batches: &[RecordBatch]) -> Result<Margins> {
        let (margins, notices) = reconciled(&pack.network, read(pack, batches)?)?;
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        margins.iter().for_each(|margin| hash(&mut hasher, &pack.network, margin));
        let hash = *hasher.finalize().as_bytes();
        let over: Vec<String> = margins.iter().map(|m| names(&pack.network, m)).collect();
        let short: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{}@{short}", over.join("; ")).into();
        Ok(Margins { pack: pack.clone(), margins: margins.into(), hash, id, notices: notices.into() })
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

    /// For each two margins that differed by no more than rounding and were brought together: both figures of the people in
    /// whom they differed most, and the gap. To be shown to whoever wrote the query.
    pub fn notices(&self) -> &[String] {
        &self.notices
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

/// Margins of which none follows from another, and what was brought together; an error where two contradict each other.
fn reconciled(network: &Network, read: Vec<Read>) -> Result<(Vec<Potential>, Vec<String>)> {
    let digits: Vec<f64> = read.iter().map(|r| r.digit).collect();
    let mut margins: Vec<Potential> = read.into_iter().map(|r| r.table).collect();
    let (mut notices, mut pairs) = (vec![], vec![]);
    for at in 0..margins.len() {
        for other in 0..at {
            let shared = shared(&margins[other], &margins[at]);
            if shared.is_empty() {
                continue;
            }
            notices.extend(differ(network, [&margins[other], &margins[at]], [digits[other], digits[at]], &shared)?);
            pairs.push((other, at, shared));
        }
    }
    if !notices.is_empty() {
        bring_together(network, &mut margins, &digits, &pairs)?;
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
    Ok((margins, notices))
}

/// What the variables of both tell apart, in the classes of both.
fn shared(one: &Potential, other: &Potential) -> Vec<Axis> {
    let shared = one.axes.iter().filter_map(|axis| {
        let same = other.axes.iter().find(|a| a.variable == axis.variable)?;
        Some(Axis { variable: axis.variable, partition: axis.partition.coarsen(&same.partition) })
    });
    shared.filter(|axis| axis.partition.classes() > 1).collect()
}

fn shares_of(margin: &Potential, shared: &[Axis]) -> Vec<f64> {
    Potential::product_onto(&[margin], shared).values
}

/// By how much two margins differ in what they say of the same people, if rounding explains it; an error if it does not.
fn differ(network: &Network, margins: [&Potential; 2], digits: [f64; 2], shared: &[Axis]) -> Result<Option<String>> {
    let [one, other] = margins;
    let (asked, left) = (shares_of(one, shared), shares_of(other, shared));
    let gap = |cell: usize| (asked[cell] - left[cell]).abs();
    let most = (0..asked.len()).map(gap).fold(0.0, f64::max);
    // Of gaps that rounding alone tells apart, the first.
    let furthest = (0..asked.len()).find(|cell| gap(*cell) >= most - MET / 2.0);
    let Some(furthest) = furthest.filter(|_| most > MET) else { return Ok(None) };
    // How many cells of a margin each of the shared ones is made of.
    let made_of = |margin: &Potential| {
        let somebody = margin.values.iter().map(|share| f64::from(u8::from(*share > 0.0))).collect();
        shares_of(&Potential { axes: margin.axes.clone(), values: somebody }, shared)
    };
    let counts = [made_of(one), made_of(other)];
    let totals = [counts[0].iter().sum::<f64>(), counts[1].iter().sum::<f64>()];
    let explained = |cell: usize| {
        let of = |m: usize, share: f64| digits[m] / 2.0 * (counts[m][cell] + share * totals[m]);
        (of(0, asked[cell]) + of(1, left[cell])).clamp(ALWAYS_ROUNDING, MOST_ROUNDING)
    };
    let beyond = (0..asked.len()).filter(|cell| gap(*cell) > explained(*cell) * (1.0 + 1e-9));
    if let Some(cell) = beyond.max_by(|a, b| gap(*a).total_cmp(&gap(*b)).then(b.cmp(a))) {
        let cell = if gap(furthest) > explained(furthest) { furthest } else { cell };
        return Err(contradict(network, margins, shared, cell, asked[cell], left[cell]));
    }
    let (cell, asked, left) = (cell_name(network, shared, furthest), asked[furthest], left[furthest]);
    let [one, other] = [names(network, one), names(network, other)];
    Ok(Some(format!(
        "the margins over {one} and over {other} differ as rounded figures do, most in {cell}: a share of {asked:.6} and of \
         {left:.6}, off by {most:.1e}. They were brought together"
    )))
}

fn contradict(
    network: &Network,
    [one, other]: [&Potential; 2],
    shared: &[Axis],
    cell: usize,
    asked: f64,
    left: f64,
) -> Error {
    let cell = cell_name(network, shared, cell);
    Error::ContradictoryMargins {
        margin: names(network, one),
        cell,
        asked,
        left,
        others: names(network, other),
        sweeps: 0,
    }
}

/// Scales margins that differ by rounding, pair by pair, until they agree: to shares between those of both, nearer to those
/// with more digits. Who is nobody by one margin is so by both.
fn bring_together(
    network: &Network,
    margins: &mut [Potential],
    digits: &[f64],
    pairs: &[(usize, usize, Vec<Axis>)],
) -> Result<()> {
    for _ in 0..SWEEPS {
        let mut most = 0.0f64;
        for (one, other, shared) in pairs {
            let shares = [shares_of(&margins[*one], shared), shares_of(&margins[*other], shared)];
            let gaps = shares[0].iter().zip(&shares[1]).map(|(a, b)| (a - b).abs());
            most = gaps.fold(most, f64::max);
            // Weights as by the variance of what is rounded; no figure has more than 12 digits.
            let weights = [*one, *other].map(|at| digits[at].max(1e-12).powi(-2));
            let between = |(a, b): (&f64, &f64)| match *a > 0.0 && *b > 0.0 {
                true => (a * weights[0] + b * weights[1]) / (weights[0] + weights[1]),
                false => 0.0,
            };
            let mut between: Vec<f64> = shares[0].iter().zip(&shares[1]).map(between).collect();
            let total: f64 = between.iter().sum();
            between.iter_mut().for_each(|share| *share /= total);
            for (at, shares) in [*one, *other].into_iter().zip(shares) {
                let by: Vec<f64> = between.iter().zip(shares).map(|(b, s)| if s > 0.0 { b / s } else { 0.0 }).collect();
                let margin = &mut margins[at];
                let table = offsets(&margin.axes, shared, None);
                let values = &mut margin.values;
                walk(&margin.axes, &[table], 0..values.len(), |cell, at| values[cell] *= by[at[0]]);
            }
        }
        if most <= MET / 100.0 {
            for margin in margins.iter_mut() {
                margin.values.iter_mut().for_each(|share| *share = twelve_digits(*share));
                let sum: f64 = margin.values.iter().sum();
                margin.values.iter_mut().for_each(|share| *share /= sum);
            }
            return Ok(());
        }
    }
    // In pairs they differ by rounding, and all together by more.
    for (one, other, shared) in pairs {
        let [asked, left] = [*one, *other].map(|at| shares_of(&margins[at], shared));
        let gap = |cell: &usize| (asked[*cell] - left[*cell]).abs();
        if let Some(cell) = (0..asked.len()).find(|cell| gap(cell) > MET) {
            let pair = [&margins[*one], &margins[*other]];
            return Err(contradict(network, pair, shared, cell, asked[cell], left[cell]));
        }
    }
    Ok(())
}
