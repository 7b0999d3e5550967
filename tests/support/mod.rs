//! The program on a database, as tests run it.
#![allow(dead_code, reason = "not every test has a use for each")]

pub mod place;
pub mod stub;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the files of a database's one table are, once it is begun: folders have identifiers, not names.
pub fn one_table(database: &Path) -> PathBuf {
    let tables = database.join("tables");
    let mut folders = std::fs::read_dir(&tables).into_iter().flatten().flatten().map(|e| e.path());
    folders.find(|p| p.extension().is_some_and(|e| e == "lance")).unwrap_or_else(|| tables.join("none"))
}

/// How many versions of a database's one table are committed: what comes to their folder on the way has other endings.
pub fn versions(database: &Path) -> usize {
    let entries = std::fs::read_dir(one_table(database).join("_versions")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "manifest")).count()
}

pub fn populace(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(database).args(["--embedder", "hash"]);
    command
}

/// The exit code, standard output and standard error of a command on a database of its own.
pub fn ran(arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    ran_on(directory.path(), arguments)
}

pub fn ran_on(database: &Path, arguments: &[&str]) -> (i32, String, String) {
    output(populace(database).args(arguments))
}

/// As `ran_on`, with a server that answers as OpenAI's would.
pub fn asked(database: &Path, base: &str, arguments: &[&str]) -> (i32, String, String) {
    output(populace(database).env("OPENAI_BASE_URL", base).env("OPENAI_API_KEY", "sk-secret").args(arguments))
}

pub fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
