//! What a connection is once somebody is known: what was prepared and begun, and what each message does.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::logical_expr::{LogicalPlan, ResetVariable, SetVariable, Statement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::extended::{Portal, Prepared};
use super::messages::{Frontend, Report, Severity};
use super::settings::{Settings, spelled};
use super::socket::{Lost, Socket};
use super::sqlstate;
use crate::engine::{Engine, Error, ErrorKind};
use crate::serve::principal::Principal;
use crate::serve::statements::Host;
use crate::serve::{REQUEST, TO_SAY_IT};

/// How long a client may take to take what it was sent.
const TAKEN: Duration = Duration::from_secs(60);

/// What of rows that are copied in may stand in one message.
const COPIED: usize = 4 << 20;

/// Whether a connection is within a block that BEGIN opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    None,
    /// With how many statements in it have written
    Open(u32),
    /// Open, and one of its statements has failed
    Failed(u32),
}

/// Why a statement does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(Error),
    /// The same, with a code that says more than the error's kind
    Coded(&'static str, Error),
    Lost(Lost),
}

impl Stop {
    /// The same of a statement that the client has not just sent: places in it would be taken for those of another.
    pub fn without_place(self) -> Stop {
        let of = |error: Error| Error { position: None, ..error };
        match self {
            Stop::Failed(error) => Stop::Failed(of(error)),
            Stop::Coded(code, error) => Stop::Coded(code, of(error)),
            lost @ Stop::Lost(_) => lost,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Stop {
        Stop::Lost(lost)
    }
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Stop {
        Stop::Lost(Lost::Gone)
    }
}

/// What is at work for a connection, for whoever may cancel it.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<CancellationToken>);

impl Running {
    fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        token
    }

    pub fn cancel(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

pub(super) struct Session {
    pub host: Arc<Host>,
    pub socket: Socket,
    pub who: Arc<Principal>,
    /// As it was given, to be held against those there are
    pub token: Option<String>,
    pub is_local: bool,
    /// The session of the connection: its views, and settings of the engine
    pub engine: Engine,
    pub settings: Settings,
    pub running: Arc<Running>,
    /// Of what is at work
    pub cancel: CancellationToken,
    pub block: Block,
    /// Whether it was said that what is written is committed at once
    pub said_so: bool,
    pub prepared: HashMap<String, Arc<Prepared>>,
    pub portals: HashMap<String, Portal>,
    /// Whether messages are passed over up to the next Sync
    pub passing: bool,
    /// What the message at work is about
    pub place: Place,
    /// The zone that the engine goes by, where it is not UTC
    pub zone: Option<String>,
}

/// The text of a statement, and how many characters of what was sent came before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub text: Arc<str>,
    pub before: usize,
}

impl Place {
    pub fn new(text: &str, before: usize) -> Place {
        Place { text: text.into(), before }
    }
}

impl Session {
    /// Answers until the client leaves, or the server ends.
    pub async fn answer(mut self) {
        if let Some(last) = self.answered().await {
            let (code, error) = last;
            let report = Report { code, ..sqlstate::report(&error, Severity::Fatal, &Place::default()) };
            self.socket.said.report(&report);
            self.socket.end(TO_SAY_IT).await;
        }
    }

    /// The same, and what there is to say at its end to a client that is there.
    async fn answered(&mut self) -> Option<(&'static str, Error)> {
        loop {
            match tokio::time::timeout(TAKEN, self.socket.send()).await {
                Ok(Ok(())) => {}
                _ => return None,
            }
            let expiry = self.portals.values().filter_map(Portal::until).min();
            let message = tokio::select! {
                biased;
                message = self.socket.receive(most) => message,
                () = self.host.ending() => {
                    let error = Error::new(ErrorKind::Unavailable, "the server is ending").hint("connect again in a moment");
                    return Some((sqlstate::SHUT_DOWN, error));
                }
                () = until(expiry) => {
                    // Rows that nobody takes keep their statement's place no longer than any other may.
                    let now = Instant::now();
                    self.portals.values_mut().filter(|p| p.until().is_some_and(|u| u <= now)).for_each(Portal::expire);
                    continue;
                }
            };
            match message {
                Ok(Ok(Frontend::Terminate)) | Err(Lost::Gone) => return None,
                Ok(Ok(message)) => match self.message(message).await {
                    Ok(()) => {}
                    Err(Lost::Gone) => return None,
                    Err(Lost::Broken(error)) => return Some((sqlstate::code(&error), error)),
                },
                Ok(Err(error)) | Err(Lost::Broken(error)) => return Some((sqlstate::code(&error), error)),
            }
        }
    }

    async fn message(&mut self, message: Frontend) -> Result<(), Lost> {
        if self.passing && !matches!(message, Frontend::Sync | Frontend::Query(_)) {
            return Ok(());
        }
        self.cancel = self.running.begin();
        self.place = Place::default();
        let done = match message {
            Frontend::Query(sql) => {
                self.passing = false;
                self.query(&sql).await?;
                self.ready();
                return Ok(());
            }
            Frontend::Sync => {
                self.passing = false;
                if self.block == Block::None {
                    self.portals.retain(|_, portal| portal.is_cursor);
                }
                self.ready();
                return Ok(());
            }
            Frontend::Flush => {
                return match tokio::time::timeout(TAKEN, self.socket.send()).await {
                    Ok(Ok(())) => Ok(()),
                    _ => Err(Lost::Gone),
                };
            }
            Frontend::Parse { name, sql, types } => self.parse(name, &sql, types).await,
            Frontend::Bind(bind) => self.bind(bind),
            Frontend::Describe(named) => self.describe(named).await,
            Frontend::Execute { portal, rows } => self.execute(&portal, rows).await,
            Frontend::Close(named) => {
                self.close(&named);
                Ok(())
            }
            // What is left of a copy that has failed is passed over.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => return Ok(()),
            Frontend::Password(_) | Frontend::Unknown(_) | Frontend::Terminate => {
                return Err(Lost::Broken(super::messages::broken("it is of no kind that is expected here")));
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(Stop::Lost(lost)) => Err(lost),
            Err(stop) => {
                self.failed(&stop);
                self.passing = true;
                Ok(())
            }
        }
    }

    /// Tells that the statement has failed.
    pub fn failed(&mut self, stop: &Stop) {
        let (code, error) = match stop {
            Stop::Failed(error) => (sqlstate::code(error), error),
            Stop::Coded(code, error) => (*code, error),
            Stop::Lost(_) => return,
        };
        self.socket.said.report(&Report { code, ..sqlstate::report(error, Severity::Error, &self.place) });
        if let Block::Open(writes) = self.block {
            self.block = Block::Failed(writes);
        }
    }

    /// Has the engine go by the zone that the connection has set, for moments that are written without one.
    pub async fn zoned(&mut self) -> Result<(), Stop> {
        const OPTION: &str = "datafusion.execution.time_zone";
        let zone = self.settings.zone().named().map(String::from);
        if zone == self.zone {
            return Ok(());
        }
        let set = match zone.clone() {
            Some(value) => Statement::SetVariable(SetVariable { variable: OPTION.into(), value }),
            None => Statement::ResetVariable(ResetVariable { variable: OPTION.into() }),
        };
        // It is a setting of the connection, which everybody may set, and not the engine's, which few may.
        let done = self.engine.context().execute_logical_plan(LogicalPlan::Statement(set)).await;
        done.map_err(|e| Error::from(&e))?;
        self.zone = zone;
        Ok(())
    }

    fn ready(&mut self) {
        for (name, value) in self.settings.changed() {
            self.socket.said.parameter(spelled(name), &value);
        }
        self.socket.said.ready(match self.block {
            Block::None => b'I',
            Block::Open(_) => b'T',
            Block::Failed(_) => b'E',
        });
    }

    /// Says something beside rows, if the client wants to hear such things.
    pub fn say(&mut self, severity: Severity, code: &str, message: &str) {
        let least = self.settings.get("client_min_messages").unwrap_or_default().to_lowercase();
        let quiet = match severity {
            Severity::Notice => ["warning", "error", "fatal", "panic"].contains(&least.as_str()),
            _ => ["error", "fatal", "panic"].contains(&least.as_str()),
        };
        if !quiet {
            self.socket.said.report(&Report { severity, code, message: message.into(), hint: None, position: None });
        }
    }

    /// How long a statement may take that begins now.
    pub fn given(&self) -> Duration {
        self.settings.statement_timeout().map_or(self.who.statement, |given| given.min(self.who.statement))
    }

    /// Waits for work, unless it is cancelled, takes too long, or the client leaves.
    pub async fn guarded<T>(
        &mut self,
        (until, given): (Instant, Duration),
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Stop> {
        let cancel = self.cancel.clone();
        tokio::select! {
            done = work => Ok(done?),
            () = cancel.cancelled() => Err(cancelled().into()),
            () = tokio::time::sleep_until(until) => Err(too_long(given).into()),
            () = self.socket.left() => Err(Lost::Gone.into()),
        }
    }

    /// Sends what was gathered, unless the statement is cancelled, or the client takes too long to take it.
    pub async fn pressed(&mut self, (until, given): (Instant, Duration)) -> Result<(), Stop> {
        let cancel = self.cancel.clone();
        tokio::select! {
            sent = self.socket.send() => Ok(sent?),
            () = cancel.cancelled() => Err(cancelled().into()),
            () = tokio::time::sleep_until(until) => Err(too_long(given).into()),
        }
    }

    /// That whoever connected is still somebody: a token that was removed, or has ended, is nobody's.
    pub async fn known(&mut self) -> Result<(), Stop> {
        let (host, token, is_local) = (self.host.clone(), self.token.clone(), self.is_local);
        // The catalogue is a file.
        let known = tokio::task::spawn_blocking(move || host.principal(token.as_deref(), is_local)).await;
        match known.map_err(|_| Error::new(ErrorKind::Internal, "nobody could be known"))?? {
            Some(_) => Ok(()),
            None => Err(Lost::Broken(Error::new(ErrorKind::Permission, "the token is good no more")).into()),
        }
    }

    /// That a statement may run here and now.
    pub fn may_run(&self) -> Result<(), Stop> {
        match self.block {
            Block::Failed(_) => Err(Stop::Coded(
                sqlstate::FAILED_TRANSACTION,
                Error::new(ErrorKind::Usage, "a statement of this block has failed, and no other runs before its end")
                    .hint("ROLLBACK ends it"),
            )),
            _ => Ok(()),
        }
    }

    /// Notes that a statement will write.
    pub fn writes(&mut self) {
        if let Block::Open(_) = self.block
            && !std::mem::replace(&mut self.said_so, true)
        {
            let text = "each statement is committed by itself: what this one writes, ROLLBACK does not undo";
            self.say(Severity::Notice, sqlstate::NOTICE, text);
        }
    }

    /// Notes that one has.
    pub fn wrote(&mut self) {
        if let Block::Open(writes) = self.block {
            self.block = Block::Open(writes + 1);
        }
    }
}

/// The bytes that a message of a kind may have.
pub(super) fn most(kind: u8) -> usize {
    if kind == b'd' { COPIED } else { REQUEST }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::Interrupted, "the statement was cancelled")
}

pub(super) fn too_long(given: Duration) -> Error {
    let text = format!("the statement took longer than {} s and was ended", given.as_secs_f64());
    Error::new(ErrorKind::Limit, text).hint("what it has committed stays; --statement-timeout gives it more")
}
