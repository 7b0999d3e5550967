//! What clients ask and set of the connection itself: its settings, by their names in small letters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::zones::Zone;

/// The version that clients take this for: what they may ask is that of this one.
pub(super) const VERSION: &str = concat!("15.8 (Populace ", env!("CARGO_PKG_VERSION"), ")");

/// The settings that clients read, and whether they are told of them when they connect, and after each change.
const KNOWN: &[(&str, &str, bool)] = &[
    ("application_name", "", true),
    ("bytea_output", "hex", false),
    ("client_encoding", "UTF8", true),
    ("client_min_messages", "notice", false),
    ("datestyle", "ISO, MDY", true),
    ("default_tablespace", "", false),
    ("default_transaction_isolation", "read committed", false),
    ("default_transaction_read_only", "off", true),
    ("escape_string_warning", "on", false),
    ("extra_float_digits", "1", false),
    ("idle_in_transaction_session_timeout", "0", false),
    ("in_hot_standby", "off", true),
    ("integer_datetimes", "on", true),
    ("intervalstyle", "postgres", true),
    ("is_superuser", "off", true),
    ("jit", "off", false),
    ("lc_collate", "C.UTF-8", false),
    ("lc_ctype", "C.UTF-8", false),
    ("lc_messages", "C.UTF-8", false),
    ("lc_monetary", "C.UTF-8", false),
    ("lc_numeric", "C.UTF-8", false),
    ("lc_time", "C.UTF-8", false),
    ("lock_timeout", "0", false),
    ("max_identifier_length", "63", false),
    ("max_index_keys", "32", false),
    ("port", "5433", false),
    ("row_security", "on", false),
    ("search_path", "public", false),
    ("server_encoding", "UTF8", true),
    ("server_version", VERSION, true),
    ("server_version_num", "150008", false),
    ("session_authorization", "", true),
    ("standard_conforming_strings", "on", true),
    ("statement_timeout", "0", false),
    ("timezone", "UTC", true),
    ("transaction_isolation", "read committed", false),
];

/// What is told with capital letters.
const SPELLED: &[(&str, &str)] =
    &[("datestyle", "DateStyle"), ("intervalstyle", "IntervalStyle"), ("timezone", "TimeZone")];

/// What cannot be set.
const FIXED: &[&str] = &[
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "max_identifier_length",
    "max_index_keys",
    "port",
    "server_encoding",
    "server_version",
    "server_version_num",
    "session_authorization",
    "standard_conforming_strings",
];

/// Whether there is a setting of this name, in small letters.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == name)
}

/// A setting's name as clients know it.
pub(super) fn spelled(name: &str) -> &str {
    SPELLED.iter().find(|(plain, _)| *plain == name).map_or(name, |(_, spelled)| spelled)
}

/// The settings of a connection; what is cloned is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Arc<Mutex<Set>>);

#[derive(Debug, Default)]
struct Set {
    values: BTreeMap<&'static str, String>,
    /// As they were when the connection began, which is what they go back to
    first: BTreeMap<&'static str, String>,
    /// Those that have changed since the client was told of them
    changed: BTreeSet<&'static str>,
}

impl Set {
    fn get(&self, name: &str) -> Option<&str> {
        let (_, first, _) = KNOWN.iter().find(|(known, ..)| *known == name)?;
        Some(self.values.get(name).map_or(first, String::as_str))
    }

    fn put(&mut self, name: &'static str, value: Option<String>) {
        let was = self.get(name).map(String::from);
        match value {
            Some(value) => _ = self.values.insert(name, value),
            None => _ = self.values.remove(name),
        }
        if self.get(name) != was.as_deref() && KNOWN.iter().any(|(known, _, told)| *known == name && *told) {
            self.changed.insert(name);
        }
    }
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Done,
    /// There is none, or it has no meaning here
    Ignored,
    /// It is what it is
    Fixed,
    /// Not to this value
    Refused(&'static str),
}

impl Change {
    /// What there is to say of a change that was not made, if somebody is to be told.
    pub fn refusal(&self, name: &str) -> Option<String> {
        match self {
            Change::Done | Change::Ignored => None,
            Change::Fixed => Some(format!("{name} cannot be changed")),
            Change::Refused(why) => Some(format!("{name} cannot be set so: {why}")),
        }
    }
}

impl Settings {
    fn now(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.now().get(name).map(String::from)
    }

    /// All of them.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let set = self.now();
        KNOWN.iter().filter_map(|(name, ..)| Some((*name, set.get(name)?.to_string()))).collect()
    }

    /// Those that a client is told when it connects, as they are from then on.
    pub fn begin(&self) -> Vec<(&'static str, String)> {
        let mut set = self.now();
        set.changed.clear();
        set.first = set.values.clone();
        let told = KNOWN.iter().filter(|(.., told)| *told);
        told.filter_map(|(name, ..)| Some((*name, set.get(name)?.to_string()))).collect()
    }

