//! Statements.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Json, Rows, accepted, rows};
use super::named;
use super::problem::Problem;
use crate::engine::Engine;
use crate::serve::format::Format;
use crate::serve::principal::Who;
use crate::serve::statements::{Host, one};
use crate::sql::Parameter;

/// A statement to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlRequest {
    /// One statement of SQL
    #[schema(example = "SELECT state, count(*) FROM sample_persona('usa', $1, seed => 42) GROUP BY 1 ORDER BY 2 DESC")]
    statement: String,
    /// Values for `$1`, `$2` and so on: numbers, texts, true, false, null, and lists of them
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([1000]))]
    parameters: Vec<serde_json::Value>,
    /// What the rows are sent as; what the request accepts, or else `json`, without it
    #[serde(default)]
    format: Option<Format>,
}

/// Runs a statement; its rows come as they are made. Closing the connection ends it.
///
/// What fails before the first row is a problem with its status. What fails later is told where the form has a place
/// for it (`error` in JSON, a last line in NDJSON); else the body breaks off.
#[utoipa::path(post, path = "/v1/sql", tag = "sql", request_body = SqlRequest, responses(
    (status = 200, description = "The rows", content(
        (Rows = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn run(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    headers: HeaderMap,
    Json(request): Json<SqlRequest>,
) -> Result<Response, Problem> {
    let SqlRequest { statement, parameters, format } = request;
    let parameters = parameters.iter().map(parameter).collect::<Result<Vec<_>, Problem>>()?;
    let work = move |engine: Engine| async move {
        let statement = one(&engine, &statement)?.with_parameters(&parameters)?;
        engine.run(statement).await
    };
    let answer = host.start(&who, named("/v1/sql"), work).await?;
    Ok(rows(answer, accepted(format, &headers), &who, None))
}

/// A value of JSON as one of SQL.
fn parameter(value: &serde_json::Value) -> Result<Parameter, Problem> {
    use serde_json::Value;
    Ok(match value {
        Value::Null => Parameter::Null,
        Value::Bool(truth) => Parameter::Boolean(*truth),
        Value::Number(number) => Parameter::Number(number.to_string()),
        Value::String(text) => Parameter::Text(text.clone()),
        Value::Array(items) => Parameter::List(items.iter().map(parameter).collect::<Result<_, _>>()?),
        Value::Object(_) => return Err(Problem::usage("parameters: an object is no value of SQL")),
    })
}
