//! Runs: each execution that writes people.

use std::fmt;

use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::owners::{AtWork, at_work, reap};
use super::writer::Stop;
use super::{Bounds, Catalog, Error, explain};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Brings the people of a seed in the table to a count
    Generate { country: String, pack: String, seed: u64, given: Option<String>, count: u64 },
    /// An INSERT … SELECT or CREATE TABLE … AS, with its seeds written out
    Statement(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// At work in some process
    Running,
    /// Its process ended, or was killed, before it was done
    Interrupted,
    Done,
    Failed,
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Interrupted => "interrupted",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    /// Whether there is something left to do, which nobody does.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Interrupted | Status::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A run as the catalogue has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: String,
    pub work: Work,
    /// What writes the narratives; `none` for facts alone
    pub narrator: String,
    /// Those that it writes; all that the narrator knows without this
    pub narratives: Option<Vec<String>>,
    /// What the narratives are in, where that is not the pack's own language
    pub language: Option<String>,
    /// Whether people are left out whose texts did not all come, and others drawn in their place
    pub exactly: bool,
    /// What scores the texts
    pub judge: Option<String>,
    /// Whether models are asked through the provider's batches
    pub batch: bool,
    pub table: String,
    /// Whether the table, where the run makes it, has columns of vectors
    pub embed: bool,
    /// Why a statement does not do the same when it runs again, if it does not
    pub once: Option<String>,
    /// What its calls are told apart by from those of others, where answers that are known do not count
    pub fresh: Option<String>,
    /// What it may spend in all, whoever goes on with it
    pub bounds: Bounds,
    /// The process that is at it
    pub at_work: Option<AtWork>,
    pub status: Status,
    /// People of the run who are in the table
    pub done: u64,
    pub error: Option<String>,
    pub started: String,
    pub updated: String,
}

impl Run {
    /// A run that has not started: a new identifier, which sorts by time.
    pub fn new(work: Work, table: &str, narrator: &str, embed: bool) -> Run {
        Run {
            id: uuid::Uuid::now_v7().simple().to_string(),
            work,
            narrator: narrator.into(),
            narratives: None,
            language: None,
            exactly: false,
            judge: None,
            batch: false,
            table: table.into(),
            embed,
            once: None,
            fresh: None,
            bounds: Bounds::default(),
            at_work: None,
            status: Status::Running,
            done: 0,
            error: None,
            started: String::new(),
            updated: String::new(),
        }
    }
}

