//! Drawing people: column by column, on all cores, each row a pure function of the pack, the seed, the evidence and
//! its index.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, RecordBatchOptions, StringArray, UInt64Array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, SchemaRef};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::infer::elimination::{Posterior, condition};
use crate::infer::predicate::Predicate;
use crate::model::network::{Address, Rows, Table, UNREACHABLE};
use crate::model::philox;
use crate::model::variable::Levels;
use crate::pack::{Column, Pack};

/// Rows that one thread draws at a time: its columns stay in the second-level cache.
const CHUNK: usize = 2048;

/// Letters of a uuid.
const UUID: usize = 32;

/// The words of a row are split among these uses. Variable `v` takes word `v % 4` of block `v / 4`.
const VARIABLES: u32 = 0;
const LISTS: u32 = 1;
const UUIDS: u32 = u32::MAX;

/// Tries at an item that the list does not have yet, before the list is left shorter.
const LIST_TRIES: usize = 64;

/// Draws the people of one stream: a pack, a seed, and what they are conditioned on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sampler {
    pack: Arc<Pack>,
    seed: u64,
    key: [u32; 2],
    conditioned: Option<Arc<Conditioned>>,
}

#[derive(Debug)]
struct Conditioned {
    posterior: Posterior,
    addresses: Vec<Option<Address>>,
}

impl Sampler {
    /// Draws from the whole population.
    pub fn new(pack: Arc<Pack>, seed: u64) -> Sampler {
        let key = key(&pack, seed, &[]);
        Sampler { pack, seed, key, conditioned: None }
    }

    /// Draws from those who satisfy a predicate, exactly: the cost of a row does not depend on how rare they are.
    /// Predicates that mean the same draw the same people.
    ///
    /// # Errors
    /// If the predicate names an unknown variable or level, compares what cannot be compared, is satisfied by nobody
    /// (the error names the parts that contradict each other), or ties together too many variables.
    pub fn given(pack: Arc<Pack>, seed: u64, given: &Predicate) -> Result<Sampler> {
        if let Some(list) = pack.lists.iter().find(|l| mentions(given, &l.name, 0)) {
            return Err(Error::List(list.name.clone()));
        }
        let (evidence, posterior) = condition(&pack.network, given)?;
        if evidence.is_empty() {
            return Ok(Sampler::new(pack, seed));
        }
        let key = key(&pack, seed, &evidence.fingerprint());
        let addresses = posterior.tables.iter().map(|t| t.as_ref().map(|t| Address::new(&t.parents))).collect();
        Ok(Sampler { pack, seed, key, conditioned: Some(Arc::new(Conditioned { posterior, addresses })) })
    }