    /// Those that a client is to be told of, as they have changed.
    pub fn changed(&self) -> Vec<(&'static str, String)> {
        let mut set = self.now();
        let changed = std::mem::take(&mut set.changed);
        changed.into_iter().filter_map(|name| Some((name, set.get(name)?.to_string()))).collect()
    }

    /// What is known of the connection itself, which the client cannot change.
    pub fn fix(&self, name: &'static str, value: impl Into<String>) {
        self.now().put(name, Some(value.into()));
    }

    /// Sets a value, or that which it had at first.
    pub fn set(&self, name: &str, value: Option<String>) -> Change {
        let Some((name, ..)) = KNOWN.iter().find(|(known, ..)| *known == name) else { return Change::Ignored };
        let mut set = self.now();
        let value = value.map(|value| value.trim().to_string());
        if FIXED.contains(name) {
            let same = value.as_deref().is_none_or(|value| set.get(name) == Some(value));
            return if same { Change::Done } else { Change::Fixed };
        }
        let Some(value) = value else {
            let first = set.first.get(name).cloned();
            set.put(name, first);
            return Change::Done;
        };
        let plain = value.to_lowercase();
        let value = match *name {
            "client_encoding" => match plain.as_str() {
                "" | "utf8" | "utf-8" | "unicode" | "sql_ascii" => None,
                _ => return Change::Refused("texts are UTF-8 here, and nothing else"),
            },
            "timezone" if ["", "default", "local"].contains(&plain.as_str()) => set.first.get(name).cloned(),
            "timezone" => match Zone::read(&value) {
                Some(zone) => Some(zone.shown),
                None => {
                    return Change::Refused(
                        "there is no such zone: write a name, as 'Europe/Berlin', or hours to the east, as -3.5",
                    );
                }
            },
            "datestyle" if plain.is_empty() || plain.starts_with("iso") => None,
            "datestyle" => return Change::Refused("dates are told as ISO has them"),
            "intervalstyle" if !["", "postgres"].contains(&plain.as_str()) => return Change::Ignored,
            "bytea_output" if !["", "hex"].contains(&plain.as_str()) => return Change::Ignored,
            _ => Some(value),
        };
        set.put(name, value);
        Change::Done
    }

    /// As they were when the connection began.
    pub fn reset(&self) {
        let mut set = self.now();
        for (name, ..) in KNOWN {
            let first = set.first.get(name).cloned();
            set.put(name, first);
        }
    }

    /// How long statements may take, if the client has said so.
    pub fn statement_timeout(&self) -> Option<std::time::Duration> {
        let text = self.get("statement_timeout")?.to_lowercase();
        let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
        let unit = match text[digits.len()..].trim() {
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => 1,
        };
        let millis = digits.trim().parse::<u64>().ok().filter(|n| *n > 0)?;
        Some(std::time::Duration::from_millis(millis.saturating_mul(unit)))
    }

    /// The zone that moments are told in.
    pub fn zone(&self) -> Zone {
        self.now().get("timezone").and_then(Zone::read).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_was_set() {
        let settings = Settings::default();
        assert!(settings.begin().contains(&("timezone", "UTC".to_string())));
        assert_eq!(settings.set("application_name", Some("psql".into())), Change::Done);
        assert_eq!(settings.clone().get("application_name").as_deref(), Some("psql"));
        assert_eq!(settings.changed(), [("application_name", "psql".to_string())]);
        assert_eq!(settings.set("application_name", Some("psql".into())), Change::Done);
        assert!(settings.changed().is_empty());
        assert_eq!(settings.set("nonsense", Some("1".into())), Change::Ignored);
        assert_eq!(settings.set("server_version", Some("9".into())), Change::Fixed);
        assert!(matches!(settings.set("client_encoding", Some("LATIN1".into())), Change::Refused(_)));
        assert_eq!(settings.set("statement_timeout", Some("2s".into())), Change::Done);
        assert_eq!(settings.statement_timeout(), Some(std::time::Duration::from_secs(2)));
        settings.reset();
        assert_eq!((settings.get("application_name").as_deref(), settings.statement_timeout()), (Some(""), None));
        assert_eq!(settings.changed(), [("application_name", String::new())]);
        // They go back to what they were when the connection began.
        let settings = Settings::default();
        settings.set("timezone", Some("Asia/Tokyo".into()));
        settings.begin();
        assert_eq!(settings.set("timezone", Some("utc".into())), Change::Done);
        assert!(matches!(settings.set("timezone", Some("Nowhere".into())), Change::Refused(_)));
        assert_eq!(settings.get("timezone").as_deref(), Some("UTC"));
        settings.set("timezone", None);
        assert_eq!(settings.zone().name, "Asia/Tokyo");
    }
}
