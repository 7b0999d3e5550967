//! What clients ask and set of the connection itself: its settings, by their names in small letters.

use std::collections::BTreeMap;

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

/// The settings of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    set: BTreeMap<&'static str, String>,
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is done; clients that follow it are told
    Told(&'static str),
    Done,
    /// There is none, or it has no meaning here
    Ignored,
    /// It is what it is
    Fixed,
    /// Not to this value
    Refused(&'static str),
}

impl Settings {
    pub fn get(&self, name: &str) -> Option<&str> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name)?;
        Some(self.set.get(name).map_or(known.1, String::as_str))
    }

    /// All of them.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let value = |(name, value, _): &(&'static str, &str, bool)| {
            (*name, self.set.get(name).cloned().unwrap_or_else(|| (*value).to_string()))
        };
        KNOWN.iter().map(value).collect()
    }

    /// Those that a client is told when it connects.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KNOWN.iter().filter(|(.., told)| *told).filter_map(|(name, ..)| Some((*name, self.get(name)?)))
    }

    /// What is known of the connection itself, which the client cannot change.
    pub fn fix(&mut self, name: &'static str, value: impl Into<String>) {
        self.set.insert(name, value.into());
    }

    /// Sets a value, or that which it had at first.
    pub fn set(&mut self, name: &str, value: Option<String>) -> Change {
        let Some((name, was, told)) = KNOWN.iter().find(|(known, ..)| *known == name) else { return Change::Ignored };
        let value = value.map(|value| value.trim().to_string());
        if FIXED.contains(name) {
            let same = value.as_deref().is_none_or(|value| self.get(name) == Some(value) || *was == value);
            return if same { Change::Done } else { Change::Fixed };
        }
        let plain = value.as_deref().unwrap_or_default().to_lowercase();
        match *name {
            "client_encoding" if !["", "utf8", "utf-8", "unicode", "sql_ascii"].contains(&plain.as_str()) => {
                return Change::Refused("texts are UTF-8 here, and nothing else");
            }
            "timezone" if !["", "utc", "gmt", "etc/utc", "z", "0", "default", "local"].contains(&plain.as_str()) => {
                // Moments are told in UTC, whatever the client would like: saying otherwise would shift them.
                return Change::Ignored;
            }
            "datestyle" if !plain.is_empty() && !plain.starts_with("iso") => {
                return Change::Refused("dates are told as ISO has them");
            }
            "intervalstyle" if !["", "postgres"].contains(&plain.as_str()) => return Change::Ignored,
            "bytea_output" if !["", "hex"].contains(&plain.as_str()) => return Change::Ignored,
            _ => {}
        }
        let value = match *name {
            "client_encoding" | "timezone" | "datestyle" => None,
            _ => value,
        };
        match value {
            Some(value) => _ = self.set.insert(*name, value),
            None => _ = self.set.remove(*name),
        }
        if *told { Change::Told(name) } else { Change::Done }
    }

    /// As they were at first, but for what is known of the connection itself.
    pub fn reset(&mut self) {
        self.set.retain(|name, _| FIXED.contains(name) || *name == "default_transaction_read_only");
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_was_set() {
        let mut settings = Settings::default();
        assert_eq!(settings.set("application_name", Some("psql".into())), Change::Told("application_name"));
        assert_eq!(settings.get("application_name"), Some("psql"));
        assert_eq!(settings.set("nonsense", Some("1".into())), Change::Ignored);
        assert_eq!(settings.set("server_version", Some("9".into())), Change::Fixed);
        assert!(matches!(settings.set("client_encoding", Some("LATIN1".into())), Change::Refused(_)));
        assert_eq!(settings.set("statement_timeout", Some("2s".into())), Change::Done);
        assert_eq!(settings.statement_timeout(), Some(std::time::Duration::from_secs(2)));
        settings.reset();
        assert_eq!((settings.get("application_name"), settings.statement_timeout()), (Some(""), None));
    }
}
