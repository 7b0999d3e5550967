//! The prompt of `populace sql`, at a terminal of its own.
#![cfg(unix)]

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

const PATIENCE: Option<u64> = Some(60_000);

fn prompt(home: &std::path::Path) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(home.join("db")).args(["--embedder", "hash", "sql"]);
    command.env("XDG_DATA_HOME", home).env("HOME", home).env("TERM", "xterm").env("COLUMNS", "120");
    let mut session = spawn_command(command, PATIENCE).unwrap();
    session.exp_string("\\? for help").unwrap();
    session.exp_string("populace> ").unwrap();
    session
}

/// Keys without Enter.
fn typed(session: &mut PtySession, keys: &str) {
    session.send(keys).unwrap();
    session.flush().unwrap();
}

fn left(mut session: PtySession) {
    session.send_line("\\q").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(
        session.process.wait().unwrap(),
        rexpect::process::wait::WaitStatus::Exited(session.process.child_pid, 0)
    );
}

#[test]
fn statements_take_lines_errors_end_nothing_and_history_stays() {
    let home = tempfile::tempdir().unwrap();
    let mut session = prompt(home.path());
    session.send_line("SELECT 40 + 1").unwrap();
    session.send_line("AS answer, 'e' AS letter;").unwrap();
    for part in ["answer", "letter", "41", "e", " s"] {
        session.exp_string(part).unwrap();
    }
    session.exp_string("populace> ").unwrap();
    session.send_line("SELECT agee FROM sample_persona('usa', 2);").unwrap();
    session.exp_string("error: no column `agee`; did you mean `age`?").unwrap();
    session.exp_string("populace> ").unwrap();
    // What is typed is left with Ctrl-C, the prompt is not.
    typed(&mut session, "SELECT 'never");
    session.send_control('c').unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("CREATE TABLE t AS SELECT uuid, state FROM sample_persona('usa', 3);").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("\\d").unwrap();
    session.exp_string("table_name").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("\\d t").unwrap();
    session.exp_string("uuid").unwrap();
    session.exp_string("populace> ").unwrap();
    left(session);
    // The next session finds the last statement again.
    let mut session = prompt(home.path());
    typed(&mut session, "\x1b[A\x1b[A");
    session.exp_string("\\d t").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("populace> ").unwrap();
    // Ctrl-D leaves too.
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn a_statement_that_is_at_work_is_cancelled_and_the_prompt_stays() {
    let home = tempfile::tempdir().unwrap();
    let mut session = prompt(home.path());
    let long = "sample_persona('usa', 100000000)";
    for statement in [
        format!("SELECT state, count(*) FROM {long} GROUP BY 1;"),
        format!("CREATE TABLE t AS SELECT uuid, state FROM {long};"),
    ] {
        session.send_line(&statement).unwrap();
        session.exp_string("Ctrl-C cancels").unwrap();
        session.send_control('c').unwrap();
        session.exp_string("error: cancelled").unwrap();
        session.exp_string("populace> ").unwrap();
    }
    session.send_line("SELECT 40 + 1 AS answer;").unwrap();
    session.exp_string("41").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("SELECT count(*) FROM t;").unwrap();
    session.exp_string("there is no table t").unwrap();
    session.exp_string("populace> ").unwrap();
    left(session);
}

#[test]
fn results_fit_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut session = prompt(home.path());
    session.send_line("SELECT * FROM generate_persona('usa', 2, seed => 1);").unwrap();
    // What comes is read as bytes.
    let table = session.exp_string("populace> ").unwrap().replace("\u{e2}\u{80}\u{a6}", "…");
    // The first line is what was typed.
    let lines: Vec<&str> = table.lines().skip(1).filter(|line| line.starts_with(['|', '+'])).collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines.iter().all(|line| line.trim_end().chars().count() <= 120), "{table}");
    assert!(table.contains(" columns (9 shown)") && table.contains('…'), "{table}");
    session.send_line("\\x").unwrap();
    session.exp_string("a column a line").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("SELECT state, 1.0 / 3.0 AS third FROM sample_persona('usa', 1, seed => 1);").unwrap();
    session.exp_string("-[ 1 ]").unwrap();
    session.exp_string("third | 0.333333").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("\\x off").unwrap();
    session.exp_string("a row a line").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("\\timing").unwrap();
    session.exp_string("not told").unwrap();
    session.exp_string("populace> ").unwrap();
    // A forgotten semicolon is seen.
    session.send_line("SELECT 40 + 2").unwrap();
    session.exp_string("...> ").unwrap();
    session.send_line(";").unwrap();
    session.exp_string(" 42 |").unwrap();
    let rest = session.exp_string("populace> ").unwrap();
    assert!(!rest.contains(" s\r\n"), "{rest}");
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn functions_are_listed_and_explained() {
    let home = tempfile::tempdir().unwrap();
    let mut session = prompt(home.path());
    session.send_line("\\f").unwrap();
    let list = session.exp_string("populace> ").unwrap();
    for name in ["stratified_sample", "rake", "validate", "versions", "survey_mean", "hybrid_search"] {
        assert!(list.contains(&format!("  {name} ")), "{list}");
    }
    session.send_line("\\h rebalance").unwrap();
    session.exp_string("rebalance(table, country, ").unwrap();
    session.exp_string("strata => ").unwrap();
    session.exp_string("SELECT ").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("\\f rebalanec").unwrap();
    session.exp_string("did you mean `rebalance`?").unwrap();
    session.exp_string("populace> ").unwrap();
    typed(&mut session, "SELECT * FROM sample_persona('usa', 1, given => marital_status = 'ne\t');");
    session.exp_string("never_married").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("populace> ").unwrap();
    left(session);
}

#[test]
fn tab_completes_functions_tables_and_columns() {
    let home = tempfile::tempdir().unwrap();
    let mut session = prompt(home.path());
    typed(&mut session, "SELECT marital_st\t AS m FROM sample_p\t'usa', 1);");
    session.exp_string("marital_status").unwrap();
    session.exp_string("sample_persona(").unwrap();
    session.send_line("").unwrap();
    session.exp_string("populace> ").unwrap();
    session.send_line("CREATE TABLE zebras AS SELECT 1 AS stripes;").unwrap();
    session.exp_string("populace> ").unwrap();
    typed(&mut session, "SELECT strip\t FROM zeb\t;");
    session.exp_string("SELECT stripes").unwrap();
    session.exp_string("zebras").unwrap();
    session.send_line("").unwrap();
    session.exp_string("stripes").unwrap();
    session.exp_string("populace> ").unwrap();
    left(session);
}
