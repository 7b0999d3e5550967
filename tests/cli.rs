//! Exit codes and messages.

use assert_cmd::Command;

fn populace(database: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(database).args(["--embedder", "hash"]);
    command
}

/// The exit code, standard output and standard error of a command on a database of its own.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    ran_on(directory.path(), arguments)
}

fn ran_on(database: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = populace(database).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn slips_end_with_1_and_a_hint() {
    for (arguments, says) in [
        (&["sql", "SELECT * FROM sample_persona('usaa', 5)"][..], "did you mean 'usa'?"),
        (&["sql", "SELEC 1"], "SELEC"),
        (&["sql", "SELECT agee FROM sample_persona('usa', 5)"], "no column `agee`; did you mean `age`?"),
        (&["sql", "COPY (SELECT 1) TO 'x.csv'"], "--allow-files"),
        (&["generate", "usaa", "--count", "5"], "did you mean usa?"),
        (&["generate", "usa", "--count", "5", "--given", "agee > 3"], "did you mean `age`?"),
        (&["generate", "usa", "--count", "5", "--given", "true) --"], "given"),
        (&["runs", "show", "nothing"], "no runs"),
        (&["countries", "show", "usaa"], "did you mean `usa`?"),
    ] {
        let (code, _, error) = ran(arguments);
        assert_eq!(code, 1, "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert!(!error.contains("External error") && !error.contains("backtrace"), "{error}");
    }
}

#[test]
fn bad_usage_ends_with_2() {
    for arguments in [&["generate", "usa", "--count", "0"][..], &["generate", "usa", "--count", "-3"], &["sq"]] {
        assert_eq!(ran(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn reading_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    assert_eq!(ran_on(&database, &["sql", "SELECT 1"]).0, 0);
    assert!(!database.exists());
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "precious").unwrap();
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "5"]);
    assert_eq!(code, 1);
    assert!(error.contains("no populace database"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_newer_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("VERSION"), "99\n").unwrap();
    let (code, _, error) = ran_on(directory.path(), &["sql", "SELECT 1"]);
    assert_eq!(code, 1);
    assert!(error.contains("newer version"), "{error}");
}

#[test]
fn the_same_command_again_writes_nobody_and_a_larger_count_extends() {
    let directory = tempfile::tempdir().unwrap();
    for (count, written) in [("20", "20 people written"), ("20", "0 people written"), ("30", "10 people written")] {
        let arguments = ["generate", "usa", "--count", count, "--seed", "3"];
        let (code, output, error) = ran_on(directory.path(), &arguments);
        assert_eq!(code, 0, "{error}");
        assert!(output.contains(written), "{output}");
    }
    let count = ["sql", "--format", "csv", "SELECT count(*), count(DISTINCT uuid) FROM usa"];
    assert!(ran_on(directory.path(), &count).1.ends_with("30,30\n"));
}

#[test]
fn a_search_returns_the_nearest_of_those_that_match() {
    let directory = tempfile::tempdir().unwrap();
    let made = "CREATE TABLE usa AS SELECT *, 'keeps ' || CASE WHEN age < 40 THEN 'bees' ELSE 'goats' END AS persona
                FROM sample_persona('usa', 300, seed => 1)";
    assert_eq!(ran_on(directory.path(), &["sql", made]).0, 0);
    let search = ["search", "keeps bees", "-k", "5", "--format", "csv"];
    let (code, found, error) = ran_on(directory.path(), &search);
    assert_eq!(code, 0, "{error}");
    assert_eq!(found.matches("keeps bees,").count(), 5, "{found}");
    // Nobody who matches keeps bees: the condition holds before the search, and five come back all the same.
    let among = [&search[..], &["--where", "age >= 40"]].concat();
    assert_eq!(ran_on(directory.path(), &among).1.matches("keeps goats,").count(), 5);
    assert!(ran_on(directory.path(), &["search", "x", "--where", "agee > 3"]).2.contains("did you mean `age`?"));
}

/// A statement as long as a program writes it ends in an answer or an error, never in a crash.
#[test]
fn long_statements_do_not_exhaust_the_stack() {
    let chain = |links: usize| {
        let links: Vec<String> = (0..links).map(|i| format!("(v = {i} AND v > {i})")).collect();
        format!("SELECT count(*) FROM (VALUES (1)) AS t(v) WHERE {}", links.join(" OR "))
    };
    let directory = tempfile::tempdir().unwrap();
    for links in [800, 3_000] {
        let output = populace(directory.path()).args(["sql", &chain(links)]).output().unwrap();
        assert!(output.status.code().is_some(), "{links} links: killed by a signal");
    }
}
