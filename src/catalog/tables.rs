//! Tables: their names, the folders that their files are in, and what became of those that were dropped.
//!
//! A table is a folder by its identifier; a name stands for one of them at a time. Making, replacing, renaming and
//! dropping a table is a transaction here, after its files are in place and before any are removed.

use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{Catalog, Error, explain};

/// Brings in the table of tables.
pub(super) const MIGRATION: &str = "CREATE TABLE tables (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        folder TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('made', 'there', 'dropped')),
        countries TEXT,
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        dropped TEXT
    ) STRICT;
    CREATE UNIQUE INDEX tables_by_name ON tables (name) WHERE state = 'there';";

/// Whether a table can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableState {
    /// Its rows are being written for the first time, or were when its process died
    Made,
    There,
    /// Until its files are removed, it can be had back
    Dropped,
}

impl TableState {
    fn name(self) -> &'static str {
        match self {
            TableState::Made => "made",
            TableState::There => "there",
            TableState::Dropped => "dropped",
        }
    }
}

/// A table as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// What it is known by, whatever its name
    pub id: String,
    pub name: String,
    /// Where its files are, within the folder of tables
    pub folder: String,
    pub state: TableState,
    pub created: String,
    pub dropped: Option<String>,
}

/// What a new table does with one that has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    Fail,
    Replace,
}

/// What became of a change of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Done,
    /// Another table has the name
    Taken(TableEntry),
    /// The table is not there any more
    Gone,
}

/// What the column `country` of a version of a table says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCountries {
    pub version: u64,
    /// In their order, each once
    pub names: Vec<String>,
}

impl Catalog {
    /// The tables that are there, by name.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn tables(&self) -> Result<Vec<TableEntry>, Error> {
        self.entries("state = 'there' ORDER BY name", [])
    }

    /// The tables that were dropped and whose files are there still, the last dropped first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn dropped_tables(&self) -> Result<Vec<TableEntry>, Error> {
        self.entries("state = 'dropped' ORDER BY dropped DESC, id DESC", [])
    }

    /// Tables that were begun; whether their process lives is told by their locks.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn begun_tables(&self) -> Result<Vec<TableEntry>, Error> {
        self.entries("state = 'made' ORDER BY id", [])
    }

    /// The table that is there under a name.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn table(&self, name: &str) -> Result<Option<TableEntry>, Error> {
        Ok(self.entries("state = 'there' AND name = ?1", [name])?.pop())
    }

    /// A table by its identifier, whatever its state.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn table_by_id(&self, id: &str) -> Result<Option<TableEntry>, Error> {
        Ok(self.entries("id = ?1", [id])?.pop())
    }

    fn entries(&self, of: &str, values: impl rusqlite::Params) -> Result<Vec<TableEntry>, Error> {
        let connection = self.connection();
        let read = || {
            let sql = format!("SELECT id, name, folder, state, created, dropped FROM tables WHERE {of}");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(values, entry)?.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|e| explain(&self.path, &e))
    }

    /// Notes that a table is about to be written, under no name that anybody sees.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn begin_table(&self, id: &str, name: &str, folder: &str) -> Result<(), Error> {
        let sql = "INSERT INTO tables (id, name, folder, state) VALUES (?1, ?2, ?3, 'made')";
        self.execute(sql, params![id, name, folder]).map(|_| ())
    }

    /// Gives a table that is whole its name, which another may lose by it.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn publish_table(&self, id: &str, on_existing: OnExisting) -> Result<Named, Error> {
        self.change(|change| {
            let Some(table) = find(change, "id = ?1 AND state = 'made'", [id])? else { return Ok(Named::Gone) };
            match find(change, "state = 'there' AND name = ?1", [&table.name])? {
                Some(other) if on_existing == OnExisting::Fail => return Ok(Named::Taken(other)),
                Some(other) => drop_in(change, &other.id)?,
                None => {}
            }
            change.execute("UPDATE tables SET state = 'there' WHERE id = ?1", [id])?;
            Ok(Named::Done)
        })
    }

    /// Takes a table's name away. Its files stay until they are removed.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn drop_table(&self, id: &str) -> Result<Named, Error> {
        self.change(|change| match find(change, "id = ?1 AND state = 'there'", [id])? {
            Some(_) => drop_in(change, id).map(|()| Named::Done),
            None => Ok(Named::Gone),
        })
    }

    /// Gives a dropped table its name back.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn undrop_table(&self, id: &str) -> Result<Named, Error> {
        self.change(|change| {
            let Some(table) = find(change, "id = ?1 AND state = 'dropped'", [id])? else { return Ok(Named::Gone) };
            if let Some(other) = find(change, "state = 'there' AND name = ?1", [&table.name])? {
                return Ok(Named::Taken(other));
            }
            change.execute("UPDATE tables SET state = 'there', dropped = NULL WHERE id = ?1", [id])?;
            Ok(Named::Done)
        })
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn rename_table(&self, id: &str, name: &str) -> Result<Named, Error> {
        self.change(|change| {
            if let Some(other) = find(change, "state = 'there' AND name = ?1", [name])? {
                return Ok(Named::Taken(other));
            }
            let renamed =
                change.execute("UPDATE tables SET name = ?2 WHERE id = ?1 AND state = 'there'", [id, name])?;
            Ok(if renamed == 1 { Named::Done } else { Named::Gone })
        })
    }

    /// Forgets a table whose files are gone; one that is there stays.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn forget_table(&self, id: &str) -> Result<(), Error> {
        self.execute("DELETE FROM tables WHERE id = ?1 AND state <> 'there'", [id]).map(|_| ())
    }

    /// Takes up tables that a database of the first layout has in its folder, each but once.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn adopt_tables(&self, tables: &[TableEntry]) -> Result<(), Error> {
        self.change(|change| {
            for table in tables {
                let sql = "INSERT INTO tables (id, name, folder, state, dropped)
                           SELECT ?1, ?2, ?3, ?4, CASE ?4 WHEN 'dropped' THEN strftime('%Y-%m-%dT%H:%M:%SZ', 'now') END
                           WHERE NOT EXISTS (SELECT 1 FROM tables WHERE folder = ?3)
                             AND NOT (?4 = 'there' AND EXISTS (SELECT 1 FROM tables WHERE name = ?2 AND state = 'there'))";
                change.execute(sql, params![table.id, table.name, table.folder, table.state.name()])?;
            }
            Ok(())
        })
    }

    /// The countries that a table's column `country` is known to name, where it is known; written when rows are.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn table_countries(&self, id: &str) -> Result<Option<TableCountries>, Error> {
        let sql = "SELECT countries FROM tables WHERE id = ?1";
        let read = self.connection().query_row(sql, [id], |r| r.get::<_, Option<String>>(0)).optional();
        let text = read.map_err(|e| explain(&self.path, &e))?.flatten();
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Notes which countries a table's column `country` names.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn set_table_countries(&self, id: &str, countries: &TableCountries) -> Result<(), Error> {
        let text = serde_json::to_string(countries).ok();
        self.execute("UPDATE tables SET countries = ?2 WHERE id = ?1", params![id, text]).map(|_| ())
    }

    fn change<T>(&self, change: impl FnOnce(&Transaction) -> rusqlite::Result<T>) -> Result<T, Error> {
        let mut connection = self.connection();
        let changed = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        changed().map_err(|e| explain(&self.path, &e))
    }
}

