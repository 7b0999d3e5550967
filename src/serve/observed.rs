//! Statements at work, as they are counted, noted and told of.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use tracing::Span;
use tracing::field::Empty;

use super::audit::{Audit, Entry, now};
use super::metrics::{Metrics, Outcome};
use super::principal::Principal;
use crate::engine::{Error, ErrorKind};

/// What a statement is called where it is counted and noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub protocol: &'static str,
    /// A route or a tool
    pub action: &'static str,
}

/// One more, until it is dropped.
pub(super) struct Counted<'a>(&'a prometheus_client::metrics::gauge::Gauge);

impl<'a> Counted<'a> {
    pub fn new(gauge: &'a prometheus_client::metrics::gauge::Gauge) -> Counted<'a> {
        gauge.inc();
        Counted(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A statement at work; counted and noted when it ends, however that is.
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    who: Arc<Principal>,
    named: Named,
    since: Instant,
    rows: u64,
    outcome: &'static str,
    pub run: Option<String>,
    /// What is told of it where somebody follows what the program does; who asked, and no text
    pub span: Span,
}

impl Observed {
    pub fn new(metrics: Arc<Metrics>, audit: Arc<Audit>, who: Arc<Principal>, named: Named) -> Observed {
        metrics.at_work.inc();
        let Named { protocol, action } = named;
        let principal = &who.name;
        let span = tracing::info_span!("request", protocol, action, principal, outcome = Empty, rows = Empty);
        Observed { metrics, audit, who, named, since: Instant::now(), rows: 0, outcome: "cancelled", run: None, span }
    }

    pub fn done(&mut self) {
        self.outcome = "ok";
    }

    pub fn failed(&mut self, error: &Error) {
        self.outcome = error.kind.name();
    }

    /// Counts rows.
    ///
    /// # Errors
    /// If there are more than whoever asks may have.
    pub fn within(&mut self, batch: RecordBatch, who: &Principal) -> Result<RecordBatch, Error> {
        self.rows += batch.num_rows() as u64;
        match self.rows > who.rows {
            true => Err(Error::new(ErrorKind::Limit, format!("the answer has more than {} rows", who.rows))
                .hint("a LIMIT keeps it short, CREATE TABLE AS keeps it in the database")),
            false => Ok(batch),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let taken = self.since.elapsed();
        self.span.record("outcome", self.outcome).record("rows", self.rows);
        let metrics = &self.metrics;
        metrics.at_work.dec();
        metrics.rows.inc_by(self.rows);
        metrics.seconds.observe(taken.as_secs_f64());
        let Named { protocol, action } = self.named;
        metrics.statements.get_or_create(&Outcome { protocol, outcome: self.outcome }).inc();
        self.audit.note(&Entry {
            at: now(),
            principal: &self.who.name,
            role: self.who.role.name(),
            protocol,
            action,
            outcome: self.outcome,
            rows: self.rows,
            seconds: taken.as_secs_f64(),
            run: self.run.take(),
        });
    }
}
