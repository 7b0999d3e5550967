//! Tables into files: Parquet, CSV and JSON lines, conversations, and datasets with a card.

mod card;
mod chat;
mod files;
mod layout;

use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, plan_err};
use datafusion::parquet::file::metadata::KeyValue;
use futures::StreamExt;

use self::chat::Chat;
use self::files::{Files, Written};
use self::layout::{Form, Layouter};
use crate::arrow::{marked_schema, plain_schema};
use crate::database::{PACK, SOURCES};
use crate::engine::Engine;
use crate::sql::quoted_name;

pub use self::card::Card;
pub use self::layout::{Layout, laid_out, layouts};

/// What files are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder that `load_dataset` of Hugging Face reads: Parquet below `data/`, and a card
    Datasets,
    Parquet,
    /// Lists and structures as texts of JSON; what is NULL and what is empty look the same
    Csv,
    /// An object a line
    Jsonl,
    /// A conversation a line, with a system prompt made of the person
    Chat,
    /// What a simulator or an evaluation framework reads
    Layout(&'static Layout),
}

/// The formats of Populace's own, with what each is.
const OWN: [(Format, &str, &str); 5] = [
    (Format::Datasets, "datasets", "A folder that `load_dataset` of Hugging Face reads, with a card"),
    (Format::Parquet, "parquet", "Parquet"),
    (Format::Csv, "csv", "CSV"),
    (Format::Jsonl, "jsonl", "An object a line"),
    (Format::Chat, "chat", "A conversation a line, with the person as its system prompt"),
];

impl Format {
    /// All formats, with their names and what each is.
    pub fn all() -> impl Iterator<Item = (Format, &'static str, &'static str)> {
        let layouts = layouts().iter().map(|layout| (Format::Layout(layout), layout.name, layout.description.as_str()));
        OWN.into_iter().chain(layouts)
    }

    /// A format by its name.
    pub fn named(name: &str) -> Option<Format> {
        Format::all().find(|(_, of, _)| *of == name).map(|(format, ..)| format)
    }

    fn ending(self) -> &'static str {
        match self {
            Format::Datasets | Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl | Format::Chat => "jsonl",
            Format::Layout(layout) => &layout.ending,
        }
    }
}

/// What to export, and where to.
#[derive(Debug, Clone)]
pub struct Export {
    /// A table's name, or a query in parentheses
    pub from: String,
    /// A folder; or a file, by its ending
    pub to: PathBuf,
    pub format: Format,
    /// Whether columns of vectors go along
    pub vectors: bool,
    /// Whether the columns go along that tell of runs: what they were, and what servers answered where a text failed
    pub run_details: bool,
    pub rows_per_file: Option<u64>,
    /// The Jinja template of a conversation's system prompt; the built-in one without it
    pub template: Option<String>,
    /// The template of what a user says then; nothing without it
    pub user_template: Option<String>,
    /// Whether files that are there are replaced
    pub overwrite: bool,
    /// What a dataset's card says beside what the rows tell
    pub card: Card,
}

/// The columns that tell of runs, and of nobody's person.
const RUN_DETAILS: [&str; 2] = ["run_id", "narrative_error"];

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub rows: u64,
    pub files: Vec<PathBuf>,
}

/// The system prompts with which a model plays these people, one a row: by a Jinja template over their columns, or the
/// built-in one.
///
/// # Errors
/// If the template does not parse or names an unknown column, or cannot be rendered for a row.
pub fn prompts(people: &RecordBatch, template: Option<&str>) -> Result<Vec<String>> {
    let schema = people.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let chat = Chat::new(template, None, &columns)?;
    let named = (0..columns.len()).filter(|at| chat.columns().iter().any(|named| named == columns[*at]));
    chat.prompts(&people.project(&named.collect::<Vec<_>>())?)
}

