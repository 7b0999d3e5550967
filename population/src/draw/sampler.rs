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

use crate::draw::conditioned::{Conditioned, Drawing};
use crate::draw::margins::Margins;
use crate::draw::stream::Stream;
use crate::error::{Error, Result};
use crate::infer::elimination::Plan;
use crate::infer::predicate::Predicate;
use crate::model::network::{Address, Rows as TableRows, Table, UNREACHABLE};
use crate::model::philox;
use crate::model::variable::Levels;
use crate::pack::{Column, List, Pack};

/// Rows that one thread draws at a time: its columns stay in the second-level cache.
const CHUNK: usize = 2048;

/// Letters of a uuid.
const UUID: usize = 32;

/// Tries at an item that the list does not have yet, before the list is left shorter.
const LIST_TRIES: usize = 64;

/// Draws the people of one stream: a pack, a seed, and what they are conditioned on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sampler {
    pack: Arc<Pack>,
    seed: u64,
    stream: Arc<Stream>,
    pub(super) conditioned: Option<Arc<Conditioned>>,
}

/// Rows of a stream: a range from the first on, or any.
#[derive(Clone, Copy)]
enum Rows<'a> {
    From(u64),
    Of(&'a [u64]),
}

impl<'a> Rows<'a> {
    /// `count` of them, from the one at `at` on.
    fn part(self, at: usize, count: usize) -> Rows<'a> {
        match self {
            Rows::From(first) => Rows::From(first + at as u64),
            Rows::Of(rows) => Rows::Of(&rows[at..at + count]),
        }
    }

    fn row(self, at: usize) -> u64 {
        match self {
            Rows::From(first) => first + at as u64,
            Rows::Of(rows) => rows[at],
        }
    }

    /// The words of these rows.
    fn words(self, key: [u32; 2], out: &mut [u32]) {
        match self {
            Rows::From(first) => philox::fill(key, first, out),
            Rows::Of(rows) => out.iter_mut().zip(rows).for_each(|(word, row)| *word = philox::word(key, *row)),
        }
    }
}

impl Sampler {
    /// Draws from the whole population.
    pub fn new(pack: Arc<Pack>, seed: u64) -> Sampler {
        Sampler::of(pack, seed, None)
    }

    /// Draws from those who satisfy a predicate, exactly: the cost of a row does not depend on how rare they are.
    /// Predicates that mean the same draw the same people, however they are spelt: each part is reduced by the others, and
    /// what follows from the others is left out.
    ///
    /// # Errors
    /// If the predicate names an unknown variable or level, compares what cannot be compared, is satisfied by nobody
    /// (the error names the parts that contradict each other), or needs more memory than the bound.
    pub fn given(pack: Arc<Pack>, seed: u64, given: &Predicate) -> Result<Sampler> {
        if let Some(list) = pack.lists.iter().find(|l| given.mentions(&l.name)) {
            return Err(Error::List(list.name.clone()));
        }
        let conditioned = Conditioned::given(&pack.network, given)?;
        Ok(Sampler::of(pack, seed, conditioned))
    }

    /// Draws from the distribution nearest to the population's that has these margins, exactly: of all that meet them, the
    /// one of least Kullback-Leibler divergence from it (its I-projection; Csiszár 1975). Given the margins' variables,
    /// everything else is distributed as it was. With a predicate the same of those who satisfy it: margins are of them.
    ///
    /// People are others than those without the margins, as they are under other evidence; margins that mean the same draw the
    /// same people.
    ///
    /// # Errors
    /// As those of [`given`](Self::given). [`Error::ImpossibleMargin`] if nobody of the population is in a cell that is to
    /// have somebody, [`Error::ContradictoryMargins`] if no distribution meets all margins to 1e-9, [`Error::Margins`] if it
    /// needs more memory than the bound.
    pub fn to_margins(seed: u64, given: Option<&Predicate>, margins: &Margins) -> Result<Sampler> {
        let pack = margins.pack().clone();
        match given {
            Some(given) if margins.is_empty() => return Sampler::given(pack, seed, given),
            None if margins.is_empty() => return Ok(Sampler::new(pack, seed)),
            _ => {}
        }
        let everybody = Predicate::Literal(Some(true));
        let given = given.unwrap_or(&everybody);
        if let Some(list) = pack.lists.iter().find(|l| given.mentions(&l.name)) {
            return Err(Error::List(list.name.clone()));
        }
        let conditioned = Conditioned::to_margins(&pack.network, given, margins)?;
        Ok(Sampler::of(pack, seed, Some(conditioned)))
    }

