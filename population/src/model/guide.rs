//! Guide tables: where in a row to begin to look for the level that a word draws. The high bits of the word name a bucket,
//! and the guide has the first level that any word of the bucket can draw; there are as many buckets as levels, to a
//! factor of two, so that two levels are looked at on average, however uneven the row.
//!
//! Chen and Asau, "On generating random variates from an empirical distribution", AIIE Transactions 6(2), 1974.

use crate::model::network::Rows;

/// Rows of so few levels are looked through as a whole.
const FEW: usize = 16;

/// Levels that are looked at together.
const STEP: usize = 4;

/// Thresholds are asked for so many words before they are looked at.
const AHEAD: usize = 16;

/// The guide of a table: the buckets of each row stand where its thresholds begin.
#[derive(Debug)]
pub(crate) struct Guide {
    first: Vec<u16>,
}

impl Guide {
    /// Two bytes for each threshold, and nothing for a table that needs no guide.
    pub fn new(rows: &Rows) -> Guide {
        let mut first = vec![];
        match rows {
            Rows::Dense { width, thresholds } if *width > FEW => {
                first.resize(thresholds.len(), 0);
                let guides = first.chunks_exact_mut(*width).zip(thresholds.chunks_exact(*width));
                guides.for_each(|(first, row)| guide(row, first));
            }
            Rows::Sparse { offsets, thresholds, .. } => {
                first.resize(thresholds.len(), 0);
                for pair in offsets.windows(2) {
                    let range = pair[0] as usize..pair[1] as usize;
                    guide(&thresholds[range.clone()], &mut first[range]);
                }
            }
            Rows::Dense { .. } | Rows::Function { .. } => {}
        }
        Guide { first }
    }

    /// The level that each word draws in its row: what [`Rows::pick`] says, sooner. In `rows` are the numbers of rows;
    /// `places` is working memory. Each of the three loops waits for memory that others do not wait for before it.
    #[inline(always)]
    pub fn pick_all(&self, table: &Rows, rows: &[u32], words: &[u32], places: &mut Vec<u32>, codes: &mut [u16]) {
        match table {
            Rows::Function { levels } => {
                codes.iter_mut().zip(rows).for_each(|(code, row)| *code = levels[*row as usize]);
            }
            Rows::Dense { width, thresholds } if *width <= FEW => dense(*width, thresholds, rows, words, codes),
            Rows::Dense { width, thresholds } => {
                let bits = buckets(*width);
                places.clear();
                places.extend(rows.iter().zip(words).map(|(row, word)| self.start(*row as usize * width, bits, *word)));
                find(thresholds, words, places);
                let each = codes.iter_mut().zip(places.iter()).zip(rows);
                each.for_each(|((code, place), row)| *code = (*place as usize - *row as usize * width) as u16);
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                places.clear();
                places.extend(rows.iter().zip(words).map(|(row, word)| {
                    let (from, to) = (offsets[*row as usize] as usize, offsets[*row as usize + 1] as usize);
                    self.start(from, buckets(to - from), *word)
                }));
                find(thresholds, words, places);
                codes.iter_mut().zip(places.iter()).for_each(|(code, place)| *code = levels[*place as usize]);
            }
        }
    }

    /// The first place where a word's threshold can be, of a row that begins at `from`.
    #[inline(always)]
    fn start(&self, from: usize, bits: u32, word: u32) -> u32 {
        from as u32 + u32::from(self.first[from + bucket(word, bits)])
    }
}

/// Moves each place on to the first threshold above its word.
#[inline(always)]
fn find(thresholds: &[u32], words: &[u32], places: &mut [u32]) {
    for at in 0..places.len().min(words.len()) {
        if let Some(ahead) = places.get(at + AHEAD) {
            prefetch(thresholds, *ahead as usize);
        }
        places[at] = scan(thresholds, places[at] as usize, words[at].min(u32::MAX - 1)) as u32;
    }
}

