//! What there is, as drivers ask for it: catalogues, schemas, tables, keys, types, and what the server can do.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetTables, Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity,
    SqlSupportedTransaction, XdbcDataType,
};
use datafusion::common::Result;
use datafusion::datasource::TableType;

use super::rows::shown;
use crate::engine::{Access, Engine};

/// The kinds of tables that there are.
pub(super) const TABLE_TYPES: [&str; 2] = ["TABLE", "VIEW"];

/// The session's own tables of tables, which are not listed among the others.
const INFORMATION: &str = "information_schema";

/// The catalogue of the database; the one beside it has the figures of the countries.
pub(super) const DATABASE: &str = "datafusion";

/// Catalogues with their schemas.
pub(super) fn schemas(engine: &Engine) -> Vec<(String, String)> {
    let context = engine.context();
    let mut names = context.catalog_names();
    names.sort();
    let mut all = vec![];
    for name in names {
        let mut schemas = context.catalog(&name).map(|catalog| catalog.schema_names()).unwrap_or_default();
        schemas.retain(|schema| schema != INFORMATION);
        schemas.sort();
        all.extend(schemas.into_iter().map(|schema| (name.clone(), schema)));
    }
    all
}

/// The tables that somebody may see, as drivers ask for them.
///
/// # Errors
/// If they cannot be listed.
pub(super) async fn tables(engine: Engine, access: Access, asked: CommandGetTables) -> Result<RecordBatch> {
    let include = asked.include_schema;
    let catalog = asked.catalog.clone().filter(|name| !name.is_empty());
    let mut built = asked.into_builder();
    let failed = |e: arrow_flight::error::FlightError| datafusion::common::exec_datafusion_err!("{e}");
    for (of, schema) in schemas(&engine) {
        if catalog.as_ref().is_some_and(|asked| *asked != of) {
            continue;
        }
        let Some(provider) = engine.context().catalog(&of).and_then(|catalog| catalog.schema(&schema)) else {
            continue;
        };
        let mut names = provider.table_names();
        names.sort();
        let own = of == DATABASE && schema == "public";
        for name in names.into_iter().filter(|name| !own || access.tables.has(name)) {
            let (kind, columns) = match include || own {
                // One that cannot be read is not in the way of the others.
                true => match provider.table(&name).await {
                    Ok(Some(table)) => (table.table_type(), shown(&table.schema())),
                    _ => continue,
                },
                false => (TableType::Base, Schema::empty().into()),
            };
            let kind = TABLE_TYPES[usize::from(kind == TableType::View)];
            built.append(&of, &schema, &name, kind, &columns).map_err(failed)?;
        }
    }
    built.build().map_err(failed)
}

fn texts(names: &[&str]) -> Vec<Field> {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, !name.ends_with("table_name"))).collect()
}

/// Keys of tables, in the form of the protocol. Tables have a key for people, `uuid`, and none that refers to another.
pub(super) fn primary_keys() -> SchemaRef {
    let mut fields = texts(&["catalog_name", "db_schema_name", "table_name", "column_name"]);
    fields.push(Field::new("key_sequence", DataType::Int32, false));
    fields.extend(texts(&["key_name"]));
    Schema::new(fields).into()
}

/// Keys that refer to other tables.
pub(super) fn foreign_keys() -> SchemaRef {
    let mut fields = texts(&["pk_catalog_name", "pk_db_schema_name", "pk_table_name", "pk_column_name"]);
    fields.extend(texts(&["fk_catalog_name", "fk_db_schema_name", "fk_table_name", "fk_column_name"]));
    fields.push(Field::new("key_sequence", DataType::Int32, false));
    fields.extend(texts(&["fk_key_name", "pk_key_name"]));
    fields.extend(["update_rule", "delete_rule"].map(|name| Field::new(name, DataType::UInt8, false)));
    Schema::new(fields).into()
}

/// What the server can do. It is made once of what cannot fail; were it to, it would say nothing.
pub(super) static INFO: LazyLock<Option<SqlInfoData>> = LazyLock::new(|| {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Populace");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, false);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, true);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, true);
    info.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(
        SqlInfo::SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32,
    );
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    info.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedAtEnd as i32);
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    info.append(SqlInfo::SqlSupportsConvert, HashMap::<i32, Vec<i32>>::new());
    info.build().ok()
});

/// The types of columns.
pub(super) static TYPES: LazyLock<Option<XdbcTypeInfoData>> = LazyLock::new(|| {
    let mut types = XdbcTypeInfoDataBuilder::new();
    let numbers = [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1),
        ("TINYINT", XdbcDataType::XdbcTinyint, 3),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 5),
        ("INTEGER", XdbcDataType::XdbcInteger, 10),
        ("BIGINT", XdbcDataType::XdbcBigint, 19),
        ("REAL", XdbcDataType::XdbcReal, 7),
        ("DOUBLE", XdbcDataType::XdbcDouble, 15),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38),
    ];
    let texts = [
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX),
        ("DATE", XdbcDataType::XdbcDate, 10),
        ("TIME", XdbcDataType::XdbcTime, 18),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 29),
    ];
    let numbers = numbers.map(|(name, kind, size)| (name, kind, size, None));
    for (name, kind, size, quote) in numbers.into_iter().chain(texts.map(|(n, k, s)| (n, k, s, Some("'".to_string()))))
    {
        types.append(XdbcTypeInfo {
            type_name: name.into(),
            data_type: kind,
            column_size: Some(size),
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: kind == XdbcDataType::XdbcVarchar,
            searchable: Searchable::Full,
            sql_data_type: kind,
            ..XdbcTypeInfo::default()
        });
    }
    types.build().ok()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_can_do_is_told() {
        assert_eq!(INFO.as_ref().unwrap().record_batch([0, 4]).unwrap().num_rows(), 2);
        assert!(TYPES.as_ref().unwrap().record_batch(None).unwrap().num_rows() > 10);
        assert_eq!(primary_keys().fields().len(), 6);
        assert_eq!(foreign_keys().fields().len(), 13);
    }
}
