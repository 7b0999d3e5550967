//! Which of the rows found are shown: quotas, and diversity.

use crate::scalars::cosine_similarity::similarity;

/// At most so many rows of each group; the groups of the rows by number.
pub(super) struct Quota {
    pub groups: Vec<usize>,
    pub most: usize,
}

/// The places of the first `k` of `count` rows, which come best first, whose groups are not full yet.
pub(super) fn within(count: usize, k: usize, quotas: &[Quota]) -> Vec<usize> {
    let sizes = |q: &Quota| vec![0usize; q.groups.iter().max().map_or(0, |m| m + 1)];
    let mut taken: Vec<Vec<usize>> = quotas.iter().map(sizes).collect();
    let mut admit = |row: &usize| {
        let free = quotas.iter().zip(&taken).all(|(quota, taken)| taken[quota.groups[*row]] < quota.most);
        if free {
            quotas.iter().zip(&mut taken).for_each(|(quota, taken)| taken[quota.groups[*row]] += 1);
        }
        free
    };
    (0..count).filter(|row| admit(row)).take(k).collect()
}

/// The places of `k` rows of maximal marginal relevance, each as relevant as it can be and unlike those before it
/// (Carbonell and Goldstein 1998, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
/// Summaries", with λ = 1 − weight): a weight of 0 is relevance alone, of 1 difference alone. A row without a vector is
/// like none.
pub(super) fn unlike(k: usize, weight: f32, relevance: &[f32], vectors: &[Option<&[f32]>]) -> Vec<usize> {
    // Of each row that is left: how like it is to that one of the chosen which it is most like.
    let mut left: Vec<(usize, Option<f32>)> = (0..relevance.len()).map(|row| (row, None)).collect();
    let mut chosen = vec![];
    while chosen.len() < k {
        let worth =
            |(row, nearest): &(usize, Option<f32>)| (1.0 - weight) * relevance[*row] - weight * nearest.unwrap_or(0.0);
        // Of equal ones the first, which is the more relevant.
        let best = (0..left.len()).max_by(|a, b| worth(&left[*a]).total_cmp(&worth(&left[*b])).then(b.cmp(a)));
        let Some(best) = best else { break };
        let (row, _) = left.remove(best);
        chosen.push(row);
        for (other, nearest) in &mut left {
            let like = match (vectors[row], vectors[*other]) {
                (Some(a), Some(b)) => similarity(a, b).unwrap_or(0.0),
                _ => 0.0,
            };
            *nearest = Some(nearest.map_or(like, |n| n.max(like)));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_leave_room_for_others() {
        assert_eq!(within(4, 2, &[]), [0, 1]);
        let city = || Quota { groups: vec![0, 0, 1, 0], most: 1 };
        assert_eq!(within(4, 3, &[city()]), [0, 2]);
        let state = Quota { groups: vec![0, 0, 0, 1], most: 1 };
        assert_eq!(within(4, 3, &[city(), state]), [0]);
        assert_eq!(within(0, 3, &[Quota { groups: vec![], most: 1 }]), [0usize; 0]);
    }

    #[test]
    fn the_unlike_come_sooner() {
        let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
        let vectors: [Option<&[f32]>; 4] = [Some(&a), Some(&a), Some(&b), None];
        let relevance = [0.9, 0.8, 0.7, 0.1];
        assert_eq!(unlike(3, 0.0, &relevance, &vectors), [0, 1, 2]);
        assert_eq!(unlike(3, 0.5, &relevance, &vectors), [0, 2, 3]);
        assert_eq!(unlike(9, 0.5, &relevance, &vectors), [0, 2, 3, 1]);
    }
}
