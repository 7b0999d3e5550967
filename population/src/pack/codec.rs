//! The compiled pack as bytes: a JSON header, then arrays in little-endian order, under one BLAKE3 checksum.
//!
//! ```text
//! "POPULACE" · version u32 · header length u32 · checksum of all that follows (32 bytes) · header, deflated · arrays
//! ```
//! The arrays that decide who is drawn come first; the cells of the figures, deflated, come last.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::StringArray;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::network::{Network, Rows, Table};
use crate::model::partition::Partition;
use crate::model::potential::Axis;
use crate::model::variable::{Levels, MAX_LEVELS, Variable};
use crate::pack::{Figure, FigureColumn, Fit, List, Pack, Source, Status};

const MAGIC: &[u8; 8] = b"POPULACE";
const VERSION: u32 = 1;
const PREFIX: usize = 48;

/// Where an array lies: its first byte after the header, and its length in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Span(u64, u64);

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    name: String,
    title: String,
    country: String,
    language: String,
    year: String,
    universe: String,
    population: f64,
    hash: String,
    drawing: Drawing,
    descriptions: Vec<String>,
    columns: Vec<String>,
    sources: Vec<Source>,
    figures: Vec<FigureHeader>,
}

/// What decides who is drawn.
#[derive(Debug, Serialize, Deserialize)]
struct Drawing {
    variables: Vec<VariableHeader>,
    tables: Vec<TableHeader>,
    lists: Vec<ListHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct VariableHeader {
    name: String,
    hidden: bool,
    null_level: Option<u16>,
    levels: LevelsHeader,
}

#[derive(Debug, Serialize, Deserialize)]
enum LevelsHeader {
    /// The names, joined by newlines.
    Text(Span),
    Integer(i32, i32),
}

#[derive(Debug, Serialize, Deserialize)]
struct TableHeader {
    /// Variable, and its classes unless every level is one of its own.
    parents: Vec<(usize, Option<(Span, usize)>)>,
    rows: RowsHeader,
}

#[derive(Debug, Serialize, Deserialize)]
enum RowsHeader {
    Dense { width: usize, thresholds: Span },
    Sparse { offsets: Span, levels: Span, thresholds: Span },
    Function { levels: Span },
}

#[derive(Debug, Serialize, Deserialize)]
struct ListHeader {
    name: String,
    items: Span,
    table: TableHeader,
    min: usize,
    max: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct FigureHeader {
    name: String,
    title: String,
    status: Status,
    source: String,
    table: String,
    year: String,
    note: String,
    measure: String,
    columns: Vec<FigureColumn>,
    fits: Vec<Fit>,
    rows: usize,
    cells: Span,
}

/// The cells of a figure, deflated: all codes of the first column, of the second …, then the values.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    pub rows: usize,
    pub deflated: Arc<[u8]>,
}

impl Cells {
    pub fn encode(codes: &[Vec<u16>], values: &[f64]) -> Cells {
        let mut bytes = vec![];
        codes.iter().flatten().for_each(|c| c.write(&mut bytes));
        values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        let deflated = deflate(&bytes);
        Cells { rows: values.len(), deflated: deflated.into() }
    }

    pub fn decode(&self, columns: usize) -> Result<(Vec<Vec<u16>>, Vec<f64>)> {
        let size = self.rows * (columns * 2 + 8);
        let bytes = inflate(&self.deflated, size)?;
        if bytes.len() != size {
            return Err(Error::NotAPack("the cells of a figure are damaged".into()));
        }
        let codes = (0..columns).map(|c| numbers(&bytes[c * self.rows * 2..][..self.rows * 2])).collect();
        let values = bytes[columns * self.rows * 2..].as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        Ok((codes, values))
    }
}

/// Deflates with one implementation, whatever others the build has: the same sources give the same bytes.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, 9)
}

/// Inflates no more than `most` bytes.
fn inflate(deflated: &[u8], most: usize) -> Result<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, most)
        .map_err(|e| Error::NotAPack(format!("it is damaged: {e}")))
}

/// More than any header; a hostile one is not inflated beyond it.
const MAX_HEADER: usize = 64 << 20;