impl Catalog {
    /// Notes the start of a run, anew if it is resumed, with what it may spend from then on: it is this process's, until
    /// its lease ends.
    /// Earlier runs that were killed doing the very same are no longer open: this one finishes their work.
    ///
    /// # Errors
    /// If another process is at it, or the catalogue cannot be written.
    pub fn start(&self, run: &Run) -> Result<(), Error> {
        let (statement, country, pack, seed, given, count) = match &run.work {
            Work::Statement(sql) => (Some(sql), None, None, None, None, None),
            Work::Generate { country, pack, seed, given, count } => {
                (None, Some(country), Some(pack), Some(*seed as i64), given.as_ref(), Some(*count as i64))
            }
        };
        let insert =
            "INSERT INTO runs (id, statement, country, pack, seed, given, count, narrator, narratives, destination,
                               embed, exactly, judge, batch, language, once, fresh, owner, max_calls, max_tokens,
                               max_cost_usd, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                     'running')
             ON CONFLICT (id) DO UPDATE SET status = 'running', error = NULL, owner = excluded.owner,
                     max_calls = excluded.max_calls, max_tokens = excluded.max_tokens,
                     max_cost_usd = excluded.max_cost_usd";
        let Run { id, narrator, table, embed, exactly, judge, batch, language, once, fresh, .. } = run;
        // SQLite's integers have a sign; what is beyond them bounds nothing.
        let whole = |most: Option<u64>| most.and_then(|most| i64::try_from(most).ok());
        let (calls, tokens, cost) = (whole(run.bounds.calls), whole(run.bounds.tokens), run.bounds.cost_usd);
        let (texts, us) = (run.narratives.as_ref().map(|n| n.join(",")), &self.owner.id);
        let other = self.at_once(|connection| {
            if let Some(other) = holder(connection, id)?.filter(|(owner, _)| owner != us) {
                return Ok(Some(other.1));
            }
            self.owner.renew(connection)?;
            connection.execute(
                insert,
                params![
                    id, statement, country, pack, seed, given, count, narrator, texts, table, embed, exactly, judge,
                    batch, language, once, fresh, us, calls, tokens, cost
                ],
            )?;
            Ok(None)
        })?;
        if let Some(other) = other {
            return Err(Error::AtWork(id.clone(), other));
        }
        // Renews the lease from now on.
        self.writer();
        Ok(())
    }

    /// Tells when a run is not this process's any more, as long as what is returned is kept.
    pub fn watch(&self, id: &str) -> Arc<Stop> {
        let stop = Arc::new(Stop::default());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push((id.into(), stop.clone()));
        stop
    }

    /// Looks after a run no longer; one that is not done can be taken up by anybody.
    pub fn leave(&self, id: &str) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).retain(|(run, _)| run != id);
        let (id, us) = (id.to_string(), self.owner.id.clone());
        self.post(move |connection| {
            connection.execute("UPDATE runs SET owner = NULL WHERE id = ?1 AND owner = ?2", [&id, &us]).map(|_| ())
        });
    }

    /// Notes how far a run of this process is; nobody waits for it.
    pub fn note_progress(&self, id: &str, done: u64) {
        let (id, us) = (id.to_string(), self.owner.id.clone());
        self.post(move |connection| {
            let sql = "UPDATE runs SET done = ?3, updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
                       WHERE id = ?1 AND owner = ?2 AND status = 'running'";
            connection.prepare_cached(sql)?.execute(params![id, us, done as i64]).map(|_| ())
        });
    }

    /// Notes how a run of this process ended. One that is done has done the work of those before it that were
    /// interrupted doing the same. False if it is not this process's any more, or was cancelled.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn end(&self, id: &str, done: u64, status: Status, error: Option<&str>) -> Result<bool, Error> {
        let us = &self.owner.id;
        self.at_once(|connection| {
            let sql = "UPDATE runs SET done = ?3, status = ?4, error = ?5, owner = NULL,
                       updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
                       WHERE id = ?1 AND owner = ?2 AND status = 'running'";
            let ended = connection.execute(sql, params![id, us, done as i64, status.name(), error])? > 0;
            if ended && status == Status::Done {
                reap(connection)?;
                let sql = "UPDATE runs AS r SET status = 'done', error = NULL, done = n.done, updated = n.updated
                           FROM (SELECT * FROM runs WHERE id = ?1) AS n
                           WHERE r.id < n.id AND r.status IN ('running', 'failed')
                             AND ifnull(r.owner NOT IN (SELECT id FROM owners), true)
                             AND (r.statement, r.country, r.pack, r.seed, r.given, r.narrator, r.narratives,
                                  r.exactly, r.judge, r.destination, r.language, r.fresh)
                              IS (n.statement, n.country, n.pack, n.seed, n.given, n.narrator, n.narratives,
                                  n.exactly, n.judge, n.destination, n.language, n.fresh)
                             AND ifnull(r.count <= n.count, true)";
                connection.execute(sql, [id])?;
            }
            Ok(ended)
        })
    }

    /// Marks a run that is not done as cancelled: a process that is at it ends it. False if there is no such run.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn cancel(&self, id: &str) -> Result<bool, Error> {
        Ok(self.execute("UPDATE runs SET status = 'cancelled' WHERE id = ?1 AND status <> 'done'", [id])? > 0)
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        self.found("SELECT * FROM runs ORDER BY id DESC", [])
    }

    /// One run by its identifier, or by the beginning of it.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let sql = "SELECT * FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 1";
        Ok(self.found(sql, [id])?.pop())
    }

    /// Runs, each with who is at it.
    fn found(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Run>, Error> {
        let connection = self.connection();
        let rows = || {
            // Where it cannot be written, who is gone is known by the end of the lease.
            _ = reap(&connection);
            let mut statement = connection.prepare(sql)?;
            let found = |r: &Row| Ok((run(r)?, r.get::<_, Option<String>>("owner")?));
            let found = statement.query_map(values, found)?.collect::<Result<Vec<_>, _>>()?;
            let with_owner = |(run, owner): (Run, Option<String>)| {
                let at_work = match owner.filter(|_| run.status == Status::Running) {
                    Some(owner) => at_work(&connection, &owner)?,
                    None => None,
                };
                let gone = run.status == Status::Running && at_work.is_none();
                Ok(Run { status: if gone { Status::Interrupted } else { run.status }, at_work, ..run })
            };
            found.into_iter().map(with_owner).collect::<rusqlite::Result<Vec<Run>>>()
        };
        rows().map_err(|e| explain(&self.path, &e))
    }
}

