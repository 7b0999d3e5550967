//! Narratives of the user's own: templates by name.

use rusqlite::{OptionalExtension, params};

use super::{Catalog, Error, explain};

impl Catalog {
    /// The names and templates of the user's own narratives, by name.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn narratives(&self) -> Result<Vec<(String, String)>, Error> {
        let connection = self.connection();
        let rows = || {
            let mut statement = connection.prepare("SELECT name, template FROM narratives ORDER BY name")?;
            statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()
        };
        rows().map_err(|e| explain(&self.path, &e))
    }

    /// The template of one.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn narrative(&self, name: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT template FROM narratives WHERE name = ?1";
        self.connection().query_row(sql, [name], |r| r.get(0)).optional().map_err(|e| explain(&self.path, &e))
    }

    /// Keeps a template under a name, in the place of what was there.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn set_narrative(&self, name: &str, template: &str) -> Result<(), Error> {
        let sql = "INSERT INTO narratives (name, template) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET template = excluded.template,
                   added = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";
        self.execute(sql, params![name, template]).map(|_| ())
    }

    /// Forgets a template; false if there was none.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn remove_narrative(&self, name: &str) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM narratives WHERE name = ?1", [name])? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_kept_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        catalog.set_narrative("tweet", "One").unwrap();
        catalog.set_narrative("tweet", "Two").unwrap();
        catalog.set_narrative("finance", "Three").unwrap();
        assert_eq!(
            catalog.narratives().unwrap(),
            [("finance", "Three"), ("tweet", "Two")].map(|(n, t)| (n.into(), t.into()))
        );
        assert!(catalog.remove_narrative("tweet").unwrap() && !catalog.remove_narrative("tweet").unwrap());
        assert_eq!(catalog.narrative("tweet").unwrap(), None);
    }
}