    fn of(pack: Arc<Pack>, seed: u64, conditioned: Option<Conditioned>) -> Sampler {
        let canonical = conditioned.as_ref().map_or(&[][..], |c| &c.canonical);
        let stream = Arc::new(Stream::new(&pack, seed, canonical));
        Sampler { pack, seed, stream, conditioned: conditioned.map(Arc::new) }
    }

    /// P(evidence): the share of the population that satisfies the predicate; 1 without one. Margins make no difference.
    pub fn probability(&self) -> f64 {
        self.conditioned.as_ref().map_or(1.0, |c| c.probability)
    }

    /// The predicate that the people are drawn under, in its canonical form; `None` without one.
    pub fn given_predicate(&self) -> Option<&Predicate> {
        self.conditioned.as_ref().map(|c| &c.given).filter(|given| **given != Predicate::Literal(Some(true)))
    }

    /// The margins that the people are drawn to.
    pub fn margins(&self) -> Option<&Margins> {
        self.conditioned.as_ref()?.margins.as_ref().map(|(margins, _)| margins)
    }

    /// What the column `given` holds: the predicate in SQL, and which margins: `age >= 65, margins => 'region, sex@…'`. With
    /// the pack, the seed and the row's index it says who somebody is. `None` for the whole population as it is.
    pub fn given_text(&self) -> Option<String> {
        self.conditioned.as_ref().map(|c| c.text())
    }

    /// What preparing the evidence and the margins took; `None` for the whole population.
    pub fn plan(&self) -> Option<Plan> {
        self.conditioned.as_ref().map(|c| c.plan)
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

    fn table<'a>(&'a self, drawing: Option<&'a Drawing>, variable: usize) -> (&'a Table, &'a Address) {
        match drawing.and_then(|d| d.tables[variable].as_ref()) {
            Some((table, address)) => (table, address),
            None => (&self.pack.network.tables[variable], &self.pack.addresses[variable]),
        }
    }

    /// The rows `range` of the stream, in order; only the columns that `projection` names (indices into the schema),
    /// and only what these depend on is drawn. On all threads of the current rayon pool.
    ///
    /// # Errors
    /// If the projection names a column that is not there, or the range is too long for one batch.
    pub fn draw(&self, range: Range<u64>, projection: Option<&[usize]>) -> Result<RecordBatch> {
        let rows = range.end.saturating_sub(range.start);
        if rows > MAX_ROWS {
            return Err(too_many(range.start, range.end));
        }
        self.batch(Rows::From(range.start), rows as usize, projection)
    }

    /// These rows of the stream, in this order, as [`draw`](Self::draw) has them.
    ///
    /// # Errors
    /// As those of [`draw`](Self::draw).
    pub fn rows(&self, indices: &[u64], projection: Option<&[usize]>) -> Result<RecordBatch> {
        if indices.len() as u64 > MAX_ROWS {
            return Err(too_many(0, indices.len() as u64));
        }
        self.batch(Rows::Of(indices), indices.len(), projection)
    }

