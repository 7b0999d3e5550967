//! The distribution nearest to the network's that has given margins.
//!
//! Of all distributions Q that meet the margins, the one of least KL(Q‖P) from the network's P given the evidence: its
//! I-projection (Csiszár, "I-divergence geometry of probability distributions and minimization problems", Annals of
//! Probability 3, 1975). It is P weighed by a product of one factor a margin, each over the margin's own variables, and
//! iterative proportional fitting finds the factors (Deming and Stephan, "On a least squares adjustment of a sampled
//! frequency table when the expected marginal totals are known", Annals of Mathematical Statistics 11, 1940): each margin in
//! turn is scaled to its shares until all of them stand. Given the margins' variables, everything else is distributed as
//! it was.
//!
//! Where the margins' variables have few cells together, P is worked out on these once, and the fit is one of a table;
//! otherwise each margin of Q is worked out anew, by elimination (Jiroušek and Přeučil, "On the effective implementation
//! of the iterative proportional fitting procedure", Computational Statistics & Data Analysis 19, 1995).

use crate::error::{Error, Result};
use crate::infer::contradiction::contradiction;
use crate::infer::elimination::{MAX_BYTES, Posterior, tilted};
use crate::infer::evidence::{Evidence, of_mask};
use crate::infer::joint::{Joint, joint};
use crate::infer::predicate::Predicate;
use crate::infer::prepared::Plan;
use crate::infer::resolve::MAX_COMBINATIONS;
use crate::interrupt;
use crate::model::network::Network;
use crate::model::potential::{Axis, Potential, cells, offsets, strides, walk, widen};

/// The most cells of one margin, and of the table of all margins' variables that is fitted as one.
pub(crate) const MAX_MARGIN: u64 = MAX_COMBINATIONS;

/// Margins are met when no cell is off by more than this part of its share …
const CLOSE: f64 = 1e-10;

/// … or, where convergence is slow, by more than this share of everybody.
pub(crate) const MET: f64 = 1e-9;

/// Sweeps after which a fit is given up.
const MAX_SWEEPS: usize = 4000;

/// Products of all sweeps together, after which it is too.
const MAX_WORK: u64 = 1 << 32;

/// How often progress is looked at, in sweeps, and the least that counts as some.
const MILESTONE: usize = 50;
const PROGRESS: f64 = 0.999;

/// The network tilted to margins.
#[derive(Debug)]
pub(crate) struct Projection {
    /// Of each margin, over its own variables, the largest weight 1.
    pub factors: Vec<Potential>,
    /// P(evidence), as the network has it.
    pub probability: f64,
    pub posterior: Posterior,
}

/// The variables of a margin, for messages.
pub(crate) fn names(network: &Network, margin: &Potential) -> String {
    margin.axes.iter().map(|a| network.variables[a.variable].name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A cell of a margin in SQL.
pub(crate) fn cell_name(network: &Network, axes: &[Axis], cell: usize) -> String {
    let tests = axes.iter().zip(strides(axes)).map(|(axis, stride)| {
        let class = cell / stride % axis.partition.classes();
        let mask: Vec<bool> = axis.partition.class_of().iter().map(|c| usize::from(*c) == class).collect();
        of_mask(&network.variables[axis.variable], &mask)
    });
    Predicate::And(tests.collect()).brief()
}

/// A distribution that is scaled to one margin after another.
trait Fitted {
    /// The shares of a margin's cells; they sum to 1.
    fn shares(&self, margin: usize) -> Result<Vec<f64>>;
    /// Weighs a margin's cells.
    fn scale(&mut self, margin: usize, by: &[f64]);
    /// Products that one sweep forms.
    fn work(&self) -> u64;
}

/// On a table of all margins' variables, of the cells that have somebody.
struct OnTable {
    shares: Vec<f64>,
    /// For each margin, the cell that each of these is in, and how many the margin has.
    within: Vec<(Vec<u32>, usize)>,
}

impl Fitted for OnTable {
    fn shares(&self, margin: usize) -> Result<Vec<f64>> {
        let (within, cells) = &self.within[margin];
        let mut sums = vec![0.0; *cells];
        self.shares.iter().zip(within).for_each(|(share, cell)| sums[*cell as usize] += share);
        let total: f64 = sums.iter().sum();
        if total > 0.0 {
            sums.iter_mut().for_each(|sum| *sum /= total);
        }
        Ok(sums)
    }

    fn scale(&mut self, margin: usize, by: &[f64]) {
        self.shares.iter_mut().zip(&self.within[margin].0).for_each(|(share, cell)| *share *= by[*cell as usize]);
    }

    fn work(&self) -> u64 {
        2 * (self.shares.len() * self.within.len()) as u64
    }
}

/// By elimination, for each margin anew.
struct ByElimination<'a> {
    network: &'a Network,
    evidence: &'a Evidence,
    factors: Vec<Potential>,
    plan: Plan,
}

impl Fitted for ByElimination<'_> {
    fn shares(&self, margin: usize) -> Result<Vec<f64>> {
        Ok(joint(self.network, self.evidence, &self.factors, &self.factors[margin].axes)?.shares)
    }

    fn scale(&mut self, margin: usize, by: &[f64]) {
        weigh(&mut self.factors[margin], by);
    }

    fn work(&self) -> u64 {
        self.plan.cells.saturating_mul(self.factors.len() as u64)
    }
}

