//! Drawing people: column by column, on all cores, each row a pure function of the pack, the seed, the evidence and
//! its index.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, RecordBatchOptions, StringArray, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, SchemaRef};
use rayon::prelude::*;

use crate::draw::conditioned::{Conditioned, Drawing};
use crate::draw::facts::constant;
use crate::draw::kernels::{Items, ListSource, Of, Rows, Scratch, Source, UUID, draw_codes, draw_lists, draw_uuids};
use crate::draw::margins::Margins;
use crate::draw::stream::Stream;
use crate::error::{Error, Result};
use crate::infer::predicate::Predicate;
use crate::infer::prepared::Plan;
use crate::model::network::{Address, Table};
use crate::model::variable::Levels;
use crate::pack::{Column, Pack};

/// Rows that one thread draws at a time: its columns stay in the second-level cache.
const CHUNK: usize = 2048;

/// Draws the people of one stream: a pack, a seed, and what they are conditioned on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sampler {
    pack: Arc<Pack>,
    seed: u64,
    stream: Arc<Stream>,
    pub(super) conditioned: Option<Arc<Conditioned>>,
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

    pub(super) fn of(pack: Arc<Pack>, seed: u64, conditioned: Option<Conditioned>) -> Sampler {
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
        let needed = self.needed(&columns, rows);
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
    fn needed(&self, columns: &[Column], rows: usize) -> Needed<'_> {
        let count = self.pack.network.tables.len();
        let mut shown = vec![false; count];
        for column in columns {
            match column {
                Column::Variable(v) => shown[*v] = true,
                Column::List(l) => self.pack.list_addresses[*l].parents.iter().for_each(|(p, _)| shown[*p] = true),
                _ => {}
            }
        }
        let cases = match &self.conditioned {
            None => vec![self.sources(None, &shown, rows)],
            Some(c) => c.cases.iter().map(|d| self.sources(Some(d), &shown, rows)).collect(),
        };
        let lists = columns.iter().map(|column| match column {
            Column::List(l) => Some(self.list_source(*l, rows)),
            _ => None,
        });
        Needed { shown: (0..count).filter(|v| shown[*v]).collect(), cases, lists: lists.collect() }
    }

    /// What is drawn to show these variables, in order.
    fn sources<'a>(&'a self, drawing: Option<&'a Drawing>, shown: &[bool], rows: usize) -> Vec<Source<'a>> {
        let mut needed = shown.to_vec();
        let order: Vec<usize> = drawing.map_or_else(|| (0..shown.len()).collect(), |d| d.order.clone());
        for v in order.iter().rev().copied() {
            match drawing.and_then(|d| d.as_drawn[v].as_ref()).filter(|_| needed[v]) {
                Some(as_drawn) => as_drawn.parents().for_each(|p| needed[p] = true),
                None if needed[v] => self.table(drawing, v).1.parents.iter().for_each(|(p, _)| needed[*p] = true),
                None => {}
            }
        }
        order.into_iter().filter(|v| needed[*v]).map(|v| self.source(drawing, v, rows)).collect()
    }

    /// What a variable is drawn from: a table, with a guide where many rows are drawn.
    fn source<'a>(&'a self, drawing: Option<&'a Drawing>, variable: usize, rows: usize) -> Source<'a> {
        let key = self.stream.variables[variable];
        if let Some((drawing, as_drawn)) = drawing.and_then(|d| Some((d, d.as_drawn[variable].as_ref()?))) {
            let people = (rows as f64 * drawing.share).round() as u64;
            return Source { variable, key, of: as_drawn.source(&self.pack.network.tables[variable], people) };
        }
        let (table, address) = self.table(drawing, variable);
        let guide = address.guide(&table.rows, rows);
        Source { variable, key, of: Of::Table { table, address, guide } }
    }

    fn list_source(&self, list: usize, rows: usize) -> ListSource<'_> {
        let (spec, address) = (&self.pack.lists[list], &self.pack.list_addresses[list]);
        let guide = address.guide(&spec.table.rows, rows);
        ListSource { list: spec, key: self.stream.lists[list], address, guide }
    }

    fn chunk<'a>(
        &self,
        scratch: &mut Scratch,
        which: Rows<'_>,
        rows: usize,
        needed: &Needed<'_>,
        columns: impl Iterator<Item = (&'a Column, Place<'a>)>,
    ) {
        scratch.codes.resize(self.pack.network.tables.len(), vec![]);
        match self.conditioned.as_deref() {
            Some(conditioned) if conditioned.cases.len() > 1 => {
                self.draw_cases(scratch, conditioned, which, rows, needed);
            }
            _ => draw_codes(scratch, &needed.cases[0], which, rows),
        }
        for ((column, place), list) in columns.zip(&needed.lists) {
            match (column, place, list) {
                (Column::Variable(v), Place::Codes(codes), _) => {
                    // Integers are their least and the number of the level.
                    let least = match self.pack.network.variables[*v].levels {
                        Levels::Integer { min, .. } => min,
                        Levels::Text(_) => 0,
                    };
                    codes.iter_mut().zip(&scratch.codes[*v]).for_each(|(to, from)| *to = least + i32::from(*from));
                }
                (Column::List(_), Place::Items(items), Some(list)) => draw_lists(scratch, *list, which, rows, items),
                (Column::Uuid, Place::Bytes(bytes), _) => draw_uuids(scratch, self.stream.uuid, which, bytes),
                _ => {}
            }
        }
    }

    /// A word picks the case of each row; the rows of a case are drawn together.
    fn draw_cases(
        &self,
        scratch: &mut Scratch,
        conditioned: &Conditioned,
        which: Rows<'_>,
        rows: usize,
        needed: &Needed<'_>,
    ) {
        let mut words = vec![0; rows];
        which.words(self.stream.case, &mut words);
        let mut of_case: Vec<Vec<usize>> = vec![vec![]; conditioned.cases.len()];
        for (at, word) in words.iter().enumerate() {
            let word = (*word).min(u32::MAX - 1);
            of_case[conditioned.thresholds.partition_point(|t| *t <= word)].push(at);
        }
        let mut all: Vec<Vec<u16>> = vec![vec![0; rows]; needed.shown.len()];
        for (at, sources) in of_case.iter().zip(&needed.cases) {
            let indices: Vec<u64> = at.iter().map(|i| which.row(*i)).collect();
            draw_codes(scratch, sources, Rows::Of(&indices), indices.len());
            for (all, v) in all.iter_mut().zip(&needed.shown) {
                at.iter().zip(&scratch.codes[*v]).for_each(|(to, code)| all[*to] = *code);
            }
        }
        for (all, v) in all.into_iter().zip(&needed.shown) {
            scratch.codes[*v] = all;
        }
    }

    fn assemble(&self, column: Column, drawn: Drawn, which: Rows<'_>, rows: usize) -> Result<ArrayRef> {
        Ok(match (column, drawn) {
            (Column::Uuid, Drawn::Bytes(bytes)) => {
                let offsets =
                    OffsetBuffer::new((0..=rows as i32).map(|i| i * UUID as i32).collect::<ScalarBuffer<i32>>());
                // Hexadecimal digits are UTF-8, and all uuids are of one length.
                Arc::new(unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(bytes), None) })
            }
            (Column::Variable(v), Drawn::Codes(codes)) => {
                let variable = &self.pack.network.variables[v];
                let least = match &variable.levels {
                    Levels::Integer { min, .. } => *min,
                    Levels::Text(_) => 0,
                };
                let nulls = variable.null_level.map(|null| {
                    let null = least + i32::from(null);
                    NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| codes[row] != null))
                });
                match (&variable.levels, &self.pack.dictionaries[v]) {
                    (Levels::Text(_), Some(values)) => {
                        let keys = Int32Array::new(codes.into(), nulls);
                        // Every code is a level of the variable: the tables were checked when the pack was read.
                        Arc::new(unsafe { DictionaryArray::new_unchecked(keys, values.clone()) })
                    }
                    (Levels::Integer { .. }, _) => Arc::new(Int32Array::new(codes.into(), nulls)),
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
            (Column::Country, _) => constant(&self.pack.country, rows)?,
            (Column::PackId, _) => constant(&self.pack.id(), rows)?,
            (Column::Seed, _) => Arc::new(UInt64Array::from(vec![self.seed; rows])),
            (Column::RowIndex, _) => Arc::new(UInt64Array::from((0..rows).map(|i| which.row(i)).collect::<Vec<u64>>())),
            (Column::Given, _) => match self.given_text() {
                Some(given) => constant(&given, rows)?,
                None => {
                    let values = Arc::new(StringArray::from(Vec::<&str>::new()));
                    Arc::new(DictionaryArray::try_new(Int32Array::new_null(rows), values)?)
                }
            },
            (Column::Uuid | Column::Variable(_) | Column::List(_), _) => unreachable!("drawn as its column is"),
        })
    }
}

/// The most rows of one batch.
const MAX_ROWS: u64 = 1 << 25;

fn too_many(start: u64, end: u64) -> Error {
    let message = "at most 33,554,432 rows fit in one batch; draw the range in parts".to_string();
    Error::Rows { start, end, message }
}

/// What a draw has to draw.
struct Needed<'a> {
    shown: Vec<usize>,
    cases: Vec<Vec<Source<'a>>>,
    /// One for each column that is a list
    lists: Vec<Option<ListSource<'a>>>,
}

/// What is drawn of one column.
enum Drawn {
    Codes(Vec<i32>),
    /// A part for each chunk of rows
    Lists(Vec<Items>),
    Bytes(Vec<u8>),
    Nothing,
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