/// Writes a table, or what a query returns, into files. They are in their place when all rows are written, or not at
/// all. `progress` hears how many rows are written.
///
/// # Errors
/// If there is no such table, the query fails, a template names an unknown column, files are there already, or nothing
/// can be written.
pub async fn export(engine: &Engine, export: &Export, progress: impl Fn(u64)) -> Result<Exported> {
    let (relation, name) = relation(&export.from)?;
    if engine.parse(&format!("SELECT * FROM {relation} LIMIT 0"))?.len() != 1 {
        return plan_err!("one table, or one query in parentheses, is exported at a time");
    }
    let all = engine.query_one(&format!("SELECT * FROM {relation} LIMIT 0")).await?.schema();
    let wanted = |f: &&Field| {
        (export.vectors || !is_vectors(f)) && (export.run_details || !RUN_DETAILS.contains(&f.name().as_str()))
    };
    let mut columns: Vec<&str> =
        all.fields().iter().map(|f| f.as_ref()).filter(wanted).map(|f| f.name().as_str()).collect();
    if columns.is_empty() {
        return plan_err!(
            "{} has no columns but vectors, or what tells of runs: --vectors and --run-details export these",
            export.from
        );
    }
    let written = match export.format {
        Format::Chat => {
            let chat = Chat::new(export.template.as_deref(), export.user_template.as_deref(), &columns)?;
            columns.retain(|c| chat.columns().iter().any(|named| named == c));
            Written::Conversations(Box::new(chat))
        }
        Format::Layout(layout) if layout.layout == Form::Files && export.rows_per_file.is_some() => {
            return plan_err!("{} has a file for each person", layout.name);
        }
        Format::Layout(layout) => Written::LaidOut(Box::new(Layouter::new(layout, &columns)?)),
        _ => Written::Rows,
    };
    let selected = columns.iter().map(|c| quoted_name(c)).collect::<Vec<_>>().join(", ");
    let table = engine.database().schema(if relation.starts_with('"') { &name } else { "" }).await?;
    let told = |key: &'static str| {
        let value = table.as_ref().and_then(|schema| schema.metadata().get(key).cloned());
        value.map(|value| KeyValue::new(key.to_string(), value))
    };
    let metadata = [PACK, SOURCES].into_iter().filter_map(told).collect();
    let of = table.unwrap_or_else(Schema::empty);
    let mut rows = engine.query_one(&format!("SELECT {selected} FROM {relation}")).await?;
    let schema = match export.format {
        // Whoever stores the rows again is told what was coded.
        Format::Parquet | Format::Datasets => marked_schema(&rows.schema()),
        _ => plain_schema(&rows.schema()),
    };
    if export.format == Format::Datasets {
        card::check(export, &schema)?;
    }
    let place = place(export, &name)?;
    let mut files =
        Files::new(export.format, place, schema.clone(), metadata, written, export.rows_per_file, export.overwrite)?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        files.write(&batch)?;
        count += batch.num_rows() as u64;
        progress(count);
    }
    let mut files = files.finish()?;
    if export.format == Format::Datasets {
        let card = Box::pin(card::write(engine, export, &name, (&schema, &of), &files, count)).await?;
        files.push(card);
    }
    Ok(Exported { rows: count, files })
}

/// What stands after FROM, and what the files are called.
fn relation(from: &str) -> Result<(String, String)> {
    let from = from.trim();
    if from.starts_with('(') {
        return Ok((format!("{from} AS exported"), "people".into()));
    }
    let query = from.split_whitespace().next().is_some_and(|w| w.eq_ignore_ascii_case("select"));
    if query {
        return plan_err!("a query is exported in parentheses: \"({from})\"");
    }
    let parts: Vec<&str> = from.split('.').collect();
    let relation = parts.iter().map(|p| quoted_name(p.trim_matches('"'))).collect::<Vec<_>>().join(".");
    Ok((relation, parts.last().copied().unwrap_or(from).trim_matches('"').into()))
}

fn is_vectors(field: &Field) -> bool {
    matches!(field.data_type(), DataType::FixedSizeList(item, _) if item.data_type().is_floating())
}

/// The folder of the files, and how their names begin.
fn place(export: &Export, name: &str) -> Result<(PathBuf, String)> {
    let to = &export.to;
    if export.format == Format::Datasets {
        return match to.is_file() {
            true => plan_err!("{} is a file: a dataset is a folder", to.display()),
            false => Ok((to.join("data"), "train".into())),
        };
    }
    let ending = to.extension().and_then(|e| e.to_str());
    let stem = to.file_stem().and_then(|s| s.to_str());
    match (ending, stem) {
        (Some(ending), Some(stem)) if ending == export.format.ending() && !to.is_dir() => {
            let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok((folder.into(), stem.into()))
        }
        _ => Ok((to.clone(), name.into())),
    }
}

/// The names and types of a schema that is written, for people.
fn described(schema: &Schema) -> Vec<(String, String)> {
    let kind = |kind: &DataType| match kind {
        DataType::Utf8 => "text".to_string(),
        DataType::List(item) if *item.data_type() == DataType::Utf8 => "list of texts".into(),
        DataType::FixedSizeList(_, length) => format!("vector of {length} numbers"),
        kind if kind.is_integer() => "whole number".into(),
        kind if kind.is_floating() => "number".into(),
        kind => kind.to_string().to_lowercase(),
    };
    schema.fields().iter().map(|f| (f.name().clone(), kind(f.data_type()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_queries_are_told_apart() {
        assert_eq!(relation("usa").unwrap(), ("\"usa\"".into(), "usa".into()));
        assert_eq!(relation("census.usa.sources").unwrap().0, "\"census\".\"usa\".\"sources\"");
        assert_eq!(relation(" (SELECT 1) ").unwrap(), ("(SELECT 1) AS exported".into(), "people".into()));
        assert!(relation("SELECT 1").unwrap_err().to_string().contains("in parentheses"));
    }
}
