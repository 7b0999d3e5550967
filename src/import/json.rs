//! JSON: an object a line, or one array of objects.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::kinds::Kind;
use super::source::{Batches, Format, ROWS, Source, buffered};

pub(super) fn open(path: &Path) -> Result<Source> {
    let (mut names, mut kinds): (Vec<String>, Vec<Kind>) = (vec![], vec![]);
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut objects = Objects::open(path)?;
    while let Some(object) = objects.next()? {
        for (name, value) in object.0 {
            let at = *known.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                kinds.push(Kind::Null);
                names.len() - 1
            });
            kinds[at] = std::mem::take(&mut kinds[at]).with(Kind::of_json(&value));
        }
    }
    let fields = names.iter().zip(&kinds).map(|(n, k)| Field::new(n, k.data_type(), true)).collect();
    Ok(Source {
        path: path.into(),
        format: Format::Json,
        fields,
        rows: objects.row,
        delimiter: 0,
        pack: None,
        from: vec![],
    })
}

pub(super) fn read(source: &Source, columns: &[usize]) -> Result<Batches> {
    let fields: Vec<Field> = columns.iter().map(|c| source.fields[*c].clone()).collect();
    let schema = Arc::new(Schema::new(fields));
    let names = schema.fields().iter().enumerate();
    let places: HashMap<String, usize> = names.map(|(at, f)| (f.name().clone(), at)).collect();
    let mut objects = Objects::open(&source.path)?;
    Ok(Box::new(std::iter::from_fn(move || {
        let mut batch = || {
            let mut values: Vec<Vec<Value>> = schema.fields().iter().map(|_| vec![]).collect();
            let mut rows = 0;
            while rows < ROWS
                && let Some(object) = objects.next()?
            {
                values.iter_mut().for_each(|values| values.push(Value::Null));
                for (name, value) in object.0 {
                    if let Some(at) = places.get(&name) {
                        values[*at][rows] = value;
                    }
                }
                rows += 1;
            }
            if rows == 0 {
                return Ok(None);
            }
            // What was read first, for the types, holds for all rows.
            let kind = |values: &[Value]| values.iter().map(Kind::of_json).fold(Kind::Null, Kind::with);
            let columns: Vec<_> = values.iter().map(|v| kind(v).array(v)).collect();
            let names = schema.fields().iter().zip(&columns);
            let fields: Vec<Field> = names.map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true)).collect();
            Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?))
        };
        batch().transpose()
    })))
}

/// A row, with its columns in the order of the file.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Row, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Row, A::Error> {
                let mut columns = Vec::with_capacity(map.size_hint().unwrap_or(32));
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// The objects of a file, one by one.
struct Objects {
    file: String,
    reader: BufReader<File>,
    /// Whether they are the items of an array
    array: bool,
    /// How many were read
    row: u64,
    line: u64,
    text: Vec<u8>,
    ended: bool,
}

impl Objects {
    fn open(path: &Path) -> Result<Objects> {
        let (file, reader) = (path.display().to_string(), buffered(path)?);
        let mut objects = Objects { file, reader, array: false, row: 0, line: 1, text: vec![], ended: false };
        let start = objects.peek()?;
        if start == Some(0xef) {
            for _ in 0..3 {
                objects.step()?;
            }
        }
        if objects.visible()? == Some(b'[') {
            objects.array = true;
            objects.step()?;
        }
        Ok(objects)
    }

    fn next(&mut self) -> Result<Option<Row>> {
        self.text.clear();
        if self.ended || !(if self.array { self.item()? } else { self.line()? }) {
            self.ended = true;
            return Ok(None);
        }
        self.row += 1;
        let place = format!("{}: row {}, line {}", self.file, self.row, self.line);
        match serde_json::from_slice(&self.text) {
            Ok(object) => {
                let lines = self.text.iter().filter(|b| **b == b'\n').count() as u64;
                self.line += if self.array { lines } else { lines.max(1) };
                Ok(Some(object))
            }
            Err(error) if self.text.starts_with(b"{") || self.array => {
                let text = error.to_string();
                let why = text.split(" at line").next().unwrap_or_default();
                let utf8 = if std::str::from_utf8(&self.text).is_err() { ", as its text is not UTF-8" } else { "" };
                exec_err!("{place}: no whole JSON object{utf8}: {why} at character {}", error.column())
            }
            Err(_) => exec_err!("{place}: a row is an object, {{\"column\": value, …}}; this is none"),
        }
    }

    /// One line that is not blank.
    fn line(&mut self) -> Result<bool> {
        loop {
            self.text.clear();
            let read = self.reader.read_until(b'\n', &mut self.text);
            if read.map_err(|e| exec_datafusion_err!("{}: {e}", self.file))? == 0 {
                return Ok(false);
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
            self.line += 1;
        }
    }

    /// One item of the array: all up to the bracket that closes it.
    fn item(&mut self) -> Result<bool> {
        let first = match self.visible()? {
            Some(b',') if self.row > 0 => {
                self.step()?;
                self.visible()?
            }
            other => other,
        };
        match first {
            Some(b']') => {
                self.step()?;
                return match self.visible()? {
                    None => Ok(false),
                    Some(_) => exec_err!("{}: line {}: something follows the array", self.file, self.line),
                };
            }
            None => return exec_err!("{}: the array has no end: the file is cut off", self.file),
            Some(b'{') => {}
            Some(_) => {
                return exec_err!(
                    "{}: row {}, line {}: a row is an object, {{\"column\": value, …}}; this is none",
                    self.file,
                    self.row + 1,
                    self.line
                );
            }
        }
        let (mut depth, mut quoted, mut escaped) = (0, false, false);
        loop {
            let Some(byte) = self.peek()? else {
                return exec_err!("{}: row {}: the object has no end: the file is cut off", self.file, self.row + 1);
            };
            self.reader.consume(1);
            self.text.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(true);
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        let buffer = self.reader.fill_buf().map_err(|e| exec_datafusion_err!("{}: {e}", self.file))?;
        Ok(buffer.first().copied())
    }

    fn step(&mut self) -> Result<()> {
        if self.peek()? == Some(b'\n') {
            self.line += 1;
        }
        self.reader.consume(1);
        Ok(())
    }

    /// The next byte that is no white space, which is passed over.
    fn visible(&mut self) -> Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.step()?,
                other => return Ok(other),
            }
        }
    }
}
