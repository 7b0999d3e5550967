//! How the network of a pack does on figures that nothing was fitted to.

use std::collections::HashMap;

use crate::error::Result;
use crate::judge::Analysis;
use crate::pack::Figure;

/// How far the network is from a hold-out, and how far from it a network would be that knew no more than its margins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldoutDistance {
    /// The total variation distance of the shares that the network has in its cells from its own.
    pub drift: f64,
    /// The total variation distance of its own shares from the product of its margins; `None` of one column.
    pub baseline: Option<f64>,
}

impl Analysis<'_> {
    /// How far the network is from each hold-out, in the order of [`Pack::holdouts`](crate::Pack::holdouts), by exact
    /// inference; `None` where a hold-out says nothing of joint shares.
    ///
    /// # Errors
    /// For each: if a column is of a list's items, if it ties together more variables than memory has room for, or if the
    /// pack is damaged.
    pub fn holdout_distances(&self) -> Vec<Result<Option<HoldoutDistance>>> {
        let figures: Vec<&Figure> = self.pack.holdouts().iter().collect();
        let expected = self.expected(&figures).into_iter();
        let distance = |(figure, expected): (&&Figure, Result<_>)| {
            let expected: std::sync::Arc<crate::Expected> = expected?;
            let Some(own) = expected.own_shares(figure)? else { return Ok(None) };
            let Some(drift) = distance_of_shares(&own, &expected.cells) else { return Ok(None) };
            let (codes, _) = figure.cells()?;
            let codes: Vec<&[u16]> = codes.iter().map(Vec::as_slice).collect();
            Ok(Some(HoldoutDistance { drift, baseline: distance_from_margins(&codes, &own) }))
        };
        figures.iter().zip(expected).map(distance).collect()
    }
}

/// The total variation distance of two lists of shares, each scaled to add up to 1; `None` where one has nothing.
pub fn distance_of_shares(one: &[f64], other: &[f64]) -> Option<f64> {
    let (of_one, of_other) = (one.iter().sum::<f64>(), other.iter().sum::<f64>());
    let apart = one.iter().zip(other).map(|(one, other)| (one / of_one - other / of_other).abs());
    (of_one > 0.0 && of_other > 0.0).then(|| apart.sum::<f64>() / 2.0)
}

/// The total variation distance of the shares of cells, scaled to add up to 1, from people in whom the columns have nothing
/// to do with each other, but each its margin. `columns` has the label of each cell, for each column; `None` of fewer than
/// two columns, and of cells without a share.
pub fn distance_from_margins(columns: &[&[u16]], shares: &[f64]) -> Option<f64> {
    let total: f64 = shares.iter().sum();
    if columns.len() < 2 || total <= 0.0 {
        return None;
    }
    let margin = |labels: &&[u16]| {
        let mut margin: HashMap<u16, f64> = HashMap::new();
        labels.iter().zip(shares).for_each(|(label, share)| *margin.entry(*label).or_default() += share / total);
        margin
    };
    let margins: Vec<HashMap<u16, f64>> = columns.iter().map(margin).collect();
    let (mut apart, mut within) = (0.0, 0.0);
    for (cell, share) in shares.iter().enumerate() {
        let alone: f64 = columns.iter().zip(&margins).map(|(labels, margin)| margin[&labels[cell]]).product();
        apart += (share / total - alone).abs();
        within += alone;
    }
    // The rest of the product is in combinations that have no cell.
    Some((apart + (1.0 - within).max(0.0)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from `state_jobs.csv`: 0.045 from the network, 0.055 from the product of its margins.
    #[test]
    fn a_hold_out_is_as_far_as_by_hand() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs/tests/packs/tiny");
        let pack = crate::compile(&dir).unwrap().pack;
        let distances = Analysis::of(&pack).holdout_distances();
        let [Ok(Some(distance))] = distances.as_slice() else { panic!("{distances:?}") };
        assert!((distance.drift - 0.045).abs() < 1e-6, "{distance:?}");
        assert!((distance.baseline.unwrap() - 0.055).abs() < 1e-6, "{distance:?}");
    }
}
