//! Statements on behalf of somebody: each in a session of its own, within its bounds, ended when nobody wants its rows.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as Planned;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use populace_population::{Interrupt, Waiting};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

use super::audit::{Audit, Entry, now};
use super::metrics::Metrics;
use super::observed::{Counted, Named, Observed};
use super::principal::{Principal, Share, verified};
use super::{Bounds, Options};
use crate::catalog::{Role, Token};
use crate::engine::{self, Engine, Error, ErrorKind};
use crate::servers::RequestOptions;
use crate::sql::Statement;

/// Batches that wait for a client that reads slowly.
const AHEAD: usize = 2;

/// What all requests share.
pub(super) struct Host {
    engine: Engine,
    runtime: Handle,
    bounds: Bounds,
    /// How models are asked on behalf of anybody
    asking: RequestOptions,
    no_auth: bool,
    /// Names that requests may be for
    pub hosts: Vec<String>,
    places: Arc<Semaphore>,
    /// What each principal has, by its token and what that says
    shares: Mutex<HashMap<String, Share>>,
    pub metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    tasks: TaskTracker,
    ending: CancellationToken,
    cancelled: CancellationToken,
    /// Has the work of all statements given up
    interrupt: Interrupt,
}

/// The rows of a statement as they come. Dropped, it ends the statement.
pub(super) struct Answer {
    pub schema: SchemaRef,
    rows: mpsc::Receiver<Result<RecordBatch, Error>>,
    told: Option<oneshot::Receiver<Told>>,
    _task: AbortOnDropHandle<()>,
    /// What keeps a thread does not see that its task is over
    _waiting: Waiting,
}

/// What there is to say of a statement when its rows have ended.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub notices: Vec<String>,
    /// The run that it was
    pub run: Option<String>,
}

impl Answer {
    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        self.rows.recv().await
    }

    /// What there is to say, once the rows have ended.
    pub async fn told(&mut self) -> Told {
        match self.told.take() {
            Some(told) => told.await.unwrap_or_default(),
            None => Told::default(),
        }
    }

    /// All rows.
    ///
    /// # Errors
    /// Of the statement.
    pub async fn all(mut self) -> Result<(Vec<RecordBatch>, Told), Error> {
        let mut batches = vec![];
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        let told = self.told().await;
        Ok((batches, told))
    }
}

