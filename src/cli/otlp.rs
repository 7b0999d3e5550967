//! What the program does, as spans that a collector of OpenTelemetry is sent, where the environment names one by
//! OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT (http://127.0.0.1:4318), OTEL_EXPORTER_OTLP_HEADERS and so on.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

/// What spans are handed to.
pub(super) type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a collector, from whatever thread: OpenTelemetry has one of its own that no runtime goes with.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    fn new() -> Result<Client, HttpError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Client { http: reqwest::Client::builder().timeout(PATIENCE).build()?, runtime })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.try_into()?;
        let http = self.http.clone();
        let answer = async move {
            let answer = http.execute(request).await?;
            let status = answer.status();
            reqwest::Result::Ok((status, answer.bytes().await?))
        };
        let (status, body) = self.runtime.spawn(answer).await??;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// Sends spans as they end, some at a time, and the last when it is dropped.
pub(super) struct Exporter(SdkTracerProvider);

impl Drop for Exporter {
    fn drop(&mut self) {
        // A collector that is not there has nobody's work wait for it.
        _ = self.0.shutdown();
    }
}

/// What spans are handed to, and what sends them; nothing if no collector is named.
///
/// # Errors
/// If it cannot be asked as the environment says.
pub(super) fn open() -> Result<Option<(SpanLayer, Exporter)>, String> {
    let named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !ENDPOINTS.into_iter().any(named) {
        return Ok(None);
    }
    // Where another part of the program has chosen already, it is the same.
    _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |e: &dyn std::fmt::Display| format!("the collector of spans: {e}");
    let exporter = SpanExporter::builder().with_http().with_http_client(Client::new().map_err(|e| failed(&e))?);
    let exporter = exporter.build().map_err(|e| failed(&e))?;
    let service = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "populace".into());
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("populace")).with_location(false);
    // The program's own: what its libraries do would be told with what they do it with.
    let own = Targets::new().with_target("populace", LevelFilter::INFO);
    Ok(Some((layer.with_threads(false).with_filter(own).boxed(), Exporter(provider))))
}
