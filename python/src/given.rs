//! Rows of others: those of any library with Arrow's C interface, dictionaries, and files that panels are shared as.

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatchReader;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema_from_seekable;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::WriterProperties;
use populace::error::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::error::{exception, usage};
use crate::rows::{Batches, STREAM};

/// All rows of an object with `__arrow_c_stream__`.
#[pyfunction]
pub(crate) fn rows_of_stream(rows: &Bound<'_, PyAny>) -> PyResult<Batches> {
    let capsule = rows.call_method0("__arrow_c_stream__")?;
    let capsule = capsule.cast::<PyCapsule>().map_err(PyErr::from)?;
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a stream of the C interface; an empty one is left in its place.
    let reader = unsafe { ArrowArrayStreamReader::from_raw(pointer.as_ptr()) };
    let read = reader.and_then(|reader| {
        let schema = reader.schema();
        Ok(Batches::new(schema, reader.collect::<Result<Vec<_>, _>>()?))
    });
    read.map_err(|error| usage(rows.py(), format!("the rows cannot be read: {error}")))
}

/// Rows that are objects of JSON, one a line; columns are of the types that fit all of them.
#[pyfunction]
pub(crate) fn rows_of_json(py: Python<'_>, lines: &str) -> PyResult<Batches> {
    let read = || -> Result<Batches, ArrowError> {
        let mut text = Cursor::new(lines.as_bytes());
        let (schema, _) = infer_json_schema_from_seekable(&mut text, None)?;
        let schema = Arc::new(schema);
        let batches = ReaderBuilder::new(schema.clone()).build(text)?.collect::<Result<Vec<_>, _>>()?;
        Ok(Batches::new(schema, batches))
    };
    read().map_err(|error| usage(py, format!("the rows are none of a table: {error}")))
}

/// People as the values of JSON that a layout makes of them.
#[pyfunction]
pub(crate) fn laid_out(py: Python<'_>, people: &Batches, layout: &str) -> PyResult<Vec<String>> {
    let laid_out = concat_batches(people.schema(), people.batches())
        .map_err(Into::into)
        .and_then(|people| populace::export::laid_out(&people, layout));
    laid_out.map_err(|error| exception(py, &Error::from(&error)))
}

/// Writes rows into a file of Parquet, with what is told of them.
#[pyfunction]
pub(crate) fn write_parquet(py: Python<'_>, path: &str, rows: &Batches, told: HashMap<String, String>) -> PyResult<()> {
    let write = || -> Result<(), ParquetError> {
        let told = told.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
        let properties =
            WriterProperties::builder().set_key_value_metadata(Some(told)).set_compression(compression).build();
        // A reader sees the old file or the new one, whole.
        let beside = format!("{path}.part");
        let mut writer = ArrowWriter::try_new(File::create(&beside)?, rows.schema().clone(), Some(properties))?;
        for batch in rows.batches() {
            writer.write(batch)?;
        }
        writer.close()?;
        Ok(std::fs::rename(beside, path)?)
    };
    write().map_err(|error| exception(py, &Error::new(ErrorKind::Io, format!("{path}: {error}"))))
}

/// The rows of a file of Parquet, and what is told of them.
#[pyfunction]
pub(crate) fn read_parquet(py: Python<'_>, path: &str) -> PyResult<(Batches, HashMap<String, String>)> {
    if !Path::new(path).is_file() {
        return Err(exception(py, &Error::new(ErrorKind::NotFound, format!("there is no file {path}"))));
    }
    let read = || -> Result<_, ParquetError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
        let told = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let told = told.into_iter().filter_map(|pair| Some((pair.key, pair.value?))).collect();
        // What the schema tells is in the file beside it.
        let schema = Arc::new(Schema::new(reader.schema().fields().clone()));
        let batches = reader.build()?.map(|batch| batch?.with_schema(schema.clone())).collect::<Result<Vec<_>, _>>()?;
        Ok((Batches::new(schema, batches), told))
    };
    read().map_err(|error| exception(py, &Error::new(ErrorKind::Io, format!("{path}: {error}"))))
}
