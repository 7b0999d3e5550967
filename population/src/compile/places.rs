//! Where in a pack's sources something stands.

use crate::error::Error;

/// What is wrong with a pack's sources, and where: a file with its line, or a section of the manifest.
pub(super) fn source(place: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Source { place: place.into(), message: message.into() }
}

/// `file:line:column` of a byte of a text; lines and columns are counted from 1, columns in characters.
pub fn place(file: &str, text: &str, at: usize) -> String {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let line = text[..at].matches('\n').count() + 1;
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    format!("{file}:{line}:{}", text[start..at].chars().count() + 1)
}

/// What is wrong with a line of a CSV file.
pub(crate) fn csv_error(file: &str, error: &csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let fields = if *len == 1 { "field" } else { "fields" };
            format!("this line has {len} {fields}, the first one {expected_len}")
        }
        _ => error.to_string(),
    };
    Error::Source { place: format!("{file}:{line}"), message }
}

/// An error whose place is a section of the manifest, ``pack.toml, figure `ages` ``, with line and column.
pub(super) fn located(manifest: &str, error: Error) -> Error {
    match error {
        Error::Sources(errors) => Error::Sources(errors.into_iter().map(|e| located(manifest, e)).collect()),
        Error::Source { place: told, message } => {
            let at = told.strip_prefix("pack.toml, ").and_then(|section| {
                let last = message.contains("twice") || message.contains("two nodes");
                let block = block(manifest, section, last)?;
                let within = named(&manifest[block.clone()], &message).unwrap_or(0);
                Some((place("pack.toml", manifest, block.start + within), section.to_string()))
            });
            match at {
                Some((at, section)) => Error::Source { place: format!("{at}, {section}"), message },
                None => Error::Source { place: told, message },
            }
        }
        error => error,
    }
}

/// A notice that begins with a section of the manifest, with line and column.
pub(super) fn told(manifest: &str, notice: &str) -> String {
    match notice.split_once(": ") {
        Some((place, message)) => {
            located(manifest, Error::Source { place: place.into(), message: message.into() }).to_string()
        }
        None => notice.into(),
    }
}

/// The part of the manifest that a section is: from its header to the next one. Of several of one name the first, or
/// the last.
fn block(manifest: &str, section: &str, last: bool) -> Option<std::ops::Range<usize>> {
    let (kind, name) = match section.split_once('`') {
        Some((kind, rest)) if !section.starts_with('[') => (kind.trim(), rest.split('`').next()),
        _ => (section.split(',').next()?.trim(), None),
    };
    let header = match name {
        Some(_) => format!("[[{kind}]]"),
        None => kind.to_string(),
    };
    let key = if kind == "node" { "variable" } else { "name" };
    let is_key = |line: &str, name: &str| {
        let value = line.trim_start().strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix('='));
        value.is_some_and(|v| {
            v.trim_start()
                .strip_prefix(['"', '\''])
                .is_some_and(|v| v.starts_with(name) && v[name.len()..].starts_with(['"', '\'']))
        })
    };
    let mut headers: Vec<usize> = vec![];
    let mut start = 0;
    for line in manifest.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with("[[")
            || (trimmed.starts_with('[') && trimmed.trim_end().ends_with(']') && !trimmed.contains('"'))
        {
            headers.push(start);
        }
        start += line.len();
    }
    headers.push(manifest.len());
    let mut blocks = headers.windows(2).map(|pair| pair[0]..pair[1]).filter(|range| {
        let text = &manifest[range.clone()];
        text.trim_start().starts_with(&header) && name.is_none_or(|name| text.lines().any(|line| is_key(line, name)))
    });
    if last { blocks.next_back() } else { blocks.next() }
}

/// Where in a section the thing stands that a message is about: what it names first that stands there in quotes.
fn named(section: &str, message: &str) -> Option<usize> {
    let file = message.split(": ").next();
    let backquoted = message.split('`').skip(1).step_by(2);
    file.into_iter().chain(backquoted).find_map(|name| {
        let quoted = section.find(&format!("\"{name}\"")).or_else(|| section.find(&format!("'{name}'")));
        let key = || {
            let mut starts = section.match_indices(name).map(|(at, _)| at);
            starts.find(|at| {
                let before = section[..*at].trim_end_matches([' ', '\t']);
                let after = section[at + name.len()..].trim_start_matches([' ', '\t']);
                (before.is_empty() || before.ends_with(['\n', '{', ','])) && after.starts_with('=')
            })
        };
        if name.is_empty() { None } else { quoted.or_else(key) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[pack]\nname = \"x\"\n\n[[figure]]\nname = \"ages\"\nfile = \"ages.csv\"\n[[node]]\n\
        variable = \"sex\"\nfigures = [{ figure = \"agges\" }]\n[[node]]\nvariable = \"sex\"\n";

    fn told(place: &str, message: &str) -> String {
        located(MANIFEST, Error::Source { place: place.into(), message: message.into() }).to_string()
    }

    #[test]
    fn sections_of_the_manifest_have_lines() {
        assert!(
            told("pack.toml, figure `ages`", "ages.csv: No such file").starts_with("pack.toml:6:8, figure `ages`: ")
        );
        assert!(
            told("pack.toml, node `sex`", "unknown figure `agges`; did you mean `ages`?")
                .starts_with("pack.toml:9:23, ")
        );
        assert!(told("pack.toml, node `sex`", "there are two nodes for this variable").starts_with("pack.toml:10:1, "));
        assert!(told("pack.toml, [pack], `columns`", "unknown").starts_with("pack.toml:1:1, [pack]"));
        assert!(told("pack.toml, figure `none`", "x").starts_with("pack.toml, figure `none`: x"));
        assert!(told("ages.csv:3", "x").starts_with("ages.csv:3: x"));
    }

    #[test]
    fn columns_are_characters() {
        assert_eq!(place("f", "é = 1\nüx", 10), "f:2:3");
        assert_eq!(place("f", "", 5), "f:1:1");
    }
}