    /// P(evidence): the share of the population that satisfies the predicate; 1 without one.
    pub fn probability(&self) -> f64 {
        self.conditioned.as_ref().map_or(1.0, |c| c.posterior.probability)
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The schema of a draw of all columns.
    pub fn schema(&self) -> SchemaRef {
        self.pack.schema()
    }

    fn table(&self, variable: usize) -> (&Table, &Address) {
        if let Some(c) = &self.conditioned
            && let (Some(table), Some(address)) = (&c.posterior.tables[variable], &c.addresses[variable])
        {
            return (table, address);
        }
        (&self.pack.network.tables[variable], &self.pack.addresses[variable])
    }

    /// The rows `range` of the stream, in order; only the columns that `projection` names (indices into the schema),
    /// and only what these depend on is drawn. On all threads of the current rayon pool.
    ///
    /// # Errors
    /// If the projection names a column that is not there, or the range is too long for one batch.
    pub fn draw(&self, range: Range<u64>, projection: Option<&[usize]>) -> Result<RecordBatch> {
        let all: Vec<usize>;
        let projection = match projection {
            Some(p) => p,
            None => {
                all = (0..self.pack.columns.len()).collect();
                &all
            }
        };
        let columns = projection
            .iter()
            .map(|i| {
                let out = || Error::Projection { index: *i, columns: self.pack.columns.len() };
                self.pack.columns.get(*i).copied().ok_or_else(out)
            })
            .collect::<Result<Vec<Column>>>()?;
        let schema = Arc::new(self.pack.schema.project(projection)?);
        let rows = range.end.saturating_sub(range.start);
        if rows > (1 << 26) {
            let message = "at most 67,108,864 rows fit in one batch; draw the range in parts".to_string();
            return Err(Error::Rows { start: range.start, end: range.end, message });
        }
        let rows = rows as usize;
        let needed = self.needed(&columns);
        let chunks = rows.div_ceil(CHUNK);
        let mut drawn: Vec<Drawn> = columns.iter().map(|c| Drawn::new(*c, rows, chunks)).collect();
        // Each thread writes where its rows belong in the columns.
        let mut places: Vec<Vec<Place<'_>>> = (0..chunks).map(|_| Vec::with_capacity(columns.len())).collect();
        drawn.iter_mut().for_each(|d| d.share(&mut places));
        places.into_par_iter().enumerate().for_each_init(Scratch::default, |scratch, (n, places)| {
            let first = range.start + (n * CHUNK) as u64;
            self.chunk(scratch, first, CHUNK.min(rows - n * CHUNK), &needed, columns.iter().zip(places));
        });
        let arrays = columns
            .par_iter()
            .zip(drawn)
            .map(|(column, drawn)| self.assemble(*column, drawn, &range, rows))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    /// The variables to draw for these columns, in order.
    fn needed(&self, columns: &[Column]) -> Vec<usize> {
        let mut needed = vec![false; self.pack.network.tables.len()];
        for column in columns {
            match column {
                Column::Variable(v) => needed[*v] = true,
                Column::List(l) => self.pack.list_addresses[*l].parents.iter().for_each(|(p, _)| needed[*p] = true),
                _ => {}
            }
        }
        for v in (0..needed.len()).rev() {
            if needed[v] {
                self.table(v).1.parents.iter().for_each(|(p, _)| needed[*p] = true);
            }
        }
        (0..needed.len()).filter(|v| needed[*v]).collect()
    }

    fn chunk<'a>(
        &self,
        scratch: &mut Scratch,
        first: u64,
        rows: usize,
        needed: &[usize],
        columns: impl Iterator<Item = (&'a Column, Place<'a>)>,
    ) {
        scratch.codes.resize(self.pack.network.tables.len(), vec![]);
        let mut block = None;
        for v in needed {
            let (table, address) = self.table(*v);
            if !matches!(table.rows, Rows::Function { .. }) && block != Some(v / 4) {
                philox::fill(self.key, first, VARIABLES, (v / 4) as u32, &mut scratch.words, rows);
                block = Some(v / 4);
            }
            let mut codes = std::mem::take(&mut scratch.codes[*v]);
            codes.resize(rows, 0);
            scratch.find_rows(address, table, rows);
            pick_all(&table.rows, &scratch.rows[..rows], &scratch.words[v % 4], &mut codes);
            scratch.codes[*v] = codes;
        }
        for (column, place) in columns {
            match (column, place) {
                (Column::Variable(v), Place::Codes(codes)) => {
                    codes.iter_mut().zip(&scratch.codes[*v]).for_each(|(to, from)| *to = i32::from(*from));
                }
                (Column::List(l), Place::Items(items)) => *items = self.draw_lists(scratch, *l, first, rows),
                (Column::Uuid, Place::Bytes(bytes)) => uuids(self.key, first, bytes),
                _ => {}
            }
        }
    }

    /// Items without replacement: words draw items in turn, and one that the list has already is passed over.
    fn draw_lists(&self, scratch: &mut Scratch, list: usize, first: u64, rows: usize) -> Items {
        let (spec, address) = (&self.pack.lists[list], &self.pack.list_addresses[list]);
        scratch.find_rows(address, &spec.table, rows);
        let (mut items, mut lengths) = (Vec::with_capacity(rows * spec.max), Vec::with_capacity(rows));
        for (i, table_row) in scratch.rows[..rows].iter().enumerate() {
            let row = first + i as u64;
            let words = |lane: usize| {
                let counter = [row as u32, (row >> 32) as u32, LISTS + list as u32, lane as u32];
                philox::block(counter, self.key)
            };
            let table_row = *table_row as usize;
            let mut block = words(0);
            let span = (spec.max - spec.min + 1) as u64;
            let wanted = spec.min + ((u64::from(block[0]) * span) >> 32) as usize;
            let from = items.len();
            for at in 1..LIST_TRIES {
                if items.len() - from == wanted {
                    break;
                }
                if at % 4 == 0 {
                    block = words(at / 4);
                }
                let item = i32::from(spec.table.rows.pick(table_row, block[at % 4]));
                if !items[from..].contains(&item) {
                    items.push(item);
                }
            }
            lengths.push((items.len() - from) as i32);
        }
        Items { items, lengths }
    }

    fn assemble(&self, column: Column, drawn: Drawn, range: &Range<u64>, rows: usize) -> Result<ArrayRef> {
        let constant = |text: &str| -> Result<ArrayRef> {
            let values = Arc::new(StringArray::from(vec![text]));
            Ok(Arc::new(DictionaryArray::try_new(Int32Array::from(vec![0; rows]), values)?))
        };
        Ok(match (column, drawn) {
            (Column::Uuid, Drawn::Bytes(bytes)) => {
                let offsets =
                    OffsetBuffer::new((0..=rows as i32).map(|i| i * UUID as i32).collect::<ScalarBuffer<i32>>());
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), None)?)
            }
            (Column::Variable(v), Drawn::Codes(mut codes)) => {
                let variable = &self.pack.network.variables[v];
                let nulls =
                    variable.null_level.map(|n| codes.iter().map(|c| *c != i32::from(n)).collect::<NullBuffer>());
                match (&variable.levels, &self.pack.dictionaries[v]) {
                    (Levels::Text(_), Some(values)) => {
                        let keys = Int32Array::new(codes.into(), nulls);
                        // Every code is a level of the variable: the tables were checked when the pack was read.
                        Arc::new(unsafe { DictionaryArray::new_unchecked(keys, values.clone()) })
                    }
                    (Levels::Integer { min, .. }, _) => {
                        codes.iter_mut().for_each(|c| *c += min);
                        Arc::new(Int32Array::new(codes.into(), nulls))
                    }
                    (Levels::Text(_), None) => unreachable!("text variables have dictionaries"),
                }
            }
            (Column::List(l), Drawn::Lists(parts)) => {
                let list = &self.pack.lists[l];
                let mut all = Vec::with_capacity(parts.iter().map(|p| p.items.len()).sum());
                let mut sizes = Vec::with_capacity(rows);
                for Items { items, lengths } in parts {
                    all.extend(items);
                    sizes.extend(lengths.into_iter().map(|n| n as usize));
                }
                // As above: items come from the list's own table.
                let values = unsafe { DictionaryArray::new_unchecked(Int32Array::from(all), list.items.clone()) };
                let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                let field = Arc::new(Field::new("item", text, true));
                Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(sizes), Arc::new(values), None)?)
            }
            (Column::Country, _) => constant(&self.pack.country)?,
            (Column::PackId, _) => constant(&self.pack.id())?,
            (Column::Seed, _) => Arc::new(UInt64Array::from(vec![self.seed; rows])),
            (Column::RowIndex, _) => Arc::new(UInt64Array::from_iter_values(range.start..range.start + rows as u64)),
            (Column::Uuid | Column::Variable(_) | Column::List(_), _) => unreachable!("drawn as its column is"),
        })
    }
}

