//! Printing rows.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::json::writer::{JsonArray, LineDelimited};
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use clap::ValueEnum;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use futures::StreamExt;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use populace_udfs::Estimate;

use super::Failure;
use super::fit::{Expanded, fitted, terminal_width};
use crate::arrow::{plain_batch, plain_schema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table for people; the first 1,000 rows
    Table,
    /// One array
    Json,
    /// One object a line
    Ndjson,
    Csv,
    Parquet,
    /// Arrow's file format
    Arrow,
}

/// How a table is shown.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    /// All of each row, as programs and files have it
    Whole,
    /// As a terminal of so many columns has room for; of the rows' columns those that are `kept` go last
    Fitted { width: usize, expanded: Expanded, kept: Vec<String> },
}

impl Shown {
    /// As standard output has room for.
    pub fn on_stdout(expanded: Expanded) -> Shown {
        match io::stdout().is_terminal() {
            true => Shown::Fitted { width: terminal_width(), expanded, kept: vec![] },
            false => Shown::Whole,
        }
    }

    /// The same, where other columns are left out before these.
    pub fn keeping(self, columns: &[&str]) -> Shown {
        match self {
            Shown::Whole => Shown::Whole,
            Shown::Fitted { width, expanded, .. } => {
                Shown::Fitted { width, expanded, kept: columns.iter().map(ToString::to_string).collect() }
            }
        }
    }
}

/// Rows that a table shows; the others are counted.
const SHOWN: usize = 1_000;

/// Prints rows as they come; only a table waits for its rows, of which it keeps those it shows.
pub(super) async fn print(
    mut rows: SendableRecordBatchStream,
    format: Format,
    shown: Shown,
    out: &mut (impl Write + Send),
) -> Result<(), Failure> {
    let schema = rows.schema();
    if schema.fields().is_empty() {
        while let Some(batch) = rows.next().await {
            batch?;
        }
        return Ok(());
    }
    match format {
        Format::Table => table(rows, shown, out).await,
        Format::Json => {
            let mut writer = nulls().build::<_, JsonArray>(out);
            while let Some(batch) = rows.next().await {
                writer.write(&batch?)?;
            }
            writer.finish()?;
            Ok(writeln!(writer.into_inner())?)
        }
        Format::Ndjson => {
            let mut writer = nulls().build::<_, LineDelimited>(out);
            while let Some(batch) = rows.next().await {
                writer.write(&batch?)?;
            }
            Ok(writer.finish()?)
        }
        Format::Csv => {
            let mut writer = arrow::csv::Writer::new(&mut *out);
            // A result without rows still says its columns.
            writer.write(&flat(&RecordBatch::new_empty(schema))?)?;
            while let Some(batch) = rows.next().await {
                writer.write(&flat(&batch?)?)?;
            }
            Ok(())
        }
        Format::Parquet => {
            let plain = plain_schema(&schema);
            let mut writer = ArrowWriter::try_new(out, plain.clone(), None).map_err(parquet)?;
            while let Some(batch) = rows.next().await {
                writer.write(&plain_batch(&batch?, &plain)?).map_err(parquet)?;
            }
            writer.close().map_err(parquet)?;
            Ok(())
        }
        Format::Arrow => {
            let plain = plain_schema(&schema);
            let mut writer = arrow::ipc::writer::FileWriter::try_new(out, &plain)?;
            while let Some(batch) = rows.next().await {
                writer.write(&plain_batch(&batch?, &plain)?)?;
            }
            Ok(writer.finish()?)
        }
    }
}

/// JSON in which every object has every key.
fn nulls() -> arrow::json::WriterBuilder {
    arrow::json::WriterBuilder::new().with_explicit_nulls(true)
}

fn parquet(error: datafusion::parquet::errors::ParquetError) -> Failure {
    super::broken_pipe(&error);
    Failure(error.to_string())
}