/// Multiplies a factor, and brings its largest weight to 1.
fn weigh(factor: &mut Potential, by: &[f64]) {
    factor.values.iter_mut().zip(by).for_each(|(x, by)| *x *= by);
    let largest = factor.values.iter().copied().fold(0.0, f64::max);
    if largest > 0.0 {
        factor.values.iter_mut().for_each(|x| *x /= largest);
    }
}

/// The network tilted to margins, each a table of shares that sum to 1, given the evidence of `parts`.
///
/// # Errors
/// If the evidence or a cell that is to have somebody has probability zero; if the margins contradict each other; if it
/// needs more memory than the bound.
pub(crate) fn project(
    network: &Network,
    evidence: &Evidence,
    parts: &[Predicate],
    margins: &[Potential],
) -> Result<Projection> {
    let mut factors: Vec<Potential> =
        margins.iter().map(|m| Potential { axes: m.axes.clone(), values: vec![1.0; m.values.len()] }).collect();
    let mut scope: Vec<Axis> = vec![];
    margins.iter().flat_map(|m| &m.axes).for_each(|axis| widen(&mut scope, axis));
    // A cell of the table takes its share, the same while it is made, and its place in each margin.
    let bytes = cells(&scope).saturating_mul(16 + 4 * margins.len() as u128);
    let of_all = if cells(&scope) <= u128::from(MAX_MARGIN) && bytes <= u128::from(MAX_BYTES) {
        match joint(network, evidence, &[], &scope) {
            Err(Error::TooMuchMemory { .. }) => None,
            joint => Some(joint?),
        }
    } else {
        None
    };
    let (mut fitted, probability, mut plan): (Box<dyn Fitted>, f64, Plan) = match of_all {
        Some(Joint { shares, probability, plan }) => {
            let table = on_table(&shares, &scope, margins);
            (Box::new(table), probability, Plan { bytes: plan.bytes.saturating_add(bytes as u64), ..plan })
        }
        None => {
            let of_each = margins.iter().map(|m| joint(network, evidence, &[], &m.axes));
            let of_each = of_each.collect::<Result<Vec<Joint>>>().map_err(|e| too_large(e, network, margins))?;
            let plan = of_each.iter().map(|j| j.plan).max_by_key(|p| p.cells).unwrap_or_default();
            let probability = of_each.first().map_or(0.0, |j| j.probability);
            let bytes = of_each.iter().map(|j| j.plan.bytes).max().unwrap_or_default();
            let fitted = ByElimination { network, evidence, factors: factors.clone(), plan };
            (Box::new(fitted), probability, Plan { bytes, ..plan })
        }
    };
    if probability == 0.0 {
        return Err(contradiction(network, parts.to_vec()));
    }
    for (at, margin) in margins.iter().enumerate() {
        let shares = fitted.shares(at).map_err(|e| too_large(e, network, margins))?;
        somebody(network, margin, &shares, || match evidence.is_empty() {
            true => "in this population".to_string(),
            false => format!("who satisfies {}", evidence.predicate().brief()),
        })?;
    }
    fit(network, fitted.as_mut(), margins, &mut factors).map_err(|e| too_large(e, network, margins))?;
    let posterior = tilted(network, evidence, &factors).map_err(|e| too_large(e, network, margins))?;
    if posterior.cases.is_empty() {
        return Err(contradiction(network, parts.to_vec()));
    }
    plan.bytes = plan.bytes.max(posterior.plan.bytes);
    plan.cells = plan.cells.saturating_add(posterior.plan.cells);
    plan.cases = posterior.plan.cases;
    Ok(Projection { factors, probability, posterior: Posterior { plan, ..posterior } })
}

