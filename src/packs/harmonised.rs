//! The codes that the levels of the built-in packs have in `personas_harmonised`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use populace_population::{Error, HARMONISED, Harmonised, Result, read_text};

use super::{COUNTRIES, Country, built_in, path};

impl Country {
    fn harmonised(&self) -> Result<Arc<Harmonised>> {
        if let Some(read) = self.harmonised.get() {
            return Ok(read.clone());
        }
        let file = |name: &str| {
            let found = self.coded.iter().find(|(file, _)| *file == name);
            let missing = || Error::Io { path: name.into(), source: std::io::ErrorKind::NotFound.into() };
            found.map(|(_, text)| text.to_string()).ok_or_else(missing)
        };
        let read = Arc::new(Harmonised::parse(&file(HARMONISED)?, &file)?);
        Ok(self.harmonised.get_or_init(|| read).clone())
    }
}

/// The codes of a built-in pack by its name; `None` if there is no such pack.
pub fn of_name(name: &str) -> Option<Result<Arc<Harmonised>>> {
    built_in(name).map(Country::harmonised)
}

/// The codes of the built-in pack of a country, in ISO 3166-1 alpha-2.
pub fn of_country(alpha2: &str) -> Option<Result<Arc<Harmonised>>> {
    COUNTRIES.iter().find(|country| country.codes[1] == alpha2).map(Country::harmonised)
}

/// The codes beside a pack that is named by its path; `None` where there are none.
pub fn of_path(pack: &str) -> Option<Result<Arc<Harmonised>>> {
    let folder = path::folder(pack)?;
    let file = |name: &str| read_text(folder, name);
    let text = file(HARMONISED).ok()?;
    Some(Harmonised::parse(&text, &file).map(Arc::new))
}

/// The codes beside a pack that is named by its path, as a table of its people keeps them: in JSON, texts by the names
/// of files. `None` where there are none, or they are at fault.
pub fn to_keep(pack: &str) -> Option<String> {
    let folder = path::folder(pack)?;
    let texts: RefCell<BTreeMap<String, String>> = RefCell::default();
    let file = |name: &str| {
        let text = read_text(folder, name)?;
        texts.borrow_mut().insert(name.into(), text.clone());
        Ok(text)
    };
    Harmonised::parse(&file(HARMONISED).ok()?, &file).ok()?;
    serde_json::to_string(&texts.into_inner()).ok()
}

fn kept(texts: &str) -> Option<Arc<Harmonised>> {
    let texts: BTreeMap<String, String> = serde_json::from_str(texts).ok()?;
    let missing = |name: &str| Error::Io { path: name.into(), source: std::io::ErrorKind::NotFound.into() };
    let file = |name: &str| texts.get(name).cloned().ok_or_else(|| missing(name));
    Harmonised::parse(&file(HARMONISED).ok()?, &file).ok().map(Arc::new)
}

/// The codes of the people of a table, by what it says of their pack: its name, its path if it is one of the user's own,
/// and the codes that were kept. A table may come from elsewhere: the path is opened only where the user has named it
/// too. Codes that cannot be read are as good as none: `countries check` says what is wrong with them.
pub fn of_table(name: Option<&str>, path: Option<&str>, texts: Option<&str>) -> Option<Arc<Harmonised>> {
    match path {
        Some(path) => {
            let beside = Some(path).filter(|path| path::is_named(path)).and_then(of_path).and_then(Result::ok);
            beside.or_else(|| kept(texts?))
        }
        None => of_name(name?).and_then(Result::ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use populace_population::Code;

    /// Every level of every built-in pack has a code, and every code is one.
    #[test]
    fn built_in_packs_are_coded() {
        for country in &COUNTRIES {
            let read = country.harmonised().unwrap_or_else(|e| panic!("{}: {e}", country.name));
            assert_eq!(read.country, country.codes[1]);
            let pack = crate::packs::open(country.name).unwrap().unwrap();
            for code in Code::ALL {
                let Some(mapping) = read.mapping(code) else { continue };
                let variable = pack.variables().iter().find(|v| v.name == mapping.column && !v.hidden).unwrap();
                for level in mapping.codes.keys() {
                    assert!(variable.level(level).is_some(), "{}: {level}", mapping.column);
                }
                if code == Code::Occupation {
                    continue;
                }
                for level in (0..variable.len()).filter(|l| variable.null_level != Some(*l as u16)) {
                    let label = variable.label(level);
                    assert!(mapping.codes.contains_key(&label), "{}: {label}", mapping.column);
                }
            }
        }
    }

    #[test]
    fn the_path_that_a_table_tells_is_not_opened_unless_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let harmonised = "country = \"XA\"\n[sex]\ncolumn = \"sex\"\ncodes = { f = \"female\", m = \"male\" }\n";
        std::fs::write(path(HARMONISED), harmonised).unwrap();
        std::fs::write(path("usa.pack"), built_in("usa").unwrap().bytes).unwrap();
        let pack = path("usa.pack").display().to_string();
        let country =
            |texts: Option<&str>| of_table(Some("usa"), Some(&pack), texts).map(|codes| codes.country.clone());
        assert_eq!(country(None), None);
        let texts = to_keep(&pack).unwrap();
        assert_eq!(country(Some(&texts)).as_deref(), Some("XA"));
        // Named, what lies beside the pack is newer than what was kept.
        std::fs::write(path(HARMONISED), harmonised.replace("XA", "XB")).unwrap();
        assert_eq!(country(Some(&texts)).as_deref(), Some("XA"));
        path::open(&pack).unwrap();
        assert_eq!(country(Some(&texts)).as_deref(), Some("XB"));
        std::fs::write(path(HARMONISED), "country = 1").unwrap();
        assert_eq!((to_keep(&pack), country(Some(&texts)).as_deref()), (None, Some("XA")));
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert!(of_name("atlantis").is_none() && of_country("ZZ").is_none());
        assert!(of_path("/nowhere/at/all.pack").is_none());
    }
}
