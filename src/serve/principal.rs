//! Who asks: tokens, what they may, and how they are told.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Bounds;
use crate::catalog::{Account, Catalog, Role, SecretHash, Token, TokenLimits};
use crate::database::MemoryShare;
use crate::engine::{Access, Error, ErrorKind, Files, Models};
use crate::servers::Limits;
use crate::sql::{Scope, access::SETTINGS};

/// What every token begins with, so that whoever finds one in a file knows what it is.
const PREFIX: &str = "pop_";

/// Somebody who may ask, and what for.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    pub name: String,
    pub role: Role,
    pub access: Access,
    /// What a statement or run may spend on models
    pub limits: Limits,
    /// Who pays for all of them, where that is bounded
    pub payer: Option<Account>,
    pub statement: Duration,
    pub rows: u64,
    pub bytes: u64,
    pub share: Share,
}

/// What the statements of one have together.
#[derive(Debug, Clone)]
pub(super) struct Share {
    /// A place for each of them at once
    pub places: Arc<Semaphore>,
    /// Memory, where it is not that of all
    pub memory: Option<MemoryShare>,
}

/// Who sends a request, as what is kept with it.
#[derive(Debug, Clone)]
pub(super) struct Who(pub Arc<Principal>);

impl Principal {
    /// Somebody of this machine, where there are no tokens.
    pub fn of_this_machine(role: Role, bounds: &Bounds, share: Share) -> Principal {
        let models = if role == Role::Admin { Models::Any } else { Models::None };
        Principal {
            name: "local".into(),
            role,
            access: access(role, Scope::All, models),
            limits: Limits::default(),
            payer: None,
            statement: bounds.statement,
            rows: bounds.rows,
            bytes: bounds.bytes,
            share,
        }
    }

    /// Whoever has a token, within the server's own bounds.
    pub fn of_token(token: Token, bounds: &Bounds, share: Share) -> Principal {
        let payer = Some(token.account()).filter(|account| account.bounds.are_set());
        let Token { name, role, tables, models, limits, .. } = token;
        let tables = tables.map_or(Scope::All, |tables| Scope::Named(tables.into_iter().collect()));
        let models: BTreeSet<String> = models.into_iter().collect();
        let models = if models.is_empty() { Models::None } else { Models::Named(models) };
        let TokenLimits { seconds, rows, bytes, calls, tokens, cost_usd, .. } = limits;
        Principal {
            name,
            role,
            access: access(role, tables, models),
            limits: Limits { calls, tokens, cost: cost_usd, ..Limits::default() },
            payer,
            statement: seconds.map_or(bounds.statement, |s| bounds.statement.min(Duration::from_secs(s))),
            rows: rows.map_or(bounds.rows, |rows| bounds.rows.min(rows)),
            bytes: bytes.map_or(bounds.bytes, |bytes| bounds.bytes.min(bytes)),
            share,
        }
    }

    /// Whether a table may be named.
    pub fn may_name(&self, table: &str) -> bool {
        self.access.tables.has(table)
    }

    /// That it may do what needs a role.
    ///
    /// # Errors
    /// If its role is a lesser one.
    pub fn must_be(&self, role: Role) -> Result<(), Error> {
        match self.role >= role {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Permission,
                format!("this takes a {}, and {} is a {}", role.name(), self.name, self.role.name()),
            )),
        }
    }
}

fn access(role: Role, tables: Scope, models: Models) -> Access {
    let writes = role >= Role::Writer;
    let settings: &[&str] = if writes { &SETTINGS } else { &[] };
    Access { tables, write: writes, ddl: writes, models, files: Files::Forbidden, settings }
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub name: String,
    pub role: Role,
    pub tables: Option<Vec<String>>,
    pub models: Vec<String>,
    pub limits: TokenLimits,
    /// How long it is good; for ever without this
    pub lasts: Option<Duration>,
}

/// A token as it is shown, once.
#[derive(Debug, Clone)]
pub struct Issued {
    pub token: String,
    pub expires: Option<String>,
}

/// Makes a token, of which the catalogue keeps a hash alone.
///
/// # Errors
/// If there is one of its name, or the catalogue cannot be written.
pub fn issue(catalog: &Catalog, wanted: Wanted) -> Result<Issued, Error> {
    let Wanted { name, role, tables, models, limits, lasts } = wanted;
    let named = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_alphanumeric() || "-_.@".contains(c));
    if !named {
        return Err(Error::new(ErrorKind::Usage, format!("`{name}` is no name for a token"))
            .hint("letters, digits and -_.@, up to 64 of them"));
    }
    let (id, secret) = (random::<8>()?, random::<32>()?);
    let expires = match lasts {
        Some(lasts) => {
            let at = chrono::TimeDelta::from_std(lasts).ok().and_then(|d| chrono::Utc::now().checked_add_signed(d));
            let at = at.ok_or_else(|| Error::new(ErrorKind::Usage, "a token cannot last that long"))?;
            Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        }
        None => None,
    };
    let expiry = expires.clone();
    let token =
        Token { id: id.clone(), name: name.clone(), role, tables, models, limits, expires, added: String::new() };
    match catalog.add_token(&token, &hash(&secret)) {
        Ok(true) => Ok(Issued { token: format!("{PREFIX}{id}_{secret}"), expires: expiry }),
        Ok(false) => Err(Error::new(ErrorKind::Exists, format!("there is a token {name} already"))
            .hint(format!("`populace tokens remove {name}` ends it"))),
        Err(error) => Err(Error::new(ErrorKind::Io, error.to_string())),
    }
}

