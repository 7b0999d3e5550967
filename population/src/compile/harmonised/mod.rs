//! `harmonised.toml`: the codes that a pack's levels have in the view over all countries.
//!
//! A file beside the pack and no part of it: who is drawn does not change with it. For each of a few things that every
//! country tells in its own way it names the pack's column, and the code of each of its levels.

mod isco;

use std::collections::{BTreeMap, HashMap, HashSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::compile::places::source;
use crate::error::{Error, Result, did_you_mean, there_are};
use crate::model::variable::{Levels, Variable};

/// The file, in a pack's folder.
pub const FILE: &str = "harmonised.toml";

/// What is coded alike for all countries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// ISO 3166-2, of the first-level region
    Region,
    /// ISCED 2011, `0` to `8`
    Education,
    /// ISCO-08, one to four digits
    Occupation,
    Marital,
    Labour,
    Urban,
    Sex,
}

impl Code {
    pub const ALL: [Code; 7] =
        [Code::Region, Code::Sex, Code::Education, Code::Occupation, Code::Marital, Code::Labour, Code::Urban];

    /// Its table in the file.
    pub fn name(self) -> &'static str {
        match self {
            Code::Region => "region",
            Code::Education => "education",
            Code::Occupation => "occupation",
            Code::Marital => "marital",
            Code::Labour => "labour",
            Code::Urban => "urban",
            Code::Sex => "sex",
        }
    }

    /// The codes there are, where they are few.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Code::Region | Code::Occupation => &[],
            Code::Education => &["0", "1", "2", "3", "4", "5", "6", "7", "8"],
            Code::Marital => &["single", "married", "partnered", "separated", "divorced", "widowed"],
            Code::Labour => &["employed", "unemployed", "inactive", "military"],
            Code::Urban => &["urban", "rural"],
            Code::Sex => &["female", "male"],
        }
    }

    /// What is wrong with a code, if anything.
    fn wrong(self, code: &str, country: &str) -> Option<String> {
        match self {
            Code::Region => {
                let end = code.strip_prefix(country).and_then(|c| c.strip_prefix('-')).unwrap_or_default();
                let sound =
                    (1..=3).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
                (!sound).then(|| format!("`{code}` is no region of {country} in ISO 3166-2, such as {country}-XX"))
            }
            Code::Occupation => (!code.is_empty() && !isco::is_known(code))
                .then(|| format!("`{code}` is no code of ISCO-08; leave it empty where there is no occupation")),
            Code::Education if !self.codes().contains(&code) => {
                Some(format!("`{code}` is no level of ISCED 2011: those are 0 to 8"))
            }
            _ if !self.codes().contains(&code) => {
                Some(format!("`{code}` is no {} code{}", self.name(), there_are(code, self.codes())))
            }
            _ => None,
        }
    }
}

/// The codes of one column's levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The pack's column
    pub column: String,
    /// The code of each level that has one
    pub codes: BTreeMap<String, String>,
}

/// What a pack's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harmonised {
    /// ISO 3166-1 alpha-2
    pub country: String,
    mappings: BTreeMap<Code, Mapping>,
}

impl Harmonised {
    /// Reads the text of a `harmonised.toml`; `file` reads those beside it.
    ///
    /// # Errors
    /// All that is wrong with it, with file, line and column.
    pub fn parse(text: &str, file: &dyn Fn(&str) -> Result<String>) -> Result<Harmonised> {
        let (read, errors) = Read::new(text, file);
        super::gather(errors)?;
        Ok(read.harmonised())
    }

    /// The codes of one thing; `None` where the country has no such column.
    pub fn mapping(&self, code: Code) -> Option<&Mapping> {
        self.mappings.get(&code)
    }
}

/// What is wrong with a pack's mapping, by itself and beside the pack's variables; nothing is said of those `broken`.
pub(crate) fn faults(
    text: &str,
    file: &dyn Fn(&str) -> Result<String>,
    variables: &[Variable],
    broken: &HashSet<String>,
) -> Vec<Error> {
    let (read, mut errors) = Read::new(text, file);
    for section in &read.sections {
        section.check(variables, broken, &mut errors);
    }
    errors
}

struct Entry {
    level: String,
    code: String,
    place: String,
}

struct Section {
    code: Code,
    column: String,
    /// Of the column's name
    place: String,
    /// Where levels are missing
    codes_place: String,
    entries: Vec<Entry>,
}

/// The file as it stands, with places.
struct Read {
    country: String,
    sections: Vec<Section>,
}

