//! What a server counts, as OpenMetrics; labels are of our own words alone, never of what somebody wrote.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The content type of what is encoded.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub protocol: &'static str,
    pub outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub method: Method,
    /// A route, not a path
    pub route: String,
    pub status: u16,
}

/// A method of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Method(pub http::Method);

impl prometheus_client::encoding::EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), fmt::Error> {
        // A client may make up methods, as many as it likes.
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = if known.contains(&self.0.as_str()) { self.0.as_str() } else { "OTHER" };
        fmt::Write::write_str(encoder, method)
    }
}

#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub requests: Family<Request, Counter>,
    pub statements: Family<Outcome, Counter>,
    pub seconds: Histogram,
    pub rows: Counter,
    pub at_work: Gauge,
    pub waiting: Gauge,
    pub turned_away: Counter,
    resident: Gauge,
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("populace");
        // From a millisecond to two minutes.
        let seconds = Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0]);
        let (requests, statements) = (Family::default(), Family::default());
        let (rows, turned_away) = (Counter::default(), Counter::default());
        let (at_work, waiting, resident) = (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("requests", "Requests over HTTP, by route and status", Family::clone(&requests));
        registry.register("statements", "Statements, by protocol and outcome", Family::clone(&statements));
        registry.register_with_unit("statement", "How long statements took", Unit::Seconds, seconds.clone());
        registry.register("rows", "Rows that were sent", Counter::clone(&rows));
        registry.register("statements_at_work", "Statements at work", Gauge::clone(&at_work));
        registry.register("statements_waiting", "Statements that wait for their turn", Gauge::clone(&waiting));
        registry.register("statements_turned_away", "Statements whose turn did not come", Counter::clone(&turned_away));
        registry.register_with_unit("resident_memory", "Of the process", Unit::Bytes, Gauge::clone(&resident));
        Metrics { registry, requests, statements, seconds, rows, at_work, waiting, turned_away, resident }
    }

    /// All of them, as text.
    pub fn text(&self) -> String {
        self.resident.set(resident().unwrap_or(0));
        let mut text = String::new();
        // Writing to a string does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}

/// Bytes of memory that the process holds, where the system tells.
fn resident() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::new();
        metrics.statements.get_or_create(&Outcome { protocol: "http", outcome: "ok" }).inc();
        let made_up = Method(http::Method::from_bytes(b"MADEUP").unwrap());
        metrics.requests.get_or_create(&Request { method: made_up, route: "/v1/sql".into(), status: 200 }).inc();
        let text = metrics.text();
        assert!(text.contains("populace_statements_total{protocol=\"http\",outcome=\"ok\"} 1"), "{text}");
        assert!(text.contains("method=\"OTHER\"") && text.ends_with("# EOF\n"), "{text}");
    }
}