/// The token of a text, if it is one that is good.
///
/// # Errors
/// If the catalogue cannot be read.
pub(super) fn verified(catalog: &Catalog, text: &str) -> Result<Option<Token>, Error> {
    let parts = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    let Some((id, secret)) = parts.filter(|(id, secret)| id.len() == 16 && secret.len() == 64) else {
        return Ok(None);
    };
    let found = catalog.token(id).map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(found.and_then(|(token, kept)| {
        // Hashes are compared in constant time.
        let is_it = blake3::Hash::from_bytes(kept) == blake3::Hash::from_bytes(hash(secret));
        // Moments of this form sort as texts.
        let is_good = token.expires.as_ref().is_none_or(|expires| now < *expires);
        (is_it && is_good).then_some(token)
    }))
}

/// Secrets are of 256 random bits: a plain hash tells nothing of them.
fn hash(secret: &str) -> SecretHash {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

pub(super) fn random<const N: usize>() -> Result<String, Error> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|e| Error::new(ErrorKind::Io, format!("no random numbers: {e}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Whether an address is of this machine.
pub(super) fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
        IpAddr::V4(v4) => v4.is_loopback(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The bounds of a server with a place for one.
    pub fn bounds() -> Bounds {
        Bounds {
            statement: Duration::from_secs(60),
            rows: 1000,
            bytes: 1000,
            statements: 1,
            statements_each: 1,
            memory_each: None,
            wait: Duration::ZERO,
            connections: 1,
        }
    }

    fn wanted(name: &str) -> Wanted {
        Wanted {
            name: name.into(),
            role: Role::Reader,
            tables: None,
            models: vec![],
            limits: TokenLimits::default(),
            lasts: None,
        }
    }

    #[test]
    fn a_token_is_known_by_its_secret_alone() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let Issued { token, .. } = issue(&catalog, wanted("analyst")).unwrap();
        let known = |text: &str| verified(&catalog, text).unwrap().map(|token| token.name);
        assert_eq!(known(&token).as_deref(), Some("analyst"));
        let last = if token.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &token[..token.len() - 1]);
        for text in [wrong.as_str(), "", "pop_", "pop_x_y", &token[..token.len() - 1], &token["pop_".len()..]] {
            assert_eq!(known(text), None, "{text}");
        }
        let kept = std::fs::read(folder.path().join("catalog.sqlite")).unwrap();
        let secret = token.rsplit('_').next().unwrap();
        assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
        assert!(issue(&catalog, wanted("analyst")).unwrap_err().message.contains("already"));
        assert_eq!(issue(&catalog, wanted("two words")).unwrap_err().kind, ErrorKind::Usage);
        assert!(catalog.remove_token("analyst").unwrap());
        assert_eq!(known(&token), None);
    }

    #[test]
    fn a_token_ends() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let over = issue(&catalog, Wanted { lasts: Some(Duration::ZERO), ..wanted("over") }).unwrap();
        assert_eq!(verified(&catalog, &over.token).unwrap(), None);
        let good = issue(&catalog, Wanted { lasts: Some(Duration::from_secs(60)), ..wanted("good") }).unwrap();
        assert_eq!(verified(&catalog, &good.token).unwrap().unwrap().expires, good.expires);
    }

    #[test]
    fn roles_say_what_may_be_done() {
        let bounds = bounds();
        let of = |role, models: &[&str]| {
            let models = models.iter().map(ToString::to_string).collect();
            let limits = TokenLimits { rows: Some(5000), seconds: Some(5), ..TokenLimits::default() };
            let token = Token {
                id: String::new(),
                name: "x".into(),
                role,
                tables: Some(vec!["usa".into()]),
                models,
                limits,
                expires: None,
                added: String::new(),
            };
            let share = Share { places: Arc::new(Semaphore::new(1)), memory: None };
            Principal::of_token(token, &bounds, share)
        };
        let reader = of(Role::Reader, &[]);
        assert!(!reader.access.write && !reader.access.ddl && reader.access.models == Models::None);
        // A token's limits are within those of the server.
        assert_eq!((reader.rows, reader.statement), (1000, Duration::from_secs(5)));
        assert!(reader.may_name("usa") && !reader.may_name("india"));
        assert!(reader.must_be(Role::Reader).is_ok() && reader.must_be(Role::Writer).is_err());
        let writer = of(Role::Writer, &["openai:x"]);
        assert!(writer.access.write && writer.must_be(Role::Writer).is_ok() && writer.must_be(Role::Admin).is_err());
        assert!(
            writer.access.models.allow("openai:x", "outline") && !writer.access.models.allow("openai:y", "outline")
        );
        assert!(is_local("::ffff:127.0.0.1".parse().unwrap()) && !is_local("10.0.0.1".parse().unwrap()));
    }
}
