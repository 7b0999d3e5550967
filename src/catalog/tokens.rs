//! Tokens that a server is asked with: whose each is, what it may, and a hash of its secret.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Account, Bounds, Catalog, Error, explain};

pub(super) const MIGRATION: &str = "CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        secret BLOB NOT NULL,
        role TEXT NOT NULL,
        tables TEXT,
        models TEXT NOT NULL,
        limits TEXT NOT NULL,
        expires TEXT,
        added TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;";

/// What whoever has a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Queries, and nothing else
    Reader,
    /// Rows and tables too, and runs
    Writer,
    /// Settings too, and what others do
    Admin,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Writer => "writer",
            Role::Admin => "admin",
        }
    }

    fn named(name: &str) -> Option<Role> {
        [Role::Reader, Role::Writer, Role::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// What a token may take; the server's own bounds where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenLimits {
    /// Seconds of a statement
    pub seconds: Option<u64>,
    /// Rows of an answer
    pub rows: Option<u64>,
    /// Bytes of an answer
    pub bytes: Option<u64>,
    /// Statements at once
    pub statements: Option<u32>,
    /// Bytes of memory that its statements hold together
    pub memory: Option<u64>,
    /// Requests to models of a statement or run
    pub calls: Option<u64>,
    /// Tokens of models of a statement or run
    pub tokens: Option<u64>,
    /// US dollars of a statement or run
    pub cost_usd: Option<f64>,
    /// What all statements and runs may take together, for as long as the token is there
    pub in_all: Bounds,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The part of it that is no secret
    pub id: String,
    /// What people call it
    pub name: String,
    pub role: Role,
    /// The tables that it may name; all without this
    pub tables: Option<Vec<String>>,
    /// The models that it may spend on, by the names of their narrators
    pub models: Vec<String>,
    pub limits: TokenLimits,
    /// The first moment at which it is no longer good, in UTC: `2026-12-31T00:00:00Z`
    pub expires: Option<String>,
    pub added: String,
}

impl Token {
    /// From what all that is asked with it is paid.
    pub fn account(&self) -> Account {
        let whose = Some(format!("the token {}", self.name));
        Account { name: format!("token:{}", self.id), bounds: self.limits.in_all, whose }
    }
}

/// A hash of a token's secret.
pub type SecretHash = [u8; 32];

impl Catalog {
    /// Keeps a token. False if there is one of its name.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn add_token(&self, token: &Token, secret: &SecretHash) -> Result<bool, Error> {
        let sql = "INSERT INTO tokens (id, name, secret, role, tables, models, limits, expires)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
        let Token { id, name, role, tables, models, limits, expires, .. } = token;
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let tables = tables.as_ref().map(|tables| json(serde_json::to_string(tables)));
        let (models, limits) = (json(serde_json::to_string(models)), json(serde_json::to_string(limits)));
        let values = params![id, name, secret.as_slice(), role.name(), tables, models, limits, expires];
        Ok(self.execute(sql, values)? > 0)
    }

    /// The tokens, in the order of their names.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        let connection = self.connection();
        let rows = || {
            let mut statement = connection.prepare("SELECT * FROM tokens ORDER BY name")?;
            statement.query_map([], token)?.collect::<Result<_, _>>()
        };
        rows().map_err(|e| explain(&self.path, &e))
    }

    /// A token by its id, with the hash of its secret.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn token(&self, id: &str) -> Result<Option<(Token, SecretHash)>, Error> {
        let connection = self.connection();
        let row = |r: &Row| Ok((token(r)?, r.get::<_, Vec<u8>>("secret")?));
        let read = || connection.prepare_cached("SELECT * FROM tokens WHERE id = ?1")?.query_row([id], row).optional();
        let found = read().map_err(|e| explain(&self.path, &e))?;
        // One whose hash is no hash is nobody's.
        Ok(found.and_then(|(token, secret)| Some((token, secret.try_into().ok()?))))
    }

    /// Forgets a token by its name. False if there was none.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub fn remove_token(&self, name: &str) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM tokens WHERE name = ?1", [name])? > 0)
    }

    /// Whether there is any token.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn has_tokens(&self) -> Result<bool, Error> {
        let connection = self.connection();
        let read = || connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM tokens)")?.query_row([], |r| r.get(0));
        read().map_err(|e| explain(&self.path, &e))
    }
}

fn token(row: &Row) -> rusqlite::Result<Token> {
    let json = |column: &str| row.get::<_, String>(column);
    Ok(Token {
        id: row.get("id")?,
        name: row.get("name")?,
        // A role of a newer version may nothing that this one knows of.
        role: Role::named(&json("role")?).unwrap_or(Role::Reader),
        tables: row.get::<_, Option<String>>("tables")?.map(|t| serde_json::from_str(&t).unwrap_or_default()),
        models: serde_json::from_str(&json("models")?).unwrap_or_default(),
        limits: serde_json::from_str(&json("limits")?).unwrap_or_default(),
        expires: row.get("expires")?,
        added: row.get("added")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        assert!(!catalog.has_tokens().unwrap());
        let limits = TokenLimits { rows: Some(10), cost_usd: Some(0.5), ..TokenLimits::default() };
        let token = Token {
            id: "abc".into(),
            name: "analyst".into(),
            role: Role::Writer,
            tables: Some(vec!["usa".into()]),
            models: vec!["openai:x".into()],
            limits,
            expires: Some("2027-01-01T00:00:00Z".into()),
            added: String::new(),
        };
        assert!(catalog.add_token(&token, &[7; 32]).unwrap());
        assert!(!catalog.add_token(&Token { id: "def".into(), ..token.clone() }, &[8; 32]).unwrap());
        let (found, secret) = catalog.token("abc").unwrap().unwrap();
        assert_eq!((Token { added: String::new(), ..found }, secret), (token, [7; 32]));
        assert_eq!(catalog.token("def").unwrap(), None);
        assert!(catalog.has_tokens().unwrap() && catalog.tokens().unwrap().len() == 1);
        assert!(catalog.remove_token("analyst").unwrap() && !catalog.remove_token("analyst").unwrap());
    }
}
