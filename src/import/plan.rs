//! Which column of a file goes where.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use populace_population::did_you_mean;
use populace_udfs::NARRATIVE;

use super::Import;
use super::convert::{can_convert, is_text};
use super::source::{Format, Source, check_name};
use crate::arrow::CODED;
use crate::database::{PROVENANCE, embedded_narrative, plain_field};
use crate::packs;

/// The columns of the published Nemotron-Personas, of any country, that hold categories.
const CATEGORIES: [&str; 36] = [
    "sex",
    "marital_status",
    "education_level",
    "education_degree",
    "bachelors_field",
    "occupation",
    "industry",
    "first_language",
    "second_language",
    "third_language",
    "languages_spoken",
    "city",
    "state",
    "zipcode",
    "region",
    "area",
    "prefecture",
    "zone",
    "district",
    "planning_area",
    "municipality",
    "commune",
    "departement",
    "department",
    "province",
    "country",
    "household_type",
    "family_type",
    "housing_type",
    "military_status",
    "religion",
    "race",
    "ethnic_background",
    "first_name",
    "middle_name",
    "last_name",
];

/// The column that says whose people the rows are.
pub(super) const COUNTRY: &str = "country";

/// Where the columns of the files go.
#[derive(Debug)]
pub(super) struct Plan {
    /// The columns that the files fill, as the table has them
    pub schema: SchemaRef,
    /// For each file, for each of these columns, the file's own
    pub files: Vec<Vec<Option<usize>>>,
    /// Columns that are narratives beside those that all tables of people have
    pub narratives: Vec<String>,
}

/// What a column of a file is called in the table; nothing for one that is left out.
pub(super) fn ours<'a>(import: &'a Import, theirs: &'a str) -> Option<&'a str> {
    if import.skip.iter().any(|s| s == theirs) {
        return None;
    }
    Some(import.map.iter().find(|(from, _)| from == theirs).map_or(theirs, |(_, to)| to))
}

/// Plans the import of files into a table that is there already, or that is to be made.
///
/// # Errors
/// If an option names a column that there is not, two columns meet in one, or a column's type does not fit.
pub(super) fn plan(import: &Import, sources: &[Source], table: Option<&Schema>) -> Result<Plan> {
    for (theirs, _) in &import.map {
        check_name(sources, "--map", theirs)?;
    }
    for theirs in &import.skip {
        check_name(sources, "--skip", theirs)?;
    }
    for theirs in &import.as_text {
        check_name(sources, "--as-text", theirs)?;
    }
    let mut names: Vec<String> = Vec::new();
    for source in sources {
        let mut met = BTreeSet::new();
        for field in &source.fields {
            let Some(ours) = ours(import, field.name()) else { continue };
            if !met.insert(ours) {
                return exec_err!(
                    "{}: two columns are to become {ours}: name one of them otherwise with --map, or leave it out with --skip",
                    source.path.display()
                );
            }
            if !is_vectors(import, field, ours, table) && !names.iter().any(|n| n == ours) {
                names.push(ours.into());
            }
        }
    }
    if let Some(table) = table {
        unknown(import, &names, table)?;
    }
    let says_country = |table: &Schema| table.field_with_name(COUNTRY).is_ok_and(|f| is_text(f.data_type()));
    if import.country.is_some() && !names.iter().any(|n| n == COUNTRY) && table.is_none_or(says_country) {
        names.push(COUNTRY.into());
    }
    let files: Vec<Vec<Option<usize>>> = sources
        .iter()
        .map(|s| {
            let place = |name: &String| s.names().position(|n| ours(import, n) == Some(name));
            names.iter().map(place).collect()
        })
        .collect();
    let mut fields = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let found: Vec<(&Source, &Field)> =
            sources.iter().zip(&files).filter_map(|(s, places)| Some((s, &s.fields[places[at]?]))).collect();
        let field = match table {
            Some(table) => Field::new(name, table.field_with_name(name)?.data_type().clone(), true),
            None => plain_field(name, &new_type(import, name, &found)?),
        };
        for (source, from) in &found {
            let read = if source.format == Format::Csv { &DataType::Utf8 } else { from.data_type() };
            let recoded = import.country.is_some() || !import.map_values.is_empty();
            let converts =
                can_convert(read, field.data_type()) || recoded && can_convert(&DataType::Utf8, field.data_type());
            if !converts {
                let theirs = from.name();
                return exec_err!(
                    "{}: column {theirs} holds {read}, and {name} holds {}: leave it out with --skip {theirs}, or mend the file",
                    source.path.display(),
                    field.data_type()
                );
            }
        }
        fields.push(field);
    }
    if fields.is_empty() {
        return exec_err!("nothing is left to import");
    }
    let told = |name: &&String| {
        import.narratives.contains(name)
            || sources.iter().zip(&files).any(|(s, places)| {
                let at = names.iter().position(|n| n == *name).and_then(|at| places[at]);
                at.is_some_and(|at| s.fields[at].metadata().contains_key(NARRATIVE))
            })
            || is_narrative_name(name)
    };
    let texts = |name: &&String| fields.iter().any(|f| f.name() == *name && *f.data_type() == DataType::Utf8);
    if let Some(unknown) = import.narratives.iter().find(|n| !names.contains(n)) {
        return exec_err!(
            "--narratives: no column becomes `{unknown}`{}",
            did_you_mean(unknown, names.iter().map(String::as_str))
        );
    }
    let narratives = names.iter().filter(told).filter(texts).cloned().collect();
    Ok(Plan { schema: Arc::new(Schema::new(fields)), files, narratives })
}

