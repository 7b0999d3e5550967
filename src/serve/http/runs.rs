//! Runs: work that outlives a request. Closing the connection ends none; they are followed, cancelled and resumed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::body::{Json, KEEP_ALIVE, Path, json};
use super::problem::Problem;
use crate::catalog::{Catalog, Role, Run, Status, Work};
use crate::engine::{Engine, Error, ErrorKind};
use crate::serve::principal::{Principal, Who};
use crate::serve::statements::{Host, one as one_statement};
use crate::{packs, runs};

/// A run.
#[derive(Debug, Serialize, ToSchema)]
struct RunState {
    id: String,
    /// `running`, `interrupted`, `done`, `failed` or `cancelled`
    status: String,
    table: String,
    /// What writes the texts
    narrator: String,
    /// Where people are drawn from
    #[serde(skip_serializing_if = "Option::is_none")]
    pack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<String>,
    /// How many people it is of, where that is known
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// The statement that it is, to those who write
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    /// People who are in the table
    done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    started: String,
    updated: String,
    bill: Bill,
}

/// What the requests of a run to models took.
#[derive(Debug, Serialize, ToSchema)]
struct Bill {
    answered: u64,
    failed: u64,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Nothing where prices are not known
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    /// Requests whose tokens the server did not tell
    estimated: u64,
    /// Why requests failed, and how often
    failures: Vec<Failed>,
}

/// A reason why requests failed.
#[derive(Debug, Serialize, ToSchema)]
struct Failed {
    reason: String,
    count: u64,
}

fn described(catalog: &Catalog, run: Run, who: &Principal) -> Result<RunState, Problem> {
    let calls = catalog.calls(&run.id)?;
    let failures = calls.failures.iter();
    let bill = Bill {
        answered: calls.answered,
        failed: calls.failed,
        requests: calls.attempts,
        prompt_tokens: calls.prompt_tokens,
        completion_tokens: calls.completion_tokens,
        cost_usd: calls.cost_usd,
        estimated: calls.estimated,
        failures: failures.map(|(reason, count)| Failed { reason: reason.clone(), count: *count }).collect(),
    };
    let (mut pack, mut seed, mut given, mut count, mut statement) = (None, None, None, None, None);
    match run.work {
        Work::Generate { pack: of, seed: from, given: that, count: many, .. } => {
            (pack, seed, given, count) = (Some(of), Some(from), that, Some(many));
        }
        Work::Statement(sql) => statement = Some(sql).filter(|_| who.role >= Role::Writer),
    }
    Ok(RunState {
        id: run.id,
        status: run.status.to_string(),
        table: run.table,
        narrator: run.narrator,
        pack,
        seed,
        given,
        count,
        statement,
        done: run.done,
        error: run.error,
        started: run.started,
        updated: run.updated,
        bill,
    })
}

/// The catalogue, and what is read of it off the threads that answer.
async fn read<T: Send + 'static>(
    host: &Arc<Host>,
    read: impl FnOnce(&Catalog) -> Result<T, Problem> + Send + 'static,
) -> Result<Option<T>, Problem> {
    let database = host.engine().database().clone();
    let reading = move || match database.existing_catalog()? {
        Some(catalog) => read(&catalog).map(Some),
        None => Ok(None),
    };
    host.beside(reading).await?
}

/// A run whose table whoever asks may name.
async fn found(host: &Arc<Host>, who: &Arc<Principal>, id: &str) -> Result<Run, Problem> {
    let unknown = || Problem::not_found(format!("there is no run {id}; /v1/runs lists them"));
    let wanted = id.to_string();
    let run = read(host, move |catalog| Ok(catalog.run(&wanted)?)).await?.flatten();
    run.filter(|run| run.id == id && who.may_name(&run.table)).ok_or_else(unknown)
}

async fn shown(host: &Arc<Host>, who: &Arc<Principal>, run: Run) -> Result<RunState, Problem> {
    let (who, gone) = (who.clone(), Problem::not_found("there are no runs"));
    read(host, move |catalog| described(catalog, run, &who)).await?.ok_or(gone)
}

/// The runs, the newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", responses(
    (status = 200, description = "Those into tables that the token may name", body = Vec<RunState>),
    (status = 401, description = "No token that is good", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(host): State<Arc<Host>>, Who(who): Who) -> Result<Response, Problem> {
    let listing = move |catalog: &Catalog| {
        let runs = catalog.runs()?.into_iter().filter(|run| who.may_name(&run.table)).take(1000);
        runs.map(|run| described(catalog, run, &who)).collect::<Result<Vec<_>, Problem>>()
    };
    Ok(json(&read(&host, listing).await?.unwrap_or_default()))
}

/// A run.
#[utoipa::path(get, path = "/v1/runs/{run}", tag = "runs", params(("run" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "What is known of it", body = RunState),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let run = found(&host, &who, &id).await?;
    Ok(json(&shown(&host, &who, run).await?))
}

