//! Makes the list of countries that the binary carries: each folder of `datasets/` with a compiled pack. It is read in
//! `src/packs/mod.rs`. Their texts are part of the binary, which is built again where a file is added or taken away; the
//! compiler does not see that.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is said of a country in files of its folder that the compiled pack does not have to be opened for.
struct Country {
    name: String,
    /// ISO 3166-1, of three letters and of two
    codes: [String; 2],
    language: String,
    folder: PathBuf,
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=datasets");
    println!("cargo::rerun-if-changed=web/dist");
    let top = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the folder of the package"));
    let folders = sorted(&top.join("datasets"), |path| path.join("pack.toml").is_file());
    let countries: Vec<Country> = folders.into_iter().filter_map(country).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder to write into")).join("countries.rs");
    fs::write(&out, list(&countries)).unwrap_or_else(|e| panic!("{}: {e}", out.display()));
}

/// `None` of a pack that is not compiled yet: the binary that compiles it is to be built first.
fn country(folder: PathBuf) -> Option<Country> {
    let name = folder.file_name()?.to_str()?.to_string();
    if !folder.join(format!("{name}.pack")).is_file() {
        println!("cargo::warning={name} is left out: it is not compiled; `make pack` does it");
        return None;
    }
    let (pack, harmonised) = (table(&folder.join("pack.toml")), table(&folder.join("harmonised.toml")));
    let text = |table: Option<&toml::Table>, key: &str| {
        let value = table.and_then(|table| table.get(key)).and_then(toml::Value::as_str);
        value.unwrap_or_else(|| panic!("{}: there is no text `{key}`", folder.display())).to_string()
    };
    let pack = pack.get("pack").and_then(toml::Value::as_table);
    let codes = [text(pack, "country"), text(Some(&harmonised), "country")];
    Some(Country { name, codes, language: text(pack, "language"), folder: folder.clone() })
}

fn table(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What of a folder is such, by name.
fn sorted(folder: &Path, is: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is(path)).collect();
    found.sort();
    found
}

/// A path from the folder of the package, which may be another the next time with the same build folder.
fn within(path: &Path) -> String {
    let top = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the folder of the package"));
    path.strip_prefix(top).unwrap_or(path).display().to_string()
}

/// The same as an expression of the code that is built.
fn place(path: &Path) -> String {
    format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/{}", within(path)))
}

/// The list as Rust has it.
fn list(countries: &[Country]) -> String {
    let names: Vec<&str> = countries.iter().map(|c| c.name.as_str()).collect();
    let count = countries.len();
    let mut text = format!(
        "/// The names of the countries.\npub const NAMES: [&str; {count}] = {names:?};\n\n\
         static COUNTRIES: [Country; {count}] = [\n"
    );
    for Country { name, codes, language, folder } in countries {
        let dir = |top: &str| match folder.join(top) {
            path if path.is_dir() => format!("include_dir!({:?})", format!("$CARGO_MANIFEST_DIR/{}", within(&path))),
            _ => format!("Dir::new({top:?}, &[])"),
        };
        let coded = sorted(folder, |path| {
            path.ends_with("harmonised.toml") || path.extension().is_some_and(|ending| ending == "csv")
        });
        let coded: Vec<String> = coded
            .iter()
            .map(|path| format!("({:?}, include_str!({}))", path.file_name().unwrap_or_default(), place(path)))
            .collect();
        let (pack, coded) = (place(&folder.join(format!("{name}.pack"))), coded.join(", "));
        let (prompts, outline) = (dir("prompts"), dir("outline"));
        let text_of = |file: &str| match folder.join(file) {
            path if path.is_file() => format!("include_str!({})", place(&path)),
            _ => "\"\"".into(),
        };
        let map = match folder.join("map.topojson") {
            path if path.is_file() => format!("Some(include_str!({}))", place(&path)),
            _ => "None".into(),
        };
        let (words, statements) = (text_of("labels.toml"), text_of("plausibility.toml"));
        let entry = format!(
            "    Country {{\n        name: {name:?},\n        codes: {codes:?},\n        language: {language:?},\n        \
             bytes: include_bytes!({pack}),\n        prompts: {prompts},\n        outline: {outline},\n        \
             coded: &[{coded}],\n        words: {words},\n        map: {map},\n        statements: {statements},\n        \
             pack: OnceLock::new(),\n        harmonised: OnceLock::new(),\n        \
             labels: OnceLock::new(),\n    }},\n"
        );
        text.write_str(&entry).expect("a text takes what is written to it");
    }
    text + "];\n"
}