trait Number: Copy {
    const BYTES: usize;
    fn read(bytes: &[u8]) -> Self;
    fn write(self, into: &mut Vec<u8>);
}

macro_rules! number {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const BYTES: usize = size_of::<$t>();
            fn read(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$t>()];
                array.copy_from_slice(bytes);
                Self::from_le_bytes(array)
            }
            fn write(self, into: &mut Vec<u8>) {
                into.extend(self.to_le_bytes());
            }
        }
    )*};
}
number!(u16, u32);

fn numbers<T: Number>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(T::BYTES).map(T::read).collect()
}

#[derive(Default)]
struct Arrays(Vec<u8>);

impl Arrays {
    fn bytes(&mut self, bytes: &[u8]) -> Span {
        let at = self.0.len() as u64;
        self.0.extend(bytes);
        Span(at, bytes.len() as u64)
    }

    fn numbers<T: Number>(&mut self, values: &[T]) -> Span {
        let at = self.0.len() as u64;
        values.iter().for_each(|v| v.write(&mut self.0));
        Span(at, self.0.len() as u64 - at)
    }

    fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> Span {
        let joined = texts.collect::<Vec<_>>().join("\n");
        self.bytes(joined.as_bytes())
    }

    fn table(&mut self, table: &Table) -> TableHeader {
        let parents = table
            .parents
            .iter()
            .map(|axis| {
                let classes = (!axis.partition.is_finest())
                    .then(|| (self.numbers(axis.partition.class_of()), axis.partition.classes()));
                (axis.variable, classes)
            })
            .collect();
        let rows = match &table.rows {
            Rows::Dense { width, thresholds } => {
                RowsHeader::Dense { width: *width, thresholds: self.numbers(thresholds) }
            }
            Rows::Sparse { offsets, levels, thresholds } => RowsHeader::Sparse {
                offsets: self.numbers(offsets),
                levels: self.numbers(levels),
                thresholds: self.numbers(thresholds),
            },
            Rows::Function { levels } => RowsHeader::Function { levels: self.numbers(levels) },
        };
        TableHeader { parents, rows }
    }
}