/// What calls to a model would come to.
pub(super) fn print_estimate(out: &mut impl Write, estimate: &Estimate) -> io::Result<()> {
    let Estimate { calls, known, prompt_tokens, completion_tokens, cost_usd, sampled, .. } = estimate;
    let about = if *sampled { "about " } else { "" };
    writeln!(out, "calls     {about}{calls} to be made, {known} answered already")?;
    writeln!(out, "tokens    {prompt_tokens} asked, {completion_tokens} answered, about")?;
    match cost_usd {
        Some(cost) => writeln!(out, "cost      {cost:.4} US dollars, about"),
        None if *calls == 0 => writeln!(out, "cost      nothing"),
        None => writeln!(out, "cost      unknown: name a file of prices with --prices"),
    }
}

async fn table(mut rows: SendableRecordBatchStream, as_: Shown, out: &mut impl Write) -> Result<(), Failure> {
    let schema = rows.schema();
    let (mut shown, mut count) = (vec![RecordBatch::new_empty(schema.clone())], 0);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if count < SHOWN {
            shown.push(batch.slice(0, batch.num_rows().min(SHOWN - count)));
        }
        count += batch.num_rows();
    }
    let mut left_out = String::new();
    match as_ {
        Shown::Whole => {
            let shown = shown.iter().map(short).collect::<Result<Vec<_>, _>>()?;
            let options = FormatOptions::default().with_display_error(true).with_null("NULL");
            writeln!(out, "{}", pretty_format_batches_with_options(&shown, &options)?)?;
        }
        Shown::Fitted { width, expanded, kept } => {
            let (text, columns) = fitted(&schema, &shown, width, (expanded, &kept))?;
            write!(out, "{text}")?;
            let all = schema.fields().len();
            if columns < all {
                left_out = format!(", {all} columns ({columns} shown)");
            }
        }
    }
    if count > SHOWN {
        writeln!(out, "{count} rows, the first {SHOWN} of them shown{left_out}; --format csv prints all")?;
    } else {
        writeln!(out, "{count} row{}{left_out}", if count == 1 { "" } else { "s" })?;
    }
    Ok(())
}

/// Vectors by their length alone, which is all that people read of them.
fn short(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let DataType::FixedSizeList(_, length) = field.data_type() else {
            fields.push(field.as_ref().clone());
            columns.push(column.clone());
            continue;
        };
        let texts = (0..column.len()).map(|i| column.is_valid(i).then(|| format!("[{length} numbers]")));
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(texts.collect::<arrow::array::StringArray>()) as ArrayRef);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

/// Lists and structures as text, which CSV has no other way to hold.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let columns = batch.columns().iter().map(|c| match c.data_type().is_nested() {
        true => text(c),
        false => Ok(c.clone()),
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, Failure>>()?;
    let fields = batch
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true))
        .collect::<Vec<_>>();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn text(column: &ArrayRef) -> Result<ArrayRef, Failure> {
    let options = FormatOptions::default();
    let formatter = arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options)?;
    let texts = (0..column.len()).map(|i| column.is_valid(i).then(|| formatter.value(i).to_string()));
    Ok(Arc::new(texts.collect::<arrow::array::StringArray>()))
}

/// Between two lines of progress, where there is no terminal to draw a bar on.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// How far long work is, on standard error: a bar on a terminal, else a line every few seconds.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    said: Mutex<Instant>,
    of: String,
    what: &'static str,
}

/// Rows a second.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    _ = match state.per_sec() {
        rate if rate >= 100.0 => write!(out, "{rate:.0}/s"),
        rate => write!(out, "{rate:.1}/s"),
    };
}

/// What is left of the time; before anything is done, nobody knows.
fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    _ = match state.pos() {
        0 => write!(out, "…"),
        _ => write!(out, "{:#}", HumanDuration(state.eta())),
    };
}

impl Progress {
    pub fn new(total: Option<u64>, what: &'static str) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let (bar, style) = match total {
                Some(total) => (ProgressBar::new(total), "{bar:30} {pos}/{len}, {rate}, {left} left, {elapsed} so far"),
                None => (ProgressBar::no_length(), "{spinner} {pos}, {rate}, {elapsed} so far"),
            };
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bar.with_style(style.with_key("rate", rate).with_key("left", left));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        Progress { bar, said: Mutex::new(Instant::now()), of, what }
    }

    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            return bar.set_position(done);
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= BETWEEN_LINES {
            *said = Instant::now();
            // Nobody may be reading: that ends no work.
            _ = writeln!(io::stderr(), "{done}{} {}", self.of, self.what);
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
