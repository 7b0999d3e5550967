//! Rows that a client copies in as PostgreSQL writes them in binary.
//!
//! A length is held against what has come before anything is read of it, and against a bound before it is waited for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNanoType, Schema, SchemaRef};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use datafusion::common::ScalarValue;

use super::copying::{BATCH, BYTES, ROW, broken};
use super::session::Stop;
use super::types;
use super::values::{DAYS, MICROSECONDS, numeric_text};
use crate::engine::{Error, ErrorKind};

/// What begins a file of rows in binary.
pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The signature, marks, and the length of what else stands at its begin.
const HEAD: usize = SIGNATURE.len() + 8;

/// The most items of an array: each takes more memory while it is read than in the row.
const ITEMS: usize = 1 << 20;

/// What of the bytes is read next.
enum At {
    Head,
    /// So many bytes at the begin that nobody here knows
    Unknown(usize),
    Rows,
    /// After the mark of the end
    End,
}

/// Rows, as they come.
pub(super) struct Tuples {
    schema: SchemaRef,
    /// The numbers of the columns' types
    oids: Vec<u32>,
    at: At,
    /// What of a row has come
    rest: Vec<u8>,
    columns: Vec<Vec<ScalarValue>>,
    rows: usize,
    /// Of the rows
    bytes: usize,
    pub count: u64,
}

impl Tuples {
    /// Rows for columns of these names and types.
    pub fn new(columns: Vec<(String, u32)>) -> Tuples {
        let field = |(name, oid): &(String, u32)| Field::new(name, kind(*oid), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let oids: Vec<u32> = columns.into_iter().map(|(_, oid)| oid).collect();
        let columns = vec![vec![]; oids.len()];
        Tuples { schema, oids, at: At::Head, rest: vec![], columns, rows: 0, bytes: 0, count: 0 }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.rest.extend_from_slice(bytes);
        let mut from = 0;
        loop {
            let left = self.rest.len() - from;
            from += match self.at {
                At::Head if left < HEAD => break,
                At::Head => {
                    self.at = At::Unknown(head(&self.rest[from..from + HEAD])?);
                    HEAD
                }
                At::Unknown(0) => {
                    self.at = At::Rows;
                    0
                }
                At::Unknown(_) if left == 0 => break,
                At::Unknown(length) => {
                    let passed = length.min(left);
                    self.at = At::Unknown(length - passed);
                    passed
                }
                At::Rows => match self.row(from)? {
                    Some(length) => length,
                    None => break,
                },
                At::End if left == 0 => break,
                At::End => return Err(broken("it goes on after its end")),
            };
        }
        self.rest.drain(..from);
        Ok(())
    }

    pub fn end(&self) -> Result<(), Stop> {
        match self.at {
            // The mark of the end may be left out.
            At::Rows | At::End if self.rest.is_empty() => Ok(()),
            At::Head => Err(no_signature()),
            _ => Err(broken(&format!("row {} ends early", self.count + 1))),
        }
    }

    /// Reads a row that begins here, and how long it is; `None` while some of it has not come.
    fn row(&mut self, from: usize) -> Result<Option<usize>, Stop> {
        let bytes = &self.rest[from..];
        let wrong = |why: String| Err(broken(&format!("row {} {why}", self.count + 1)));
        let Some((count, _)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        match (i16::from_be_bytes(*count), self.oids.len()) {
            (-1, _) => {
                self.at = At::End;
                return Ok(Some(2));
            }
            (count, wanted) if usize::try_from(count) == Ok(wanted) => {}
            (count, wanted) => return wrong(format!("has {count} values, and {wanted} columns are written")),
        }
        // All of it is there before anything of it is kept.
        let (mut at, mut values) = (2, Vec::with_capacity(self.oids.len()));
        for _ in &self.oids {
            let Some((length, _)) = bytes[at..].split_first_chunk::<4>() else { return Ok(None) };
            at += 4;
            let length = match i32::from_be_bytes(*length) {
                -1 => {
                    values.push(None);
                    continue;
                }
                length => usize::try_from(length).ok(),
            };
            match length {
                None => return wrong("has a value of no length".into()),
                Some(length) if at + length > ROW => {
                    let text = format!("row {} has more than {ROW} bytes", self.count + 1);
                    return Err(Error::new(ErrorKind::Limit, text).into());
                }
                Some(length) if bytes.len() - at < length => return Ok(None),
                Some(length) => {
                    values.push(Some(&bytes[at..at + length]));
                    at += length;
                }
            }
        }
        for ((bytes, oid), (column, field)) in
            values.into_iter().zip(&self.oids).zip(self.columns.iter_mut().zip(self.schema.fields()))
        {
            let read = match bytes {
                Some(bytes) => value(*oid, bytes),
                None => ScalarValue::try_from(field.data_type()).ok(),
            };
            let Some(read) = read else {
                let name = types::sql_name(*oid).unwrap_or_else(|| format!("type {oid}"));
                let text = format!("row {} of the copy has no binary {name} for {}", self.count + 1, field.name());
                return Err(Stop::Coded("22P03", Error::new(ErrorKind::Execution, text)));
            };
            self.bytes += text_length(&read);
            column.push(read);
        }
        self.count += 1;
        self.rows += 1;
        self.bytes += at;
        Ok(Some(at))
    }

    /// The rows that have come, once there are enough of them.
    pub fn batch(&mut self, last: bool) -> Result<Option<RecordBatch>, Stop> {
        if self.rows == 0 || (self.rows < BATCH && self.bytes < BYTES && !last) {
            return Ok(None);
        }
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.iter_mut().map(|column| ScalarValue::iter_to_array(std::mem::take(column)));
        let batch = columns.collect::<Result<Vec<_>, _>>().map_err(|e| Error::from(&e))?;
        let batch = RecordBatch::try_new(self.schema.clone(), batch);
        batch.map(Some).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()).into())
    }
}

