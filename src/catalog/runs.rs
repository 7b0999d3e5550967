//! Runs: each execution that writes people.

use std::fmt;

use rusqlite::{OptionalExtension, Row, params};

use super::{Catalog, Error, explain};

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
    /// Running, or killed while it did
    Running,
    Done,
    Failed,
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    /// Whether there is something left to do.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Running | Status::Failed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A run as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
            status: Status::Running,
            done: 0,
            error: None,
            started: String::new(),
            updated: String::new(),
        }
    }
}

impl Catalog {
    /// Notes the start of a run, anew if it is resumed. Earlier runs that were killed doing the very same are no longer
    /// open: this one finishes their work.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn start(&self, run: &Run) -> Result<(), Error> {
        let (statement, country, pack, seed, given, count) = match &run.work {
            Work::Statement(sql) => (Some(sql), None, None, None, None, None),
            Work::Generate { country, pack, seed, given, count } => {
                (None, Some(country), Some(pack), Some(*seed as i64), given.as_ref(), Some(*count as i64))
            }
        };
        let sql =
            "INSERT INTO runs (id, statement, country, pack, seed, given, count, narrator, narratives, destination,
                                     embed, exactly, judge, batch, language, status)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 'running')
                   ON CONFLICT (id) DO UPDATE SET status = 'running', error = NULL";
        let Run { id, narrator, table, embed, exactly, judge, batch, language, .. } = run;
        let texts = run.narratives.as_ref().map(|n| n.join(","));
        self.execute(
            sql,
            params![
                id, statement, country, pack, seed, given, count, narrator, texts, table, embed, exactly, judge, batch,
                language
            ],
        )?;
        Ok(())
    }

    /// Notes how far a run is, and how it stands. One that is done has done the work of those before it that were
    /// interrupted doing the same.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn progress(&self, id: &str, done: u64, status: Status, error: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE runs SET done = ?2, status = ?3, error = ?4,
                   updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
        self.execute(sql, params![id, done as i64, status.name(), error])?;
        if status == Status::Done {
            let sql = "UPDATE runs AS r SET status = 'done', error = NULL, done = n.done, updated = n.updated
                       FROM (SELECT * FROM runs WHERE id = ?1) AS n
                       WHERE r.id < n.id AND r.status IN ('running', 'failed')
                         AND (r.statement, r.country, r.pack, r.seed, r.given, r.narrator, r.narratives, r.exactly,
                              r.judge, r.destination, r.language)
                          IS (n.statement, n.country, n.pack, n.seed, n.given, n.narrator, n.narratives, n.exactly,
                              n.judge, n.destination, n.language)
                         AND ifnull(r.count <= n.count, true)";
            self.execute(sql, [id])?;
        }
        Ok(())
    }

    /// Marks a run that is not done as cancelled; false if there is no such run.
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
        let connection = self.connection();
        let rows = || {
            let mut statement = connection.prepare("SELECT * FROM runs ORDER BY id DESC")?;
            statement.query_map([], run)?.collect::<Result<Vec<Run>, _>>()
        };
        rows().map_err(|e| explain(&self.path, &e))
    }

    /// One run by its identifier, or by the beginning of it.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let sql = "SELECT * FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 1";
        self.connection().query_row(sql, [id], run).optional().map_err(|e| explain(&self.path, &e))
    }
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
        for run in [&killed, &other, &again] {
            catalog.start(run).unwrap();
        }
        catalog.progress("3", 10, Status::Done, None).unwrap();
        let status = |id| catalog.run(id).unwrap().unwrap().status;
        assert_eq!((status("1"), status("2"), status("3")), (Status::Done, Status::Running, Status::Done));
        assert_eq!(catalog.run("1").unwrap().unwrap().work, work(u64::MAX));
        assert_eq!(catalog.run("2").unwrap().unwrap().language.as_deref(), Some("hi"));
        assert!(!catalog.cancel("3").unwrap());
        assert!(catalog.cancel("2").unwrap());
    }
}