    fn batch(&self, which: Rows<'_>, rows: usize, projection: Option<&[usize]>) -> Result<RecordBatch> {
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
        let needed = self.needed(&columns);
        let chunks = rows.div_ceil(CHUNK);
        let mut drawn: Vec<Drawn> = columns.iter().map(|c| Drawn::new(*c, rows, chunks)).collect();
        // Each thread writes where its rows belong in the columns.
        let mut places: Vec<Vec<Place<'_>>> = (0..chunks).map(|_| Vec::with_capacity(columns.len())).collect();
        drawn.iter_mut().for_each(|d| d.share(&mut places));
        places.into_par_iter().enumerate().for_each_init(Scratch::default, |scratch, (n, places)| {
            let count = CHUNK.min(rows - n * CHUNK);
            self.chunk(scratch, which.part(n * CHUNK, count), count, &needed, columns.iter().zip(places));
        });
        let arrays = columns
            .par_iter()
            .zip(drawn)
            .map(|(column, drawn)| self.assemble(*column, drawn, which, rows))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    /// The variables that these columns show, and for each case those to draw for them, in order.
    fn needed(&self, columns: &[Column]) -> Needed {
        let count = self.pack.network.tables.len();
        let mut shown = vec![false; count];
        for column in columns {
            match column {
                Column::Variable(v) => shown[*v] = true,
                Column::List(l) => self.pack.list_addresses[*l].parents.iter().for_each(|(p, _)| shown[*p] = true),
                _ => {}
            }
        }
        let of_case = |drawing: Option<&Drawing>| {
            let mut needed = shown.clone();
            let order: Vec<usize> = drawing.map_or_else(|| (0..count).collect(), |d| d.order.clone());
            for v in order.iter().rev() {
                if needed[*v] {
                    self.table(drawing, *v).1.parents.iter().for_each(|(p, _)| needed[*p] = true);
                }
            }
            order.into_iter().filter(|v| needed[*v]).collect()
        };
        let cases = match &self.conditioned {
            None => vec![of_case(None)],
            Some(c) => c.cases.iter().map(|d| of_case(Some(d))).collect(),
        };
        Needed { shown: (0..count).filter(|v| shown[*v]).collect(), cases }
    }

    fn chunk<'a>(
        &self,
        scratch: &mut Scratch,
        which: Rows<'_>,
        rows: usize,
        needed: &Needed,
        columns: impl Iterator<Item = (&'a Column, Place<'a>)>,
    ) {
        scratch.codes.resize(self.pack.network.tables.len(), vec![]);
        match self.conditioned.as_deref() {
            Some(conditioned) if conditioned.cases.len() > 1 => {
                self.draw_cases(scratch, conditioned, which, rows, needed);
            }
            conditioned => self.draw_codes(scratch, conditioned.map(|c| &c.cases[0]), which, rows, &needed.cases[0]),
        }
        for (column, place) in columns {
            match (column, place) {
                (Column::Variable(v), Place::Codes(codes)) => {
                    codes.iter_mut().zip(&scratch.codes[*v]).for_each(|(to, from)| *to = i32::from(*from));
                }
                (Column::List(l), Place::Items(items)) => *items = self.draw_lists(scratch, *l, which, rows),
                (Column::Uuid, Place::Bytes(bytes)) => uuids(self.stream.uuid, which, bytes),
                _ => {}
            }
        }
    }

    fn draw_codes(
        &self,
        scratch: &mut Scratch,
        drawing: Option<&Drawing>,
        which: Rows<'_>,
        rows: usize,
        needed: &[usize],
    ) {
        for v in needed {
            let (table, address) = self.table(drawing, *v);
            scratch.words.resize(rows, 0);
            if !matches!(table.rows, TableRows::Function { .. }) {
                which.words(self.stream.variables[*v], &mut scratch.words);
            }
            let mut codes = std::mem::take(&mut scratch.codes[*v]);
            codes.resize(rows, 0);
            scratch.find_rows(address, table, rows);
            pick_all(&table.rows, &scratch.rows[..rows], &scratch.words, &mut codes);
            scratch.codes[*v] = codes;
        }
    }