fn no_signature() -> Stop {
    broken("it does not begin as rows in binary do")
}

/// How many bytes follow the head that are to be passed over.
fn head(head: &[u8]) -> Result<usize, Stop> {
    let rest = head.strip_prefix(SIGNATURE).ok_or_else(no_signature)?;
    let field = |at: usize| rest[at..].first_chunk::<4>().map_or(-1, |four| i32::from_be_bytes(*four));
    // Marks of the upper half change what follows.
    if field(0) as u32 >> 16 != 0 {
        return Err(broken("it is of a form that is not known: a mark of its head says so"));
    }
    match usize::try_from(field(4)) {
        Ok(length) if length <= ROW => Ok(length),
        _ => Err(broken("its head is of no length")),
    }
}

/// The type of Arrow that values of a number are read as.
fn kind(oid: u32) -> DataType {
    match types::element_of(oid) {
        Some(element) => DataType::List(Arc::new(Field::new_list_field(types::plain(element), true))),
        None => types::plain(oid),
    }
}

/// A value in binary, of the type of this number; `None` for what is none.
fn value(oid: u32, bytes: &[u8]) -> Option<ScalarValue> {
    let four = || bytes.try_into().ok().map(i32::from_be_bytes);
    let eight = || bytes.try_into().ok().map(i64::from_be_bytes);
    // What no calendar has, infinity among it, is no moment.
    let moment = || {
        let micros = eight()?.checked_add(MICROSECONDS)?;
        timestamp_us_to_datetime(micros).map(|_| micros)
    };
    let text = |bytes: &[u8]| Some(ScalarValue::Utf8(Some(std::str::from_utf8(bytes).ok()?.into())));
    Some(match oid {
        types::BOOL => match bytes {
            [byte] => ScalarValue::Boolean(Some(*byte != 0)),
            _ => return None,
        },
        types::INT2 => ScalarValue::Int16(Some(bytes.try_into().ok().map(i16::from_be_bytes)?)),
        types::INT4 => ScalarValue::Int32(Some(four()?)),
        types::INT8 => ScalarValue::Int64(Some(eight()?)),
        types::OID => ScalarValue::Int64(Some(bytes.try_into().ok().map(u32::from_be_bytes)?.into())),
        types::FLOAT4 => ScalarValue::Float32(Some(bytes.try_into().ok().map(f32::from_be_bytes)?)),
        types::FLOAT8 => ScalarValue::Float64(Some(bytes.try_into().ok().map(f64::from_be_bytes)?)),
        types::NUMERIC => ScalarValue::Utf8(Some(numeric_text(bytes)?)),
        types::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        types::DATE => {
            let day = four()?.checked_add(DAYS)?;
            date32_to_datetime(day)?;
            ScalarValue::Date32(Some(day))
        }
        types::TIME => ScalarValue::Time64Microsecond(Some(eight().filter(|t| (0..86_400_000_000).contains(t))?)),
        types::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(moment()?), None),
        types::TIMESTAMPTZ => ScalarValue::TimestampMicrosecond(Some(moment()?), Some("UTC".into())),
        types::INTERVAL => {
            let (micros, rest) = bytes.split_first_chunk::<8>()?;
            let (days, months) = rest.split_first_chunk::<4>()?;
            let nanos = i64::from_be_bytes(*micros).checked_mul(1000)?;
            let (days, months) = (i32::from_be_bytes(*days), i32::from_be_bytes(months.try_into().ok()?));
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(months, days, nanos)))
        }
        types::JSONB => text(bytes.strip_prefix(&[1])?)?,
        array => match types::element_of(array) {
            Some(element) => list(element, bytes)?,
            None => text(bytes)?,
        },
    })
}

