//! Tables of the database.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Column, Path, Query, Rows, accepted, json, rows as sent, type_name};
use super::named;
use super::problem::Problem;
use crate::database::TableSummary;
use crate::engine::{Engine, Error, ErrorKind};
use crate::report;
use crate::serve::format::Format;
use crate::serve::principal::{Principal, Who};
use crate::serve::statements::Host;
use crate::sql::{expression_text, quoted_name, quoted_text};

/// A table at a glance.
#[derive(Debug, Serialize, ToSchema)]
struct Table {
    name: String,
    rows: u64,
    /// Whose people they are, where that is known
    country: Option<String>,
    /// Of its newest version
    bytes: u64,
}

impl From<TableSummary> for Table {
    fn from(summary: TableSummary) -> Table {
        let TableSummary { name, rows, country, bytes } = summary;
        Table { name, rows, country, bytes }
    }
}

/// The tables that whoever asks may name.
async fn tables(host: &Arc<Host>, who: &Principal) -> Result<Vec<Table>, Problem> {
    let database = Arc::new(host.engine().database().session(None));
    let summaries = host.on_runtime(async move { database.summaries().await }).await??;
    Ok(summaries.into_iter().filter(|t| who.may_name(&t.name)).map(Table::from).collect())
}

/// The tables.
#[utoipa::path(get, path = "/v1/tables", tag = "tables", responses(
    (status = 200, description = "Those that the token may name", body = Vec<Table>),
    (status = 401, description = "No token that is good", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(host): State<Arc<Host>>, Who(who): Who) -> Result<Response, Problem> {
    Ok(json(&tables(&host, &who).await?))
}

/// A table with its columns.
#[derive(Debug, Serialize, ToSchema)]
struct TableColumns {
    #[serde(flatten)]
    table: Table,
    columns: Vec<Column>,
}

fn no_table(name: &str, who: &Principal, host: &Host) -> Problem {
    let names: Vec<String> = host.engine().database().tables().into_iter().filter(|t| who.may_name(t)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Problem::not_found(format!("there is no table {name}{}", populace_population::there_are(name, &names)))
}

/// A table.
#[utoipa::path(get, path = "/v1/tables/{table}", tag = "tables",
    params(("table" = String, Path, description = "Its name")), responses(
    (status = 200, description = "What it is", body = TableColumns),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let Some(table) = tables(&host, &who).await?.into_iter().find(|t| t.name == name) else {
        return Err(no_table(&name, &who, &host));
    };
    let database = Arc::new(host.engine().database().session(None));
    let schema = host.on_runtime(async move { database.schema(&name).await }).await??;
    let columns = schema.iter().flat_map(|schema| schema.fields());
    let columns = columns.map(|f| Column { name: f.name().clone(), type_: type_name(f.data_type()) }).collect();
    Ok(json(&TableColumns { table, columns }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RowsAsked {
    /// Only these columns, parted by commas; all but vectors without it
    #[serde(default)]
    columns: Option<String>,
    /// What holds of the rows, in SQL
    #[serde(default, rename = "where")]
    predicate: Option<String>,
    /// Only rows after the one of this key, in the order of keys: the `uuid` of the last row of the page before
    #[serde(default)]
    after: Option<String>,
    /// How many
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 1000)]
    limit: usize,
    /// What the rows are sent as
    #[serde(default)]
    format: Option<Format>,
}

fn fifty() -> usize {
    50
}

/// Rows of a table, a page at a time: in the order of their keys where it has any.
#[utoipa::path(get, path = "/v1/tables/{table}/rows", tag = "tables",
    params(("table" = String, Path, description = "Its name"), RowsAsked), responses(
    (status = 200, description = "The rows", content(
        (Rows = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn rows(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(table): Path<String>,
    headers: HeaderMap,
    Query(asked): Query<RowsAsked>,
) -> Result<Response, Problem> {
    if !(1..=1000).contains(&asked.limit) {
        return Err(Problem::usage("limit: from 1 to 1000"));
    }
    let database = Arc::new(host.engine().database().session(None));
    let (name, of) = (table.clone(), database.clone());
    let schema = host.on_runtime(async move { of.schema(&name).await }).await??;
    let Some(schema) = schema.filter(|_| who.may_name(&table)) else { return Err(no_table(&table, &who, &host)) };
    let name = table.clone();
    let has_key = host.on_runtime(async move { database.has_key(&name).await }).await??;
    let is_vectors = |kind: &arrow::datatypes::DataType| matches!(kind, arrow::datatypes::DataType::FixedSizeList(..));
    let columns: Vec<String> = match &asked.columns {
        Some(columns) => columns.split(',').map(|c| quoted_name(c.trim())).collect(),
        None => {
            let shown = schema.fields().iter().filter(|f| !is_vectors(f.data_type()));
            shown.map(|f| quoted_name(f.name())).collect()
        }
    };
    let predicate = match asked.predicate.as_deref().map(str::trim).filter(|p| !p.is_empty()) {
        Some(text) => match expression_text(text) {
            Ok(predicate) => Some(format!("({predicate})")),
            Err(error) => return Err(Problem::usage(format!("where: {text} is no expression: {error}"))),
        },
        None => None,
    };
    let after = match &asked.after {
        Some(_) if !has_key => return Err(Problem::usage(format!("after: the table {table} has no key"))),
        Some(after) => Some(format!("uuid > {}", quoted_text(after))),
        None => None,
    };
    let conditions: Vec<String> = predicate.into_iter().chain(after).collect();
    let conditions = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let order = if has_key { " ORDER BY uuid" } else { "" };
    let statement =
        format!("SELECT {} FROM {}{conditions}{order} LIMIT {}", columns.join(", "), quoted_name(&table), asked.limit);
    let work = async move |engine: Engine| engine.query_one(&statement).await;
    let answer = host.start(&who, named("/v1/tables/{table}/rows"), work).await?;
    Ok(sent(answer, accepted(asked.format, &headers), &who, None))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportAsked {
    /// The country that the table is held against; that of its people without it
    #[serde(default)]
    country: Option<String>,
    /// Whom it is about, in SQL
    #[serde(default)]
    given: Option<String>,
    /// How many people are shown with their texts
    #[serde(default = "six")]
    #[param(maximum = 100)]
    people: u32,
}

fn six() -> u32 {
    6
}

/// A report that shows a table's people beside the country's, as a page.
#[utoipa::path(get, path = "/v1/report/{table}", tag = "tables",
    params(("table" = String, Path, description = "The table"), ReportAsked), responses(
    (status = 200, description = "The page", content_type = "text/html", body = String),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn report(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(table): Path<String>,
    Query(asked): Query<ReportAsked>,
) -> Result<Response, Problem> {
    if !host.engine().database().tables().contains(&table) || !who.may_name(&table) {
        return Err(no_table(&table, &who, &host));
    }
    if asked.country.as_deref().is_some_and(crate::packs::path::is_path) {
        return Err(
            Error::new(ErrorKind::Permission, "country: a pack by its path is a file outside of the database").into()
        );
    }
    let ReportAsked { country, given, people } = asked;
    let options =
        report::Options { table, country, given, weights: None, title: None, people: people.min(100), seed: 7 };
    let html =
        host.compute(&who, named("/v1/report/{table}"), async move |engine| report::write(&engine, &options).await);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html.await?).into_response();
    // It has styles and pictures of its own, and no script.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Ok(response)
}