impl Read {
    fn new(text: &str, file: &dyn Fn(&str) -> Result<String>) -> (Read, Vec<Error>) {
        let place = |at: usize| crate::compile::place(FILE, text, at);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut errors: Vec<Error> =
            errors.into_iter().map(|e| source(place(e.span().map_or(0, |s| s.start)), e.message())).collect();
        let mut read = Read { country: String::new(), sections: vec![] };
        let table = table.get_ref();
        match table.get("country") {
            Some(country) => match country.get_ref().as_str() {
                Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => {
                    read.country = code.into()
                }
                _ => errors
                    .push(source(place(country.span().start), "`country` is two capital letters: ISO 3166-1 alpha-2")),
            },
            None => errors
                .push(source(format!("{FILE}:1"), "`country` is missing: ISO 3166-1 alpha-2, two capital letters")),
        }
        let mut tables: Vec<_> = table.iter().filter(|(name, _)| name.get_ref() != "country").collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in tables {
            let at = place(name.span().start);
            let Some(code) = Code::ALL.into_iter().find(|c| c.name() == name.get_ref()) else {
                let names = Code::ALL.map(Code::name);
                errors.push(source(
                    at,
                    format!("unknown table `{}`{}", name.get_ref(), there_are(name.get_ref(), &names)),
                ));
                continue;
            };
            match value.get_ref().as_table() {
                Some(table) => read.section(code, table, at, &place, file, &mut errors),
                None => errors.push(source(at, format!("`{}` is a table: [{}]", code.name(), code.name()))),
            }
        }
        (read, errors)
    }

    fn section(
        &mut self,
        code: Code,
        table: &DeTable<'_>,
        at: String,
        place: &dyn Fn(usize) -> String,
        file: &dyn Fn(&str) -> Result<String>,
        errors: &mut Vec<Error>,
    ) {
        for (name, _) in table.iter() {
            let known = ["column", "codes", "file"];
            if !known.contains(&name.get_ref().as_ref()) {
                let message = format!("unknown key `{}`{}", name.get_ref(), there_are(name.get_ref(), &known));
                errors.push(source(place(name.span().start), message));
            }
        }
        let text = |key: &str, errors: &mut Vec<Error>| {
            let value = table.get(key)?;
            let found = value.get_ref().as_str().map(|t| (t.to_string(), place(value.span().start)));
            if found.is_none() {
                errors.push(source(place(value.span().start), format!("`{key}` is a text")));
            }
            found
        };
        let column = text("column", errors);
        if column.is_none() && !table.contains_key("column") {
            errors.push(source(&at, format!("[{}] names no `column` of the pack", code.name())));
        }
        let mut section =
            Section { code, column: String::new(), place: at.clone(), codes_place: at.clone(), entries: vec![] };
        match (table.get("codes"), text("file", errors)) {
            (Some(codes), None) => {
                section.codes_place = place(codes.span().start);
                match codes.get_ref().as_table() {
                    Some(codes) => section.inline(codes, place, errors),
                    None => errors.push(source(&section.codes_place, "`codes` is a table: { \"level\" = \"code\" }")),
                }
            }
            (None, Some((name, at))) => {
                section.codes_place.clone_from(&name);
                match file(&name) {
                    Ok(text) => section.file(&name, &text, errors),
                    Err(Error::Io { source: why, .. }) => errors.push(source(at, format!("{name}: {why}"))),
                    Err(error) => errors.push(error),
                }
            }
            _ if table.contains_key("file") && !table.contains_key("codes") => {}
            _ => errors.push(source(&at, format!("[{}] has either `codes` or a `file` of them", code.name()))),
        }
        for entry in &section.entries {
            if code == Code::Region && self.country.is_empty() {
                break;
            }
            errors.extend(code.wrong(&entry.code, &self.country).map(|why| source(&entry.place, why)));
        }
        if let Some((column, place)) = column {
            (section.column, section.place) = (column, place);
            self.sections.push(section);
        }
    }

    fn harmonised(self) -> Harmonised {
        let mapping = |section: Section| {
            let known = section.entries.into_iter().filter(|e| !e.code.is_empty());
            (section.code, Mapping { column: section.column, codes: known.map(|e| (e.level, e.code)).collect() })
        };
        Harmonised { country: self.country, mappings: self.sections.into_iter().map(mapping).collect() }
    }
}

impl Section {
    fn inline(&mut self, codes: &DeTable<'_>, place: &dyn Fn(usize) -> String, errors: &mut Vec<Error>) {
        let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = codes.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (level, code) in entries {
            let at = place(code.span().start);
            match code.get_ref().as_str() {
                Some(code) => {
                    self.entries.push(Entry { level: level.get_ref().to_string(), code: code.into(), place: at });
                }
                None => errors.push(source(at, format!("the code of `{}` is a text, in quotes", level.get_ref()))),
            }
        }
    }

