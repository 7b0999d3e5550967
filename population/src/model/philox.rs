//! Philox4x32-10, a counter-based generator: any word of any row can be had without those before it.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

const M0: u64 = 0xD251_1F53;
const M1: u64 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// One block: four words from a counter and a key.
#[inline(always)]
pub(crate) fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = M0 * u64::from(c0);
        let p1 = M1 * u64::from(c2);
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3]
}

/// A permutation of the numbers of 128 bits that looks random, another one for each seed: Philox4x32-10 with the number
/// as its counter and the seed as its key. What is told apart by numbers is put into a random order by it.
pub fn permuted(number: u128, seed: u64) -> u128 {
    joined(block(words(number), key(seed)))
}

/// The number that [`permuted`] made this one of.
pub fn unpermuted(number: u128, seed: u64) -> u128 {
    const I0: u32 = inverse(M0 as u32);
    const I1: u32 = inverse(M1 as u32);
    let [mut a, mut b, mut c, mut d] = words(number);
    let [k0, k1] = key(seed);
    for round in (0..10u32).rev() {
        let (c0, c2) = (d.wrapping_mul(I0), b.wrapping_mul(I1));
        let (p0, p1) = (M0 * u64::from(c0), M1 * u64::from(c2));
        let c1 = a ^ (p1 >> 32) as u32 ^ k0.wrapping_add(W0.wrapping_mul(round));
        let c3 = c ^ (p0 >> 32) as u32 ^ k1.wrapping_add(W1.wrapping_mul(round));
        (a, b, c, d) = (c0, c1, c2, c3);
    }
    joined([a, b, c, d])
}

/// The number that an odd one is multiplied with to give 1, modulo 2^32: by Newton's steps, each of which doubles the
/// bits that are right.
const fn inverse(odd: u32) -> u32 {
    let mut x = odd;
    let mut step = 0;
    while step < 5 {
        x = x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

fn words(number: u128) -> [u32; 4] {
    [number as u32, (number >> 32) as u32, (number >> 64) as u32, (number >> 96) as u32]
}

fn joined(words: [u32; 4]) -> u128 {
    words.iter().rev().fold(0, |number, word| number << 32 | u128::from(*word))
}

fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// The word of a row: a block serves four rows.
pub(crate) fn word(key: [u32; 2], row: u64) -> u32 {
    of_block(key, row / 4)[(row % 4) as usize]
}

fn of_block(key: [u32; 2], number: u64) -> [u32; 4] {
    block([number as u32, (number >> 32) as u32, 0, 0], key)
}

/// Blocks that are made together: so many fill the registers of a wide machine.
const LANES: usize = 16;

/// Blocks side by side, of counters that differ in the first two words.
#[inline(always)]
fn side_by_side(low: [u32; LANES], high: [u32; LANES], third: u32, key: [u32; 2]) -> [[u32; LANES]; 4] {
    // In 64 bits, of which the upper half is zero: what a multiplication of vectors takes.
    let mut c0 = low.map(u64::from);
    let mut c1 = high.map(u64::from);
    let mut c2 = [u64::from(third); LANES];
    let mut c3 = [0; LANES];
    let [mut k0, mut k1] = key;
    const LOW: u64 = 0xffff_ffff;
    for _ in 0..10 {
        for lane in 0..LANES {
            let p0 = M0 * (c0[lane] & LOW);
            let p1 = M1 * (c2[lane] & LOW);
            c0[lane] = (p1 >> 32) ^ c1[lane] ^ u64::from(k0);
            c2[lane] = (p0 >> 32) ^ c3[lane] ^ u64::from(k1);
            c1[lane] = p1 & LOW;
            c3[lane] = p0 & LOW;
        }
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3].map(|c| c.map(|word| word as u32))
}

/// The blocks of these counters, one for each, with a third word.
#[inline(always)]
pub(crate) fn blocks(key: [u32; 2], third: u32, counters: impl Iterator<Item = u64>, out: &mut [[u32; 4]]) {
    let mut counters = counters.fuse();
    for out in out.chunks_mut(LANES) {
        let (mut low, mut high) = ([0; LANES], [0; LANES]);
        for (lane, counter) in (0..out.len()).zip(&mut counters) {
            (low[lane], high[lane]) = (counter as u32, (counter >> 32) as u32);
        }
        let [a, b, c, d] = side_by_side(low, high, third, key);
        for (lane, block) in out.iter_mut().enumerate() {
            *block = [a[lane], b[lane], c[lane], d[lane]];
        }
    }
}

/// The words of the rows from `first` on.
#[inline(always)]
pub(crate) fn fill(key: [u32; 2], first: u64, out: &mut [u32]) {
    let lead = ((4 - first % 4) % 4).min(out.len() as u64) as usize;
    let (head, rest) = out.split_at_mut(lead);
    head.iter_mut().zip(first..).for_each(|(word, row)| *word = self::word(key, row));
    let next = first.wrapping_add(lead as u64) / 4;
    let (fours, last) = rest.as_chunks_mut::<4>();
    blocks(key, 0, next.., fours);
    let after = of_block(key, next.wrapping_add(fours.len() as u64));
    last.iter_mut().zip(after).for_each(|(word, of)| *word = of);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
    #[test]
    fn known_answers() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_permutation_has_its_way_back() {
        assert_eq!(permuted(0, 0), 0x9b00_dbd8_bc57_ac4c_e169_c58d_6627_e8d5);
        for number in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            for seed in [0, 7, u64::MAX] {
                assert_eq!(unpermuted(permuted(number, seed), seed), number);
            }
        }
    }

    #[test]
    fn a_row_has_its_word_wherever_it_is_drawn() {
        for first in [0, 1, 2, 3, 41, (1 << 34) - 30, (1 << 34) + 5] {
            for rows in [0, 1, 2, 3, 4, 5, 11, 63, 64, 65, 150] {
                let mut out = vec![0; rows];
                fill([7, 9], first, &mut out);
                assert!((first..).zip(out).all(|(row, got)| got == word([7, 9], row)));
            }
        }
    }
}
