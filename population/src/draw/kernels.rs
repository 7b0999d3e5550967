//! The inner loops of drawing, column by column over some rows, compiled once for each width of registers.

use crate::infer::weighed::{Weighed, Work};
use crate::model::guide::Guide;
use crate::model::network::{Address, Rows as TableRows, Table, UNREACHABLE};
use crate::model::philox;
use crate::model::width::of_any_width;
use crate::pack::List;

/// Letters of a uuid.
pub(crate) const UUID: usize = 32;

/// Tries at an item that the list does not have yet, before the list is left shorter.
const LIST_TRIES: usize = 64;

/// Rows of a stream: a range from the first on, or any.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    From(u64),
    Of(&'a [u64]),
}

impl<'a> Rows<'a> {
    /// `count` of them, from the one at `at` on.
    pub fn part(self, at: usize, count: usize) -> Rows<'a> {
        match self {
            Rows::From(first) => Rows::From(first + at as u64),
            Rows::Of(rows) => Rows::Of(&rows[at..at + count]),
        }
    }

    #[inline(always)]
    pub fn row(self, at: usize) -> u64 {
        match self {
            Rows::From(first) => first + at as u64,
            Rows::Of(rows) => rows[at],
        }
    }

    /// The words of these rows.
    #[inline(always)]
    pub fn words(self, key: [u32; 2], out: &mut [u32]) {
        const TOGETHER: usize = 64;
        match self {
            Rows::From(first) => philox::fill(key, first, out),
            Rows::Of(rows) => {
                for (out, rows) in out.chunks_mut(TOGETHER).zip(rows.chunks(TOGETHER)) {
                    let mut blocks = [[0; 4]; TOGETHER];
                    philox::blocks(key, 0, rows.iter().map(|row| row / 4), &mut blocks[..rows.len()]);
                    let each = out.iter_mut().zip(rows).zip(&blocks);
                    each.for_each(|((word, row), block)| *word = block[(row % 4) as usize]);
                }
            }
        }
    }

    /// A block for each of so many rows.
    #[inline(always)]
    fn blocks(self, key: [u32; 2], lane: u32, out: &mut [[u32; 4]]) {
        match self {
            Rows::From(first) => philox::blocks(key, lane, first..=u64::MAX, out),
            Rows::Of(rows) => philox::blocks(key, lane, rows.iter().copied(), out),
        }
    }
}

/// What codes are drawn from: for a variable, by the words of a key.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub variable: usize,
    pub key: [u32; 2],
    pub of: Of<'a>,
}

/// The rows that a variable is drawn from.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// No guide where so few rows are drawn that it is not worth the making.
    Table { table: &'a Table, address: &'a Address, guide: Option<&'a Guide> },
    /// Rows that are worked out as they are drawn from, and the variable's own table.
    Weighed(&'a Weighed, &'a Table),
}

/// A list that items are drawn from.
#[derive(Clone, Copy)]
pub(crate) struct ListSource<'a> {
    pub list: &'a List,
    pub key: [u32; 2],
    pub address: &'a Address,
    pub guide: Option<&'a Guide>,
}

/// The lists of some rows, one after another.
#[derive(Clone, Default)]
pub(crate) struct Items {
    pub items: Vec<i32>,
    pub lengths: Vec<i32>,
}

/// A thread's working memory.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Of each variable that is drawn, the codes of the rows
    pub codes: Vec<Vec<u16>>,
    words: Vec<u32>,
    rows: Vec<u32>,
    places: Vec<u32>,
    blocks: Vec<[u32; 4]>,
    weighed: Work,
    /// Of a list, the items that the first tries draw
    tries: Vec<u16>,
}

impl Scratch {
    /// The table row of each person, from the codes of the parents.
    #[inline(always)]
    fn find_rows(&mut self, address: &Address, table: &Table, rows: usize) {
        self.rows.clear();
        self.rows.resize(rows, 0);
        for (parent, offsets) in &address.parents {
            for (row, code) in self.rows.iter_mut().zip(&self.codes[*parent]) {
                *row += offsets[usize::from(*code)];
            }
        }
        if let Some(compact) = &table.compact {
            for row in &mut self.rows {
                *row = compact[*row as usize];
                debug_assert_ne!(*row, UNREACHABLE);
                // Whoever is drawn can be met; were it not so, a wrong row is better than none.
                if *row == UNREACHABLE {
                    *row = 0;
                }
            }
        }
    }
}