/// The cells of a joint distribution that have somebody, and where they are in the margins.
fn on_table(shares: &[f64], scope: &[Axis], margins: &[Potential]) -> OnTable {
    let tables: Vec<Vec<Vec<usize>>> = margins.iter().map(|m| offsets(scope, &m.axes, None)).collect();
    let mut table = OnTable { shares: vec![], within: margins.iter().map(|m| (vec![], m.values.len())).collect() };
    walk(scope, &tables, 0..shares.len(), |cell, at| {
        if shares[cell] > 0.0 {
            table.shares.push(shares[cell]);
            table.within.iter_mut().zip(at).for_each(|((within, _), at)| within.push(*at as u32));
        }
    });
    table
}

/// Refuses cells that are to have somebody and have nobody.
fn somebody(network: &Network, margin: &Potential, shares: &[f64], who: impl Fn() -> String) -> Result<()> {
    let pairs = shares.iter().zip(&margin.values).enumerate();
    let empty = pairs.filter(|(_, (share, asked))| **share <= 0.0 && **asked > 0.0);
    let cells: Vec<(String, f64)> =
        empty.map(|(cell, (_, asked))| (cell_name(network, &margin.axes, cell), *asked)).collect();
    if cells.is_empty() {
        return Ok(());
    }
    Err(Error::ImpossibleMargin { margin: names(network, margin), who: who(), cells })
}

/// Scales to one margin after another until all are met; the factors say by what.
fn fit(network: &Network, fitted: &mut dyn Fitted, margins: &[Potential], factors: &mut [Potential]) -> Result<()> {
    let most = (MAX_WORK / fitted.work().max(1)).clamp(20, MAX_SWEEPS as u64) as usize;
    let (mut sweep, mut milestone) = (0, f64::INFINITY);
    loop {
        // Of the cells before each margin is scaled to: the largest gap, in all and by its size.
        let (mut gap, mut relative) = (0.0f64, 0.0f64);
        for (at, margin) in margins.iter().enumerate() {
            interrupt::check()?;
            let shares = fitted.shares(at)?;
            // What has somebody in the network may have nobody where others are to be empty, too.
            somebody(network, margin, &shares, || "whom the other margins leave".to_string())?;
            let mut by = vec![0.0; shares.len()];
            for ((by, share), asked) in by.iter_mut().zip(&shares).zip(&margin.values) {
                if *asked > 0.0 {
                    *by = asked / share;
                    relative = relative.max((share - asked).abs() / asked);
                }
                gap = gap.max((share - asked).abs());
            }
            fitted.scale(at, &by);
            weigh(&mut factors[at], &by);
        }
        sweep += 1;
        let stands_still = sweep % MILESTONE == 0 && gap > PROGRESS * std::mem::replace(&mut milestone, gap);
        if relative <= CLOSE && gap <= CLOSE {
            return Ok(());
        }
        if stands_still || sweep >= most {
            return furthest(network, fitted, margins, sweep);
        }
    }
}

/// The cell that is furthest off, if it is off.
fn furthest(network: &Network, fitted: &dyn Fitted, margins: &[Potential], sweeps: usize) -> Result<()> {
    let mut worst = (0.0, 0, 0, 0.0);
    for (at, margin) in margins.iter().enumerate() {
        for (cell, (share, asked)) in fitted.shares(at)?.into_iter().zip(&margin.values).enumerate() {
            if (share - asked).abs() > worst.0 {
                worst = ((share - asked).abs(), at, cell, share);
            }
        }
    }
    let (gap, at, cell, left) = worst;
    if gap <= MET {
        return Ok(());
    }
    let others = margins.iter().enumerate().filter(|(other, _)| *other != at);
    let others = others.map(|(_, margin)| names(network, margin)).collect::<Vec<_>>().join("; ");
    let (margin, asked) = (&margins[at], margins[at].values[cell]);
    let cell = cell_name(network, &margin.axes, cell);
    Err(Error::ContradictoryMargins { margin: names(network, margin), cell, asked, left, others, sweeps })
}

/// What takes too much memory takes it because of the margins.
fn too_large(error: Error, network: &Network, margins: &[Potential]) -> Error {
    match error {
        Error::TooMuchMemory { bytes, bound, variables } => {
            let over = margins.iter().map(|m| names(network, m)).collect::<Vec<_>>().join("; ");
            let message = format!(
                "to draw to them needs {bytes} bytes, more than the bound of {bound}; what costs most is {variables}. Have fewer \
                 variables in one margin, or coarser bands"
            );
            Error::Margins { place: format!("those over {over}"), message }
        }
        error => error,
    }
}
