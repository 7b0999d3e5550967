//! The files of an export: written beside their place, and put there when all are whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::metadata::KeyValue;
use datafusion::parquet::file::properties::WriterProperties;

use super::Format;
use super::chat::Chat;
use super::layout::{Form, LaidOutFile, Layouter};
use crate::arrow::{flat_batch, plain_batch};

/// Bytes after which another file of a dataset begins, and that a group of rows of Parquet takes in memory.
const FILE: usize = 500 << 20;
const GROUP: usize = 64 << 20;

/// Rows of a group at most: what readers fetch at once.
const GROUP_ROWS: usize = 100_000;

/// What is written of rows.
pub(super) enum Written {
    Rows,
    Conversations(Box<Chat>),
    LaidOut(Box<Layouter>),
}

/// What is written into one file.
enum Sink {
    Parquet(Box<ArrowWriter<File>>),
    Csv(Box<arrow::csv::Writer<BufWriter<File>>>),
    Jsonl(Box<arrow::json::LineDelimitedWriter<BufWriter<File>>>),
    Chat(BufWriter<File>),
    LaidOut(LaidOutFile<BufWriter<File>>),
    /// A file for each person
    Each,
}

/// The files of an export, and where they go.
pub(super) struct Files {
    format: Format,
    schema: SchemaRef,
    metadata: Vec<KeyValue>,
    written: Written,
    rows_per_file: Option<u64>,
    overwrite: bool,
    folder: PathBuf,
    stem: String,
    open: Option<Sink>,
    /// Rows in the open file
    rows: u64,
    parts: Vec<PathBuf>,
    /// What the parts are called in the end, where a person's says it
    names: Vec<String>,
}

impl Files {
    /// # Errors
    /// If there are such files already, unless they may be replaced, or the folder cannot be made.
    pub fn new(
        format: Format,
        (folder, stem): (PathBuf, String),
        schema: SchemaRef,
        metadata: Vec<KeyValue>,
        written: Written,
        rows_per_file: Option<u64>,
        overwrite: bool,
    ) -> Result<Files> {
        if let Some(there) = old(&folder, &stem, format.ending()).first()
            && !overwrite
        {
            return exec_err!("{} is there already: --overwrite replaces it", there.display());
        }
        fs::create_dir_all(&folder).map_err(|e| exec_datafusion_err!("{}: {e}", folder.display()))?;
        let mut files = Files {
            format,
            schema,
            metadata,
            written,
            rows_per_file,
            overwrite,
            folder,
            stem,
            open: None,
            rows: 0,
            parts: vec![],
            names: vec![],
        };
        // A table without rows still has a file that says its columns.
        files.begin()?;
        Ok(files)
    }

