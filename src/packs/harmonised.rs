//! The codes that the levels of the built-in packs have in `personas_harmonised`.

use std::path::Path;
use std::sync::Arc;

use populace_population::{Error, HARMONISED, Harmonised, Result, read_text};

use super::{COUNTRIES, Country, built_in};

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
    let path = Path::new(pack);
    let folder = if path.is_dir() { path } else { path.parent()? };
    let file = |name: &str| read_text(folder, name);
    let text = file(HARMONISED).ok()?;
    Some(Harmonised::parse(&text, &file).map(Arc::new))
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
    fn what_is_not_there_is_none() {
        assert!(of_name("atlantis").is_none() && of_country("ZZ").is_none());
        assert!(of_path("/nowhere/at/all.pack").is_none());
    }
}
