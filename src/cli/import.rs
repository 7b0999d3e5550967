//! `populace import`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use clap::{Args, ValueEnum};

use super::output::Progress;
use super::{AskingArguments, DatabaseArguments, Failure};
use crate::engine::{Engine, Options};
use crate::import::{
    Format, Import, Imported, OnError, UnknownValue, UnknownValues, Unmapped, ValueMap, listed, prepare,
};

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Files of Parquet, CSV or JSON, and folders of them; or the folder of a Lance table
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The table, made where it is not there yet
    #[arg(long, value_name = "TABLE")]
    into: String,
    /// A column by its name in the files and in the table: --map location=city
    #[arg(long, value_name = "THEIRS=OURS", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Columns of the files to leave out, parted by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    skip: Vec<String>,
    /// Columns of the files that are text in a new table, whatever they look like
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    as_text: Vec<String>,
    /// Columns of a new table that are narratives, beside those that all tables of people have
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    narratives: Vec<String>,
    /// The narratives of a new table that get vectors, parted by commas; all of them without this
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    embed: Option<Vec<String>>,
    /// Make a table without columns of vectors: hours less for a million people
    #[arg(long, conflicts_with = "embed")]
    no_embeddings: bool,
    /// Who wrote the narratives, where the files do not say it
    #[arg(long, value_name = "NAME")]
    narrator: Option<String>,
    /// Where the rows are from, kept with the table and told in the cards of its exports: a dataset's name or address,
    /// and whom it is owed to
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// The licence of the rows, likewise, as Hugging Face has it: cc-by-4.0
    #[arg(long, value_name = "ID")]
    licence: Option<String>,
    /// The country whose people the rows are: values of columns that are called like its variables are then to be their
    /// levels, and the table knows whose people it has; a pack of one's own by its path
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// Which level a value of the files stands for, by the column's name in the table (sex.M=Male, or sex.9=NULL); or a
    /// file of CSV that says it for many, with the columns column,from,to. May be repeated
    #[arg(long, value_name = "COLUMN.VALUE=LEVEL|FILE")]
    map_values: Vec<ValueMap>,
    /// What becomes of values that are no levels of the country's variables: an error that lists them, NULL, or nothing
    #[arg(long, value_enum, default_value_t = NoLevel::Error, requires = "country")]
    unmapped: NoLevel,
    /// With --dry-run: write the values that are no levels into a file for --map-values, to be filled in
    #[arg(long, value_name = "FILE", requires = "dry_run", requires = "country")]
    template: Option<PathBuf>,
    /// What all the files are; told by their names without this
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// What stands between the columns of CSV; told by the first line without this
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// What becomes of a value that is broken, or does not fit: an error with its file, column and row, or NULL
    #[arg(long, value_enum, default_value_t = Broken::Stop)]
    on_error: Broken,
    /// Say which column would go where, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    asking: AskingArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    Parquet,
    /// With commas, semicolons, tabs or bars
    Csv,
    /// An object a line, or an array of objects
    #[value(alias = "jsonl", alias = "ndjson")]
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NoLevel {
    Error,
    Null,
    Keep,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Broken {
    Stop,
    Null,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((theirs, ours)) if !theirs.is_empty() && !ours.is_empty() => Ok((theirs.into(), ours.into())),
        _ => Err("two names with = between them: theirs=ours".into()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        text => match text.as_bytes() {
            [one] if one.is_ascii() => Ok(*one),
            _ => Err("one character, or tab".into()),
        },
    }
}

pub(super) fn run(arguments: ImportArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let options = Options { asking: arguments.asking.asking(), ..Options::default() };
    let database = Engine::new(database.open()?, options)?.database().clone();
    let import = Import {
        files: arguments.files,
        table: arguments.into.clone(),
        format: arguments.format.map(|format| match format {
            FileFormat::Parquet => Format::Parquet,
            FileFormat::Csv => Format::Csv,
            FileFormat::Json => Format::Json,
        }),
        delimiter: arguments.delimiter,
        map: arguments.map,
        skip: arguments.skip,
        as_text: arguments.as_text,
        narratives: arguments.narratives,
        embed: if arguments.no_embeddings { Some(vec![]) } else { arguments.embed },
        narrator: arguments.narrator,
        source: arguments.source,
        licence: arguments.licence,
        country: arguments.country.clone(),
        map_values: arguments.map_values,
        unmapped: match arguments.unmapped {
            NoLevel::Error => Unmapped::Error,
            NoLevel::Null => Unmapped::Null,
            NoLevel::Keep => Unmapped::Keep,
        },
        on_error: match arguments.on_error {
            Broken::Stop => OnError::Stop,
            Broken::Null => OnError::Null,
        },
    };
    let out = &mut io::stdout();
    super::runtime()?.block_on(async {
        let prepared = prepare(&database, import).await?;
        if arguments.dry_run {
            let table = if prepared.exists() { "is there already" } else { "would be made" };
            writeln!(out, "{} rows of {} files; {} {table}", prepared.rows(), prepared.files(), arguments.into)?;
            for (name, kind, theirs) in prepared.columns() {
                let from = theirs.iter().filter(|t| **t != name).cloned().collect::<Vec<_>>().join(", ");
                let from = if from.is_empty() { from } else { format!("  from {from}") };
                writeln!(out, "  {name:28} {kind}{from}")?;
            }
            if let Some(estimate) = prepared.estimate(&database)? {
                super::output::print_estimate(out, &estimate)?;
            }
            let country = arguments.country.as_deref().unwrap_or_default();
            return no_levels(out, country, prepared.unknown(), arguments.template.as_deref());
        }
        let kept = match arguments.unmapped {
            NoLevel::Keep => listed(prepared.unknown()),
            _ => String::new(),
        };
        let (progress, keyed) = (Progress::new(Some(prepared.rows()), "rows"), prepared.is_keyed());
        let imported = tokio::select! {
            // Heard of from the first, before the work that may take long until it can be left.
            biased;
            _ = super::signals::signal() => {
                progress.end();
                let again = match keyed {
                    true => "interrupted; what is committed stays, and the same again goes on from there",
                    false => "interrupted; nothing was written: the rows have no uuid, and are committed together",
                };
                return Err(Failure(again.into()));
            }
            imported = Box::pin(prepared.run(&database, |done| progress.set(done))) => imported?,
        };
        progress.end();
        say(out, &arguments.into, &imported)?;
        if !kept.is_empty() {
            write!(out, "kept as they are, though no levels:\n{kept}")?;
        }
        Ok(())
    })
}

/// Says which values are no levels, and writes what is to be filled in.
fn no_levels(
    out: &mut impl Write,
    country: &str,
    unknown: &[UnknownValues],
    template: Option<&Path>,
) -> Result<(), Failure> {
    if !country.is_empty() {
        match unknown {
            [] => writeln!(out, "every value is a level of {country}")?,
            _ => write!(out, "values that are no levels of {country} (rows; the nearest level):\n{}", listed(unknown))?,
        }
    }
    let Some(path) = template else { return Ok(()) };
    let lines: Vec<(&str, &UnknownValue)> =
        unknown.iter().flat_map(|c| c.values.iter().map(|value| (c.column.as_str(), value))).collect();
    let text = |of: &dyn Fn(&(&str, &UnknownValue)) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<StringArray>())
    };
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("column", text(&|(column, _)| Some(column.to_string())), false),
        ("from", text(&|(_, value)| Some(value.value.clone())), false),
        ("to", text(&|(_, value)| value.level.clone()), true),
        ("rows", text(&|(_, value)| Some(value.rows.to_string())), false),
        ("nearest", text(&|(_, value)| value.nearest.clone()), true),
    ])?;
    let file = File::create_new(path).map_err(|e| Failure(format!("{}: {e}", path.display())))?;
    arrow::csv::Writer::new(file).write(&rows)?;
    let path = path.display();
    writeln!(out, "{path}: fill in the column `to` (NULL for none), and import with --map-values {path}")?;
    Ok(())
}

fn say(out: &mut impl Write, table: &str, imported: &Imported) -> io::Result<()> {
    let Imported { files, appended, nulled, unmapped, keyed } = *imported;
    let files = if files == 1 { "1 file".into() } else { format!("{files} files") };
    let rows = if appended.written == 1 { "1 row".into() } else { format!("{} rows", appended.written) };
    writeln!(out, "{table}: {rows} written, of {files}")?;
    if appended.skipped > 0 {
        writeln!(
            out,
            "{} left out: their uuid is in {table} already (editions of one dataset in several languages share them: each \
             takes a table of its own)",
            appended.skipped
        )?;
    }
    if nulled > 0 {
        writeln!(out, "{nulled} broken values are NULL")?;
    }
    if unmapped > 0 {
        writeln!(out, "{unmapped} values that are no levels are NULL")?;
    }
    if !keyed {
        writeln!(
            out,
            "the rows have no uuid: they cannot be told apart, so that the same import again would write them twice; --map \
             NAME=uuid names a key"
        )?;
    }
    Ok(())
}