    fn begin(&mut self) -> Result<()> {
        if let Format::Layout(layout) = self.format
            && layout.layout == Form::Files
        {
            self.open = Some(Sink::Each);
            return Ok(());
        }
        let (path, file) = beside(&self.folder, &self.stem)?;
        self.parts.push(path);
        self.rows = 0;
        self.open = Some(match self.format {
            Format::Datasets | Format::Parquet => {
                let level = ZstdLevel::try_new(3)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(level))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .set_key_value_metadata(Some(self.metadata.clone()))
                    .set_created_by(format!("populace {}", env!("CARGO_PKG_VERSION")))
                    .build();
                Sink::Parquet(Box::new(ArrowWriter::try_new(file, self.schema.clone(), Some(properties))?))
            }
            Format::Csv => {
                let mut writer = arrow::csv::Writer::new(BufWriter::new(file));
                writer.write(&flat_batch(&RecordBatch::new_empty(self.schema.clone()))?)?;
                Sink::Csv(Box::new(writer))
            }
            Format::Jsonl => {
                let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                Sink::Jsonl(Box::new(builder.build(BufWriter::new(file))))
            }
            Format::Chat => Sink::Chat(BufWriter::new(file)),
            Format::Layout(layout) => Sink::LaidOut(LaidOutFile::new(layout, BufWriter::new(file))?),
        });
        Ok(())
    }

    /// # Errors
    /// If nothing can be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = plain_batch(batch, &self.schema)?;
        let mut at = 0;
        while at < batch.num_rows() {
            if self.rows_per_file.is_some_and(|most| self.rows >= most) || self.is_large() {
                self.close()?;
                self.begin()?;
            }
            let room = self.rows_per_file.map_or(usize::MAX, |most| (most - self.rows) as usize);
            let rows = (batch.num_rows() - at).min(room);
            self.put(&batch.slice(at, rows))?;
            self.rows += rows as u64;
            at += rows;
        }
        Ok(())
    }

    fn is_large(&self) -> bool {
        match &self.open {
            Some(Sink::Parquet(writer)) if self.format == Format::Datasets => writer.bytes_written() >= FILE,
            _ => false,
        }
    }

    fn put(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.open {
            Some(Sink::Parquet(writer)) => {
                writer.write(batch)?;
                if writer.in_progress_size() >= GROUP {
                    writer.flush()?;
                }
            }
            Some(Sink::Csv(writer)) => writer.write(&flat_batch(batch)?)?,
            Some(Sink::Jsonl(writer)) => writer.write(batch)?,
            Some(Sink::Chat(out)) => {
                if let Written::Conversations(chat) = &self.written {
                    chat.write(batch, out)?;
                }
            }
            Some(Sink::LaidOut(file)) => {
                if let Written::LaidOut(layouter) = &mut self.written {
                    layouter.lay_out(batch)?.iter().try_for_each(|person| file.write(person))?;
                }
            }
            Some(Sink::Each) => {
                if let Written::LaidOut(layouter) = &mut self.written {
                    for person in layouter.lay_out(batch)? {
                        let (path, mut file) = beside(&self.folder, &self.stem)?;
                        self.parts.push(path);
                        self.names.extend(person.name);
                        file.write_all(person.text.as_bytes())?;
                    }
                }
            }
            None => return exec_err!("the export is closed"),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        match self.open.take() {
            Some(Sink::Parquet(writer)) => _ = writer.close()?,
            Some(Sink::Csv(writer)) => writer.into_inner().flush()?,
            Some(Sink::Jsonl(mut writer)) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
            Some(Sink::Chat(mut out)) => out.flush()?,
            Some(Sink::LaidOut(file)) => file.finish()?,
            Some(Sink::Each) | None => {}
        }
        Ok(())
    }

    /// Puts the files in their place, and removes those they replace; where they are.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn finish(mut self) -> Result<Vec<PathBuf>> {
        self.close()?;
        let (count, ending) = (self.parts.len(), self.format.ending());
        let name = |at: usize| match self.format {
            Format::Datasets => format!("{}-{at:05}-of-{count:05}.{ending}", self.stem),
            _ if count == 1 => format!("{}.{ending}", self.stem),
            _ => format!("{}-{at:05}-of-{count:05}.{ending}", self.stem),
        };
        let is_each = matches!(self.format, Format::Layout(layout) if layout.layout == Form::Files);
        let name = |at: usize| if is_each { self.names[at].clone() } else { name(at) };
        let paths: Vec<PathBuf> = (0..count).map(|at| self.folder.join(name(at))).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = paths.iter().find(|path| !seen.insert(*path)) {
            return exec_err!("two people have the file {}", twice.display());
        }
        let old = match is_each {
            true => paths.iter().filter(|path| path.exists()).cloned().collect(),
            false => old(&self.folder, &self.stem, ending),
        };
        if let Some(there) = old.first()
            && !self.overwrite
        {
            return exec_err!("{} came to be there meanwhile: --overwrite replaces it", there.display());
        }
        // What is replaced goes when all that replaces it is there: killed in between, too much is left, not too little.
        for (part, path) in self.parts.iter().zip(&paths) {
            fs::rename(part, path).map_err(|e| exec_datafusion_err!("{}: {e}", path.display()))?;
        }
        self.parts.clear();
        for old in old.iter().filter(|old| !paths.contains(old)) {
            fs::remove_file(old).map_err(|e| exec_datafusion_err!("{}: {e}", old.display()))?;
        }
        Ok(paths)
    }
}

impl Drop for Files {
    /// What was not finished leaves nothing behind.
    fn drop(&mut self) {
        for part in &self.parts {
            _ = fs::remove_file(part);
        }
    }
}

/// A file beside those of a folder, of a name that no other export takes; what a link of that name leads to is not
/// written into. What a killed export left is called so as well, and is read by nobody.
///
/// # Errors
/// If it cannot be made.
pub(super) fn beside(folder: &Path, stem: &str) -> Result<(PathBuf, File)> {
    let path = folder.join(format!(".{stem}.{}.part", uuid::Uuid::now_v7().simple()));
    let file = File::create_new(&path).map_err(|e| exec_datafusion_err!("{}: {e}", path.display()))?;
    Ok((path, file))
}

/// The files of an earlier export of this name.
fn old(folder: &Path, stem: &str, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let ours = |name: &str| {
        let Some(rest) = name.strip_suffix(ending).and_then(|n| n.strip_suffix('.')?.strip_prefix(stem)) else {
            return false;
        };
        let numbers = rest.strip_prefix('-').and_then(|r| r.split_once("-of-"));
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        rest.is_empty() || numbers.is_some_and(|(at, of)| digits(at) && digits(of))
    };
    let paths = entries.flatten().filter(|e| e.file_name().to_str().is_some_and(ours)).map(|e| e.path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    paths
}