#[inline(always)]
fn scan(thresholds: &[u32], mut at: usize, word: u32) -> usize {
    // The last threshold of a row is above any word.
    while let Some(step) = thresholds.get(at..at + STEP) {
        let (mut below, mut passed) = (1, 0);
        for threshold in step {
            below &= usize::from(*threshold <= word);
            passed += below;
        }
        at += passed;
        if passed < STEP {
            return at;
        }
    }
    at + thresholds[at..].iter().take_while(|t| **t <= word).count()
}

#[inline(always)]
fn prefetch(thresholds: &[u32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(threshold) = thresholds.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // It asks for a line of memory, and neither reads nor writes it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(threshold).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (thresholds, at);
}

/// The binary logarithm of the buckets of a row of so many levels.
#[inline(always)]
fn buckets(levels: usize) -> u32 {
    (levels as u32 | 1).ilog2()
}

#[inline(always)]
fn bucket(word: u32, bits: u32) -> usize {
    (u64::from(word) >> (32 - bits)) as usize
}

/// Fills the guide of one row.
fn guide(row: &[u32], first: &mut [u16]) {
    let bits = buckets(row.len());
    let mut at = 0;
    for (bucket, first) in first.iter_mut().enumerate().take(1 << bits) {
        let least = (bucket as u64) << (32 - bits);
        while at + 1 < row.len() && u64::from(row[at]) <= least {
            at += 1;
        }
        *first = at as u16;
    }
}

/// Rows of few levels: a level is the number of thresholds that are not above the word, and the last never is.
#[inline(always)]
fn dense(width: usize, thresholds: &[u32], rows: &[u32], words: &[u32], codes: &mut [u16]) {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => of_width::<$width>(thresholds, rows, words, codes),)*
                _ => codes.fill(0),
            }
        };
    }
    widths!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

#[inline(always)]
fn of_width<const WIDTH: usize>(thresholds: &[u32], rows: &[u32], words: &[u32], codes: &mut [u16]) {
    let all = thresholds;
    let (thresholds, _) = thresholds.as_chunks::<WIDTH>();
    for (at, ((code, row), word)) in codes.iter_mut().zip(rows).zip(words).enumerate() {
        if let Some(ahead) = rows.get(at + AHEAD) {
            prefetch(all, *ahead as usize * WIDTH);
        }
        let word = (*word).min(u32::MAX - 1);
        *code = thresholds[*row as usize].iter().map(|t| u32::from(*t <= word)).sum::<u32>() as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::quantise;

    /// Every word near a threshold and every bucket's edges, in rows of all kinds.
    #[test]
    fn a_guide_draws_what_its_rows_draw() {
        for width in [1, 2, 3, 7, 16, 17, 40, 300] {
            let mut thresholds = vec![];
            for row in 0..20u64 {
                let weight = |at: u64| match (row * 7 + at * (at + row)) % 5 {
                    0 | 1 => 0.0,
                    2 => 1e-9,
                    3 => 1.0,
                    _ => (at as f64 + 1.0).powi(3),
                };
                quantise(&(0..width).map(|at| weight(at as u64)).collect::<Vec<_>>(), &mut thresholds);
            }
            let dense = Rows::Dense { width, thresholds: thresholds.clone() };
            for table in [Rows::of(width, thresholds.clone()), dense] {
                let guide = Guide::new(&table);
                let edges = (0..1u32 << 9).map(|edge| edge << 23);
                let mut words: Vec<u32> = thresholds.iter().copied().chain(edges).collect();
                words.extend(words.clone().iter().flat_map(|w| [w.wrapping_sub(1), w.wrapping_add(1)]));
                for row in 0..20 {
                    let mut codes = vec![0; words.len()];
                    guide.pick_all(&table, &vec![row as u32; words.len()], &words, &mut vec![], &mut codes);
                    for (word, code) in words.iter().zip(codes) {
                        assert_eq!(code, table.pick(row, *word));
                    }
                }
            }
        }
    }
}
