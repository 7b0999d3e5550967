//! People drawn, counted and found.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Json, Rows, accepted, json, objects, rows};
use super::named;
use super::problem::Problem;
use crate::engine::Engine;
use crate::serve::principal::Who;
use crate::serve::requests::{ProbabilityRequest, SampleRequest, SearchRequest};
use crate::serve::statements::Host;

/// Draws people of a country, exactly those of whom something holds.
#[utoipa::path(post, path = "/v1/sample", tag = "people", request_body = SampleRequest, responses(
    (status = 200, description = "The people; `seed` draws them again", content(
        (Rows = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn sample(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    headers: HeaderMap,
    Json(request): Json<SampleRequest>,
) -> Result<Response, Problem> {
    let (statement, seed) = request.statement()?;
    let work = async move |engine: Engine| engine.query_one(&statement).await;
    let answer = host.start(&who, named("/v1/sample"), work).await?;
    Ok(rows(answer, accepted(request.format, &headers), &who, Some(seed)))
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probability {
    /// Of the country's people
    probability: f64,
    /// How many that is
    people: f64,
}

/// The exact share of a country's people of whom something holds.
#[utoipa::path(post, path = "/v1/probability", tag = "people", request_body = ProbabilityRequest, responses(
    (status = 200, description = "The share", body = Probability),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn probability(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Json(request): Json<ProbabilityRequest>,
) -> Result<Response, Problem> {
    let statement = request.statement()?;
    let work = async move |engine: Engine| engine.query_one(&statement).await;
    let (found, _) = objects(host.start(&who, named("/v1/probability"), work).await?).await?;
    let number = |name: &str| found.first().and_then(|row| row[name].as_f64()).unwrap_or(0.0);
    Ok(json(&Probability { probability: number("probability"), people: number("expected_people") }))
}

/// Finds people by the meaning or the words of a text, best first.
#[utoipa::path(post, path = "/v1/search", tag = "people", request_body = SearchRequest, responses(
    (status = 200, description = "The people found, with their `score`", content(
        (Rows = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn search(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    headers: HeaderMap,
    Json(request): Json<SearchRequest>,
) -> Result<Response, Problem> {
    let format = accepted(request.format, &headers);
    let search = request.search()?;
    let work = async move |engine: Engine| engine.search(search).await;
    Ok(rows(host.start(&who, named("/v1/search"), work).await?, format, &who, None))
}