/// Who is at a run, if anybody is.
fn holder(connection: &Connection, id: &str) -> rusqlite::Result<Option<(String, AtWork)>> {
    let sql = "SELECT owner FROM runs WHERE id = ?1 AND status = 'running' AND owner IS NOT NULL";
    let Some(owner) = connection.query_row(sql, [id], |r| r.get::<_, String>(0)).optional()? else { return Ok(None) };
    reap(connection)?;
    Ok(at_work(connection, &owner)?.map(|at_work| (owner, at_work)))
}

fn run(row: &Row) -> rusqlite::Result<Run> {
    let work = match row.get("statement")? {
        Some(sql) => Work::Statement(sql),
        None => Work::Generate {
            country: row.get("country")?,
            pack: row.get("pack")?,
            seed: row.get::<_, i64>("seed")? as u64,
            given: row.get("given")?,
            count: row.get::<_, i64>("count")? as u64,
        },
    };
    let status = match row.get::<_, String>("status")?.as_str() {
        "done" => Status::Done,
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ => Status::Running,
    };
    Ok(Run {
        id: row.get("id")?,
        work,
        narrator: row.get("narrator")?,
        narratives: row.get::<_, Option<String>>("narratives")?.map(|n| n.split(',').map(String::from).collect()),
        language: row.get("language")?,
        exactly: row.get("exactly")?,
        judge: row.get("judge")?,
        batch: row.get("batch")?,
        table: row.get("destination")?,
        embed: row.get("embed")?,
        once: row.get("once")?,
        fresh: row.get("fresh")?,
        bounds: Bounds {
            calls: row.get::<_, Option<i64>>("max_calls")?.map(|most| most as u64),
            tokens: row.get::<_, Option<i64>>("max_tokens")?.map(|most| most as u64),
            cost_usd: row.get("max_cost_usd")?,
        },
        at_work: None,
        status,
        done: row.get::<_, i64>("done")? as u64,
        error: row.get("error")?,
        started: row.get("started")?,
        updated: row.get("updated")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_run_closes_those_it_finished() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let work = |seed| Work::Generate { country: "usa".into(), pack: "usa@1".into(), seed, given: None, count: 10 };
        let (killed, other, again) = (
            Run { id: "1".into(), ..Run::new(work(u64::MAX), "people", "none", true) },
            Run { id: "2".into(), language: Some("hi".into()), ..Run::new(work(u64::MAX), "people", "none", true) },
            Run { id: "3".into(), ..Run::new(work(u64::MAX), "people", "none", true) },
        );
        {
            let gone = Catalog::open(folder.path()).unwrap();
            for run in [&killed, &other] {
                gone.start(run).unwrap();
            }
        }
        catalog.start(&again).unwrap();
        assert!(catalog.end("3", 10, Status::Done, None).unwrap());
        let status = |id| catalog.run(id).unwrap().unwrap().status;
        assert_eq!((status("1"), status("2"), status("3")), (Status::Done, Status::Interrupted, Status::Done));
        assert_eq!(catalog.run("1").unwrap().unwrap().work, work(u64::MAX));
        assert_eq!(catalog.run("2").unwrap().unwrap().language.as_deref(), Some("hi"));
        assert!(!catalog.cancel("3").unwrap());
        assert!(catalog.cancel("2").unwrap());
    }

    #[test]
    fn a_run_is_one_processs_until_that_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Catalog::open(folder.path()).unwrap());
        let run = Run::new(Work::Statement("INSERT".into()), "people", "none", true);
        one.start(&run).unwrap();
        one.start(&run).unwrap();
        let refused = two.start(&run).unwrap_err().to_string();
        assert!(refused.contains(&format!("is at work in process {} on ", std::process::id())), "{refused}");
        assert!(!two.end(&run.id, 3, Status::Done, None).unwrap());
        let found = two.run(&run.id).unwrap().unwrap();
        assert_eq!((found.status, found.done, found.at_work.is_some()), (Status::Running, 0, true));
        // Cancelled elsewhere, it stays so.
        assert!(two.cancel(&run.id).unwrap());
        assert!(!one.end(&run.id, 3, Status::Done, None).unwrap());
        assert_eq!(two.run(&run.id).unwrap().unwrap().status, Status::Cancelled);
        // Who ends leaves it to others.
        one.start(&run).unwrap();
        drop(one);
        assert_eq!(two.run(&run.id).unwrap().unwrap().status, Status::Interrupted);
        two.start(&run).unwrap();
    }
}