/// People to draw into a table.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Generate {
    /// One of `/v1/countries`
    #[schema(example = "usa")]
    country: String,
    /// How many people of the seed's stream the table is to hold
    #[schema(example = 100, minimum = 1, maximum = 1000000000)]
    count: u64,
    /// Draws the same people every time; a fresh one is taken without it
    #[serde(default)]
    #[schema(maximum = 9007199254740991_i64)]
    seed: Option<u64>,
    /// What holds of all of them, in SQL
    #[serde(default)]
    given: Option<String>,
    /// What writes narratives: `outline`, built in, a model as `openai:MODEL`, or `none` for facts alone
    #[serde(default = "outline")]
    narrator: String,
    /// The narratives to write; all that the narrator knows without it
    #[serde(default)]
    narratives: Option<Vec<String>>,
    /// What they are written in, where that is not the country's own language
    #[serde(default)]
    language: Option<String>,
    /// Whether only people count whose texts all came and passed the checks
    #[serde(default)]
    sound: bool,
    /// The table, made where it is not there; named like the country without it
    #[serde(default)]
    table: Option<String>,
    /// Whether the table, where it is made, has columns of vectors
    #[serde(default = "yes")]
    embeddings: bool,
}

fn outline() -> String {
    "outline".into()
}

fn yes() -> bool {
    true
}

/// What is to be run: `generate`, or a `statement` that writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunRequest {
    #[serde(default)]
    generate: Option<Generate>,
    /// An INSERT … SELECT or CREATE TABLE … AS
    #[serde(default)]
    #[schema(example = "CREATE TABLE panel AS SELECT * FROM generate_persona('usa', 100)")]
    statement: Option<String>,
}

/// Begins a run, which goes on when the connection is closed.
#[utoipa::path(post, path = "/v1/runs", tag = "runs", request_body = RunRequest, responses(
    (status = 202, description = "It has begun, or is done already; `location` says where it is told of",
     body = RunState),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn start(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Json(request): Json<RunRequest>,
) -> Result<Response, Problem> {
    who.must_be(Role::Writer)?;
    match request {
        RunRequest { generate: Some(generate), statement: None } => {
            let run = generate.run()?;
            may_write(&who, &run)?;
            go_on(&host, &who, run).await
        }
        RunRequest { generate: None, statement: Some(statement) } => {
            let engine = host.session_of_run(&who, None, None)?.for_statement();
            let statement = one_statement(&engine, &statement)?;
            let working = engine.clone();
            let ended = host.go_on(async move {
                let rows = working.run(statement).await?;
                Ok(drained(rows, &working).await?)
            });
            begun(&host, &who, ended, move || engine.run_id()).await
        }
        _ => Err(Problem::usage("either `generate` or `statement` is wanted")),
    }
}

impl Generate {
    fn run(self) -> Result<Run, Problem> {
        if !packs::NAMES.contains(&self.country.as_str()) {
            return Err(Problem::not_found(packs::unknown(&self.country)));
        }
        if !(1..=1_000_000_000).contains(&self.count) {
            return Err(Problem::usage("count: from 1 to 1,000,000,000"));
        }
        if self.seed.is_some_and(|seed| seed >= 1 << 53) {
            return Err(Problem::usage("seed: a whole number below 2^53"));
        }
        let Generate { country, count, seed, given, narrator, narratives, language, sound, table, embeddings } = self;
        let table = table.unwrap_or_else(|| country.clone());
        let seed = seed.unwrap_or_else(populace_udfs::fresh_seed);
        let work = Work::Generate { pack: runs::pack_id(&country)?, country, seed, given, count };
        let run = Run::new(work, &table, &narrator, embeddings);
        Ok(Run { narratives, language, exactly: sound, ..run })
    }
}

/// That whoever asks may write this, and have it written.
fn may_write(who: &Principal, run: &Run) -> Result<(), Problem> {
    let refused = |text: String| Err(Problem::from(Error::new(ErrorKind::Permission, text)));
    if !who.may_name(&run.table) {
        return refused(format!("the table {} is out of reach", run.table));
    }
    if run.narrator != "none" && !who.access.models.allow(&run.narrator, "outline") {
        return refused(format!("{} would be asked, and {} may not spend on it", run.narrator, who.name));
    }
    Ok(())
}

/// Begins a run, or goes on with it.
async fn go_on(host: &Arc<Host>, who: &Arc<Principal>, run: Run) -> Result<Response, Problem> {
    let narrator = Some(run.narrator.clone()).filter(|n| n != "none");
    let engine = host.session_of_run(who, narrator, run.fresh.clone())?;
    let id = run.id.clone();
    let noted = engine.catalog()?;
    let before = noted.run(&id)?.map(|run| run.updated);
    let ended = host.go_on(async move {
        match &run.work {
            Work::Generate { .. } => {
                runs::run(&engine, &run, None, |_| ()).await?;
            }
            Work::Statement(sql) => {
                if let Some(rows) = runs::resume(&engine, &run, sql).await? {
                    drained(rows, &engine).await?;
                }
            }
        }
        Ok(())
    });
    let began = move || {
        let run = noted.run(&id).ok()??;
        (run.status == Status::Running || before.as_ref() != Some(&run.updated)).then_some(run.id)
    };
    begun(host, who, ended, began).await
}

