//! The compiled pack as bytes, version 2, as `FORMAT.md` specifies it: what the writer and the reader share.
//!
//! ```text
//! "POPULACE" · version u32 · header length u32 · checksum of all that follows (32 bytes) · header, deflated · arrays
//! ```
//! The header says how long each array is, and nothing of where it lies: each starts where the one before ended, in an
//! order that is fixed. So no two can share bytes, and what is read cannot outgrow the file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pack::figure::{FigureColumn, Fit, Source, Status};

pub(super) const MAGIC: &[u8; 8] = b"POPULACE";
pub(super) const VERSION: u32 = 2;
pub(super) const PREFIX: usize = 48;

/// What a pack with hold-outs asks of its reader.
pub(super) const HOLDOUTS: &str = "holdouts";

/// What a pack may ask of its reader beyond this version.
pub(super) const FEATURES: [&str; 1] = [HOLDOUTS];

/// More than any header, inflated: a hostile one is not inflated beyond it, nor does it parse to more than memory.
pub(super) const MAX_HEADER: usize = 2 << 20;
/// The most levels of text and items of lists, in all.
pub(super) const MAX_TEXTS: usize = 1 << 18;
pub(super) const MAX_VARIABLES: usize = 1024;
pub(super) const MAX_LISTS: usize = 64;
pub(super) const MAX_PARENTS: usize = 32;
pub(super) const MAX_FIGURES: usize = 4096;
pub(super) const MAX_FIGURE_COLUMNS: usize = 32;
/// The most combinations of labels of a figure, whether it has cells for them or not.
pub(super) const MAX_COMBINATIONS: u64 = 1 << 48;
/// The most bytes of a figure's cells, inflated; and so at most 2^22 cells.
pub(super) const MAX_CELLS: usize = 1 << 25;

/// The length of the next array, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Length(pub u64);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub required_features: Vec<String>,
    pub name: String,
    pub edition: u32,
    pub title: String,
    pub country: String,
    pub language: String,
    pub year: String,
    pub universe: String,
    pub population: f64,
    pub hash: String,
    pub variables: Vec<VariableHeader>,
    pub lists: Vec<ListHeader>,
    pub columns: Vec<String>,
    pub sources: Vec<Source>,
    pub figures: Vec<FigureHeader>,
    /// Left out where there is none
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holdouts: Vec<FigureHeader>,
}

/// What a header needs of its reader, which is read of any header.
#[derive(Debug, Deserialize)]
pub(super) struct Features {
    #[serde(default)]
    pub required_features: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariableHeader {
    pub name: String,
    pub description: String,
    pub hidden: bool,
    pub null_level: Option<u16>,
    pub levels: LevelsHeader,
    pub table: TableHeader,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LevelsHeader {
    /// The names, joined by newlines.
    Text(Length),
    /// Lowest and highest.
    Integers(i32, i32),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableHeader {
    pub parents: Vec<ParentHeader>,
    pub rows: RowsHeader,
}

impl TableHeader {
    /// The lengths of its arrays, in their order.
    pub fn lengths(&self) -> impl Iterator<Item = u64> {
        let rows = match &self.rows {
            RowsHeader::Dense { thresholds } => [Some(thresholds), None, None],
            RowsHeader::Sparse { offsets, levels, thresholds } => [Some(offsets), Some(levels), Some(thresholds)],
            RowsHeader::Function { levels } => [Some(levels), None, None],
        };
        let parents = self.parents.iter().filter_map(|parent| parent.classes.as_ref());
        parents.chain(rows.into_iter().flatten()).map(|length| length.0)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParentHeader {
    pub variable: usize,
    /// The class of each level; none where every level is a class of its own.
    pub classes: Option<Length>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RowsHeader {
    Dense { thresholds: Length },
    Sparse { offsets: Length, levels: Length, thresholds: Length },
    Function { levels: Length },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListHeader {
    pub name: String,
    pub items: Length,
    pub table: TableHeader,
    pub min: usize,
    pub max: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FigureHeader {
    pub name: String,
    pub title: String,
    pub status: Status,
    pub source: String,
    pub table: String,
    pub year: String,
    pub note: String,
    pub measure: String,
    pub columns: Vec<FigureColumn>,
    pub fits: Vec<Fit>,
    pub rows: usize,
    pub cells: Length,
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
        Cells { rows: values.len(), deflated: deflate(&bytes).into() }
    }

    /// The bytes of so many cells; `None` if they are more than a pack may have.
    pub fn size(rows: usize, columns: usize) -> Option<usize> {
        rows.checked_mul(columns.checked_mul(2)?.checked_add(8)?).filter(|size| *size <= MAX_CELLS)
    }

    pub fn decode(&self, columns: usize) -> Result<(Vec<Vec<u16>>, Vec<f64>)> {
        let damaged = || bad("the cells of a figure are damaged");
        let size = Cells::size(self.rows, columns).ok_or_else(damaged)?;
        let bytes = inflate(&self.deflated, size)?;
        if bytes.len() != size {
            return Err(damaged());
        }
        let codes = (0..columns).map(|c| numbers(&bytes[c * self.rows * 2..][..self.rows * 2])).collect();
        let values = bytes[columns * self.rows * 2..].as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        Ok((codes, values))
    }
}

/// Deflates with one implementation, whatever others the build has: the same sources give the same bytes.
pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, 9)
}

/// Inflates no more than `most` bytes.
pub(super) fn inflate(deflated: &[u8], most: usize) -> Result<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, most).map_err(|e| bad(format!("it is damaged: {e}")))
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::NotAPack(message.into())
}

/// A number of the arrays, in little-endian order.
pub(super) trait Number: Copy {
    const BYTES: usize;
    fn read(bytes: &[u8]) -> Self;
    fn write(self, into: &mut Vec<u8>);
    /// Writes it to a place of its length.
    fn put(self, place: &mut [u8]);
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
            fn put(self, place: &mut [u8]) {
                place.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
number!(u16, u32);

pub(super) fn numbers<T: Number>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(T::BYTES).map(T::read).collect()
}

/// The checksum of what follows the prefix.
pub(super) fn checksum(header: &[u8], arrays: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(header).update(arrays).finalize()
}

/// A file of a deflated header and arrays.
pub(super) fn file(header: &[u8], arrays: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX + header.len() + arrays.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(checksum(header, arrays).as_bytes());
    bytes.extend(header);
    bytes.extend(arrays);
    bytes
}
