//! Packs of one's own, named by their path: a compiled pack, or the folder that it lies in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use populace_population::{Error, Pack, Result};

/// Whether a country is named by the path of its pack: it has a separator of folders, or ends in `.pack`.
pub fn is_path(country: &str) -> bool {
    country.contains(['/', std::path::MAIN_SEPARATOR]) || country.ends_with(".pack")
}

/// The folder of a pack that is named by its path: that which is named, or that of the file.
pub fn folder(country: &str) -> Option<&Path> {
    let path = Path::new(country);
    if path.is_dir() { Some(path) } else { path.parent() }
}

/// A path as it stands wherever the program runs next; other names as they are.
pub fn absolute(country: &str) -> String {
    match is_path(country).then(|| std::path::absolute(country)) {
        Some(Ok(path)) => path.to_string_lossy().into_owned(),
        _ => country.to_string(),
    }
}

/// The file of a compiled pack: the one named, or the one in the folder named.
fn file(country: &str) -> Result<PathBuf> {
    let path = Path::new(country);
    if !path.is_dir() {
        return Ok(path.into());
    }
    let entries = std::fs::read_dir(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let mut packs: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "pack")).collect();
    packs.sort();
    let message = match &packs[..] {
        [one] => return Ok(one.clone()),
        [] if path.join("pack.toml").exists() => {
            format!("the pack is not compiled yet: populace countries compile {country}")
        }
        [] => "there is no compiled pack in this folder, nor a pack.toml to compile".into(),
        many => {
            let names: Vec<String> = many.iter().map(|p| p.display().to_string()).collect();
            format!("there are several compiled packs here, name one of them: {}", names.join(", "))
        }
    };
    Err(Error::Source { place: country.into(), message })
}

/// When a file was written, and how long it is.
type Stamp = (Option<SystemTime>, u64);

/// The packs that were opened, by their files, however they were named.
type Opened = HashMap<PathBuf, (Stamp, Arc<Pack>)>;

/// A path that all ways to a file have in common.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

fn opened() -> &'static Mutex<Opened> {
    static OPENED: OnceLock<Mutex<Opened>> = OnceLock::new();
    OPENED.get_or_init(Mutex::default)
}

/// Opens a pack by its path; once, as long as the file stays what it is.
pub fn open(country: &str) -> Result<Arc<Pack>> {
    let path = file(country)?;
    let io = |source| Error::Io { path: path.clone(), source };
    let written = std::fs::metadata(&path).map_err(io)?;
    let stamp = (written.modified().ok(), written.len());
    let opened = opened();
    let texts = |pack: &Pack| {
        if let Some(folder) = path.parent() {
            super::texts_from(&pack.id(), pack.language(), folder);
        }
    };
    let known = opened.lock().unwrap_or_else(PoisonError::into_inner).get(&real(&path)).cloned();
    if let Some((_, pack)) = known.filter(|(then, _)| *then == stamp) {
        texts(&pack);
        return Ok(pack);
    }
    let pack = Pack::open(&path).map_err(|error| match error {
        Error::NotAPack(why) => {
            Error::Source { place: path.display().to_string(), message: format!("not a compiled country pack: {why}") }
        }
        error => error,
    })?;
    texts(&pack);
    opened.lock().unwrap_or_else(PoisonError::into_inner).insert(real(&path), (stamp, pack.clone()));
    Ok(pack)
}

/// Whether the user has named the pack of a path in this process, so that it has been opened.
pub fn is_named(country: &str) -> bool {
    let Ok(path) = file(country) else { return false };
    opened().lock().unwrap_or_else(PoisonError::into_inner).contains_key(&real(&path))
}

/// Whether two countries are the same file.
pub fn same(one: &str, other: &str) -> bool {
    let canonical = |country: &str| file(country).ok()?.canonicalize().ok();
    one == other || canonical(one).is_some_and(|path| canonical(other) == Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_names() {
        assert!(is_path("a/b") && is_path("x.pack") && is_path("./usa"));
        assert!(!is_path("usa") && !is_path(""));
    }

    #[test]
    fn what_is_no_pack_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let error = |country: &str| open(country).unwrap_err().to_string();
        assert!(error(&path("")).contains("no compiled pack in this folder"));
        std::fs::write(path("pack.toml"), "").unwrap();
        assert!(error(&path("")).contains("populace countries compile"));
        assert!(error(&path("none.pack")).contains("none.pack: "));
        std::fs::write(path("bad.pack"), "x").unwrap();
        assert!(error(&path("bad.pack")).contains("not a compiled country pack"));
        std::fs::write(path("worse.pack"), "x").unwrap();
        assert!(error(&path("")).contains("several compiled packs"));
    }
}
