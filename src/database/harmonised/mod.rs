//! `personas_harmonised`: the people of all tables, with the same codes for all countries and every column of their own.

mod codes;
mod countries;
mod member;
mod rows;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use self::codes::{COUNTRY, coded};
use self::member::Member;
use super::strip_metadata::StripMetadataExec;
use super::{Database, Table, sample_of};

pub(super) use self::countries::Country;
pub(super) use self::rows::AllRows;

/// Its name, which no table may have.
pub(crate) const VIEW: &str = "personas_harmonised";

const TABLE_NAME: &str = "table_name";
const UUID: &str = "uuid";
const COUNTRY_CODE: &str = "country_code";
const AGE: &str = "age";

/// The columns that all countries have in common, in their order; `None` where the type is that of the tables.
fn common_columns() -> [(&'static str, Option<DataType>); 13] {
    [
        (TABLE_NAME, Some(DataType::Utf8)),
        (UUID, None),
        (COUNTRY_CODE, Some(coded())),
        (COUNTRY, None),
        ("region_code", Some(coded())),
        ("sex_code", Some(coded())),
        (AGE, Some(DataType::Int32)),
        ("education_isced", Some(DataType::Int32)),
        ("occupation_isco", Some(coded())),
        ("occupation_isco_major", Some(coded())),
        ("marital_code", Some(coded())),
        ("labour_code", Some(coded())),
        ("urban_code", Some(coded())),
    ]
}

/// The people of all tables that there were when a statement named it.
#[derive(Debug, Clone)]
pub(crate) struct Harmonised {
    schema: SchemaRef,
    members: Arc<[Member]>,
}

impl Harmonised {
    /// # Errors
    /// If a table cannot be read. Codes that cannot be read are NULL.
    pub async fn of(database: &Arc<Database>) -> Result<Harmonised> {
        let mut tables = vec![];
        for name in database.tables() {
            // One that was dropped meanwhile is none.
            let snapshot = match database.snapshot(&name).await {
                Ok(Some(snapshot)) => snapshot,
                Ok(None) => continue,
                Err(error) => {
                    database.notice(format!("left out of {VIEW}: {}", crate::error::message(&error)));
                    continue;
                }
            };
            if let Some(countries) = Country::all_of(database, &snapshot).await? {
                tables.push((Table::new(database.clone(), snapshot, true), countries));
            }
        }
        // Nobody is there twice: of a table and its samples, the table.
        let ids: Vec<String> = tables.iter().map(|(table, _)| table.snapshot().table.id.clone()).collect();
        tables.retain(|(table, _)| {
            let sample = sample_of(&Schema::from(table.snapshot().dataset.schema()));
            sample.is_none_or(|sample| !sample.is_among(&ids))
        });
        let mut natives: Vec<(String, Vec<DataType>)> = vec![];
        for (table, _) in &tables {
            for field in table.schema().fields() {
                match natives.iter_mut().find(|(name, _)| name == field.name()) {
                    Some((_, kinds)) => kinds.push(field.data_type().clone()),
                    None => natives.push((field.name().clone(), vec![field.data_type().clone()])),
                }
            }
        }
        let of_tables = |name: &str| {
            let kinds = natives.iter().find(|(n, _)| n == name).map(|(_, kinds)| kinds.iter().collect::<Vec<_>>());
            types::common(&kinds.unwrap_or_default())
        };
        let common = common_columns();
        let mut fields: Vec<Field> = common
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone().unwrap_or_else(|| of_tables(name)), true))
            .collect();
        let own = natives.iter().filter(|(name, _)| !common.iter().any(|(c, _)| c == name));
        fields
            .extend(own.map(|(name, kinds)| Field::new(name, types::common(&kinds.iter().collect::<Vec<_>>()), true)));
        let schema = Arc::new(Schema::new(fields));
        let members = tables.into_iter().map(|(table, countries)| Member::new(table, &countries, &schema));
        Ok(Harmonised { members: members.collect::<Result<_>>()?, schema })
    }

    /// The tables whose people it has.
    pub fn tables(&self) -> Vec<&str> {
        self.members.iter().map(|m| m.table().name()).collect()
    }
}

#[async_trait]
impl TableProvider for Harmonised {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let places = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&places)?);
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = vec![];
        for member in self.members.iter() {
            if let Some(rows) = member.plan(session, &self.schema, &places, filters, limit).await? {
                // Names and types are alike; what Lance notes beside them need not be.
                parts.push(Arc::new(StripMetadataExec::under(member.table().name(), rows, schema.clone())));
            }
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(schema))),
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |f: &&Expr| match member::is_ours_to_apply(f) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }
}