/// Reads what a statement says when it is done.
async fn drained(
    mut rows: datafusion::execution::SendableRecordBatchStream,
    engine: &Engine,
) -> datafusion::common::Result<()> {
    while let Some(batch) = rows.next().await {
        batch?;
    }
    match engine.asked().outage {
        Some(why) => Err(Error::new(ErrorKind::Unavailable, why).into()),
        None => Ok(()),
    }
}

/// How often it is looked whether a run has begun.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until a run is noted, and tells of it; what fails before is told as it is.
async fn begun(
    host: &Arc<Host>,
    who: &Arc<Principal>,
    mut ended: oneshot::Receiver<Result<(), Error>>,
    id: impl Fn() -> Option<String> + Clone + Send + 'static,
) -> Result<Response, Problem> {
    let id = loop {
        let look = id.clone();
        if let Some(id) = host.beside(look).await? {
            break id;
        }
        tokio::select! {
            done = &mut ended => {
                done.map_err(|_| Error::new(ErrorKind::Internal, "the run ended without a word"))??;
                match host.beside(id.clone()).await? {
                    Some(id) => break id,
                    None => return Ok((StatusCode::OK, json(&serde_json::json!({ "status": "done" }))).into_response()),
                }
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    };
    let run = found(host, who, &id).await?;
    let described = shown(host, who, run).await?;
    let location = format!("/v1/runs/{id}");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], json(&described)).into_response())
}

/// How far a run is, as it goes on: an event `progress` where there is something new, with the run as its data, and the
/// last one when it has ended.
#[utoipa::path(get, path = "/v1/runs/{run}/events", tag = "runs",
    params(("run" = String, Path, description = "Its id")), responses(
    (status = 200, description = "Events", content_type = "text/event-stream", body = String),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn events(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    found(&host, &who, &id).await?;
    Ok(Sse::new(progress(host, who, id)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Between two looks at a run.
const BETWEEN: Duration = Duration::from_millis(500);

fn progress(host: Arc<Host>, who: Arc<Principal>, id: String) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((host, who, id, String::new(), false), async |(host, who, id, mut said, over)| {
        if over {
            return None;
        }
        loop {
            let run = found(&host, &who, &id).await.ok()?;
            let is_over = run.status != Status::Running;
            let done = run.done;
            let text = serde_json::to_string(&shown(&host, &who, run).await.ok()?).ok()?;
            if is_over || text != said {
                said.clone_from(&text);
                let event = Event::default().event("progress").id(done.to_string()).data(text);
                return Some((Ok(event), (host, who, id, said, is_over)));
            }
            tokio::select! {
                () = tokio::time::sleep(BETWEEN) => {}
                () = host.ending() => return None,
            }
        }
    })
}

/// Ends a run, in whatever process it is. The people that it wrote stay.
#[utoipa::path(post, path = "/v1/runs/{run}/cancel", tag = "runs",
    params(("run" = String, Path, description = "Its id")), responses(
    (status = 200, description = "What it is now", body = RunState),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    who.must_be(Role::Writer)?;
    found(&host, &who, &id).await?;
    let wanted = id.clone();
    if read(&host, move |catalog| Ok(catalog.cancel(&wanted)?)).await? != Some(true) {
        return Err(Error::new(ErrorKind::Conflict, format!("run {id} is done")).into());
    }
    let run = found(&host, &who, &id).await?;
    Ok(json(&shown(&host, &who, run).await?))
}

/// How long it is waited for what fails at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Asks again for the texts of a run's people that failed, and for those alone. It goes on when the connection is closed;
/// the run's bill tells what was answered.
#[utoipa::path(post, path = "/v1/runs/{run}/retry", tag = "runs",
    params(("run" = String, Path, description = "Its id")), responses(
    (status = 202, description = "They are asked for", body = RunState),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn retry(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    who.must_be(Role::Writer)?;
    let run = found(&host, &who, &id).await?;
    if run.status == Status::Running {
        let error = Error::new(ErrorKind::Conflict, format!("run {id} is at work"));
        return Err(error.hint("when it is done, what failed can be asked for again").into());
    }
    may_write(&who, &run)?;
    let engine = host.session_of_run(&who, Some(run.narrator.clone()), run.fresh.clone())?;
    let ended = host.go_on(async move { Ok(runs::retry_failed(&engine, &run).await?) });
    if let Ok(Ok(done)) = tokio::time::timeout(AT_ONCE, ended).await {
        done?;
    }
    let run = found(&host, &who, &id).await?;
    Ok((StatusCode::ACCEPTED, json(&shown(&host, &who, run).await?)).into_response())
}

/// Goes on with a run that was interrupted, or failed.
#[utoipa::path(post, path = "/v1/runs/{run}/resume", tag = "runs",
    params(("run" = String, Path, description = "Its id")), responses(
    (status = 202, description = "It goes on", body = RunState),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    who.must_be(Role::Writer)?;
    let run = found(&host, &who, &id).await?;
    if !run.status.is_open() {
        return Err(Error::new(ErrorKind::Conflict, format!("run {id} is {}", run.status)).into());
    }
    may_write(&who, &run)?;
    go_on(&host, &who, run).await
}