of_any_width! {
    /// Draws the codes of all sources in turn, parents before their children.
    draw_codes = codes(scratch: &mut Scratch, sources: &[Source<'_>], which: Rows<'_>, rows: usize)
}

of_any_width! {
    /// Draws the items of a list without replacement: words draw items in turn, and one that the list has already is
    /// passed over.
    draw_lists = lists(scratch: &mut Scratch, source: ListSource<'_>, which: Rows<'_>, rows: usize, into: &mut Items)
}

of_any_width! {
    /// Writes hexadecimal digits. A Philox block is a bijection of its counter: no two rows of a stream are alike.
    draw_uuids = uuids(scratch: &mut Scratch, key: [u32; 2], which: Rows<'_>, bytes: &mut [u8])
}

#[inline(always)]
fn codes(scratch: &mut Scratch, sources: &[Source<'_>], which: Rows<'_>, rows: usize) {
    for source in sources {
        scratch.words.resize(rows, 0);
        if !matches!(source.of, Of::Table { table: Table { rows: TableRows::Function { .. }, .. }, .. }) {
            which.words(source.key, &mut scratch.words);
        }
        let mut codes = std::mem::take(&mut scratch.codes[source.variable]);
        codes.resize(rows, 0);
        match source.of {
            Of::Table { table, address, guide } => {
                scratch.find_rows(address, table, rows);
                pick_all(guide, &table.rows, &scratch.rows, &scratch.words, &mut scratch.places, &mut codes);
            }
            Of::Weighed(weighed, own) => {
                weighed.pick_all(own, &scratch.codes, &scratch.words, &mut scratch.weighed, &mut codes);
            }
        }
        scratch.codes[source.variable] = codes;
    }
}

#[inline(always)]
fn lists(scratch: &mut Scratch, source: ListSource<'_>, which: Rows<'_>, rows: usize, into: &mut Items) {
    let spec = source.list;
    scratch.find_rows(source.address, &spec.table, rows);
    // As many tries as items are made together, for all rows: most lists take no more. The others are made one by one.
    let made = spec.max / 4 + 1;
    scratch.blocks.resize(made * rows, [0; 4]);
    for (lane, blocks) in scratch.blocks.chunks_exact_mut(rows.max(1)).enumerate() {
        which.blocks(source.key, lane as u32, blocks);
    }
    scratch.words.resize(rows, 0);
    scratch.tries.resize(spec.max * rows, 0);
    for (at, tries) in (1..).zip(scratch.tries.chunks_exact_mut(rows.max(1))) {
        let blocks = &scratch.blocks[at / 4 * rows..][..rows];
        scratch.words.iter_mut().zip(blocks).for_each(|(word, block)| *word = block[at % 4]);
        pick_all(source.guide, &spec.table.rows, &scratch.rows, &scratch.words, &mut scratch.places, tries);
    }
    into.items.reserve(rows * spec.max);
    into.lengths.reserve(rows);
    for row in 0..rows {
        let from = into.items.len();
        items(spec, &mut into.items, scratch.blocks[row][0], |at| {
            scratch.tries.get((at - 1) * rows + row).copied().unwrap_or_else(|| {
                let of_stream = which.row(row);
                let counter = [of_stream as u32, (of_stream >> 32) as u32, at as u32 / 4, 0];
                let word = philox::block(counter, source.key)[at % 4];
                spec.table.rows.pick(scratch.rows[row] as usize, word)
            })
        });
        into.lengths.push((into.items.len() - from) as i32);
    }
}

/// Draws the items of one list from blocks of words.
pub(crate) fn draw_items(spec: &List, row: usize, into: &mut Vec<i32>, words: impl Fn(usize) -> [u32; 4]) {
    let mut block = words(0);
    items(spec, into, block[0], |at| {
        if at % 4 == 0 {
            block = words(at / 4);
        }
        spec.table.rows.pick(row, block[at % 4])
    });
}

/// The first word draws how many there are, and tries, counted from 1, draw one item each.
#[inline(always)]
fn items(spec: &List, into: &mut Vec<i32>, first: u32, mut item: impl FnMut(usize) -> u16) {
    let span = (spec.max - spec.min + 1) as u64;
    let wanted = spec.min + ((u64::from(first) * span) >> 32) as usize;
    let from = into.len();
    for at in 1..LIST_TRIES {
        if into.len() - from == wanted {
            break;
        }
        let item = i32::from(item(at));
        if !into[from..].contains(&item) {
            into.push(item);
        }
    }
}

#[inline(always)]
fn pick_all(
    guide: Option<&Guide>,
    table: &TableRows,
    rows: &[u32],
    words: &[u32],
    places: &mut Vec<u32>,
    codes: &mut [u16],
) {
    match guide {
        Some(guide) => guide.pick_all(table, rows, words, places, codes),
        None => {
            let each = codes.iter_mut().zip(rows).zip(words);
            each.for_each(|((code, row), word)| *code = table.pick(*row as usize, *word));
        }
    }
}

#[inline(always)]
fn uuids(scratch: &mut Scratch, key: [u32; 2], which: Rows<'_>, bytes: &mut [u8]) {
    let (uuids, _) = bytes.as_chunks_mut::<UUID>();
    scratch.blocks.resize(uuids.len(), [0; 4]);
    which.blocks(key, 0, &mut scratch.blocks);
    for (digits, block) in uuids.iter_mut().zip(&scratch.blocks) {
        let mut nibbles = [0u8; UUID];
        for (word, nibbles) in block.iter().zip(nibbles.as_chunks_mut::<8>().0) {
            for (byte, pair) in word.to_be_bytes().into_iter().zip(nibbles.as_chunks_mut::<2>().0) {
                *pair = [byte >> 4, byte & 15];
            }
        }
        *digits = nibbles.map(|n| n + b'0' + u8::from(n > 9) * (b'a' - b'0' - 10));
    }
}
