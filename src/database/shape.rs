//! The columns that a table gets from the rows it is made of.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use populace_udfs::{Embedder, NARRATIVES};

/// Provenance that a run writes beside what a draw carries.
const PROVENANCE: [&str; 3] = ["run_id", "narrator", "narrative_error"];

pub(super) const EMBEDDER: &str = "populace:embedder";
pub(super) const DIMENSION: &str = "populace:embedding_dimension";
const PACK: &str = "populace:pack";
const VERSION: &str = "populace:schema_version";
const SCHEMA_VERSION: &str = "1";

/// The name of the column with the vectors of a narrative.
pub fn embedding_column(narrative: &str) -> String {
    format!("{narrative}_embedding")
}

/// The narrative whose vectors a column holds.
pub(super) fn embedded_narrative(column: &str) -> Option<&str> {
    column.strip_suffix("_embedding").filter(|n| NARRATIVES.contains(n))
}

/// What columns a new table gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Those of the rows
    AsQueried,
    /// All of the persona table: every narrative and the provenance, whether the rows have them or not
    Persona,
}

impl Shape {
    /// Rows of people with a text make a persona table; others keep their columns.
    pub fn of(rows: &Schema) -> Shape {
        let narrated = NARRATIVES.iter().any(|n| rows.column_with_name(n).is_some());
        if narrated && rows.column_with_name("uuid").is_some() { Shape::Persona } else { Shape::AsQueried }
    }

    /// The schema of a table made of `rows`: dictionaries as plain text, everything nullable, a column of vectors
    /// for each narrative (none without an embedder).
    pub fn schema(self, rows: &Schema, embedder: Option<&dyn Embedder>, pack: Option<&str>) -> SchemaRef {
        let mut fields: Vec<Field> = Vec::new();
        let plain = |f: &Field| Field::new(f.name(), plain_type(f.data_type()), true);
        let given = || rows.fields().iter().filter(|f| embedded_narrative(f.name()).is_none());
        match self {
            Shape::AsQueried => fields.extend(given().map(|f| plain(f))),
            Shape::Persona => {
                let ours = |name: &str| name == "uuid" || NARRATIVES.contains(&name) || PROVENANCE.contains(&name);
                fields.push(Field::new("uuid", DataType::Utf8, true));
                fields.extend(NARRATIVES.iter().map(|n| Field::new(*n, DataType::Utf8, true)));
                fields.extend(given().filter(|f| !ours(f.name())).map(|f| plain(f)));
                fields.extend(PROVENANCE.iter().map(|n| Field::new(*n, DataType::Utf8, true)));
            }
        }
        let mut metadata = HashMap::from([(VERSION.to_string(), SCHEMA_VERSION.to_string())]);
        if let Some(pack) = pack {
            metadata.insert(PACK.into(), pack.into());
        }
        if let Some(embedder) = embedder {
            let text = |f: &&Field| *f.data_type() == DataType::Utf8 && NARRATIVES.contains(&f.name().as_str());
            let narratives: Vec<String> = fields.iter().filter(text).map(|f| f.name().clone()).collect();
            if !narratives.is_empty() {
                metadata.insert(EMBEDDER.into(), embedder.name().into());
                metadata.insert(DIMENSION.into(), embedder.dimension().to_string());
            }
            fields.extend(narratives.iter().map(|n| vector_field(n, embedder.dimension())));
        }
        Arc::new(Schema::new_with_metadata(fields, metadata))
    }
}

fn vector_field(narrative: &str, dimension: usize) -> Field {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    Field::new(embedding_column(narrative), DataType::FixedSizeList(item, dimension as i32), true)
}

/// The type in which a table stores values that a draw codes by dictionary.
fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Null => DataType::Utf8,
        DataType::List(item) => {
            let item = Field::new("item", plain_type(item.data_type()), true);
            DataType::List(Arc::new(item))
        }
        DataType::Struct(fields) => {
            let plain = |f: &Arc<Field>| Field::new(f.name(), plain_type(f.data_type()), true);
            DataType::Struct(Fields::from(fields.iter().map(plain).collect::<Vec<_>>()))
        }
        other => other.clone(),
    }
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
        assert_eq!(made.field_with_name("state").unwrap().data_type(), &DataType::Utf8);
        assert_eq!(made.metadata()[EMBEDDER], "hash");
        let bare = Shape::AsQueried.schema(&rows, Some(&Hash), None);
        let names: Vec<&str> = bare.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["uuid", "state", "persona", "persona_embedding"]);
    }
}