/// The length of a text, which that of a number may be much longer than the number is in binary.
fn text_length(value: &ScalarValue) -> usize {
    if let ScalarValue::Utf8(Some(text)) = value { text.len() } else { 0 }
}

/// An array of one dimension.
fn list(element: u32, bytes: &[u8]) -> Option<ScalarValue> {
    let mut rest = bytes;
    let mut next = || {
        let (four, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        Some(i32::from_be_bytes(*four))
    };
    let (dimensions, _, of) = (next()?, next()?, next()? as u32);
    let kind = types::plain(element);
    let count = match dimensions {
        0 => 0,
        1 => usize::try_from((next()?, next()?).0).ok().filter(|count| *count <= ITEMS)?,
        _ => return None,
    };
    let (mut items, mut texts) = (vec![], 0);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        items.push(match usize::try_from(i32::from_be_bytes(*length)) {
            Err(_) => ScalarValue::try_from(&kind).ok()?,
            Ok(length) => {
                let (item, after) = rest.split_at_checked(length)?;
                rest = after;
                value(element, item)?
            }
        });
        texts += items.last().map_or(0, text_length);
        if texts > ROW {
            return None;
        }
    }
    let read = ScalarValue::List(ScalarValue::new_list_nullable(&items, &kind));
    (of == element && rest.is_empty()).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;
    use proptest::prelude::*;

    fn rows(oids: &[u32]) -> Tuples {
        Tuples::new(oids.iter().enumerate().map(|(at, oid)| (format!("c{at}"), *oid)).collect())
    }

    fn begun() -> Vec<u8> {
        [SIGNATURE, &[0; 8]].concat()
    }

    #[test]
    fn rows_come_in_pieces_of_any_size() {
        let mut bytes = [SIGNATURE, &[0, 0, 0, 7, 0, 0, 0, 2, 9, 9]].concat();
        for n in 0..10_i32 {
            bytes.extend([0, 2, 0, 0, 0, 4]);
            bytes.extend(n.to_be_bytes());
            bytes.extend(if n == 3 { [0xff; 4].to_vec() } else { [0, 0, 0, 1, b'a'].to_vec() });
        }
        bytes.extend([0xff, 0xff]);
        for piece in [1, 2, 5, 1000] {
            let mut rows = rows(&[types::INT4, types::TEXT]);
            bytes.chunks(piece).for_each(|bytes| rows.take(bytes).unwrap());
            rows.end().unwrap();
            let batch = rows.batch(true).unwrap().unwrap();
            assert_eq!((rows.count, batch.num_rows(), batch.column(1).null_count()), (10, 10, 1));
            assert!(rows.batch(true).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_to_come_is_bounded_before_it_is_waited_for() {
        let mut long = begun();
        long.extend([0, 1]);
        long.extend(i32::MAX.to_be_bytes());
        assert!(matches!(rows(&[types::TEXT]).take(&long), Err(Stop::Failed(e)) if e.kind == ErrorKind::Limit));
        // A list may say that it has more items than there are bytes.
        let mut list = [0, 0, 0, 1, 0, 0, 0, 0].to_vec();
        list.extend(types::INT4.to_be_bytes());
        list.extend([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
        assert!(value(1007, &list).is_none());
        for (oid, bytes) in [
            (types::DATE, i32::MAX.to_be_bytes().to_vec()),
            (types::TIMESTAMP, i64::MAX.to_be_bytes().to_vec()),
            (types::TIME, 86_400_000_000_i64.to_be_bytes().to_vec()),
            (types::INTERVAL, [0x7f; 16].to_vec()),
        ] {
            assert!(value(oid, &bytes).is_none(), "{oid}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_reader(
            oids in prop::collection::vec(
                prop::sample::select(types::TYPES.iter().flat_map(|t| [t.oid, t.array]).collect::<Vec<_>>()), 1..4),
            lengths in prop::collection::vec(0..20_usize, 0..6),
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            piece in 1..40_usize,
        ) {
            let mut all = begun();
            // Rows of the number of values that is wanted, so that bytes come to be read as values.
            for (at, length) in lengths.iter().enumerate() {
                if at % oids.len() == 0 {
                    all.extend((oids.len() as u16).to_be_bytes());
                }
                all.extend((*length as u32).to_be_bytes());
                all.extend(bytes.iter().cycle().skip(at).take(if bytes.is_empty() { 0 } else { *length }));
            }
            all.extend(&bytes);
            let mut rows = rows(&oids);
            let done = all.chunks(piece).try_for_each(|bytes| rows.take(bytes));
            _ = done.and_then(|()| rows.end());
            _ = rows.batch(true);
            for oid in oids {
                _ = value(oid, &bytes);
            }
        }
    }
}
