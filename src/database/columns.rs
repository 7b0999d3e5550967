//! ALTER TABLE: columns added, dropped and renamed.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, exec_err};
use lance::dataset::{ColumnAlteration, Dataset, NewColumnTransform};
use populace_population::there_are;
use populace_udfs::narrative_field;

use super::TableWriter;
use super::shape::{
    check_columns, embedded_narrative, embedder_metadata, has_key, no_key, says_key, vector_field, with_writer,
};

impl TableWriter<'_> {
    /// Notes with columns that a narrator has written texts of them; nothing is written where that is known.
    ///
    /// # Errors
    /// If the table cannot be read or written.
    pub async fn note_writer(&self, columns: &[String], narrator: &str) -> Result<()> {
        let mut dataset = self.newest().await?;
        let schema = Schema::from(dataset.schema());
        let noted = columns.iter().filter_map(|name| {
            let said = with_writer(schema.field_with_name(name).ok()?, narrator)?;
            Some((name.as_str(), said))
        });
        let noted: Vec<_> = noted.collect();
        if noted.is_empty() {
            return Ok(());
        }
        let mut update = dataset.update_field_metadata();
        for (field, said) in noted {
            update = update.update(field, [said])?;
        }
        update.await?;
        self.sync().await
    }

    /// Adds a column, NULL in every row; a narrative gets a column of vectors with it.
    ///
    /// # Errors
    /// If there is no such table, it has such a column, or its vectors are of another embedder.
    pub async fn add_column(&self, column: Field, narrative: bool) -> Result<()> {
        let (mut dataset, schema) = self.altered().await?;
        let (database, table) = (self.database, self.name());
        if schema.column_with_name(column.name()).is_some() {
            return exec_err!("the table {table} has a column {} already", column.name());
        }
        check_columns([&column])?;
        let mut fields = vec![if narrative { narrative_field(column.name()) } else { column }];
        if narrative {
            let embedder = match database.embedder_of(table, &schema)? {
                Some(embedder) => embedder,
                None => database.embedder().get()?,
            };
            fields.push(vector_field(fields[0].name(), embedder.as_ref()));
            dataset.update_schema_metadata(embedder_metadata(embedder.as_ref())).await?;
        }
        if fields[0].name() == "uuid" && !says_key(&schema) {
            dataset.update_schema_metadata(no_key()).await?;
        }
        let added = NewColumnTransform::AllNulls(Arc::new(Schema::new(fields)));
        dataset.add_columns(added, None, None).await?;
        self.sync().await
    }

    /// Drops a column, and the vectors that are made from it.
    ///
    /// # Errors
    /// If there is no such table or column, or it is the key.
    pub async fn drop_column(&self, column: &str) -> Result<()> {
        let (mut dataset, schema) = self.altered().await?;
        let table = self.name();
        check_column(table, &schema, column)?;
        let vectors = schema.fields().iter().find(|f| embedded_narrative(f) == Some(column));
        let dropped: Vec<&str> = std::iter::once(column).chain(vectors.map(|f| f.name().as_str())).collect();
        if dropped.len() == schema.fields().len() {
            return exec_err!("{column} is all that the table {table} has: DROP TABLE drops the table");
        }
        dataset.drop_columns(&dropped).await?;
        self.sync().await
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// If there is no such table or column, it is the key, a narrative or a column of vectors, or the name is taken.
    pub async fn rename_column(&self, column: &str, name: &str) -> Result<()> {
        let (mut dataset, schema) = self.altered().await?;
        let table = self.name();
        check_column(table, &schema, column)?;
        if schema.column_with_name(name).is_some() {
            return exec_err!("the table {table} has a column {name} already");
        }
        check_columns([&Field::new(name, DataType::Utf8, true)])?;
        if name == "uuid" && !says_key(&schema) {
            // Rows that were told apart by nothing are not told apart by a name.
            dataset.update_schema_metadata(no_key()).await?;
        }
        if schema.fields().iter().any(|f| embedded_narrative(f).is_some_and(|n| n == column || f.name() == column)) {
            return exec_err!("{column} is tied to its vectors, or they to it, by name: it cannot be renamed");
        }
        dataset.alter_columns(&[ColumnAlteration::new(column.into()).rename(name.into())]).await?;
        self.sync().await
    }

    async fn altered(&self) -> Result<(Dataset, Schema)> {
        let dataset = self.newest().await?;
        let schema = Schema::from(dataset.schema());
        Ok((dataset, schema))
    }
}

fn check_column(table: &str, schema: &Schema, column: &str) -> Result<()> {
    if schema.column_with_name(column).is_none() {
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        return exec_err!("the table {table} has no column {column}{}", there_are(column, &names));
    }
    if column == "uuid" && has_key(schema) {
        return exec_err!("uuid is the key of {table}: it stays");
    }
    Ok(())
}
