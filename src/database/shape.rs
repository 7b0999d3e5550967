//! The columns that a table gets from the rows it is made of.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use populace_udfs::{Embedder, NARRATIVE, NARRATIVES, narrative_field};

use crate::packs;

/// Provenance that a run writes beside what a draw carries.
pub(crate) const PROVENANCE: [&str; 3] = ["run_id", "narrator", "narrative_error"];

pub(super) const EMBEDDER: &str = "populace:embedder";
pub(super) const DIMENSION: &str = "populace:embedding_dimension";
/// The column that tells a table's rows apart: `uuid`, or nothing where rows share one. A table that does not say has the
/// key `uuid` if it has such a column of text.
const KEY: &str = "populace:key";

/// Whether a table's rows are people with a key; its schema is to have the table's metadata.
pub(super) fn has_key(schema: &Schema) -> bool {
    let keyless = schema.metadata().get(KEY).is_some_and(|key| key != "uuid");
    !keyless && schema.field_with_name("uuid").is_ok_and(|f| *f.data_type() == DataType::Utf8)
}

/// Whether a table says what its key is.
pub(super) fn says_key(schema: &Schema) -> bool {
    schema.metadata().contains_key(KEY)
}

/// What a table says whose rows share uuids.
pub(super) fn no_key() -> [(String, String); 1] {
    [(KEY.into(), String::new())]
}

pub(crate) const PACK: &str = "populace:pack";
pub(super) const PACK_PATH: &str = "populace:pack_path";
/// The codes of its levels, where it is one of the user's own: texts by the names of files, in JSON
pub(super) const CODES: &str = "populace:codes";
const VERSION: &str = "populace:schema_version";
const SCHEMA_VERSION: &str = "1";

/// The name of the column with the vectors of a narrative.
pub fn embedding_column(narrative: &str) -> String {
    format!("{narrative}_embedding")
}

/// Metadata of a field of vectors: the column of the texts that they are made from.
const EMBEDS: &str = "populace:embeds";

/// The narrative whose vectors a column holds.
pub(crate) fn embedded_narrative(column: &Field) -> Option<&str> {
    let told = column.metadata().get(EMBEDS).map(String::as_str);
    told.or_else(|| column.name().strip_suffix("_embedding").filter(|n| packs::is_narrative(n)))
}

/// What made the vectors of a column, where it says so.
pub(crate) fn embedded_by(column: &Field) -> Option<&str> {
    column.metadata().get(EMBEDDER).map(String::as_str)
}

/// Metadata of a field of one's own texts: what wrote them, each narrator once. Of the pack's narratives the column
/// `narrator` says it, row by row.
const WRITERS: &str = "populace:writers";

/// What wrote the texts of a column of one's own.
pub(crate) fn writers(column: &Field) -> Vec<String> {
    let told = column.metadata().get(WRITERS);
    told.map_or_else(Vec::new, |names| names.split(", ").map(String::from).collect())
}

/// What a field says once a narrator has written texts of it; nothing where it says so already, or where the rows do.
pub(super) fn with_writer(column: &Field, narrator: &str) -> Option<(String, String)> {
    let mut names = writers(column);
    if packs::is_narrative(column.name()) || names.iter().any(|n| n == narrator) {
        return None;
    }
    names.push(narrator.into());
    names.sort();
    Some((WRITERS.into(), names.join(", ")))
}

/// Whether a column holds texts that get vectors.
pub(crate) fn is_narrative(column: &Field) -> bool {
    let marked = column.metadata().contains_key(NARRATIVE);
    *column.data_type() == DataType::Utf8 && (marked || packs::is_narrative(column.name()))
}

/// What columns a new table gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Those of the rows
    AsQueried,
    /// All of the persona table: every narrative of the pack and the provenance, whether the rows have them or not
    Persona,
}

impl Shape {
    /// Rows of people with a text make a persona table; others keep their columns.
    pub fn of(rows: &Schema) -> Shape {
        let narrated = packs::all_kinds().iter().any(|n| rows.column_with_name(n).is_some());
        if narrated && rows.column_with_name("uuid").is_some() { Shape::Persona } else { Shape::AsQueried }
    }

    /// The schema of a table made of `rows`: lists and structures of plain text, everything nullable, a column of vectors
    /// for each narrative (none without an embedder).
    pub fn schema(self, rows: &Schema, embedder: Option<&dyn Embedder>, pack: Option<&str>) -> SchemaRef {
        let mut fields: Vec<Field> = Vec::new();
        let plain = |f: &Field| match is_narrative(f) || (packs::is_narrative(f.name()) && is_text(f)) {
            true => narrative_field(f.name()),
            false => plain_field(f.name(), f.data_type()),
        };
        let given = || rows.fields().iter().filter(|f| embedded_narrative(f).is_none());
        match self {
            Shape::AsQueried => fields.extend(given().map(|f| plain(f))),
            Shape::Persona => {
                let kinds = match pack.and_then(|pack| pack.split('@').next()) {
                    Some(name) => packs::kinds(name),
                    None => NARRATIVES.map(String::from).to_vec(),
                };
                let is_kind = |name: &str| kinds.iter().any(|kind| kind == name);
                let ours = |name: &str| name == "uuid" || is_kind(name) || PROVENANCE.contains(&name);
                fields.push(Field::new("uuid", DataType::Utf8, true));
                fields.extend(kinds.iter().map(|n| narrative_field(n)));
                fields.extend(given().filter(|f| !ours(f.name())).map(|f| plain(f)));
                fields.extend(PROVENANCE.iter().map(|n| Field::new(*n, DataType::Utf8, true)));
            }
        }
        let mut metadata = HashMap::from([(VERSION.to_string(), SCHEMA_VERSION.to_string())]);
        if let Some(pack) = pack {
            metadata.insert(PACK.into(), pack.into());
        }
        if let Some(embedder) = embedder {
            let narratives: Vec<String> = fields.iter().filter(|f| is_narrative(f)).map(|f| f.name().clone()).collect();
            if !narratives.is_empty() {
                metadata.extend(embedder_metadata(embedder));
            }
            fields.extend(narratives.iter().map(|n| vector_field(n, embedder)));
        }
        Arc::new(Schema::new_with_metadata(fields, metadata))
    }
}

