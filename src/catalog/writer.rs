//! The thread that writes the catalogue for those who must not wait for a disk: it commits together what comes
//! together, renews the lease of the process, and hears of runs that were cancelled elsewhere.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, params};
use tokio::sync::{Notify, oneshot};

use super::owners::{BEAT, Owner};
use super::{Error, connect, explain};

/// What is committed together at most. Nothing waits for others: what is not committed yet is lost with a kill.
const GROUP: usize = 1000;

/// From one time that the disk has taken what was committed to the next, at least.
const SYNC: Duration = Duration::from_millis(25);

/// Between two looks at runs that may have been cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// How long a catalogue that another process holds is waited for: what is to be written may be paid for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something to write.
trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// It is committed, or lost.
    fn end(self: Box<Self>, ended: Result<(), Error>);
}

struct Write<F, T> {
    write: Option<F>,
    value: Option<T>,
    /// Nobody waits where the statement was cancelled; it is written all the same
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnOnce(&Connection) -> rusqlite::Result<T> + Send> Job for Write<F, T> {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(write) = self.write.take() {
            self.value = Some(write(connection)?);
        }
        Ok(())
    }

    fn end(self: Box<Self>, ended: Result<(), Error>) {
        match (ended, self.value) {
            (Ok(()), Some(value)) => _ = self.reply.send(Ok(value)),
            (Err(error), _) => _ = self.reply.send(Err(error)),
            (Ok(()), None) => {}
        }
    }
}

/// Tells of a run that is not its process's any more: it was cancelled, or taken up by another.
#[derive(Debug, Default)]
pub struct Stop {
    is_set: AtomicBool,
    told: Notify,
}

impl Stop {
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// Waits for it, for ever where it never comes.
    pub async fn wait(&self) {
        let told = self.told.notified();
        if !self.is_set() {
            told.await;
        }
    }

    fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
        self.told.notify_one();
    }
}

/// The runs that are looked after, each with whom to tell.
pub(super) type Watched = Arc<Mutex<Vec<(String, Arc<Stop>)>>>;

/// It ends with the catalogue.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(path: String, owner: Owner, watched: Watched) -> Writer {
        let (sender, jobs) = mpsc::channel::<Box<dyn Job>>();
        let thread = thread::spawn(move || match connect(&path) {
            Ok(connection) => work(&connection, &path, &jobs, &owner, &watched),
            Err(error) => jobs.iter().for_each(|job| job.end(Err(error.clone()))),
        });
        Writer { jobs: Some(sender), thread: Some(thread) }
    }

    /// Hands over something to write. When it is answered, no end of the process loses it. A loss of power does not
    /// either, once the disk has it, which is at work on it then.
    pub fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        let (reply, written) = oneshot::channel();
        let job = Write { write: Some(write), value: None, reply };
        if let Some(jobs) = &self.jobs {
            // Where the thread has ended, the answer never comes, which says so.
            _ = jobs.send(Box::new(job));
        }
        written
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // What was to be written may have kept the catalogue to the last: then this is the thread itself.
        if let Some(thread) = self.thread.take().filter(|t| t.thread().id() != thread::current().id()) {
            _ = thread.join();
        }
    }
}

fn work(connection: &Connection, path: &str, jobs: &Receiver<Box<dyn Job>>, owner: &Owner, watched: &Watched) {
    let synced = synced(path);
    let (mut renewed, mut looked) = (None::<Instant>, Instant::now());
    loop {
        let first = match jobs.recv_timeout(LOOK) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut group: Vec<Box<dyn Job>> = first.into_iter().chain(jobs.try_iter().take(GROUP - 1)).collect();
        let due = renewed.is_none_or(|at| at.elapsed() >= BEAT);
        if due || !group.is_empty() {
            let patience = if group.is_empty() { Duration::ZERO } else { PATIENCE };
            let done = committed(connection, patience, || {
                if due {
                    owner.renew(connection)?;
                }
                group.iter_mut().try_for_each(|job| job.run(connection))
            });
            let done = done.map_err(|e| explain(path, &e));
            if done.is_ok() && due {
                renewed = Some(Instant::now());
            }
            _ = synced.send(());
            for job in group {
                job.end(done.clone());
            }
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            // One that cannot be looked at is looked at again.
            _ = look(connection, owner, watched);
        }
    }
    // A catalogue that another process holds learns of the end by the lease.
    _ = connection.busy_timeout(Duration::from_millis(200));
    _ = committed(connection, Duration::ZERO, || owner.leave(connection));
}

/// Does something in a transaction, which is waited for where another process is at one.
fn committed(
    connection: &Connection,
    patience: Duration,
    work: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Err(error)
                if started.elapsed() < patience && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            begun => break begun?,
        }
    }
    let done = work().and_then(|()| connection.execute_batch("COMMIT"));
    if done.is_err() {
        // SQLite may have done so itself.
        _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// Tells those whose runs are theirs no more.
fn look(connection: &Connection, owner: &Owner, watched: &Watched) -> rusqlite::Result<()> {
    let watched = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let sql = "SELECT count(*) FROM runs WHERE id = ?1 AND owner = ?2 AND status = 'running'";
    for (run, stop) in watched {
        let ours: i64 = connection.prepare_cached(sql)?.query_row(params![run, owner.id], |r| r.get(0))?;
        if ours == 0 {
            stop.set();
        }
    }
    Ok(())
}

/// Has the disk take what was committed, again and again while something is, on a thread of its own: a commit that
/// waited for it would keep the answers that come meanwhile in memory alone, for a kill to lose.
fn synced(path: &str) -> Sender<()> {
    let (sender, committed) = mpsc::channel();
    // SQLite locks other files than its log: opening and closing this one lets go of no lock.
    let log = format!("{path}-wal");
    thread::spawn(move || {
        while committed.recv().is_ok() {
            thread::sleep(SYNC);
            while committed.try_recv().is_ok() {}
            // Where it fails, the disk gets it in its own time, as SQLite's log does at a checkpoint.
            _ = File::open(&log).and_then(|log| log.sync_data());
        }
    });
    sender
}