fn find(change: &Transaction, of: &str, values: impl rusqlite::Params) -> rusqlite::Result<Option<TableEntry>> {
    let sql = format!("SELECT id, name, folder, state, created, dropped FROM tables WHERE {of}");
    change.query_row(&sql, values, entry).optional()
}

fn drop_in(change: &Transaction, id: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE tables SET state = 'dropped', dropped = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
    change.execute(sql, [id]).map(|_| ())
}

fn entry(row: &Row) -> rusqlite::Result<TableEntry> {
    let state = match row.get::<_, String>(3)?.as_str() {
        "there" => TableState::There,
        "dropped" => TableState::Dropped,
        _ => TableState::Made,
    };
    Ok(TableEntry {
        id: row.get(0)?,
        name: row.get(1)?,
        folder: row.get(2)?,
        state,
        created: row.get(4)?,
        dropped: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(catalog: &Catalog, id: &str, name: &str, on_existing: OnExisting) -> Named {
        catalog.begin_table(id, name, &format!("{id}.lance")).unwrap();
        catalog.publish_table(id, on_existing).unwrap()
    }

    fn names(catalog: &Catalog) -> Vec<(String, String)> {
        catalog.tables().unwrap().into_iter().map(|t| (t.name, t.id)).collect()
    }

    #[test]
    fn a_name_is_of_one_table_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let there =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(n, i)| (n.to_string(), i.to_string())).collect::<Vec<_>>();
        assert_eq!(made(&catalog, "1", "usa", OnExisting::Fail), Named::Done);
        assert!(matches!(made(&catalog, "2", "usa", OnExisting::Fail), Named::Taken(t) if t.id == "1"));
        assert_eq!(names(&catalog), there(&[("usa", "1")]));
        assert_eq!(catalog.publish_table("2", OnExisting::Replace).unwrap(), Named::Done);
        assert_eq!(names(&catalog), there(&[("usa", "2")]));
        // What was replaced can be had back, under another name of what replaced it.
        assert!(matches!(catalog.undrop_table("1").unwrap(), Named::Taken(t) if t.id == "2"));
        assert_eq!(catalog.rename_table("2", "new").unwrap(), Named::Done);
        assert_eq!(catalog.undrop_table("1").unwrap(), Named::Done);
        assert_eq!(names(&catalog), there(&[("new", "2"), ("usa", "1")]));
        assert!(matches!(catalog.rename_table("2", "usa").unwrap(), Named::Taken(_)));
        assert_eq!(catalog.drop_table("1").unwrap(), Named::Done);
        assert_eq!(catalog.drop_table("1").unwrap(), Named::Gone);
        assert_eq!(catalog.dropped_tables().unwrap().len(), 1);
        catalog.forget_table("1").unwrap();
        catalog.forget_table("2").unwrap();
        assert_eq!(names(&catalog), there(&[("new", "2")]));
        assert_eq!(catalog.undrop_table("1").unwrap(), Named::Gone);
    }

    #[test]
    fn tables_of_the_first_layout_are_taken_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let table = |id: &str, state| TableEntry {
            id: id.into(),
            name: "usa".into(),
            folder: "usa.lance".into(),
            state,
            created: String::new(),
            dropped: None,
        };
        for id in ["1", "2"] {
            catalog.adopt_tables(&[table(id, TableState::There)]).unwrap();
        }
        assert_eq!(names(&catalog), [("usa".to_string(), "1".to_string())]);
    }
}