/// What is drawn of one column.
enum Drawn {
    Codes(Vec<i32>),
    /// A part for each chunk of rows
    Lists(Vec<Items>),
    Bytes(Vec<u8>),
    Nothing,
}

/// The lists of some rows, one after another.
#[derive(Clone, Default)]
struct Items {
    items: Vec<i32>,
    lengths: Vec<i32>,
}

/// Where a chunk of rows belongs in a column.
enum Place<'a> {
    Codes(&'a mut [i32]),
    Items(&'a mut Items),
    Bytes(&'a mut [u8]),
    Nothing,
}

impl Drawn {
    fn new(column: Column, rows: usize, chunks: usize) -> Drawn {
        match column {
            Column::Variable(_) => Drawn::Codes(vec![0; rows]),
            Column::List(_) => Drawn::Lists(vec![Items::default(); chunks]),
            Column::Uuid => Drawn::Bytes(vec![0; rows * UUID]),
            _ => Drawn::Nothing,
        }
    }

    /// Gives each chunk its part of the column.
    fn share<'a>(&'a mut self, places: &mut [Vec<Place<'a>>]) {
        match self {
            Drawn::Codes(codes) => give(places, codes.chunks_mut(CHUNK).map(Place::Codes)),
            Drawn::Lists(lists) => give(places, lists.iter_mut().map(Place::Items)),
            Drawn::Bytes(bytes) => give(places, bytes.chunks_mut(CHUNK * UUID).map(Place::Bytes)),
            Drawn::Nothing => places.iter_mut().for_each(|p| p.push(Place::Nothing)),
        }
    }
}

fn give<'a>(places: &mut [Vec<Place<'a>>], parts: impl Iterator<Item = Place<'a>>) {
    places.iter_mut().zip(parts).for_each(|(place, part)| place.push(part));
}

