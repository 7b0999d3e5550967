//! The arrows between the rooms of this crate: which may use which. None points back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may use of the others: `model` below all, `compile` on top.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("model", &["error"]),
    ("infer", &["error", "model"]),
    ("pack", &["error", "infer", "model"]),
    ("draw", &["error", "infer", "model", "pack"]),
    ("judge", &["error", "infer", "model", "pack"]),
    ("compile", &["error", "infer", "model", "pack"]),
];

/// Arrows that are there and ought not to be, each with what cuts it. The list grows shorter, never longer.
const TO_BE_CUT: &[(&str, &str, &str)] = &[];

#[test]
fn arrows_point_one_way() {
    let found = arrows();
    let mut faults = vec![];
    for (from, to, place) in &found {
        let allowed = ARROWS.iter().any(|(module, to_)| module == from && to_.contains(&to.as_str()));
        let known = TO_BE_CUT.iter().any(|(f, t, _)| f == from && t == to);
        if !allowed && !known {
            faults.push(format!("{place}: {from} uses {to}: turn it round, or move what both need below both"));
        }
    }
    let there = |from: &str, to: &str| found.iter().any(|(f, t, _)| f == from && t == to);
    for (from, to, _) in TO_BE_CUT.iter().filter(|(from, to, _)| !there(from, to)) {
        faults.push(format!("{from} uses {to} no more: take it off TO_BE_CUT"));
    }
    for (from, to) in ARROWS.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to))) {
        if !there(from, to) {
            faults.push(format!("{from} uses {to} no more: take it off ARROWS"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is allowed has no circle: a module stands below all that use it, so that the list is an order.
#[test]
fn nothing_that_is_allowed_points_back() {
    let mut below = BTreeSet::new();
    for (module, uses) in ARROWS {
        for used in *uses {
            assert!(below.contains(used), "{module} may use {used}, which stands after it");
        }
        assert!(below.insert(module), "{module} stands there twice");
    }
    let modules: BTreeSet<String> = files().into_keys().collect();
    let listed: BTreeSet<String> = ARROWS.iter().map(|(module, _)| module.to_string()).collect();
    assert_eq!(modules, listed, "the modules of src, and those of ARROWS");
}

/// The files of each module of `src`.
fn files() -> BTreeMap<String, Vec<PathBuf>> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            match entry.unwrap().path() {
                path if path.is_dir() => walk(&path, found),
                path if path.extension().is_some_and(|e| e == "rs") => found.push(path),
                _ => {}
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = vec![];
    walk(&src, &mut all);
    let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in all {
        let first = path.strip_prefix(&src).unwrap().components().next().unwrap();
        let module = Path::new(&first).file_stem().unwrap().to_str().unwrap().to_string();
        if !["lib", "main"].contains(&module.as_str()) {
            modules.entry(module).or_default().push(path);
        }
    }
    modules
}

/// From what module to what other, and the place where it is said.
fn arrows() -> Vec<(String, String, String)> {
    let files = files();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![];
    for (from, path) in files.iter().flat_map(|(from, paths)| paths.iter().map(move |path| (from, path))) {
        let comment = |line: &&str| !line.trim_start().starts_with("//");
        let text = fs::read_to_string(path).unwrap();
        // Its unit tests, which stand below it, may use all.
        let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let text: String = text.lines().map(|line| if comment(&line) { line } else { "" }.to_string() + "\n").collect();
        let below = path.strip_prefix(&src).unwrap();
        let deep = below.components().count() - usize::from(below.ends_with("mod.rs"));
        for root in ["crate::".to_string(), "super::".repeat(deep)] {
            for (used, at) in names_after(&text, &root) {
                if used != *from && files.contains_key(&used) {
                    let line = text[..at].lines().count();
                    found.push((from.clone(), used, format!("src/{}:{line}", below.display())));
                }
            }
        }
    }
    found
}

/// The first name of each path that follows a word, and where the word stands: of `crate::{engine::Engine, packs}`, both.
fn names_after(text: &str, word: &str) -> Vec<(String, usize)> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = vec![];
    for (found, _) in text.match_indices(word) {
        let rest = &text[found + word.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.push((name(rest), found + 1));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    names.push((name(&list[at..]), found + 1));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn paths_are_read() {
    let read = |text: &str| names_after(text, "crate::").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(read("use crate::engine::Engine;"), ["engine"]);
    assert_eq!(read("use crate::{packs,\n    runs::{self, Retried},\n    engine};"), ["packs", "runs", "engine"]);
    assert_eq!(read("pub(crate) fn of(x: crate::packs::Y) -> crate::engine::Z"), ["packs", "engine"]);
}
