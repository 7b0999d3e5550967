//! Lines that a client copies in, as batches of texts.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;

use super::copy::{Copy, Looked};
use super::copying::{BATCH, BYTES, ROW, broken};
use super::session::Stop;
use crate::engine::{Error, ErrorKind};

/// Lines, as they come.
pub(super) struct Lines<'a> {
    copy: &'a Copy,
    schema: SchemaRef,
    /// What of a line has come, and how far its end was looked for
    rest: Vec<u8>,
    looked: Looked,
    rows: Vec<Vec<Option<String>>>,
    /// Of the rows
    bytes: usize,
    pub count: u64,
    /// The line with the names
    skip: bool,
    /// After `\.`
    over: bool,
}

impl<'a> Lines<'a> {
    pub fn new(copy: &'a Copy, schema: SchemaRef) -> Lines<'a> {
        let (rest, looked, rows) = (vec![], Looked::default(), vec![]);
        Lines { copy, schema, rest, looked, rows, bytes: 0, count: 0, skip: copy.header, over: false }
    }

    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.rest.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = self.copy.line(&self.rest[from..], &mut self.looked) {
            let line = self.rest[from..from + length].to_vec();
            from += length;
            self.line(&line)?;
        }
        self.rest.drain(..from);
        match self.rest.len() > ROW {
            true => Err(Error::new(ErrorKind::Limit, format!("a line has more than {ROW} bytes")).into()),
            false => Ok(()),
        }
    }

    pub fn end(&mut self) -> Result<(), Stop> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() { Ok(()) } else { self.line(&rest) }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.over |= line.trim_ascii_end() == b"\\.";
        if self.over || std::mem::take(&mut self.skip) {
            return Ok(());
        }
        self.count += 1;
        let wrong = |why: String| Err(broken(&format!("line {} {why}", self.count)));
        let wanted = self.schema.fields().len();
        let Some(values) = self.copy.values(line, wanted) else { return wrong("is not UTF-8".into()) };
        if values.len() != wanted {
            let has = if values.len() > wanted { format!("more than {wanted}") } else { values.len().to_string() };
            return wrong(format!("has {has} values, and {wanted} columns are written"));
        }
        self.bytes += line.len();
        self.rows.push(values);
        Ok(())
    }

    /// The rows that have come, once there are enough of them.
    pub fn batch(&mut self, last: bool) -> Result<Option<RecordBatch>, Stop> {
        if self.rows.is_empty() || (self.rows.len() < BATCH && self.bytes < BYTES && !last) {
            return Ok(None);
        }
        self.bytes = 0;
        let mut columns: Vec<Vec<Option<String>>> = vec![vec![]; self.schema.fields().len()];
        for row in self.rows.drain(..) {
            row.into_iter().zip(&mut columns).for_each(|(value, column)| column.push(value));
        }
        let columns = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        batch.map(Some).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()).into())
    }
}
