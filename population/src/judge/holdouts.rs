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
            let (own, says) = (scaled(&own), scaled(&expected.cells));
            let apart = own.iter().zip(&says).map(|(own, says)| (own - says).abs());
            Ok(Some(HoldoutDistance { drift: apart.sum::<f64>() / 2.0, baseline: baseline(figure, &own)? }))
        };
        figures.iter().zip(expected).map(distance).collect()
    }
}

/// Shares that add up to 1, or nothing but zeros.
fn scaled(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| if total > 0.0 { share / total } else { 0.0 }).collect()
}

fn baseline(figure: &Figure, own: &[f64]) -> Result<Option<f64>> {
    let (codes, _) = figure.cells()?;
    if codes.len() < 2 {
        return Ok(None);
    }
    let margin = |codes: &Vec<u16>| {
        let mut margin: HashMap<u16, f64> = HashMap::new();
        codes.iter().zip(own).for_each(|(code, share)| *margin.entry(*code).or_default() += share);
        margin
    };
    let margins: Vec<HashMap<u16, f64>> = codes.iter().map(margin).collect();
    let (mut apart, mut within) = (0.0, 0.0);
    for (cell, share) in own.iter().enumerate() {
        let alone: f64 = codes.iter().zip(&margins).map(|(codes, margin)| margin[&codes[cell]]).product();
        apart += (share - alone).abs();
        within += alone;
    }
    // The rest of the product is in combinations that the figure has no cell for.
    Ok(Some((apart + (1.0 - within).max(0.0)) / 2.0))
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