    /// A word picks the case of each row; the rows of a case are drawn together.
    fn draw_cases(
        &self,
        scratch: &mut Scratch,
        conditioned: &Conditioned,
        which: Rows<'_>,
        rows: usize,
        needed: &Needed,
    ) {
        let mut words = vec![0; rows];
        which.words(self.stream.case, &mut words);
        let mut of_case: Vec<Vec<usize>> = vec![vec![]; conditioned.cases.len()];
        for (at, word) in words.iter().enumerate() {
            let word = (*word).min(u32::MAX - 1);
            of_case[conditioned.thresholds.partition_point(|t| *t <= word)].push(at);
        }
        let mut all: Vec<Vec<u16>> = vec![vec![0; rows]; needed.shown.len()];
        for ((at, drawing), order) in of_case.iter().zip(&conditioned.cases).zip(&needed.cases) {
            let indices: Vec<u64> = at.iter().map(|i| which.row(*i)).collect();
            self.draw_codes(scratch, Some(drawing), Rows::Of(&indices), indices.len(), order);
            for (all, v) in all.iter_mut().zip(&needed.shown) {
                at.iter().zip(&scratch.codes[*v]).for_each(|(to, code)| all[*to] = *code);
            }
        }
        for (all, v) in all.into_iter().zip(&needed.shown) {
            scratch.codes[*v] = all;
        }
    }

    /// Items without replacement: words draw items in turn, and one that the list has already is passed over.
    fn draw_lists(&self, scratch: &mut Scratch, list: usize, which: Rows<'_>, rows: usize) -> Items {
        let (spec, address) = (&self.pack.lists[list], &self.pack.list_addresses[list]);
        scratch.find_rows(address, &spec.table, rows);
        let (mut items, mut lengths) = (Vec::with_capacity(rows * spec.max), Vec::with_capacity(rows));
        for (i, table_row) in scratch.rows[..rows].iter().enumerate() {
            let row = which.row(i);
            let from = items.len();
            draw_items(spec, *table_row as usize, &mut items, |lane| {
                let counter = [row as u32, (row >> 32) as u32, lane as u32, 0];
                philox::block(counter, self.stream.lists[list])
            });
            lengths.push((items.len() - from) as i32);
        }
        Items { items, lengths }
    }

    fn assemble(&self, column: Column, drawn: Drawn, which: Rows<'_>, rows: usize) -> Result<ArrayRef> {
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
            (Column::RowIndex, _) => Arc::new(UInt64Array::from_iter_values((0..rows).map(|i| which.row(i)))),
            (Column::Given, _) => match self.given_text() {
                Some(given) => constant(&given)?,
                None => {
                    let values = Arc::new(StringArray::from(Vec::<&str>::new()));
                    Arc::new(DictionaryArray::try_new(Int32Array::new_null(rows), values)?)
                }
            },
            (Column::Uuid | Column::Variable(_) | Column::List(_), _) => unreachable!("drawn as its column is"),
        })
    }
}

/// Draws the items of one list from blocks of words.
pub(crate) fn draw_items(spec: &List, table_row: usize, items: &mut Vec<i32>, words: impl Fn(usize) -> [u32; 4]) {
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
}

/// The most rows of one batch.
const MAX_ROWS: u64 = 1 << 25;

fn too_many(start: u64, end: u64) -> Error {
    let message = "at most 33,554,432 rows fit in one batch; draw the range in parts".to_string();
    Error::Rows { start, end, message }
}

/// What a draw has to draw.
struct Needed {
    shown: Vec<usize>,
    cases: Vec<Vec<usize>>,
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
    words: Vec<u32>,
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
                // Whoever is drawn can be met; were it not so, a wrong row is better than none.
                if *row == UNREACHABLE {
                    *row = 0;
                }
            }
        }
    }
}

fn pick_all(rows: &TableRows, at: &[u32], words: &[u32], codes: &mut [u16]) {
    match rows {
        TableRows::Function { levels } => {
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
fn uuids(key: [u32; 2], which: Rows<'_>, bytes: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, digits) in bytes.chunks_exact_mut(UUID).enumerate() {
        let row = which.row(at);
        let words = philox::block([row as u32, (row >> 32) as u32, 0, 0], key);
        for (word, digits) in words.iter().zip(digits.chunks_exact_mut(8)) {
            for (digit, shift) in digits.iter_mut().zip((0..8).rev()) {
                *digit = DIGITS[(word >> (shift * 4)) as usize & 15];
            }
        }
    }
}
