//! Parquet.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryArray, BinaryBuilder, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use datafusion::parquet::data_type::{ByteArray, ByteArrayType};
use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};

use super::source::{Batches, Format, OnError, ROWS, Reading, Source, opened};
use crate::database::{PACK, SOURCES, sources_in};

pub(super) fn open(path: &Path) -> Result<Source> {
    let broken = |e| exec_datafusion_err!("{} is no whole Parquet file: {e}", path.display());
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened(path)?).map_err(broken)?;
    let rows = builder.metadata().file_metadata().num_rows().max(0) as u64;
    let fields = builder.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let said = |key: &str| {
        let mut said = builder.metadata().file_metadata().key_value_metadata().into_iter().flatten();
        said.find(|said| said.key == key).and_then(|said| said.value.clone())
    };
    let (pack, from) = (said(PACK), said(SOURCES).map(|text| sources_in(&text)).unwrap_or_default());
    Ok(Source { path: path.into(), format: Format::Parquet, fields, rows, delimiter: 0, pack, from })
}

/// Texts are read as bytes where broken ones become NULL; else the file's own reader refuses them, and their place is
/// looked for then.
pub(super) fn read(source: &Source, columns: &[usize], reading: Reading) -> Result<Batches> {
    let mut texts = Vec::new();
    if reading.on_error == OnError::Null {
        for column in columns {
            texts.extend(Bytes::open(source, *column)?.map(|bytes| (*column, bytes)));
        }
    }
    if !texts.is_empty() {
        return bytes(source, columns, texts);
    }
    let asked = reader(source, columns)?;
    let order = order(columns);
    let (source, columns) = (source.clone(), columns.to_vec());
    let mut row = 0;
    Ok(Box::new(asked.map(move |batch| match batch {
        Ok(batch) => {
            row += batch.num_rows() as u64;
            let columns = order.iter().map(|at| batch.column(*at).clone()).collect();
            let fields: Vec<Field> = order.iter().map(|at| batch.schema().field(*at).clone()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
        }
        Err(error) => Err(broken(&source, &columns, row, &error.to_string())),
    })))
}

/// Where each column asked for is in what the reader returns, which keeps the order of the file.
fn order(columns: &[usize]) -> Vec<usize> {
    columns.iter().map(|c| columns.iter().filter(|other| *other < c).count()).collect()
}

fn reader(source: &Source, columns: &[usize]) -> Result<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened(&source.path)?).map_err(|e| of(source, &e))?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|e| of(source, &e))
}

fn of(source: &Source, error: &dyn std::fmt::Display) -> DataFusionError {
    exec_datafusion_err!("{}: {error}", source.path.display())
}

/// The columns asked for, those of texts as bytes.
fn bytes(source: &Source, columns: &[usize], mut texts: Vec<(usize, Bytes)>) -> Result<Batches> {
    let others: Vec<usize> = columns.iter().filter(|c| !texts.iter().any(|(t, _)| t == *c)).copied().collect();
    let order = order(&others);
    let mut read = if others.is_empty() { None } else { Some(reader(source, &others)?) };
    let (source, columns, mut left) = (source.clone(), columns.to_vec(), source.rows as usize);
    Ok(Box::new(std::iter::from_fn(move || {
        let mut next = || {
            let batch = read.as_mut().and_then(Iterator::next).transpose().map_err(|e| of(&source, &e))?;
            let rows = batch.as_ref().map_or(left.min(ROWS), RecordBatch::num_rows);
            if rows == 0 {
                return Ok(None);
            }
            left -= rows.min(left);
            let mut arrays: Vec<(Field, ArrayRef)> = Vec::new();
            for column in &columns {
                let field = &source.fields[*column];
                let array: ArrayRef = match texts.iter_mut().find(|(text, _)| text == column) {
                    Some((_, bytes)) => Arc::new(bytes.next(rows).map_err(|e| of(&source, &e))?),
                    None => {
                        let at = others.iter().position(|o| o == column).map(|o| order[o]);
                        match at.zip(batch.as_ref()) {
                            Some((at, batch)) => batch.column(at).clone(),
                            None => return Err(of(&source, &"its columns differ in length")),
                        }
                    }
                };
                arrays.push((Field::new(field.name(), array.data_type().clone(), true), array));
            }
            let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays.into_iter().unzip();
            Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?))
        };
        next().transpose()
    })))
}

/// A column of texts as bytes, which nobody has checked.
struct Bytes {
    file: SerializedFileReader<File>,
    leaf: usize,
    group: usize,
    column: Option<ColumnReaderImpl<ByteArrayType>>,
}

impl Bytes {
    /// `None` for a column of another kind.
    fn open(source: &Source, column: usize) -> Result<Option<Bytes>> {
        if !matches!(source.fields[column].data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
            return Ok(None);
        }
        let file = SerializedFileReader::new(opened(&source.path)?).map_err(|e| of(source, &e))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == column);
        Ok(leaf.map(|leaf| Bytes { file, leaf, group: 0, column: None }))
    }

    /// The next rows.
    fn next(&mut self, rows: usize) -> datafusion::parquet::errors::Result<BinaryArray> {
        let mut builder = BinaryBuilder::new();
        while builder.len() < rows {
            let column = match &mut self.column {
                Some(column) => column,
                None if self.group < self.file.num_row_groups() => {
                    let reader = self.file.get_row_group(self.group)?.get_column_reader(self.leaf)?;
                    self.group += 1;
                    self.column.insert(get_typed_column_reader(reader))
                }
                None => break,
            };
            let (mut levels, mut values) = (vec![], vec![]);
            let (read, ..) = column.read_records(rows - builder.len(), Some(&mut levels), None, &mut values)?;
            if read == 0 {
                self.column = None;
                continue;
            }
            let mut values = values.iter();
            if levels.is_empty() {
                values.for_each(|value| builder.append_value(value.data()));
            } else {
                levels.iter().for_each(|level| match level {
                    0 => builder.append_null(),
                    _ => builder.append_option(values.next().map(ByteArray::data)),
                });
            }
        }
        Ok(builder.finish())
    }
}

/// Says where the reader met what it refused: the first text from a row on that is not UTF-8.
fn broken(source: &Source, columns: &[usize], from: u64, error: &str) -> DataFusionError {
    let file = source.path.display();
    for column in columns {
        if let Some(row) = not_utf8(source, *column, from) {
            let name = source.fields[*column].name();
            return exec_datafusion_err!(
                "{file}: column {name}, row {}: the text is not UTF-8. Mend it, leave the column out with --skip {name}, or \
                 have NULL in the place of what is broken with --on-error null",
                row + 1
            );
        }
    }
    exec_datafusion_err!(
        "{file}: broken after row {from}: {error}. Fetch it again, or write it anew with the program that made it"
    )
}

fn not_utf8(source: &Source, column: usize, from: u64) -> Option<u64> {
    let mut bytes = Bytes::open(source, column).ok()??;
    let mut row = 0;
    loop {
        let rows = bytes.next(ROWS).ok()?;
        if rows.is_empty() {
            return None;
        }
        let broken =
            |i: &usize| row + *i as u64 >= from && rows.is_valid(*i) && std::str::from_utf8(rows.value(*i)).is_err();
        if let Some(found) = (0..rows.len()).find(broken) {
            return Some(row + found as u64);
        }
        row += rows.len() as u64;
    }
}