/// A thread's working memory.
#[derive(Default)]
struct Scratch {
    codes: Vec<Vec<u16>>,
    words: [Vec<u32>; 4],
    rows: Vec<u32>,
}

impl Scratch {
    /// The table row of each person, from the codes of the parents.
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
            }
        }
    }
}

fn pick_all(rows: &Rows, at: &[u32], words: &[u32], codes: &mut [u16]) {
    match rows {
        Rows::Function { levels } => {
            for (code, row) in codes.iter_mut().zip(at) {
                *code = levels[*row as usize];
            }
        }
        rows => {
            for ((code, row), word) in codes.iter_mut().zip(at).zip(words) {
                *code = rows.pick(*row as usize, *word);
            }
        }
    }
}

/// Writes hexadecimal digits. A Philox block is a bijection of its counter: no two rows of a stream are alike.
fn uuids(key: [u32; 2], first: u64, bytes: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (row, digits) in (first..).zip(bytes.chunks_exact_mut(UUID)) {
        let words = philox::block([row as u32, (row >> 32) as u32, UUIDS, 0], key);
        for (word, digits) in words.iter().zip(digits.chunks_exact_mut(8)) {
            for (digit, shift) in digits.iter_mut().zip((0..8).rev()) {
                *digit = DIGITS[(word >> (shift * 4)) as usize & 15];
            }
        }
    }
}

/// The generator's key. The evidence is part of it: the same seed under other evidence gives other people, not the
/// same ones bent to fit, so that samples of several strata may share a seed and still be independent.
fn key(pack: &Pack, seed: u64, evidence: &[u8]) -> [u32; 2] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&pack.hash).update(&seed.to_le_bytes()).update(evidence);
    let hash = hasher.finalize();
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| hash.as_bytes()[at + i]));
    [word(0), word(4)]
}

fn mentions(predicate: &Predicate, name: &str, depth: usize) -> bool {
    match predicate {
        Predicate::Literal(_) => false,
        Predicate::Compare { variable, .. }
        | Predicate::In { variable, .. }
        | Predicate::Between { variable, .. }
        | Predicate::Like { variable, .. }
        | Predicate::IsNull { variable, .. } => variable == name,
        Predicate::And(parts) | Predicate::Or(parts) => {
            depth < 500 && parts.iter().any(|p| mentions(p, name, depth + 1))
        }
        Predicate::Not(inner) => depth < 500 && mentions(inner, name, depth + 1),
    }
}
