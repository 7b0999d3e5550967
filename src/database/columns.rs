//! ALTER TABLE: columns added, dropped and renamed.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::{Result, exec_err};
use lance::dataset::{ColumnAlteration, Dataset, NewColumnTransform};
use populace_population::there_are;
use populace_udfs::narrative_field;

use super::shape::{embedded_narrative, embedder_metadata, vector_field};
use super::{Database, WriteLock};

impl Database {
    /// Adds a column, NULL in every row; a narrative gets a column of vectors with it.
    ///
    /// # Errors
    /// If there is no such table, it has such a column, or its vectors are of another embedder.
    pub async fn add_column(&self, table: &str, column: Field, narrative: bool, _: &WriteLock) -> Result<()> {
        let (mut dataset, schema) = self.altered(table).await?;
        if schema.column_with_name(column.name()).is_some() {
            return exec_err!("the table {table} has a column {} already", column.name());
        }
        let mut fields = vec![if narrative { narrative_field(column.name()) } else { column }];
        if narrative {
            let embedder = match self.embedder_of(table, &schema)? {
                Some(embedder) => embedder,
                None => self.embedder().get()?,
            };
            fields.push(vector_field(fields[0].name(), embedder.dimension()));
            dataset.update_schema_metadata(embedder_metadata(embedder.as_ref())).await?;
        }
        let added = NewColumnTransform::AllNulls(Arc::new(Schema::new(fields)));
        Ok(dataset.add_columns(added, None, None).await?)
    }

    /// Drops a column, and the vectors that are made from it.
    ///
    /// # Errors
    /// If there is no such table or column, or it is the key.
    pub async fn drop_column(&self, table: &str, column: &str, _: &WriteLock) -> Result<()> {
        let (mut dataset, schema) = self.altered(table).await?;
        check_column(table, &schema, column)?;
        let vectors = schema.fields().iter().find(|f| embedded_narrative(f) == Some(column));
        let dropped: Vec<&str> = std::iter::once(column).chain(vectors.map(|f| f.name().as_str())).collect();
        if dropped.len() == schema.fields().len() {
            return exec_err!("{column} is all that the table {table} has: DROP TABLE drops the table");
        }
        Ok(dataset.drop_columns(&dropped).await?)
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// If there is no such table or column, it is the key, a narrative or a column of vectors, or the name is taken.
    pub async fn rename_column(&self, table: &str, column: &str, name: &str, _: &WriteLock) -> Result<()> {
        let (mut dataset, schema) = self.altered(table).await?;
        check_column(table, &schema, column)?;
        if schema.column_with_name(name).is_some() {
            return exec_err!("the table {table} has a column {name} already");
        }
        if schema.fields().iter().any(|f| embedded_narrative(f).is_some_and(|n| n == column || f.name() == column)) {
            return exec_err!("{column} is tied to its vectors, or they to it, by name: it cannot be renamed");
        }
        Ok(dataset.alter_columns(&[ColumnAlteration::new(column.into()).rename(name.into())]).await?)
    }

    async fn altered(&self, table: &str) -> Result<(Dataset, Schema)> {
        let dataset = self.newest(table).await?;
        let schema = Schema::from(dataset.schema());
        Ok((dataset, schema))
    }
}

fn check_column(table: &str, schema: &Schema, column: &str) -> Result<()> {
    if schema.column_with_name(column).is_none() {
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        return exec_err!("the table {table} has no column {column}{}", there_are(column, &names));
    }
    if column == "uuid" {
        return exec_err!("uuid is the key of {table}: it stays");
    }
    Ok(())
}
