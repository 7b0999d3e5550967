//! Reading an outline: the grammar, the lexicons and the manifest of one country in one language.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::finish::Script;
use crate::grammar::{Grammar, POLES, Scales};
use crate::lexicon::{Lexicon, inflection_fault};
use crate::manifest::{Manifest, pieces};
use crate::pen;
use crate::person::{Person, first_symbol};
use crate::seed::seed;

/// What writes a country's people up in one language: `outline.toml`, grammars and lexicons.
#[derive(Debug)]
pub struct Outline {
    pub(crate) manifest: Manifest,
    pub(crate) grammar: Grammar,
    pub(crate) lexicons: Vec<Lexicon>,
    pub(crate) hobbies: Option<Lexicon>,
    pub(crate) lists: Vec<Lexicon>,
    pub(crate) script: Script,
    kinds: Vec<String>,
}

/// The texts that an outline is to write.
#[derive(Debug, Clone, Copy)]
pub enum Kinds<'a> {
    /// Each of these, since the pack lists them.
    All(&'a [String]),
    /// Such of these as the grammar has.
    Any(&'a [&'a str]),
}

/// A text taken apart, for who judges the variety of a grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    pub text: String,
    /// The person's names in it, in full and as they are said later.
    pub full: String,
    pub short: String,
    /// Its sentences, with every fact masked.
    pub sentences: Vec<String>,
}

/// Slots that the narrator fills itself.
const BUILT_IN: [&str; 13] =
    ["N", "N's", "F", "they", "them", "their", "themself", "theirs", "a", ",", "hobby", "does", "trait"];

/// Conditions that one person in so many passes, where nothing is said of them.
const RARITY: usize = 3;