    fn file(&mut self, name: &str, text: &str, errors: &mut Vec<Error>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers: Vec<String> = match reader.headers() {
            Ok(headers) => headers.iter().map(String::from).collect(),
            Err(error) => return errors.push(source(format!("{name}:1"), error.to_string())),
        };
        let own = if self.code == Code::Occupation { "isco" } else { "code" };
        let find = |wanted: &str| headers.iter().position(|h| h == wanted);
        let (Some(level), Some(code)) = (find("level"), find(own)) else {
            let have = headers.join(", ");
            return errors.push(source(format!("{name}:1"), format!("the columns are level,{own}; there are {have}")));
        };
        let mut seen: HashMap<String, u64> = HashMap::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    errors.push(crate::compile::csv_error(name, &error));
                    continue;
                }
            };
            let line = record.position().map_or(0, csv::Position::line);
            if let Some(first) = seen.insert(record[level].to_string(), line) {
                let message = format!("level `{}` stands there twice, first in line {first}", &record[level]);
                errors.push(source(format!("{name}:{line}"), message));
                continue;
            }
            let place = format!("{name}:{line}, column `{own}`");
            self.entries.push(Entry { level: record[level].into(), code: record[code].trim().into(), place });
        }
    }

    fn check(&self, variables: &[Variable], broken: &HashSet<String>, errors: &mut Vec<Error>) {
        if broken.contains(&self.column) {
            return;
        }
        let Some(variable) = variables.iter().find(|v| v.name == self.column && !v.hidden) else {
            let visible = variables.iter().filter(|v| !v.hidden).map(|v| v.name.as_str());
            let hint = did_you_mean(&self.column, visible);
            errors.push(source(&self.place, format!("the pack has no column `{}`{hint}", self.column)));
            return;
        };
        for entry in self.entries.iter().filter(|e| variable.level(&e.level).is_none()) {
            errors.push(source(&entry.place, variable.unknown_level(&entry.level).to_string()));
        }
        if self.entries.is_empty() {
            return;
        }
        let coded: HashSet<&str> = self.entries.iter().map(|e| e.level.as_str()).collect();
        let missing: Vec<String> = (0..variable.len())
            .filter(|l| variable.null_level != Some(*l as u16))
            .map(|l| variable.label(l))
            .filter(|l| !coded.contains(l.as_str()))
            .collect();
        if !missing.is_empty() {
            let shown = missing.iter().take(5).map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", ");
            let more = if missing.len() > 5 { format!(" and {} more", missing.len() - 5) } else { String::new() };
            let (level, has) = if missing.len() == 1 { ("level", "has") } else { ("levels", "have") };
            let message = format!("the {level} {shown}{more} of `{}` {has} no {} code", self.column, self.code.name());
            let place = if self.codes_place.contains(':') {
                self.codes_place.clone()
            } else {
                format!("{}:1", self.codes_place)
            };
            errors.push(source(place, message));
        }
        if matches!(variable.levels, Levels::Integer { .. }) && self.code == Code::Occupation {
            errors.push(source(&self.place, format!("`{}` is a number, where titles are wanted", self.column)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(name: &str) -> Result<String> {
        Err(Error::Io { path: name.into(), source: std::io::ErrorKind::NotFound.into() })
    }

    #[test]
    fn a_mapping_is_read() {
        let text = "country = \"US\"\n[region]\ncolumn = \"state\"\ncodes = { AK = \"US-AK\" }\n\
                    [occupation]\ncolumn = \"occupation\"\nfile = \"isco.csv\"\n";
        let read = Harmonised::parse(text, &|_| Ok("level,isco\nnurse,2221\nnone,\n".into())).unwrap();
        assert_eq!(read.country, "US");
        assert_eq!(read.mapping(Code::Region).unwrap().codes["AK"], "US-AK");
        let occupation = read.mapping(Code::Occupation).unwrap();
        assert_eq!((occupation.codes.len(), occupation.codes["nurse"].as_str()), (1, "2221"));
        assert_eq!(read.mapping(Code::Urban), None);
    }

    #[test]
    fn every_fault_is_told_by_its_place() {
        let text = "country = \"US\"\n[region]\ncolumn = \"state\"\ncodes = { AK = \"AK\" }\n[education]\n\
                    column = \"school\"\ncodes = { a = \"9\", b = 3 }\n[urbn]\n[labour]\nfile = \"l.csv\"\n";
        let message = Harmonised::parse(text, &none).unwrap_err().to_string();
        for told in [
            "harmonised.toml:4:16: `AK` is no region of US in ISO 3166-2",
            "harmonised.toml:7:15: `9` is no level of ISCED 2011: those are 0 to 8",
            "harmonised.toml:7:24: the code of `b` is a text",
            "harmonised.toml:8:2: unknown table `urbn`; did you mean `urban`?",
            "harmonised.toml:9:2: [labour] names no `column`",
            "harmonised.toml:10:8: l.csv: ",
        ] {
            assert!(message.contains(told), "{message}\nshould say: {told}");
        }
        let broken = Harmonised::parse("country = \"US\"\ncodes = \n", &none).unwrap_err().to_string();
        assert!(broken.contains("harmonised.toml:2"), "{broken}");
        assert!(Harmonised::parse("", &none).unwrap_err().to_string().contains("`country` is missing"));
    }
}