/// Writes a pack. `columns` are the facts in the order of emission. The hash is taken of what decides who is drawn.
pub(crate) fn encode(pack: &Pack, columns: &[String]) -> Result<Vec<u8>> {
    let json = |e: serde_json::Error| Error::NotAPack(e.to_string());
    let mut arrays = Arrays::default();
    let variables = pack
        .network
        .variables
        .iter()
        .map(|v| VariableHeader {
            name: v.name.clone(),
            hidden: v.hidden,
            null_level: v.null_level,
            levels: match &v.levels {
                Levels::Text(names) => LevelsHeader::Text(arrays.texts(names.iter().map(String::as_str))),
                Levels::Integer { min, max } => LevelsHeader::Integer(*min, *max),
            },
        })
        .collect();
    let tables = pack.network.tables.iter().map(|t| arrays.table(t)).collect();
    let lists = pack
        .lists
        .iter()
        .map(|l| ListHeader {
            name: l.name.clone(),
            items: arrays.texts(l.items.iter().map(|i| i.unwrap_or_default())),
            table: arrays.table(&l.table),
            min: l.min,
            max: l.max,
        })
        .collect();
    let drawing = Drawing { variables, tables, lists };
    let mut hasher = blake3::Hasher::new();
    hasher.update(&serde_json::to_vec(&drawing).map_err(json)?).update(&arrays.0);
    let hash = hasher.finalize().to_hex().to_string();
    let figures = pack
        .figures
        .iter()
        .map(|f| FigureHeader {
            name: f.name.clone(),
            title: f.title.clone(),
            status: f.status,
            source: f.source.clone(),
            table: f.table.clone(),
            year: f.year.clone(),
            note: f.note.clone(),
            measure: f.measure.clone(),
            columns: f.columns.clone(),
            fits: f.fits.clone(),
            rows: f.cells.rows,
            cells: arrays.bytes(&f.cells.deflated),
        })
        .collect();
    let header = Header {
        name: pack.name.clone(),
        title: pack.title.clone(),
        country: pack.country.clone(),
        language: pack.language.clone(),
        year: pack.year.clone(),
        universe: pack.universe.clone(),
        population: pack.population,
        hash,
        drawing,
        descriptions: pack.network.variables.iter().map(|v| v.description.clone()).collect(),
        columns: columns.to_vec(),
        sources: pack.sources.clone(),
        figures,
    };
    let header = deflate(&serde_json::to_vec(&header).map_err(json)?);
    let mut checksum = blake3::Hasher::new();
    checksum.update(&header).update(&arrays.0);
    let mut bytes = Vec::with_capacity(PREFIX + header.len() + arrays.0.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(checksum.finalize().as_bytes());
    bytes.extend(header);
    bytes.extend(arrays.0);
    Ok(bytes)
}

fn bad(message: impl Into<String>) -> Error {
    Error::NotAPack(message.into())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Pack> {
    if bytes.len() < PREFIX || &bytes[..8] != MAGIC {
        return Err(bad("it does not begin as one"));
    }
    let version = u32::read(&bytes[8..12]);
    if version != VERSION {
        return Err(bad(format!(
            "its format is version {version}, this program reads version {VERSION}; compile it again"
        )));
    }
    let length = u32::read(&bytes[12..16]) as usize;
    let body = &bytes[PREFIX..];
    if blake3::hash(body).as_bytes() != &bytes[16..48] || length > body.len() {
        return Err(bad("it is damaged: its checksum does not match; fetch or compile it again"));
    }
    let header: Header =
        serde_json::from_slice(&inflate(&body[..length], MAX_HEADER)?).map_err(|e| bad(e.to_string()))?;
    let reader = Reader { arrays: &body[length..] };
    let mut variables: Vec<Variable> = vec![];
    for (v, description) in header.drawing.variables.into_iter().zip(header.descriptions) {
        let levels = match v.levels {
            LevelsHeader::Text(span) => Levels::Text(reader.texts(span)?.into_iter().map(String::from).collect()),
            LevelsHeader::Integer(min, max) if min <= max && i64::from(max) - i64::from(min) < MAX_LEVELS as i64 => {
                Levels::Integer { min, max }
            }
            LevelsHeader::Integer(..) => return Err(bad(format!("variable `{}` has no levels", v.name))),
        };
        variables.push(Variable::new(v.name, description, levels, v.hidden, v.null_level));
    }
    let mut tables = vec![];
    for (v, table) in header.drawing.tables.into_iter().enumerate() {
        let levels = variables.get(v).ok_or_else(|| bad("a table without a variable"))?.len();
        tables.push(reader.table(table, &variables, v, levels)?);
    }
    if tables.len() != variables.len() {
        return Err(bad("a variable without a table"));
    }
    let mut lists = vec![];
    for list in header.drawing.lists {
        let items = reader.texts(list.items)?;
        let table = reader.table(list.table, &variables, variables.len(), items.len())?;
        if list.min > list.max {
            return Err(bad(format!("list `{}` has no size", list.name)));
        }
        let items = Arc::new(StringArray::from(items));
        lists.push(List { name: list.name, items, table, min: list.min, max: list.max });
    }
    let mut figures = vec![];
    for f in header.figures {
        figures.push(Figure {
            name: f.name,
            title: f.title,
            status: f.status,
            source: f.source,
            table: f.table,
            year: f.year,
            note: f.note,
            measure: f.measure,
            columns: f.columns,
            fits: f.fits,
            cells: Cells { rows: f.rows, deflated: reader.bytes(f.cells)?.into() },
            expected: Default::default(),
        });
    }
    let mut hash = [0; 32];
    for (i, byte) in hash.iter_mut().enumerate() {
        let digits = header.hash.get(i * 2..i * 2 + 2).ok_or_else(|| bad("its hash is cut short"))?;
        *byte = u8::from_str_radix(digits, 16).map_err(|e| bad(e.to_string()))?;
    }
    let mut pack = Pack {
        name: header.name,
        title: header.title,
        country: header.country,
        language: header.language,
        year: header.year,
        universe: header.universe,
        population: header.population,
        hash,
        network: Network { variables, tables },
        lists,
        columns: vec![],
        schema: Arc::new(arrow_schema::Schema::empty()),
        figures,
        sources: header.sources,
        addresses: vec![],
        list_addresses: vec![],
        parents: vec![],
        dictionaries: vec![],
    };
    pack.finish(&header.columns)?;
    Ok(pack)
}

struct Reader<'a> {
    arrays: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&self, span: Span) -> Result<&'a [u8]> {
        let end = span.0.checked_add(span.1).ok_or_else(|| bad("an array beyond its end"))?;
        let range: Range<usize> = span.0 as usize..end as usize;
        self.arrays.get(range).ok_or_else(|| bad("an array beyond its end"))
    }

    fn numbers<T: Number>(&self, span: Span) -> Result<Vec<T>> {
        Ok(numbers(self.bytes(span)?))
    }

    fn texts(&self, span: Span) -> Result<Vec<&'a str>> {
        let text = std::str::from_utf8(self.bytes(span)?).map_err(|e| bad(e.to_string()))?;
        let texts: Vec<&str> = text.split('\n').collect();
        if texts.len() > MAX_LEVELS { Err(bad("more levels than codes")) } else { Ok(texts) }
    }

    /// A table, checked so that no draw can reach outside of it.
    fn table(&self, header: TableHeader, variables: &[Variable], before: usize, levels: usize) -> Result<Table> {
        let mut parents = vec![];
        let mut configs: u64 = 1;
        for (variable, classes) in header.parents {
            if variable >= before {
                return Err(bad("a parent drawn after its child"));
            }
            let length = variables[variable].len();
            let partition = match classes {
                None => Partition::finest(length),
                Some((span, classes)) => {
                    let class_of: Vec<u16> = self.numbers(span)?;
                    if class_of.len() != length || class_of.iter().any(|c| usize::from(*c) >= classes) {
                        return Err(bad("a partition that does not fit its variable"));
                    }
                    Partition::from_classes(class_of.into(), classes)
                }
            };
            configs = configs
                .checked_mul(partition.classes() as u64)
                .filter(|c| *c < 1 << 32)
                .ok_or_else(|| bad("too many rows"))?;
            parents.push(Axis { variable, partition });
        }
        let rows = match header.rows {
            RowsHeader::Dense { width, thresholds } => {
                if width != levels || width == 0 {
                    return Err(bad("a table that does not fit its variable"));
                }
                Rows::Dense { width, thresholds: self.numbers(thresholds)? }
            }
            RowsHeader::Sparse { offsets, levels, thresholds } => Rows::Sparse {
                offsets: self.numbers(offsets)?,
                levels: self.numbers(levels)?,
                thresholds: self.numbers(thresholds)?,
            },
            RowsHeader::Function { levels } => Rows::Function { levels: self.numbers(levels)? },
        };
        let sound = match &rows {
            Rows::Dense { width, thresholds } => thresholds.len() % width == 0 && thresholds.chunks(*width).all(rising),
            Rows::Sparse { offsets, levels: of, thresholds } => {
                !offsets.is_empty()
                    && offsets[0] == 0
                    && offsets[offsets.len() - 1] as usize == of.len()
                    && of.len() == thresholds.len()
                    && offsets
                        .windows(2)
                        .all(|w| w[0] < w[1] && rising(thresholds.get(w[0] as usize..w[1] as usize).unwrap_or(&[])))
                    && of.iter().all(|l| usize::from(*l) < levels)
            }
            Rows::Function { levels: of } => of.iter().all(|l| usize::from(*l) < levels),
        };
        if !sound || rows.len() as u64 != configs {
            return Err(bad("a table that does not fit its variable"));
        }
        Ok(Table { parents, rows, compact: None })
    }
}

/// Whether thresholds rise to the end of the words.
fn rising(thresholds: &[u32]) -> bool {
    thresholds.last() == Some(&u32::MAX) && thresholds.windows(2).all(|w| w[0] <= w[1])
}