impl Outline {
    /// Reads an outline from files by name and text; `place` is what the folder is called where they are at fault.
    ///
    /// # Errors
    /// Everything that is wrong with the files, each fault with its file, and its line where it has one.
    pub fn parse(place: &str, files: &[(&str, &str)], kinds: Kinds) -> Result<Outline, Vec<String>> {
        let find = |name: &str| files.iter().find(|(file, _)| *file == name).map(|(_, text)| *text);
        let Some(text) = find("outline.toml") else {
            return Err(vec![format!("{place}: there is no outline.toml")]);
        };
        let manifest = Manifest::parse(place, text).map_err(|fault| vec![fault])?;
        let mut faults = manifest_faults(place, text, &manifest);
        let mut lexicon = |file: &String| -> Option<Lexicon> {
            let Some(content) = find(file) else {
                let names = files.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".csv"));
                let line = line_of(text, file);
                faults.push(format!(
                    "{place}/outline.toml:{line}: there is no file `{file}`{}",
                    did_you_mean(file, names)
                ));
                return None;
            };
            Lexicon::parse(&format!("{place}/{file}"), content).map_err(|more| faults.extend(more)).ok()
        };
        let lexicons: Vec<Option<Lexicon>> = manifest.lexicons.iter().map(|l| lexicon(&l.file)).collect();
        let hobbies = manifest.hobbies.as_ref().map(|h| lexicon(&h.file));
        let lists: Vec<Option<Lexicon>> = manifest.lists.iter().map(|l| lexicon(&l.file)).collect();
        for (read, file) in hobbies
            .iter()
            .chain(&lists)
            .zip(manifest.hobbies.iter().map(|h| &h.file).chain(manifest.lists.iter().map(|l| &l.file)))
        {
            if read.as_ref().is_some_and(|r| r.column("class").is_none()) {
                faults.push(format!("{place}/{file}:1: there is no column `class`"));
            }
        }
        let mut grammars: Vec<(String, &str)> = files
            .iter()
            .filter(|(name, _)| name.ends_with(".txt"))
            .map(|(name, text)| (format!("{place}/{name}"), *text))
            .collect();
        grammars.sort_unstable();
        if grammars.is_empty() {
            faults.push(format!("{place}: there is no grammar, a file *.txt"));
        }
        let read: Vec<&Lexicon> = lexicons.iter().flatten().collect();
        let of_lexicons: HashSet<&str> =
            read.iter().flat_map(|l| l.values("flags")).flat_map(str::split_whitespace).collect();
        let rarity = |flag: &str| match flag {
            _ if manifest.rarity.contains_key(flag) => manifest.rarity[flag],
            _ if manifest.common.iter().any(|c| c == flag) => 1,
            _ if flag.starts_with("in_") => 2,
            _ if flag.starts_with("h_") => 4,
            _ if of_lexicons.contains(flag) => 8,
            _ => RARITY,
        };
        let symbolic = |slot: &str| read.iter().any(|l| l.values(slot).iter().any(|cell| cell.starts_with('@')));
        let constant = |slot: &str| {
            let mut slots = manifest.slots.iter().filter(|s| s.name == slot);
            slots.any(|s| s.value.as_ref().is_some_and(|v| v.starts_with('@')))
        };
        let headers: HashSet<&str> = read.iter().flat_map(|l| l.headers.iter().map(String::as_str)).collect();
        let expanding: HashSet<&str> = headers.into_iter().filter(|slot| symbolic(slot)).collect();
        let expands = |slot: &str| expanding.contains(slot) || constant(slot);
        let grammar = match Grammar::parse(&grammars, &Scales { rarity: &rarity, expands: &expands }) {
            Ok(grammar) => grammar,
            Err(more) => {
                faults.extend(more);
                return Err(faults);
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let written = match kinds {
            Kinds::All(kinds) => kinds.to_vec(),
            Kinds::Any(kinds) => kinds.iter().filter(|k| grammar.contains(k)).map(|k| (*k).to_string()).collect(),
        };
        let script = Script::of(&manifest.language);
        let (lexicons, lists) = (lexicons.into_iter().flatten().collect(), lists.into_iter().flatten().collect());
        let outline =
            Outline { manifest, grammar, lexicons, hobbies: hobbies.flatten(), lists, script, kinds: written };
        match outline.faults(place, kinds) {
            faults if faults.is_empty() => Ok(outline),
            faults => Err(faults),
        }
    }

    /// Reads an outline from a folder; see [`Outline::parse`].
    ///
    /// # Errors
    /// Likewise, and what cannot be read.
    pub fn open(folder: &Path, kinds: Kinds) -> Result<Outline, Vec<String>> {
        let place = folder.display().to_string();
        let files = read_folder(folder)?;
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Outline::parse(&place, &files, kinds)
    }

    /// BCP 47.
    pub fn language(&self) -> &str {
        &self.manifest.language
    }

    /// The kinds of text that it writes.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// Writes the text of a kind from the facts of a person, the same text for the same facts.
    ///
    /// # Errors
    /// If it does not write this kind, or the facts are too few.
    pub fn write(&self, kind: &str, facts: &Map<String, Value>) -> Result<String, String> {
        if !self.kinds.iter().any(|k| k == kind) {
            return Err(format!("the outline narrator does not write {kind:?}; it writes {}", self.kinds.join(", ")));
        }
        let seed = seed(kind, facts);
        Person::new(self, facts, seed >> 32)
            .and_then(|person| pen::write(&self.grammar, kind, &person, seed, self.script))
            .ok_or_else(|| format!("the facts given are too few for {kind:?}; pass the columns of the row"))
    }

    /// What [`Outline::write`] writes, taken apart; `None` where it writes nothing.
    pub fn skeleton(&self, kind: &str, facts: &Map<String, Value>) -> Option<Skeleton> {
        let seed = seed(kind, facts);
        let person = Person::new(self, facts, seed >> 32)?;
        let (text, sentences) = pen::skeleton(&self.grammar, kind, &person, seed, self.script)?;
        Some(Skeleton { text, full: person.full, short: person.short, sentences })
    }

    /// The conditions of productions that nobody of these people passes, each with the place of one that has it.
    pub fn unmet(&self, people: &[Map<String, Value>]) -> Vec<(&str, &str)> {
        let known: Vec<Person> = people.iter().filter_map(|facts| Person::new(self, facts, 0)).collect();
        let mut unmet: Vec<(&str, &str)> = self.grammar.conditions().collect();
        // A text may come to name a hobby of any class: this hangs on what it has said, not on the person.
        unmet.retain(|(flag, _)| !flag.starts_with("in_") && !known.iter().any(|person| person.is(flag)));
        unmet.sort_unstable();
        unmet.dedup_by_key(|(flag, _)| *flag);
        unmet
    }

    /// What the files ask of each other and do not find.
    fn faults(&self, place: &str, kinds: Kinds) -> Vec<String> {
        let (grammar, manifest) = (&self.grammar, &self.manifest);
        let mut faults: Vec<String> = vec![];
        for kind in self.kinds.iter().filter(|k| !grammar.contains(k)) {
            let hint = did_you_mean(kind, grammar.symbols());
            faults.push(format!("{place}: no grammar has @{kind}, which the pack's people are written up with{hint}"));
        }
        if let (Kinds::Any(kinds), true) = (kinds, self.kinds.is_empty()) {
            let symbols: Vec<String> = kinds.iter().map(|k| format!("@{k}")).collect();
            faults.push(format!("{place}: no grammar has a kind of text: {}", symbols.join(", ")));
        }
        let slots = self.slots();
        let classes = self.classes();
        let mut traits = false;
        for (slot, at) in grammar.slots() {
            traits |= slot == "trait";
            let class = slot.strip_prefix("h_").or(slot.strip_prefix("v_"));
            let known = slots.contains(slot) || grammar.contains(slot) || class.is_some_and(|c| classes.contains(c));
            if !known {
                let hint = did_you_mean(slot, slots.iter().copied().chain(grammar.symbols()));
                faults.push(format!("{at}: no slot or symbol is named {{{slot}}}{hint}"));
            }
        }
        for pole in POLES.into_iter().chain(["avg"]).filter(|pole| traits && !grammar.contains(&format!("t_{pole}"))) {
            faults.push(format!("{place}: no grammar has @t_{pole}, which {{trait}} may turn to"));
        }
        let flags = self.flags();
        let known = |flag: &str| {
            let of_class = flag.strip_prefix("in_").or(flag.strip_prefix("h_"));
            let of_level = |l: &crate::manifest::Levels| flag.starts_with(&l.prefix);
            flags.contains(flag)
                || of_class.is_some_and(|class| classes.contains(class))
                || manifest.levels.iter().any(of_level)
        };
        for (flag, at) in grammar.conditions().filter(|(flag, _)| !known(flag)) {
            let hint = did_you_mean(flag, flags.iter().copied());
            faults.push(format!("{at}: no condition is named `{flag}`{hint}"));
        }
        for (wanted, lexicon) in manifest.lexicons.iter().zip(&self.lexicons) {
            // Many levels may turn to one symbol: it is told once.
            let mut missing: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (level, line, cells) in lexicon.rows() {
                let symbols = cells.iter().filter_map(|cell| cell.strip_prefix('@'));
                for symbols in symbols.filter(|symbols| first_symbol(grammar, symbols, level).is_none()) {
                    missing.entry(symbols).or_default().push(line);
                }
            }
            for (symbols, lines) in missing {
                let first = lines.iter().min().copied().unwrap_or_default();
                let more = match lines.len() {
                    1 => String::new(),
                    lines => format!(", nor for {} lines more", lines - 1),
                };
                faults.push(format!("{place}/{}:{first}: no grammar has any of @{symbols}{more}", wanted.file));
            }
        }
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    /// The slots that a person's facts may fill.
    fn slots(&self) -> HashSet<&str> {
        let manifest = &self.manifest;
        let mut slots = HashSet::from(BUILT_IN);
        slots.extend(manifest.slots.iter().map(|s| s.name.as_str()));
        slots.extend(manifest.lexicons.iter().filter_map(|l| l.otherwise.as_deref()));
        slots.extend(self.lexicons.iter().flat_map(|l| l.headers.iter().map(String::as_str)));
        for (wanted, lexicon) in manifest.lists.iter().zip(&self.lists) {
            slots.extend(wanted.otherwise.as_deref());
            slots.extend(wanted.also.values().map(String::as_str));
            slots.extend(lexicon.values("class"));
        }
        slots
    }

    /// The classes and families of hobbies.
    fn classes(&self) -> HashSet<&str> {
        let mut classes: HashSet<&str> = self.hobbies.iter().flat_map(|l| l.values("class")).collect();
        classes.extend(self.manifest.families.keys().map(String::as_str));
        classes.insert("other");
        classes
    }

    /// The conditions that may hold, but for those that are levels.
    fn flags(&self) -> HashSet<&str> {
        let mut flags = HashSet::from(POLES);
        flags.extend(self.manifest.flags.iter().map(|f| f.name.as_str()));
        flags.extend(self.lexicons.iter().flat_map(|l| l.values("flags")).flat_map(str::split_whitespace));
        for (wanted, lexicon) in self.manifest.lists.iter().zip(&self.lists) {
            flags.extend(wanted.otherwise.as_deref());
            flags.extend(wanted.also.values().map(String::as_str));
            flags.extend(lexicon.values("class"));
        }
        flags
    }
}

/// What `outline.toml` says that cannot be.
fn manifest_faults(place: &str, text: &str, manifest: &Manifest) -> Vec<String> {
    let mut faults = vec![];
    let mut fault = |word: &str, what: String| {
        faults.push(format!("{place}/outline.toml:{}: {what}", line_of(text, word)));
    };
    if manifest.language.is_empty() {
        fault("language", "the language has no name: a code as in BCP 47, \"pt\"".into());
    }
    for template in manifest.full.all().iter().chain(manifest.short.all()) {
        if !is_template(template) {
            fault(template, format!("{template:?} is no template: columns stand in braces, \"{{first_name}}\""));
        }
    }
    for flag in &manifest.flags {
        if flag.all.is_empty() {
            fault(&flag.name, format!("the flag `{}` has no test", flag.name));
        }
        for what in flag.all.iter().filter_map(|test| test.fault()) {
            fault(&flag.name, format!("the flag `{}`: {what}", flag.name));
        }
    }
    for slot in &manifest.slots {
        if slot.column.is_some() == slot.value.is_some() {
            fault(&slot.name, format!("the slot `{}` has a column or a value, one of them", slot.name));
        }
        if slot.value.as_deref().is_some_and(|value| !is_template(value)) {
            fault(&slot.name, format!("the slot `{}`: its value is no template", slot.name));
        }
        if let Some(what) = slot.value.as_deref().and_then(inflection_fault) {
            fault(&slot.name, format!("the slot `{}`: {what}", slot.name));
        }
    }
    for name in manifest.slots.iter().map(|s| &s.name).filter(|name| BUILT_IN.contains(&name.as_str())) {
        fault(name, format!("the slot `{name}` is filled by the narrator itself: take another name"));
    }
    faults
}

/// Whether every brace of a text is of a `{name}`.
fn is_template(text: &str) -> bool {
    let brace = |text: &str| text.contains(['{', '}']);
    pieces(text).all(|(text, name)| !brace(text) && name.is_none_or(|name| !name.is_empty() && !brace(name)))
}

/// The line of a text that has a word in quotes; the first if none has.
fn line_of(text: &str, word: &str) -> usize {
    let quoted = [format!("\"{word}\""), format!("'{word}'")];
    text.lines().position(|line| quoted.iter().any(|q| line.contains(q))).map_or(1, |at| at + 1)
}

/// The columns that an `outline.toml` names; none if it cannot be read.
pub fn columns_of(text: &str) -> Vec<String> {
    Manifest::parse("", text).map(|manifest| manifest.columns()).unwrap_or_default()
}

/// The end of a message about a name that is none of these: the nearest of them, if it is near enough to be a slip.
fn did_you_mean<'a>(wanted: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    let lower = wanted.to_lowercase();
    let bound = (wanted.chars().count() / 3).max(2);
    let distance = |name: &'a str| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name);
    let near = among.into_iter().map(distance).filter(|(distance, _)| *distance <= bound);
    near.min_by_key(|(distance, _)| *distance).map_or(String::new(), |(_, name)| format!("; did you mean `{name}`?"))
}

/// The files of a folder that outlines are made of, by name.
///
/// # Errors
/// What cannot be read, and what is not UTF-8, with the line.
pub fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, Vec<String>> {
    let failed = |path: &Path, error: std::io::Error| vec![format!("{}: {error}", path.display())];
    let (mut files, mut faults) = (vec![], vec![]);
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let path = entry.map_err(|e| failed(folder, e))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(String::from) else { continue };
        if path.is_dir() || ![".txt", ".csv", ".toml", ".j2"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        match String::from_utf8(fs::read(&path).map_err(|e| failed(&path, e))?) {
            Ok(text) => files.push((name, text)),
            Err(error) => {
                let sound = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..sound].iter().filter(|b| **b == b'\n').count() + 1;
                faults.push(format!("{}:{line}: this is not UTF-8", path.display()));
            }
        }
    }
    files.sort();
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

#[cfg(test)]
#[path = "features.rs"]
mod tests;
