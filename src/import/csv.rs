//! CSV: a line of names, then a line a row.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};

use super::kinds::Kind;
use super::source::{Batches, Format, OnError, ROWS, Reading, Source, buffered};

/// What may stand between columns.
const DELIMITERS: [u8; 4] = *b",;\t|";

pub(super) fn open(path: &Path, reading: Reading) -> Result<Source> {
    let delimiter = match reading.delimiter {
        Some(delimiter) => delimiter,
        None => delimiter(path)?,
    };
    let mut rows = reader(path, delimiter)?;
    let names = names(path, &mut rows)?;
    let mut kinds = vec![Kind::Null; names.len()];
    let (mut record, mut count) = (ByteRecord::new(), 0);
    while next(path, &mut rows, &mut record, count)? {
        count += 1;
        for ((kind, value), name) in kinds.iter_mut().zip(&record).zip(&names) {
            if *kind != Kind::Text {
                let text = text(path, name, value, count, &record, reading.on_error)?;
                *kind = std::mem::take(kind).with(text.map_or(Kind::Null, Kind::of_text));
            } else if reading.on_error == OnError::Stop {
                // Told now, before a row is written.
                text(path, name, value, count, &record, OnError::Stop)?;
            }
        }
    }
    let fields = names.iter().zip(kinds).map(|(n, k)| Field::new(n, k.data_type(), true)).collect();
    Ok(Source { path: path.into(), format: Format::Csv, fields, rows: count, delimiter, pack: None, from: vec![] })
}

/// The rows, as text: their types are for whoever takes them.
pub(super) fn read(source: &Source, columns: &[usize], reading: Reading) -> Result<Batches> {
    let path = source.path.clone();
    let mut rows = reader(&path, source.delimiter)?;
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(source.fields[*c].name(), DataType::Utf8, true)).collect();
    let (schema, columns): (SchemaRef, Vec<usize>) = (Arc::new(Schema::new(fields)), columns.to_vec());
    let (mut record, mut count) = (ByteRecord::new(), 0);
    Ok(Box::new(std::iter::from_fn(move || {
        let mut batch = || {
            let mut builders: Vec<StringBuilder> = columns.iter().map(|_| StringBuilder::new()).collect();
            let before = count;
            while count - before < ROWS as u64 && next(&path, &mut rows, &mut record, count)? {
                count += 1;
                for (builder, (column, field)) in builders.iter_mut().zip(columns.iter().zip(schema.fields())) {
                    let value = record.get(*column).unwrap_or_default();
                    let value = text(&path, field.name(), value, count, &record, reading.on_error)?;
                    builder.append_option(value.filter(|v| !v.is_empty()));
                }
            }
            if count == before {
                return Ok(None);
            }
            let columns = builders.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
            Ok(Some(RecordBatch::try_new(schema.clone(), columns)?))
        };
        batch().transpose()
    })))
}

fn reader(path: &Path, delimiter: u8) -> Result<Reader<BufReader<File>>> {
    Ok(ReaderBuilder::new().has_headers(true).delimiter(delimiter).from_reader(buffered(path)?))
}

/// The one that the first line has most of.
fn delimiter(path: &Path) -> Result<u8> {
    let mut line = Vec::new();
    buffered(path)?.read_until(b'\n', &mut line).map_err(|e| exec_datafusion_err!("{}: {e}", path.display()))?;
    let count = |d: u8| line.iter().filter(|b| **b == d).count();
    // The first of those that are equal.
    Ok(DELIMITERS.into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b','))
}

fn names(path: &Path, rows: &mut Reader<BufReader<File>>) -> Result<Vec<String>> {
    let file = path.display();
    let header = rows.byte_headers().map_err(|e| exec_datafusion_err!("{file}: {e}"))?;
    let mut names = Vec::with_capacity(header.len());
    for (at, name) in header.iter().enumerate() {
        let name = if at == 0 { name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name) } else { name };
        match std::str::from_utf8(name) {
            Ok(name) if name.trim().is_empty() => return exec_err!("{file}: column {} has no name in line 1", at + 1),
            Ok(name) => names.push(name.trim().to_string()),
            Err(_) => return exec_err!("{file}: the name of column {} is not UTF-8", at + 1),
        }
    }
    Ok(names)
}

fn next(path: &Path, rows: &mut Reader<BufReader<File>>, record: &mut ByteRecord, read: u64) -> Result<bool> {
    rows.read_byte_record(record).map_err(|error| {
        let file = path.display();
        match error.kind() {
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                let line = pos.as_ref().map_or(0, csv::Position::line);
                exec_datafusion_err!(
                    "{file}: row {}, line {line}: {len} values, where the first line names {expected_len}; a value with a \
                     comma or a line break stands in double quotes",
                    read + 1
                )
            }
            _ => exec_datafusion_err!("{file}: row {}: {error}", read + 1),
        }
    })
}

/// A value as text; `None` for a broken one that becomes NULL.
fn text<'a>(
    path: &Path,
    column: &str,
    value: &'a [u8],
    row: u64,
    record: &ByteRecord,
    on_error: OnError,
) -> Result<Option<&'a str>, DataFusionError> {
    match (std::str::from_utf8(value), on_error) {
        (Ok(text), _) => Ok(Some(text)),
        (Err(_), OnError::Null) => Ok(None),
        (Err(_), OnError::Stop) => {
            let line = record.position().map_or(0, csv::Position::line);
            exec_err!(
                "{}: column {column}, row {row}, line {line}: the text is not UTF-8. `iconv -f LATIN1 -t UTF-8` mends files \
                 of older programs; --on-error null puts NULL in the place of what is broken",
                path.display()
            )
        }
    }
}
