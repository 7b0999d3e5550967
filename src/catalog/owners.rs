//! Who is at work: each process that writes has a lease, which it renews while it lives. What it has in hand (runs,
//! calls that are being asked, batches that are being handed over) is nobody else's until the lease ends.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};

/// Leases, and what belongs to those who hold them; what runs and sessions have spent; answers that are not known by
/// all that asks for them.
pub(super) const MIGRATION: &str = "
    CREATE TABLE owners (
        id TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        place TEXT NOT NULL,
        pid INTEGER NOT NULL,
        born TEXT NOT NULL,
        since TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        lease_until INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE asking (key BLOB PRIMARY KEY, owner TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE budgets (
        account TEXT PRIMARY KEY,
        calls INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        cost_usd REAL NOT NULL
    ) STRICT;
    ALTER TABLE runs ADD COLUMN owner TEXT;
    ALTER TABLE runs ADD COLUMN once TEXT;
    ALTER TABLE runs ADD COLUMN fresh TEXT;
    ALTER TABLE batches ADD COLUMN owner TEXT;
    ALTER TABLE batches ADD COLUMN account TEXT;
    ALTER TABLE batch_calls ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE batch_calls ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0;
    CREATE INDEX batch_calls_by_key ON batch_calls (key);
    ALTER TABLE calls ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;";

/// How long a lease holds without being renewed, and how often it is.
const LEASE: Duration = Duration::from_secs(30);
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// A process that has something in hand.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub id: String,
}

/// Another process that has something in hand, as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    pub host: String,
    pub pid: u32,
    pub since: String,
}

impl std::fmt::Display for AtWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "in process {} on {} since {}", self.pid, self.host, self.since)
    }
}

impl Owner {
    pub fn new() -> Owner {
        Owner { id: uuid::Uuid::now_v7().simple().to_string() }
    }

    /// Takes the lease, or renews it.
    pub fn renew(&self, connection: &Connection) -> rusqlite::Result<()> {
        let here = &*HERE;
        let sql = "INSERT INTO owners (id, host, place, pid, born, lease_until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
        let values = params![self.id, here.host, here.place, std::process::id(), here.born, now() + millis(LEASE)];
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Lets go of all that is in hand.
    pub fn leave(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute("DELETE FROM asking WHERE owner = ?1", [&self.id])?;
        connection.execute("DELETE FROM owners WHERE id = ?1", [&self.id])?;
        Ok(())
    }
}

/// Forgets processes that are gone: those whose lease is over, and those of this machine that have ended. Nothing is
/// written where there are none.
pub(super) fn reap(connection: &Connection) -> rusqlite::Result<()> {
    let here = &*HERE;
    let mut owners = connection.prepare_cached("SELECT id, place, pid, born, lease_until FROM owners")?;
    let gone = owners.query_map([], |r| {
        let (place, pid, born): (String, u32, String) = (r.get(1)?, r.get(2)?, r.get(3)?);
        let is_over = r.get::<_, i64>(4)? < now();
        Ok((is_over || (place == here.place && is_gone(pid, &born))).then_some(r.get::<_, String>(0)?))
    })?;
    for gone in gone.collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        Owner { id: gone }.leave(connection)?;
    }
    Ok(())
}

/// An owner that is at work.
pub(super) fn at_work(connection: &Connection, owner: &str) -> rusqlite::Result<Option<AtWork>> {
    let sql = "SELECT host, pid, since FROM owners WHERE id = ?1";
    let found = |r: &rusqlite::Row| Ok(AtWork { host: r.get(0)?, pid: r.get(1)?, since: r.get(2)? });
    connection.prepare_cached(sql)?.query_row([owner], found).optional()
}

/// Milliseconds of the clock.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What tells processes of this machine from those of others, and this one from a later one of its number.
struct Here {
    host: String,
    place: String,
    born: String,
}

/// Where the system has no `/proc`, a process that ended is known by the end of its lease alone.
static HERE: LazyLock<Here> = LazyLock::new(|| {
    let read = |path: &str| std::fs::read_to_string(path).map(|t| t.trim().to_string()).unwrap_or_default();
    let host = Some(read("/proc/sys/kernel/hostname")).filter(|h| !h.is_empty());
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_else(|| "an unnamed host".into());
    // Numbers of processes are those of a start of the machine, and of a container.
    let numbers = std::fs::read_link("/proc/self/ns/pid").map(|n| n.display().to_string()).unwrap_or_default();
    let place = format!("{host} {} {numbers}", read("/proc/sys/kernel/random/boot_id"));
    let born = stat(std::process::id()).map(|(_, born)| born).unwrap_or_default();
    Here { host, place, born }
});

/// The state of a process, and when it was started, in the words of the system.
fn stat(pid: u32) -> Option<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have spaces and parentheses in it.
    let mut words = text.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.to_string(), words.nth(18)?.to_string()))
}

fn is_gone(pid: u32, born: &str) -> bool {
    if born.is_empty() || !Path::new("/proc/self/stat").exists() {
        return false;
    }
    stat(pid).is_none_or(|(state, started)| matches!(state.as_str(), "Z" | "X") || started != born)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_ended_or_was_followed_by_another_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let born = stat(child.id()).unwrap().1;
        assert!(!is_gone(child.id(), &born) && is_gone(child.id(), "1") && !is_gone(child.id(), ""));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(child.id(), &born));
    }
}