/// What a table with vectors says of them.
pub(super) fn embedder_metadata(embedder: &dyn Embedder) -> [(String, String); 2] {
    [(EMBEDDER.into(), embedder.name().into()), (DIMENSION.into(), embedder.dimension().to_string())]
}

/// The column of the vectors of a narrative.
pub(super) fn vector_field(narrative: &str, embedder: &dyn Embedder) -> Field {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let kind = DataType::FixedSizeList(item, embedder.dimension() as i32);
    let embeds = [(EMBEDS.to_string(), narrative.to_string()), (EMBEDDER.to_string(), embedder.name().to_string())];
    Field::new(embedding_column(narrative), kind, true).with_metadata(embeds.into())
}

fn is_text(field: &Field) -> bool {
    text_type(field.data_type()) == DataType::Utf8
}

/// A column of a table for values of a type.
pub(crate) fn plain_field(name: &str, kind: &DataType) -> Field {
    Field::new(name, plain_type(kind), true)
}

/// The type in which a table stores values: text coded by a dictionary stays so, which makes filters and groups several
/// times faster.
fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) if plain_type(values) == DataType::Utf8 => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Null => DataType::Utf8,
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        // Vectors stay; Lance writes no lists of a fixed length of anything but numbers.
        DataType::FixedSizeList(item, _) if item.data_type().is_integer() || item.data_type().is_floating() => {
            kind.clone()
        }
        DataType::List(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item) => {
            DataType::List(Arc::new(Field::new("item", text_type(item.data_type()), true)))
        }
        DataType::LargeList(item) | DataType::LargeListView(item) => {
            DataType::LargeList(Arc::new(Field::new("item", text_type(item.data_type()), true)))
        }
        DataType::Struct(fields) => {
            let plain = |f: &Arc<Field>| Field::new(f.name(), text_type(f.data_type()), true);
            DataType::Struct(Fields::from(fields.iter().map(plain).collect::<Vec<_>>()))
        }
        other => other.clone(),
    }
}

/// The same within lists and structures, where text is stored as it is.
fn text_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => text_type(values),
        kind => plain_type(kind),
    }
}

/// Refuses columns that no table has.
///
/// # Errors
/// If one has a name with a dot in it, or values of a type that Lance does not write.
pub(super) fn check_columns<'a>(columns: impl IntoIterator<Item = &'a Field>) -> Result<()> {
    for column in columns {
        let (name, kind) = (column.name(), column.data_type());
        if name.contains('.') {
            return exec_err!("a column of a table cannot be called {name:?}, with a dot in it: name it with AS");
        }
        if lance::datatypes::Schema::try_from(&Schema::new(vec![column.clone()])).is_err() {
            return exec_err!("no table keeps values of the type {kind}, as the column {name} has: cast it to another");
        }
    }
    Ok(())
}

/// Refuses to mix the vectors of two models in a table.
///
/// # Errors
/// If `embedder` is not the one that filled the table.
pub(super) fn check_embedder(table: &str, metadata: &HashMap<String, String>, embedder: &dyn Embedder) -> Result<()> {
    let (name, dimension) = (embedder.name(), embedder.dimension().to_string());
    match (metadata.get(EMBEDDER), metadata.get(DIMENSION)) {
        (Some(n), Some(d)) if *n != name || *d != dimension => exec_err!(
            "the vectors of the table {table} were made with {n} ({d} numbers), not with {name} ({dimension}): \
             use --embedder {n}, or make the table anew with CREATE TABLE … AS SELECT"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedders::Hash;

    #[test]
    fn rows_of_people_with_a_text_make_a_persona_table() {
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = vec![
            Field::new("uuid", DataType::Utf8, false),
            Field::new("state", coded, true),
            Field::new("persona", DataType::Utf8, true),
        ];
        let rows = Schema::new(fields.clone());
        assert_eq!(Shape::of(&rows), Shape::Persona);
        assert_eq!(Shape::of(&Schema::new(fields[..2].to_vec())), Shape::AsQueried);
        let made = Shape::Persona.schema(&rows, Some(&Hash), None);
        assert_eq!(made.fields().len(), 1 + 10 + 1 + 3 + 10);
        assert_eq!(made.field_with_name("state").unwrap(), rows.field_with_name("state").unwrap());
        assert_eq!(made.metadata()[EMBEDDER], "hash");
        let names = |schema: &Schema| schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let bare = Shape::AsQueried.schema(&rows, Some(&Hash), None);
        assert_eq!(names(&bare), ["uuid", "state", "persona", "persona_embedding"]);
        let own = Shape::AsQueried.schema(&Schema::new(vec![narrative_field("tweet")]), Some(&Hash), None);
        assert_eq!(names(&own), ["tweet", "tweet_embedding"]);
        assert_eq!(names(&Shape::AsQueried.schema(&own, Some(&Hash), None)), names(&own));
    }
}