impl Host {
    pub fn new(engine: Engine, runtime: Handle, options: &Options, address: SocketAddr, audit: Audit) -> Host {
        let hosts = ["localhost", "127.0.0.1", "[::1]"].map(String::from).into_iter();
        let own = (!address.ip().is_unspecified()).then(|| match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        });
        let hosts = hosts.chain(own).chain(options.hosts.iter().map(|name| name.to_lowercase())).collect();
        Host {
            engine,
            runtime,
            bounds: options.bounds,
            asking: options.asking.clone(),
            no_auth: options.no_auth,
            hosts,
            places: Arc::new(Semaphore::new(options.bounds.statements)),
            shares: Mutex::default(),
            metrics: Arc::new(Metrics::new()),
            audit: Arc::new(audit),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            cancelled: CancellationToken::new(),
            interrupt: Interrupt::default(),
        }
    }

    /// Takes no more statements.
    pub fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
    }

    /// Whether it takes statements.
    pub fn is_ready(&self) -> bool {
        !self.ending.is_cancelled()
    }

    /// Waits for the server to be told to end.
    pub async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// Waits for the statements that are at work.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Ends the statements that are at work.
    pub fn cancel(&self) {
        self.interrupt.set();
        self.cancelled.cancel();
    }

    /// Cancelled when statements are.
    pub fn cancelling(&self) -> CancellationToken {
        self.cancelled.child_token()
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whose a token is; without one, who asks from this machine where there are no tokens. `None` for nobody.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn principal(&self, token: Option<&str>, is_local: bool) -> Result<Option<Principal>, Error> {
        let catalog = self.engine.database().existing_catalog()?;
        if let (Some(token), Some(catalog)) = (token, &catalog) {
            let Some(token) = verified(catalog, token)? else { return Ok(None) };
            let share = self.share_of_token(&token)?;
            return Ok(Some(Principal::of_token(token, &self.bounds, share)));
        }
        let has_tokens = match &catalog {
            Some(catalog) => catalog.has_tokens().map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?,
            None => false,
        };
        let role = match (self.no_auth, has_tokens) {
            (true, _) => Role::Admin,
            (false, false) => Role::Reader,
            (false, true) => return Ok(None),
        };
        // A token that is not known does not make one somebody who has none.
        (token.is_none() && is_local).then(|| self.of_this_machine(role)).transpose()
    }

    /// Somebody who may read, whoever else has tokens.
    ///
    /// # Errors
    /// If there is no folder for rows that do not fit into memory.
    pub fn reader(&self) -> Result<Principal, Error> {
        self.of_this_machine(Role::Reader)
    }

    fn of_this_machine(&self, role: Role) -> Result<Principal, Error> {
        let share = self.share("", self.bounds.statements_each, self.bounds.memory_each)?;
        Ok(Principal::of_this_machine(role, &self.bounds, share))
    }

    fn share_of_token(&self, token: &Token) -> Result<Share, Error> {
        let each = self.bounds.statements_each;
        let statements = token.limits.statements.map_or(each, |most| (most as usize).clamp(1, each));
        let each = self.bounds.memory_each.unwrap_or(self.engine.database().memory() / 2);
        let memory = token.limits.memory.map_or(each, |most| most.min(each));
        self.share(&token.id, statements, Some(memory))
    }

    fn share(&self, id: &str, statements: usize, memory: Option<u64>) -> Result<Share, Error> {
        let mut all = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{id}/{statements}/{}", memory.unwrap_or_default());
        if let Some(share) = all.get(&key) {
            return Ok(share.clone());
        }
        let memory = memory.map(|bytes| self.engine.database().memory_share(bytes)).transpose()?;
        let share = Share { places: Arc::new(Semaphore::new(statements)), memory };
        Ok(all.entry(key).or_insert(share).clone())
    }

    /// A session for a statement of theirs: in one that they have already, or one of its own.
    ///
    /// # Errors
    /// As [`Engine::session`].
    fn session(&self, session: Option<Engine>, who: &Principal) -> Planned<Engine> {
        Ok(session.map_or_else(|| self.session_of_connection(who), Ok)?.for_statement())
    }

    /// A session of theirs for statements that share its views and settings, as those of a connection do.
    ///
    /// # Errors
    /// As [`Engine::session`].
    pub fn session_of_connection(&self, who: &Principal) -> Planned<Engine> {
        let options = engine::Options {
            access: who.access.clone(),
            asking: self.asking(who),
            statement_timeout: Some(who.statement),
            memory: who.share.memory.clone(),
            ..engine::Options::default()
        };
        self.engine.session(options)
    }

    /// How models are asked on their behalf: within what they may spend, and what the server may.
    fn asking(&self, who: &Principal) -> RequestOptions {
        let limits = who.limits.within(self.asking.limits);
        RequestOptions { limits, payer: who.payer.clone(), batch: false, ..self.asking.clone() }
    }

    fn observed(&self, who: Arc<Principal>, named: Named) -> Observed {
        Observed::new(self.metrics.clone(), self.audit.clone(), who, named)
    }

    /// Waits for a place among the statements at work.
    async fn place(&self, who: &Principal) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Error> {
        let full = |whose: &str| {
            let text = format!("{whose} has as many statements at work as it may, and none has ended");
            Err(Error::new(ErrorKind::Limit, text).hint("try again when one is done"))
        };
        if !self.is_ready() {
            return Err(Error::new(ErrorKind::Unavailable, "the server is ending").hint("try again in a moment"));
        }
        let waiting = Counted::new(&self.metrics.waiting);
        let of_all = async {
            let own = who.share.places.clone().acquire_owned().await;
            (own, self.places.clone().acquire_owned().await)
        };
        let places = tokio::time::timeout(self.bounds.wait, of_all).await;
        drop(waiting);
        match places {
            Ok((Ok(own), Ok(place))) => Ok((own, place)),
            _ => {
                self.metrics.turned_away.inc();
                full(if who.share.places.available_permits() == 0 { &who.name } else { "the server" })
            }
        }
    }

    /// Begins a statement of theirs. Its errors until the first row are told here.
    ///
    /// # Errors
    /// If there is no place for it; if it is refused, or fails before there are rows.
    pub async fn start<W, F>(self: &Arc<Self>, who: &Arc<Principal>, named: Named, work: W) -> Result<Answer, Error>
    where
        W: FnOnce(Engine) -> F + Send + 'static,
        F: Future<Output = Planned<SendableRecordBatchStream>> + Send,
    {
        self.start_in(None, who, named, work).await
    }

    /// The same in a session that is theirs already.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_in<W, F>(
        self: &Arc<Self>,
        session: Option<Engine>,
        who: &Arc<Principal>,
        named: Named,
        work: W,
    ) -> Result<Answer, Error>
    where
        W: FnOnce(Engine) -> F + Send + 'static,
        F: Future<Output = Planned<SendableRecordBatchStream>> + Send,
    {
        let places = self.place(who).await?;
        let (host, who) = (self.clone(), who.clone());
        let (sender, rows) = mpsc::channel(AHEAD);
        let (begun, begins) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let interrupt = self.interrupt.part();
        let waiting = interrupt.waiting();
        let mut observed = self.observed(who.clone(), named);
        let span = observed.span.clone();
        let task = async move {
            let _places = places;
            let run = async {
                let engine = host.session(session, &who)?;
                let mut rows = work(engine.clone()).await?;
                // What fails before its first row fails as a whole.
                let first = rows.next().await.transpose()?;
                Planned::Ok((engine, rows, first))
            };
            let run = async {
                tokio::select! {
                    done = run => done.map_err(|e| Error::from(&e)),
                    () = host.cancelled.cancelled() => Err(ended()),
                }
            };
            let (engine, mut rows, first) = match run.await {
                Ok(begun) => begun,
                Err(error) => {
                    observed.failed(&error);
                    _ = begun.send(Err(error));
                    return;
                }
            };
            if begun.send(Ok(rows.schema())).is_err() {
                return;
            }
            let mut next = first.map(Ok);
            while let Some(batch) = next {
                let batch = batch.map_err(|e: datafusion::common::DataFusionError| Error::from(&e));
                let batch = batch.and_then(|batch| observed.within(batch, &who));
                let failed = batch.as_ref().err().cloned();
                if sender.send(batch).await.is_err() {
                    return;
                }
                if let Some(error) = failed {
                    return observed.failed(&error);
                }
                next = tokio::select! {
                    next = rows.next() => next,
                    () = host.cancelled.cancelled() => {
                        _ = sender.send(Err(ended())).await;
                        return observed.failed(&ended());
                    }
                };
            }
            let asked = engine.asked();
            if let Some(why) = &asked.outage {
                let text = format!("{} texts are missing: {why}", asked.missing);
                let error = Error::new(ErrorKind::Unavailable, text);
                observed.failed(&error);
                _ = sender.send(Err(error)).await;
                return;
            }
            observed.run = engine.run_id();
            observed.done();
            let told = Told { notices: engine.take_notices(), run: observed.run.clone() };
            _ = tell.send(told);
        };
        let task = interrupt.around(task.instrument(span));
        let task = AbortOnDropHandle::new(self.tasks.spawn_on(task, &self.runtime));
        let schema = begins.await.map_err(|_| gone())??;
        Ok(Answer { schema, rows, told: Some(told), _task: task, _waiting: waiting })
    }

    /// Computes something on behalf of somebody, as a statement of theirs.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn compute<T, W, F>(self: &Arc<Self>, who: &Arc<Principal>, named: Named, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Engine) -> F + Send + 'static,
        F: Future<Output = Planned<T>> + Send,
    {
        self.compute_in(None, who, named, work).await
    }

    /// The same in a session that is theirs already.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn compute_in<T, W, F>(
        self: &Arc<Self>,
        session: Option<Engine>,
        who: &Arc<Principal>,
        named: Named,
        work: W,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Engine) -> F + Send + 'static,
        F: Future<Output = Planned<T>> + Send,
    {
        let places = self.place(who).await?;
        let (host, who) = (self.clone(), who.clone());
        let mut observed = self.observed(who.clone(), named);
        let span = observed.span.clone();
        let task = async move {
            let _places = places;
            let work = async {
                let engine = host.session(session, &who)?;
                work(engine).await
            };
            let done = tokio::select! {
                done = tokio::time::timeout(who.statement, work) => match done {
                    Ok(done) => done.map_err(|e| Error::from(&e)),
                    Err(_) => {
                        let text = format!("it took longer than {} s and was ended", who.statement.as_secs_f64());
                        Err(Error::new(ErrorKind::Limit, text))
                    }
                },
                () = host.cancelled.cancelled() => Err(ended()),
            };
            match &done {
                Ok(_) => observed.done(),
                Err(error) => observed.failed(error),
            }
            done
        };
        let interrupt = self.interrupt.part();
        let _waiting = interrupt.waiting();
        let task = self.tasks.spawn_on(interrupt.around(task.instrument(span)), &self.runtime);
        AbortOnDropHandle::new(task).await.map_err(|_| gone())?
    }

    /// Does a moment's work that is none of a statement on the threads of statements.
    ///
    /// # Errors
    /// If it panics.
    pub async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        AbortOnDropHandle::new(self.runtime.spawn(work)).await.map_err(|_| gone())
    }

    /// The same, of work that keeps a thread.
    ///
    /// # Errors
    /// If it panics.
    pub async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        self.runtime.spawn_blocking(work).await.map_err(|_| gone())
    }

    /// Does something that goes on when nobody waits for it any more: a run. What is returned tells of its end.
    pub fn go_on<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        let (tell, told) = oneshot::channel();
        let cancelled = self.cancelled.clone();
        let ending = self.ending.clone();
        let work = async move {
            let done = tokio::select! {
                done = work => done,
                // What is committed stays, and the run is resumed.
                () = ending.cancelled() => Err(ended()),
                () = cancelled.cancelled() => Err(ended()),
            };
            _ = tell.send(done);
        };
        self.tasks.spawn_on(work, &self.runtime);
        told
    }

    /// A session of theirs for a run.
    ///
    /// # Errors
    /// As [`Engine::session`].
    pub fn session_of_run(&self, who: &Principal, narrator: Option<String>, fresh: Option<String>) -> Planned<Engine> {
        let access = who.access.clone();
        let asking = RequestOptions { fresh, ..self.asking(who) };
        let memory = who.share.memory.clone();
        let options = engine::Options { access, asking, narrator, memory, ..engine::Options::default() };
        self.engine.session(options)
    }

    /// Notes an access.
    pub fn note(&self, who: (&str, &str), named: (&str, &str), outcome: &str, (rows, taken): (u64, Duration)) {
        self.audit.note(&Entry {
            at: now(),
            principal: who.0,
            role: who.1,
            protocol: named.0,
            action: named.1,
            outcome,
            rows,
            seconds: taken.as_secs_f64(),
            run: None,
        });
    }
}

/// One statement.
///
/// # Errors
/// If the text is not SQL, or there are several statements, or none.
pub(super) fn one(engine: &Engine, text: &str) -> Planned<Statement> {
    let mut statements = engine.parse(text)?;
    match (statements.pop(), statements.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => datafusion::common::plan_err!("there is no statement"),
        (_, more) => datafusion::common::plan_err!("one statement at a time, and here are {}", more + 1),
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the server ended").hint("what is committed stays")
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "it ended without a word: a fault of the program's own")
}
