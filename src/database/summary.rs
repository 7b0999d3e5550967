//! What there is to say of each table at a glance.

use datafusion::common::Result;

use super::harmonised::Country;
use super::{Database, StoredTable};

/// A table at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    pub name: String,
    /// Rows of its newest version
    pub rows: u64,
    /// The countries of its people: packs by name, others by what the column `country` says; nothing where it is not
    /// known
    pub country: Option<String>,
    /// Of the files of its newest version, without indexes
    pub bytes: u64,
}

impl Database {
    /// The tables, in the order of their names. One that cannot be read is left out, and there is a notice.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub async fn summaries(&self) -> Result<Vec<TableSummary>> {
        let Some(catalog) = self.existing_catalog()? else { return Ok(vec![]) };
        let mut summaries = vec![];
        for entry in catalog.tables().map_err(super::in_catalog)? {
            let table = self.stored(entry);
            match self.summary(table).await {
                Ok(summary) => summaries.push(summary),
                Err(error) => self.notice(crate::error::message(&error)),
            }
        }
        Ok(summaries)
    }

    async fn summary(&self, table: StoredTable) -> Result<TableSummary> {
        let snapshot = self.snapshot_at(table, None).await?;
        let dataset = snapshot.dataset.as_ref();
        let rows = dataset.count_rows(None).await? as u64;
        let files = dataset.fragments().iter().flat_map(|fragment| &fragment.files);
        let bytes = files.filter_map(|file| file.file_size_bytes.get()).map(u64::from).sum();
        let mut countries: Vec<String> = vec![];
        for country in Country::all_of(self, &snapshot).await?.unwrap_or_default() {
            let known = country.alpha2.as_deref().and_then(crate::packs::of_alpha2).map(String::from);
            countries.extend(known.or(country.name).or(country.alpha2));
        }
        countries.dedup();
        let country = Some(countries.join(", ")).filter(|names| !names.is_empty());
        Ok(TableSummary { name: snapshot.table.name.clone(), rows, country, bytes })
    }
}