/// Whether a column is named like the texts of the published datasets.
fn is_narrative_name(name: &str) -> bool {
    (name.ends_with("_persona") || name.ends_with("_background")) && !CATEGORIES.contains(&name)
}

/// Whether a column holds the vectors of a narrative, which are made anew.
fn is_vectors(import: &Import, field: &Field, ours: &str, table: Option<&Schema>) -> bool {
    let renamed = field.clone().with_name(ours);
    if embedded_narrative(&renamed).is_some() {
        return true;
    }
    let of_table = table.and_then(|t| t.field_with_name(ours).ok());
    of_table.is_some_and(|f| embedded_narrative(f).is_some())
        || ours.strip_suffix("_embedding").is_some_and(|n| import.narratives.iter().any(|own| own == n))
}

/// Refuses columns that the table has not.
fn unknown(import: &Import, names: &[String], table: &Schema) -> Result<()> {
    let known: Vec<&str> = table.fields().iter().map(|f| f.name().as_str()).collect();
    let unknown: Vec<&String> = names.iter().filter(|n| !known.contains(&n.as_str())).collect();
    let Some(first) = unknown.first() else { return Ok(()) };
    let list = unknown.iter().map(|n| format!("{n}{}", did_you_mean(n, known.iter().copied()))).collect::<Vec<_>>();
    let theirs = import.map.iter().find(|(_, to)| to == *first).map_or(first.as_str(), |(from, _)| from);
    exec_err!(
        "the table {} has no column {}. Say which it is with --map {theirs}=COLUMN, leave it out with --skip {theirs}, or make \
         it: ALTER TABLE {} ADD COLUMN {first} VARCHAR",
        import.table,
        list.join(", "),
        import.table
    )
}

/// The type of a column that is made of columns of files.
fn new_type(import: &Import, name: &str, found: &[(&Source, &Field)]) -> Result<DataType> {
    if found.iter().any(|(_, f)| import.as_text.iter().any(|t| t == f.name())) {
        return Ok(DataType::Utf8);
    }
    let mut kind = DataType::Null;
    let mut first = None;
    for (source, field) in found {
        let from = plain_field("", field.data_type()).data_type().clone();
        let from = if *field.data_type() == DataType::Null { DataType::Null } else { simple(&from) };
        let Some(both) = meet(name, &kind, &from) else {
            let before = first.map_or_else(String::new, |p: &Source| p.path.display().to_string());
            return exec_err!(
                "column {name} holds {kind} in {before} and {from} in {}: --as-text {} keeps both as text",
                source.path.display(),
                field.name()
            );
        };
        if from != DataType::Null && first.is_none() {
            first = Some(*source);
        }
        kind = both;
    }
    let text = || DataType::Utf8;
    if name == "uuid" || PROVENANCE.contains(&name) {
        return Ok(text());
    }
    if packs::is_narrative(name) || import.narratives.iter().any(|n| n == name) {
        return Ok(text());
    }
    if name.ends_with("_list") && (is_text(&kind) || kind == DataType::Null) {
        return Ok(DataType::new_list(DataType::Utf8, true));
    }
    let coded = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let inferred = found.iter().any(|(s, _)| !matches!(s.format, Format::Parquet | Format::Lance));
    if name == COUNTRY && found.is_empty() {
        return Ok(coded());
    }
    if let Some(known) = of_country(import, name).or_else(|| known_type(name)) {
        match known {
            DataType::Dictionary(..) if !kind.is_nested() => return Ok(coded()),
            known if (inferred || !kind.is_integer()) && !kind.is_nested() => return Ok(known),
            _ => {}
        }
    }
    let was_coded = found.iter().any(|(_, f)| f.metadata().contains_key(CODED));
    if is_text(&kind) && (CATEGORIES.contains(&name) || was_coded) {
        return Ok(coded());
    }
    Ok(if kind == DataType::Null { text() } else { kind })
}

/// The type that draws of the country that was named give a column.
fn of_country(import: &Import, name: &str) -> Option<DataType> {
    let pack = packs::named(import.country.as_ref()?)?.ok()?;
    Some(pack.schema().field_with_name(name).ok()?.data_type().clone())
}

/// The type that draws give a column, where those of all countries that have it give it the same.
fn known_type(name: &str) -> Option<DataType> {
    let packs = packs::NAMES.iter().filter_map(|n| packs::open(n)?.ok());
    let mut kinds = packs.filter_map(|p| Some(p.schema().field_with_name(name).ok()?.data_type().clone()));
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// Dictionaries and large texts as plain ones.
fn simple(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => simple(values),
        kind if is_text(kind) => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Utf8,
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::List(item) => {
            DataType::List(Arc::new(Field::new("item", simple(item.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// The type of values of both types.
fn meet(name: &str, a: &DataType, b: &DataType) -> Option<DataType> {
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Null, kind) | (kind, DataType::Null) => kind.clone(),
        (a, b) if a.is_integer() && b.is_integer() => DataType::Int64,
        (a, b) if a.is_numeric() && b.is_numeric() => DataType::Float64,
        (DataType::Utf8, list @ DataType::List(_)) | (list @ DataType::List(_), DataType::Utf8)
            if name.ends_with("_list") =>
        {
            list.clone()
        }
        // Categories may look like numbers in one file, and not in another.
        (DataType::Utf8, kind) | (kind, DataType::Utf8)
            if !kind.is_nested() && matches!(known_type(name), Some(DataType::Dictionary(..))) =>
        {
            DataType::Utf8
        }
        _ => return None,
    })
}
