//! The arrows between the modules of a crate, as its sources have them: which uses which, held against what is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of the others, from the lowest to the highest.
pub type Allowed = [(&'static str, &'static [&'static str])];

/// Fails where a module of the crate at `root` uses another that it may not, or no longer uses one that it may.
pub fn point_one_way(root: &str, allowed: &Allowed) {
    let found = arrows(root);
    let mut faults = vec![];
    for (from, to, place) in &found {
        if !allowed.iter().any(|(module, uses)| module == from && uses.contains(&to.as_str())) {
            faults.push(format!("{place}: {from} uses {to}: turn it round, or move what both need below both"));
        }
    }
    for (from, to) in allowed.iter().flat_map(|(from, uses)| uses.iter().map(move |to| (from, to))) {
        if !found.iter().any(|(f, t, _)| f == from && t == to) {
            faults.push(format!("{from} uses {to} no more: take it off ARROWS"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Fails where what is allowed has a circle: a module stands below all that use it, so that the list is an order.
pub fn are_an_order(root: &str, allowed: &Allowed) {
    let mut below = BTreeSet::new();
    for (module, uses) in allowed {
        for used in *uses {
            assert!(below.contains(used), "{module} may use {used}, which stands after it");
        }
        assert!(below.insert(module), "{module} stands there twice");
    }
    let modules: BTreeSet<String> = files(root).into_keys().collect();
    let listed: BTreeSet<String> = allowed.iter().map(|(module, _)| module.to_string()).collect();
    assert_eq!(modules, listed, "the modules of src, and those of ARROWS");
}

/// The files of each module of `src`.
fn files(root: &str) -> BTreeMap<String, Vec<PathBuf>> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            match entry.unwrap().path() {
                path if path.is_dir() => walk(&path, found),
                path if path.extension().is_some_and(|e| e == "rs") => found.push(path),
                _ => {}
            }
        }
    }
    let src = Path::new(root).join("src");
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
fn arrows(root: &str) -> Vec<(String, String, String)> {
    let files = files(root);
    let src = Path::new(root).join("src");
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
pub fn names_after(text: &str, word: &str) -> Vec<(String, usize)> {
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
