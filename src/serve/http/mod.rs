//! HTTP: REST with its description, the page, and what is measured.

mod body;
mod countries;
mod guard;
mod page;
mod people;
mod problem;
mod recipes;
mod runs;
mod sql;
mod tables;

use std::any::Any;
use std::sync::Arc;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::REQUEST;
use super::flight;
use super::mcp::Mcp;
use super::observed::Named;
use super::principal::Who;
use super::statements::Host;
use crate::engine::{Error, ErrorKind};
use crate::sql::Scope;

pub(super) use guard::token_of as token;
pub(super) use problem::Problem;

/// A statement of this protocol, as it is counted and noted.
const fn named(action: &'static str) -> Named {
    Named { protocol: "http", action }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Populace",
        description = "A database of synthetic people: drawn, searched and asked for over HTTP. Errors are problem \
                       details (RFC 9457) with our kind, a hint and the place in the statement."
    ),
    modifiers(&Security),
    security(("token" = [])),
    tags(
        (name = "sql", description = "Statements"),
        (name = "people", description = "People drawn and found"),
        (name = "countries", description = "What is known of the countries"),
        (name = "tables", description = "Tables of the database"),
        (name = "runs", description = "Work that outlives a request"),
        (name = "recipes", description = "Statements for what people do over and over"),
        (name = "server", description = "The server itself")
    )
)]
struct Described;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

fn described() -> (Router<Arc<Host>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(sql::run))
        .routes(routes!(people::sample))
        .routes(routes!(people::probability))
        .routes(routes!(people::search))
        .routes(routes!(countries::list))
        .routes(routes!(countries::one))
        .routes(routes!(countries::variables))
        .routes(routes!(countries::levels))
        .routes(routes!(countries::figures))
        .routes(routes!(countries::map))
        .routes(routes!(tables::list))
        .routes(routes!(tables::one))
        .routes(routes!(tables::rows))
        .routes(routes!(tables::report))
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(runs::one))
        .routes(routes!(runs::events))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::resume))
        .routes(routes!(runs::retry))
        .routes(routes!(recipes::list))
        .routes(routes!(recipes::one, recipes::run))
        .routes(routes!(whoami))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .split_for_parts()
}

/// The description of what may be asked, as OpenAPI 3.1 in JSON.
pub fn openapi() -> String {
    described().1.to_pretty_json().unwrap_or_default() + "\n"
}

/// All that is answered over HTTP, `flight` among it.
pub(super) fn router(host: Arc<Host>, flight: FlightServiceServer<impl FlightService>) -> Router {
    let (router, _) = described();
    let described = Arc::new(openapi());
    let document = move || async move { ([(header::CONTENT_TYPE, "application/json")], described.to_string()) };
    // Hosts and origins are looked at for every path, by the guard.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(host.hosts.clone())
        .with_max_request_body_bytes(REQUEST)
        .with_cancellation_token(host.cancelling());
    let serving = host.clone();
    let mcp = move || Ok(Mcp::new(serving.clone(), None));
    let mcp = StreamableHttpService::new(mcp, Arc::new(NeverSessionManager::default()), config);
    router
        .route_service("/mcp", mcp)
        .route("/openapi.json", get(document))
        .route("/", get(page::index))
        .route("/assets/{file}", get(page::asset))
        .fallback(|| async { Problem::not_found("there is nothing of this path; /openapi.json says what there is") })
        .method_not_allowed_fallback(|| async {
            Problem { status: 405, ..Problem::usage("this path is not asked that way; /openapi.json says how") }
        })
        .layer(RequestBodyLimitLayer::new(REQUEST))
        // Its messages have bounds of their own, and as many may come as a table takes.
        .route_service(flight::ROUTE, flight)
        .layer(axum::middleware::from_fn_with_state(host.clone(), guard::guard))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(host)
}

/// A panic is a fault of ours, and of this request alone.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::from(Error::new(ErrorKind::Internal, "a fault of the program's own")).into_response()
}

/// Somebody who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Whoami {
    /// Of the token; `local` for whoever needs none
    name: String,
    /// `reader`, `writer` or `admin`
    role: &'static str,
    /// The tables that may be named; all of them where this is not there
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Vec<String>>,
}

/// Who one is to the server, and what one may.
#[utoipa::path(get, path = "/v1/whoami", tag = "server", responses(
    (status = 200, description = "Whose the token is", body = Whoami),
    (status = 401, description = "No token that is good", body = Problem,
     content_type = "application/problem+json")))]
async fn whoami(Who(who): Who) -> Response {
    let tables = match &who.access.tables {
        Scope::All => None,
        Scope::Named(names) => Some(names.iter().cloned().collect()),
    };
    body::json(&Whoami { name: who.name.clone(), role: who.role.name(), tables })
}

/// Whether the server is there.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()),
    responses((status = 200, description = "It is", content_type = "text/plain", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server takes statements.
#[utoipa::path(get, path = "/readyz", tag = "server", security(()), responses(
    (status = 200, description = "It does", content_type = "text/plain", body = String),
    (status = 503, description = "It is ending", content_type = "text/plain", body = String)))]
async fn readyz(State(host): State<Arc<Host>>) -> (StatusCode, &'static str) {
    match host.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
    }
}

/// What the server has counted, as OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "server", responses(
    (status = 200, description = "Counters and gauges", content_type = "application/openmetrics-text", body = String),
    (status = 401, description = "No token that is good", body = Problem,
     content_type = "application/problem+json")))]
async fn metrics(State(host): State<Arc<Host>>) -> Response {
    ([(header::CONTENT_TYPE, super::metrics::CONTENT_TYPE)], host.metrics.text()).into_response()
}
