//! Files that rows are read from.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Field;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use populace_population::there_are;

use super::{csv, json, lance, parquet};
use crate::database::Elsewhere;

/// Rows that are read together.
pub(super) const ROWS: usize = 2_048;

/// How a file holds its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    /// A first line of names, then a line a row; commas, semicolons, tabs or bars between
    Csv,
    /// An object a line, or one array of objects
    Json,
    /// The folder of a table, as this program and others of Lance have it
    Lance,
}

/// The endings of files and the formats that they tell of.
const ENDINGS: [(&str, Format); 8] = [
    ("parquet", Format::Parquet),
    ("pq", Format::Parquet),
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
    ("txt", Format::Csv),
    ("json", Format::Json),
    ("jsonl", Format::Json),
    ("ndjson", Format::Json),
];

impl Format {
    fn of(path: &Path) -> Option<Format> {
        if Elsewhere::is_table(path) {
            return Some(Format::Lance);
        }
        let ending = path.extension()?.to_str()?.to_lowercase();
        ENDINGS.iter().find(|(e, _)| *e == ending).map(|(_, format)| *format)
    }
}

/// How broken values are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The import ends, with the file, the column and the row
    #[default]
    Stop,
    /// NULL takes their place, and they are counted
    Null,
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub delimiter: Option<u8>,
    pub on_error: OnError,
}

/// A file: its columns and the count of its rows.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub path: PathBuf,
    pub format: Format,
    pub fields: Vec<Field>,
    pub rows: u64,
    /// What stands between the columns of CSV
    pub delimiter: u8,
    /// The pack that the rows were drawn from, where the file says it
    pub pack: Option<String>,
    /// Where the rows are from, as the file says it
    pub from: Vec<crate::database::Source>,
}

/// The batches of a file, with the columns asked for, in that order.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Source {
    /// Reads what columns a file has; CSV and JSON are read to the end for their types.
    ///
    /// # Errors
    /// If it is not there, or not what its name says, or broken.
    pub fn open(path: &Path, format: Option<Format>, reading: Reading) -> Result<Source> {
        let name = path.display();
        let Some(format) = format.or_else(|| Format::of(path)) else {
            return exec_err!("{name}: what kind of file is it? Name it with --format parquet, csv or json");
        };
        if format != Format::Lance {
            check(path)?;
        }
        let source = match format {
            Format::Parquet => parquet::open(path),
            Format::Csv => csv::open(path, reading),
            Format::Json => json::open(path),
            Format::Lance => lance::open(path),
        }?;
        if source.fields.is_empty() {
            return exec_err!("{name} has no columns");
        }
        let mut names: Vec<&str> = source.names().collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
            return exec_err!("{name} has two columns {}: give one of them another name", twice[0]);
        }
        Ok(source)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.name().as_str())
    }

    /// The rows, with some of the columns.
    ///
    /// # Errors
    /// If the file cannot be opened any more.
    pub fn read(&self, columns: &[usize], reading: Reading) -> Result<Batches> {
        match self.format {
            Format::Parquet => parquet::read(self, columns, reading),
            Format::Csv => csv::read(self, columns, reading),
            Format::Json => json::read(self, columns),
            Format::Lance => lance::read(self, columns),
        }
    }
}

/// A file, opened.
///
/// # Errors
/// If it is not there, or may not be read.
pub(super) fn opened(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| exec_datafusion_err!("{}: {e}", path.display()))
}

pub(super) fn buffered(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 18, opened(path)?))
}

/// Refuses what no format begins with, with what it is.
fn check(path: &Path) -> Result<()> {
    let name = path.display();
    let mut first = Vec::new();
    let read = opened(path)?.take(200).read_to_end(&mut first);
    read.map_err(|e| exec_datafusion_err!("{name}: {e}"))?;
    if first.is_empty() {
        return exec_err!("{name} is empty");
    }
    if first.starts_with(b"version https://git-lfs") {
        return exec_err!("{name} stands for a file that Git LFS keeps elsewhere: `git lfs pull` fetches it");
    }
    if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
        return exec_err!("{name} is in UTF-16: `iconv -f UTF-16 -t UTF-8` makes UTF-8 of it");
    }
    if first.starts_with(&[0x1f, 0x8b]) {
        return exec_err!("{name} is compressed: unpack it with gunzip first");
    }
    if first.starts_with(b"PK\x03\x04") {
        return exec_err!("{name} is a ZIP archive or a spreadsheet: unpack it, or save it as CSV, first");
    }
    Ok(())
}

/// The files that paths stand for: a folder for all files of a known kind below it, in the order of their names.
///
/// # Errors
/// If one is not there, or a folder has no such file.
pub(super) fn files(paths: &[PathBuf], format: Option<Format>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() || Elsewhere::is_table(path) {
            if !path.exists() {
                return exec_err!("there is no file {}{}", path.display(), neighbour(path));
            }
            found.push(path.clone());
            continue;
        }
        let mut below = Vec::new();
        walk(path, 0, &mut below);
        below.retain(|p| match Format::of(p) {
            // Beside its data, a dataset has notes and settings.
            Some(known) => format.map_or(p.extension().is_none_or(|e| e != "txt"), |f| f == known),
            None => false,
        });
        // A dataset's folder may have settings in JSON.
        if format.is_none() && below.iter().any(|p| Format::of(p) == Some(Format::Parquet)) {
            below.retain(|p| Format::of(p) == Some(Format::Parquet));
        }
        if below.is_empty() {
            return exec_err!("{} has no files of Parquet, CSV or JSON, and is no table of Lance", path.display());
        }
        below.sort();
        found.append(&mut below);
    }
    Ok(found)
}

/// Folders within folders that are looked into.
const DEPTH: usize = 4;

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match path.is_dir() {
            true if Elsewhere::is_table(&path) => found.push(path),
            true if depth < DEPTH => walk(&path, depth + 1, found),
            true => {}
            false => found.push(path),
        }
    }
}

/// The file that may have been meant.
fn neighbour(path: &Path) -> String {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(entries), Some(name)) = (std::fs::read_dir(folder), path.file_name().and_then(|n| n.to_str())) else {
        return String::new();
    };
    let names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    populace_population::did_you_mean(name, names.iter().map(String::as_str))
}

/// Refuses a name that no file has a column of.
///
/// # Errors
/// If there is none; the message names the nearest.
pub(super) fn check_name(sources: &[Source], option: &str, name: &str) -> Result<()> {
    if sources.iter().any(|s| s.names().any(|n| n == name)) {
        return Ok(());
    }
    let mut names: Vec<&str> = sources.iter().flat_map(Source::names).collect();
    names.sort_unstable();
    names.dedup();
    exec_err!("{option}: no file has a column `{name}`{}", there_are(name, &names))
}
