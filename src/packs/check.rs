//! What is wrong with a pack's folder.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::Environment;
use populace_outline::{Outline, read_folder};
use populace_population::{Error, Pack, there_are};
use toml::de::DeTable;

use super::labels::{FILE, Labels};
use super::plausibility;

const KINDS: &str = "kinds.toml";

/// What there is to say of a pack's folder.
#[derive(Debug, Default, PartialEq)]
pub struct Checked {
    /// All that is wrong, each with its file and line: figures and network, codes, prompts.
    pub faults: Vec<String>,
    /// What is not wrong and yet better known, such as what a fit rules out.
    pub notices: Vec<String>,
}

/// Reads a pack's folder and says what is wrong with it: nothing where the pack is sound.
pub fn check(dir: &Path) -> Checked {
    let mut checked = match populace_population::check(dir) {
        Ok(compiled) => {
            let mut faults = labels(dir, &compiled.pack);
            faults.extend(plausibility::faults_in(dir, &compiled.pack));
            Checked { faults, notices: compiled.notices }
        }
        Err(Error::Sources(errors)) => {
            Checked { faults: errors.iter().map(Error::to_string).collect(), notices: vec![] }
        }
        Err(error) => Checked { faults: vec![error.to_string()], notices: vec![] },
    };
    prompts(dir, &mut checked.faults);
    outlines(dir, &mut checked.faults);
    checked
}

/// The words of levels, where the folder has any.
fn labels(dir: &Path, pack: &Pack) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(dir.join(FILE)) else { return vec![] };
    match Labels::parse(&text) {
        Ok(labels) => labels.faults(pack).into_iter().map(|fault| format!("{FILE}: {fault}")).collect(),
        Err(fault) => vec![fault],
    }
}

/// The grammars by which people are written up without a model, a folder a language.
fn outlines(dir: &Path, wrong: &mut Vec<String>) {
    let kinds = std::fs::read_to_string(dir.join("prompts").join(KINDS)).map(|text| super::texts::kinds_in(&text));
    let kinds = kinds.unwrap_or_default();
    for language in listed(&dir.join("outline")).map(|(_, folders)| folders).unwrap_or_default() {
        let read = read_folder(&dir.join("outline").join(&language)).and_then(|files| {
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            Outline::parse(&format!("outline/{language}"), &files, super::kinds_to_write(&kinds))
        });
        if let Err(faults) = read {
            wrong.extend(faults);
        }
    }
}

/// The prompts, those of other languages in folders of their own, which have the same narratives.
fn prompts(dir: &Path, wrong: &mut Vec<String>) {
    let Some((templates, languages)) = listed(&dir.join("prompts")) else { return };
    for template in templates.iter().filter(|t| t.ends_with(".j2")) {
        check_template(dir, &format!("prompts/{template}"), wrong);
    }
    let own = format!("prompts/{KINDS}");
    if !templates.iter().any(|t| t == KINDS) {
        wrong.push(format!("{own}: there is no such file: it lists the narratives"));
        return;
    }
    let Some(kinds) = kinds(dir, &own, wrong) else { return };
    for language in languages {
        let Some((templates, _)) = listed(&dir.join("prompts").join(&language)) else { continue };
        for template in templates.iter().filter(|t| t.ends_with(".j2")) {
            check_template(dir, &format!("prompts/{language}/{template}"), wrong);
        }
        let theirs = format!("prompts/{language}/{KINDS}");
        if !templates.iter().any(|t| t == KINDS) {
            wrong.push(format!("{theirs}: there is no such file: it lists the narratives in {language}"));
            continue;
        }
        let Some(translated) = self::kinds(dir, &theirs, wrong) else { continue };
        for (kind, place) in kinds.iter().filter(|(kind, _)| !translated.contains_key(*kind)) {
            wrong.push(format!("{theirs}:1: the narrative `{kind}` of {place} has no translation"));
        }
        for (kind, place) in translated.iter().filter(|(kind, _)| !kinds.contains_key(*kind)) {
            let names: Vec<&String> = kinds.keys().collect();
            wrong.push(format!("{place}: {own} has no narrative `{kind}`{}", there_are(kind, &names)));
        }
    }
}

/// The names of the files and of the folders in a folder, in order; `None` if there is no such folder.
fn listed(folder: &Path) -> Option<(Vec<String>, Vec<String>)> {
    let (mut files, mut folders) = (vec![], vec![]);
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() { folders.push(name) } else { files.push(name) }
    }
    files.sort();
    folders.sort();
    Some((files, folders))
}

fn text(dir: &Path, file: &str, wrong: &mut Vec<String>) -> Option<String> {
    match populace_population::read_text(dir, file) {
        Ok(text) => Some(text),
        Err(Error::Io { source, .. }) => {
            wrong.push(format!("{file}: {source}"));
            None
        }
        Err(error) => {
            wrong.push(error.to_string());
            None
        }
    }
}

fn check_template(dir: &Path, file: &str, wrong: &mut Vec<String>) {
    let Some(text) = text(dir, file, wrong) else { return };
    if let Err(error) = Environment::new().add_template("prompt", &text) {
        let line = error.line().unwrap_or(1);
        wrong.push(format!("{file}:{line}: {}", error.detail().map_or_else(|| error.kind().to_string(), String::from)));
    }
}

/// The narratives and scores of a list, each with its place; `None` where it cannot be read.
fn kinds(dir: &Path, file: &str, wrong: &mut Vec<String>) -> Option<BTreeMap<String, String>> {
    let text = text(dir, file, wrong)?;
    let place = |at: usize| populace_population::place(file, &text, at);
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in &errors {
        wrong.push(format!("{}: {}", place(error.span().map_or(0, |s| s.start)), error.message()));
    }
    let table = table.get_ref();
    let mut found = BTreeMap::new();
    for section in ["kind", "score"] {
        let Some(entries) = table.get(section).and_then(|s| s.get_ref().as_array()) else {
            wrong.push(format!("{file}:1: there is no [[{section}]]"));
            continue;
        };
        for entry in entries.iter() {
            let value = |key: &str| entry.get_ref().as_table().and_then(|t| t.get(key));
            let needed: &[&str] = if section == "kind" { &["name", "step", "ask"] } else { &["name", "ask"] };
            for key in needed {
                match value(key) {
                    None => wrong.push(format!("{}: the [[{section}]] has no `{key}`", place(entry.span().start))),
                    Some(text) if text.get_ref().as_str().is_none() => {
                        wrong.push(format!("{}: `{key}` is a text", place(text.span().start)));
                    }
                    _ => {}
                }
            }
            let Some(name) = value("name") else { continue };
            let at = place(name.span().start);
            let Some(name) = name.get_ref().as_str() else { continue };
            if let Some(first) = found.insert(name.to_string(), at.clone()) {
                wrong.push(format!("{at}: `{name}` stands there twice, first at {first}"));
            }
        }
    }
    errors.is_empty().then_some(found)
}
