//! Rankings of rows, and what several make together.

use std::collections::HashMap;
use std::sync::Arc;

/// The rank constant of reciprocal rank fusion.
const FUSION: f32 = 60.0;

/// A row that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hit {
    pub row: u64,
    pub score: f32,
    /// Which of several columns matched best
    pub column: usize,
    /// Its rank from 1 and its score by words, and by meaning
    pub text: Option<(i64, f32)>,
    pub semantic: Option<(i64, f32)>,
    /// What is known of it that is nearest, and the similarity of that
    pub fact: Option<(Arc<str>, f32)>,
}

/// Rows, best first.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    pub hits: Vec<Hit>,
    /// Whether no row is missing after the last
    pub complete: bool,
}

/// How the scores of several columns make one.
#[derive(Debug, Clone)]
pub(super) enum Fusion {
    /// The best of them
    Best,
    /// Their mean by weights that sum to 1; a column that has nothing counts as 0
    Weighted(Vec<f32>),
}

/// Best first; equal ones in the order of the rows.
pub(super) fn sort(scored: &mut [(u64, f32)]) {
    scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

/// Rankings of the same rows by several columns as one. `scores` has, for each row in any of the rankings, its score in
/// every column. `bounds` has what no row exceeds that a column's ranking leaves out, and nothing where it leaves out
/// none: what comes below the best that such a row could have is cut off, since it could be anywhere (the threshold
/// algorithm of Fagin, Lotem and Naor 2001, "Optimal Aggregation Algorithms for Middleware").
pub(super) fn fuse(scores: HashMap<u64, Vec<Option<f32>>>, bounds: &[Option<f32>], fusion: &Fusion) -> Ranking {
    let together = |scores: &[Option<f32>]| match fusion {
        Fusion::Best => {
            let found = scores.iter().enumerate().filter_map(|(c, s)| Some((c, (*s)?)));
            found.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        }
        Fusion::Weighted(weights) => {
            Some((0, scores.iter().zip(weights).map(|(s, w)| s.unwrap_or(0.0) * w).sum::<f32>()))
        }
    };
    let mut hits: Vec<Hit> = scores
        .iter()
        .filter_map(|(row, scores)| {
            let (column, score) = together(scores)?;
            Some(Hit { row: *row, score, column, text: None, semantic: None, fact: None })
        })
        .collect();
    hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    let complete = bounds.iter().all(Option::is_none);
    if !complete && let Some((_, bound)) = together(bounds) {
        hits.retain(|hit| hit.score >= bound);
    }
    Ranking { hits, complete }
}

/// Reciprocal rank fusion of a ranking by words and one by meaning: a row's score is the sum of 1 / (60 + its rank)
/// (Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
/// Methods").
pub(super) fn reciprocal(text: &Ranking, semantic: &Ranking) -> Ranking {
    let mut hits: HashMap<u64, Hit> = HashMap::new();
    let mut add = |ranking: &Ranking, note: fn(&mut Hit, (i64, f32))| {
        for (at, found) in ranking.hits.iter().enumerate() {
            let none = Hit { row: found.row, score: 0.0, column: found.column, text: None, semantic: None, fact: None };
            let hit = hits.entry(found.row).or_insert(none);
            hit.score += 1.0 / (FUSION + (at + 1) as f32);
            note(hit, (at as i64 + 1, found.score));
        }
    };
    add(text, |hit, place| hit.text = Some(place));
    add(semantic, |hit, place| hit.semantic = Some(place));
    let mut hits: Vec<Hit> = hits.into_values().collect();
    hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    Ranking { hits, complete: text.complete && semantic.complete }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ranking: &Ranking) -> Vec<u64> {
        ranking.hits.iter().map(|h| h.row).collect()
    }

    #[test]
    fn what_could_be_anywhere_is_cut_off() {
        let scores = || {
            HashMap::from([
                (1, vec![Some(0.9), Some(0.1)]),
                (2, vec![Some(0.5), Some(0.8)]),
                (3, vec![None, Some(0.4)]),
            ])
        };
        let all = fuse(scores(), &[None, None], &Fusion::Best);
        assert_eq!((rows(&all), all.complete), (vec![1, 2, 3], true));
        assert_eq!(all.hits.iter().map(|h| h.column).collect::<Vec<_>>(), [0, 1, 1]);
        let cut = fuse(scores(), &[Some(0.5), None], &Fusion::Best);
        assert_eq!((rows(&cut), cut.complete), (vec![1, 2], false));
        let weighted = Fusion::Weighted(vec![0.25, 0.75]);
        let all = fuse(scores(), &[None, None], &weighted);
        assert_eq!(rows(&all), [2, 1, 3]);
        assert!((all.hits[0].score - 0.725).abs() < 1e-6);
        let cut = fuse(scores(), &[Some(0.5), Some(0.4)], &weighted);
        assert_eq!(rows(&cut), [2]);
    }

    #[test]
    fn ranks_are_fused() {
        let ranking = |rows: &[u64]| Ranking {
            hits: rows
                .iter()
                .map(|r| Hit { row: *r, score: 1.0, column: 0, text: None, semantic: None, fact: None })
                .collect(),
            complete: true,
        };
        let fused = reciprocal(&ranking(&[7, 8]), &ranking(&[8, 9]));
        assert_eq!(rows(&fused), [8, 7, 9]);
        assert!((fused.hits[0].score - (1.0 / 62.0 + 1.0 / 61.0)).abs() < 1e-7);
        assert_eq!((fused.hits[0].text, fused.hits[0].semantic), (Some((2, 1.0)), Some((1, 1.0))));
        assert_eq!(fused.hits[1].semantic, None);
    }
}
