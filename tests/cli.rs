//! Exit codes and messages.

use std::process::Command;
use std::time::Duration;

mod support;
use support::{populace, ran, ran_on, versions};

#[test]
fn a_model_that_cannot_be_fetched_is_told_with_its_files() {
    let Some(library) = onnx_runtime() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
    command.arg("--db").arg(directory.path()).args(["--embedder", "BAAI/bge-m3", "sql", "SELECT embed('a beekeeper')"]);
    // A port that nobody listens on.
    command.env("HF_ENDPOINT", "http://127.0.0.1:9").env("HF_HOME", directory.path().join("hub"));
    command.env("POPULACE_MODELS", directory.path()).env("ORT_DYLIB_PATH", library);
    let (code, _, error) = support::output(&mut command);
    assert_eq!(code, 1, "{error}");
    let place = directory.path().join("bge-m3").display().to_string();
    for part in ["bge-m3 is not in", "https://huggingface.co/BAAI/bge-m3", "onnx/model.onnx_data", &place] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// ONNX Runtime, where it is installed.
fn onnx_runtime() -> Option<std::path::PathBuf> {
    let library = format!("onnxruntime/libonnxruntime.{}", std::env::consts::DLL_EXTENSION);
    let library = populace::embedders::folder().join(library);
    if library.is_file() {
        return Some(library);
    }
    assert!(std::env::var_os("POPULACE_REQUIRE_MODELS").is_none(), "{} is missing", library.display());
    eprintln!("SKIPPED, no ONNX Runtime");
    None
}

#[test]
fn slips_end_with_1_and_a_hint() {
    for (arguments, says) in [
        (&["sql", "SELECT * FROM sample_persona('usaa', 5)"][..], "did you mean `usa`?"),
        (&["sql", "SELEC 1"], "SELEC"),
        (&["sql", "SELECT agee FROM sample_persona('usa', 5)"], "no column `agee`; did you mean `age`?"),
        (&["sql", "COPY (SELECT 1) TO 'x.csv'"], "--allow-files"),
        (&["generate", "usaa", "--count", "5"], "did you mean `usa`?"),
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
fn a_failing_file_says_which_statement_and_where() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("three.sql");
    std::fs::write(&file, "-- one\nSELECT 1;\n\n-- two\nSELECT agee\n  FROM sample_persona('usa', 1);\nSELECT 3;\n")
        .unwrap();
    let database = directory.path().join("db");
    let (code, out, error) = ran_on(&database, &["sql", "--format", "csv", "-f", file.to_str().unwrap()]);
    assert!(code == 1 && error.starts_with("error: statement 2 of 3, line 5: no column `agee`"), "{error}");
    assert_eq!(out, "Int64(1)\n1\n");
    // What cannot be parsed runs nothing.
    std::fs::write(&file, "SELECT 1;\nSELECT 1 +;\n").unwrap();
    let (code, out, error) = ran_on(&database, &["sql", "-f", file.to_str().unwrap()]);
    assert!(code == 1 && error.contains("at line 2, column 11") && out.is_empty(), "{out}{error}");
    // A comment comes first as well as anything.
    let (code, out, _) = ran_on(&database, &["sql", "--format", "csv", "-- so\nSELECT 1 AS a"]);
    assert_eq!((code, out.as_str()), (0, "a\n1\n"));
}

#[test]
fn files_are_tables_where_they_are_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scores.csv");
    std::fs::write(&file, "uuid,score\na,1\nb,2\n").unwrap();
    let database = directory.path().join("db");
    let sql = format!("SELECT sum(score) AS s FROM '{}'", file.display());
    let (code, _, error) = ran_on(&database, &["sql", &sql]);
    assert!(code == 1 && error.contains("start with --allow-files to read it"), "{error}");
    let (code, out, error) = ran_on(&database, &["sql", "--allow-files", "--format", "csv", &sql]);
    assert_eq!((code, out.as_str()), (0, "s\n3\n"), "{error}");
    let (code, _, error) = ran_on(&database, &["sql", "--allow-files", "SELECT * FROM nothing"]);
    assert!(code == 1 && error.contains("there is no table nothing"), "{error}");
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
fn a_run_in_a_language_has_a_table_of_its_own_and_is_resumed_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let generate = ["generate", "usa", "--count", "20", "--seed", "3", "--language", "EN"];
    let (code, output, error) = ran_on(directory.path(), &generate);
    assert!(code == 0 && output.contains("usa_en: 20 people written"), "{output}{error}");
    let id = output.split("run ").nth(1).unwrap().trim_end().trim_end_matches(')');
    let half = ["sql", "DELETE FROM usa_en WHERE row_index >= 10"];
    assert_eq!(ran_on(directory.path(), &half).0, 0);
    let (code, output, error) = ran_on(directory.path(), &["runs", "resume", id]);
    assert!(code == 0 && output.contains("10 people written"), "{output}{error}");
    let count = ["sql", "--format", "csv", "SELECT narrative_language, count(persona) FROM usa_en GROUP BY 1"];
    assert!(ran_on(directory.path(), &count).1.ends_with("en,20\n"));
    // A table without the column cannot say what its texts are in.
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--count", "5", "--seed", "3"]).0, 0);
    let (code, _, error) = ran_on(directory.path(), &[&generate[..], &["--into", "usa"]].concat());
    assert!(code == 1 && error.contains("ADD COLUMN narrative_language VARCHAR"), "{error}");
}

#[test]
fn a_search_returns_the_nearest_of_those_that_match() {
    let directory = tempfile::tempdir().unwrap();
    let made = "CREATE TABLE usa AS SELECT *, 'keeps ' || CASE WHEN age < 40 THEN 'bees' ELSE 'goats' END AS persona
                FROM sample_persona('usa', 300, seed => 1)";
    assert_eq!(ran_on(directory.path(), &["sql", made]).0, 0);
    let search = ["search", "keeps bees", "-k", "5", "--format", "csv", "--by", "meaning"];
    let (code, found, error) = ran_on(directory.path(), &search);
    assert_eq!(code, 0, "{error}");
    assert_eq!(found.matches("keeps bees,").count(), 5, "{found}");
    // Nobody who matches keeps bees: the condition holds before the search, and five come back all the same.
    let among = [&search[..], &["--where", "age >= 40"]].concat();
    assert_eq!(ran_on(directory.path(), &among).1.matches("keeps goats,").count(), 5);
    assert!(ran_on(directory.path(), &["search", "x", "--where", "agee > 3"]).2.contains("did you mean `age`?"));
    for by in ["words", "both"] {
        let (code, by_words, error) = ran_on(directory.path(), &[&search[..7], &[by]].concat());
        let first = |found: &str| found.lines().nth(1).and_then(|l| l.split(',').next()).map(String::from);
        assert_eq!((code, first(&by_words)), (0, first(&found)), "{error}");
    }
    let (code, indexes, error) = ran_on(directory.path(), &["index", "usa", "--text", "persona", "--format", "csv"]);
    assert!(code == 0 && indexes.contains("persona_text,text,persona,") && indexes.contains(",current,"), "{error}");
    let (code, _, error) = ran_on(directory.path(), &["index", "usaa"]);
    assert!(code == 1 && error.contains("there is no table usaa"), "{error}");
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

#[test]
fn evidence_may_be_a_long_chain() {
    let ages: Vec<String> = (0..1000).map(|i| format!("age = {}", 30 + i % 10)).collect();
    let sql = format!(
        "SELECT min(age) AS a, max(age) AS b FROM sample_persona('usa', 5000, seed => 1, given => {})",
        ages.join(" OR ")
    );
    let (code, out, error) = ran(&["sql", "--format", "csv", &sql]);
    assert_eq!((code, out.as_str()), (0, "a,b\n30,39\n"), "{error}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_says_how_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let child = populace(directory.path())
        .args(["generate", "usa", "--count", "100000", "--seed", "1", "--chunk", "50"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while versions(directory.path()) < 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(130) && error.contains("`populace runs resume "), "{error}");
    let count =
        ran_on(directory.path(), &["sql", "--format", "csv", "SELECT count(*) BETWEEN 50 AND 99999 AS n FROM usa"]).1;
    assert_eq!(count, "n\ntrue\n");
}

#[test]
fn a_run_that_cannot_begin_leaves_nothing() {
    for (arguments, says) in [
        (&["generate", "usa", "--count", "5", "--into", "../x"][..], "no name for a table"),
        (&["generate", "usa", "--count", "5", "--narrator", "openai:m"], "OPENAI_API_KEY"),
        (&["generate", "usa", "--count", "5", "--narrator", "outlin"], "did you mean `outline`?"),
        (&["generate", "usa", "--count", "5", "--embedder", "hsh"], "did you mean `hash`?"),
        (
            &["generate", "usa", "--count", "5", "--language", "fr"],
            "in the language `fr`; did you mean `en`? There are: en",
        ),
        (&["generate", "usa", "--count", "5", "--language", "en", "--narrator", "none"], "without narratives"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_populace"));
        command.env_remove("OPENAI_API_KEY").env_remove("OPENAI_BASE_URL").arg("--db").arg(directory.path());
        let embedder = if arguments.contains(&"--embedder") { &[][..] } else { &["--embedder", "hash"] };
        let output = command.args(embedder).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(says), "{arguments:?}: {error}");
        let runs = ran_on(directory.path(), &["runs"]);
        assert_eq!((runs.0, runs.1.as_str()), (0, ""), "{arguments:?}");
        assert_eq!(
            std::fs::read_dir(directory.path().join("tables"))
                .map_or(0, |t| t.flatten().filter(|e| e.path().is_dir()).count()),
            0
        );
    }
}

#[test]
#[cfg(unix)]
fn a_directory_that_cannot_be_written_is_said_to_be() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(ran_on(directory.path(), &["generate", "usa", "--count", "5", "--seed", "1"]).0, 0);
    let mut folders = vec![directory.path().to_path_buf()];
    let mut at = 0;
    while at < folders.len() {
        let inner = std::fs::read_dir(&folders[at]).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir());
        folders.extend(inner.collect::<Vec<_>>());
        at += 1;
    }
    let mode =
        |mode| folders.iter().for_each(|f| std::fs::set_permissions(f, PermissionsExt::from_mode(mode)).unwrap());
    mode(0o555);
    // Whoever may write everywhere is not kept from it.
    let kept = std::fs::write(directory.path().join("probe"), "").is_err();
    let count = ran_on(directory.path(), &["sql", "--format", "csv", "SELECT count(*) AS n FROM usa"]);
    let (code, _, error) = ran_on(directory.path(), &["generate", "usa", "--count", "9", "--seed", "1"]);
    mode(0o755);
    assert_eq!(count.1, "n\n5\n");
    assert!(!kept || (code == 1 && error.contains("cannot") && error.contains("writ")), "{error}");
}

#[test]
fn a_reader_that_goes_ends_nothing_in_error() {
    for format in ["csv", "table", "json", "ndjson", "arrow", "parquet"] {
        let directory = tempfile::tempdir().unwrap();
        let sql = "SELECT * FROM sample_persona('usa', 20000, seed => 1)";
        let mut child = Command::new(env!("CARGO_BIN_EXE_populace"))
            .arg("--db")
            .arg(directory.path())
            .args(["sql", "--format", format, sql])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn without_a_command_statements_come_from_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let statements = directory.path().join("statements.sql");
    std::fs::write(&statements, "SELECT 40 + 2 AS answer;").unwrap();
    let mut command = populace(&directory.path().join("db"));
    command.stdin(std::fs::File::open(&statements).unwrap());
    let (code, out, error) = support::output(&mut command);
    assert!(code == 0 && out.contains("| 42 "), "{out}{error}");
}

#[test]
fn tables_are_listed_with_rows_country_and_size() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| ran_on(directory.path(), arguments);
    assert_eq!(
        run(&["tables"]).1,
        "+-------+------+---------+------+\n| table | rows | country | size |\n+-------+------+---------+------+\n+-------+------+---------+------+\n0 rows\n"
    );
    assert_eq!(run(&["generate", "usa", "--count", "30", "--seed", "1", "--narrator", "none"]).0, 0);
    assert_eq!(run(&["sql", "CREATE TABLE notes AS SELECT 1 AS a UNION ALL SELECT 2"]).0, 0);
    let both = "CREATE TABLE both AS SELECT country FROM sample_persona('usa', 2) UNION ALL SELECT country FROM sample_persona('japan', 1)";
    assert_eq!(run(&["sql", both]).0, 0);
    let (code, out, error) = run(&["tables", "--format", "csv"]);
    assert_eq!(code, 0, "{error}");
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.splitn(2, ',').collect()).collect();
    assert_eq!(lines[0], ["table", "rows,country,bytes"]);
    assert!(lines[1][0] == "both" && lines[1][1].starts_with("3,\"japan, usa\","), "{out}");
    assert!(lines[2][0] == "notes" && lines[2][1].starts_with("2,,"), "{out}");
    assert!(lines[3][0] == "usa" && lines[3][1].starts_with("30,usa,"), "{out}");
    let (_, out, _) = run(&["tables"]);
    assert!(out.contains(" kB |") && out.contains("| both  | 3    | japan, usa |"), "{out}");
}

#[test]
fn own_codes_are_told_and_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let (db, csv, map) = (folder.path().join("db"), folder.path().join("p.csv"), folder.path().join("map.csv"));
    let mut text = "id,gender,state,age,score\n".to_string();
    for row in 0..60 {
        let (gender, state) = (if row % 2 == 0 { 1 } else { 2 }, if row % 3 == 0 { "California" } else { "TX" });
        text += &format!("p{row},{gender},{state},{},{row}\n", 20 + row);
    }
    std::fs::write(&csv, text).unwrap();
    let (csv, map) = (csv.to_str().unwrap(), map.to_str().unwrap());
    let import = |more: &[&str]| {
        let fixed = ["import", csv, "--into", "people", "--map", "id=uuid", "--map", "gender=sex", "--country", "usa"];
        ran_on(&db, &[&fixed[..], more].concat())
    };
    // Nothing is written of values that are no levels.
    let (code, _, error) = import(&[]);
    for says in
        ["  sex: 1 (30), 2 (30)", "  state: California (20; CA?)", "sex has Male, Female", "--map-values sex.1=LEVEL"]
    {
        assert!(code == 1 && error.contains(says), "{says}: {error}");
    }
    assert!(!db.exists());
    let (code, out, error) = import(&["--dry-run", "--template", map]);
    assert!(code == 0 && out.contains("state: California (20; CA?)"), "{out}{error}");
    let template = std::fs::read_to_string(map).unwrap();
    assert_eq!(template, "column,from,to,rows,nearest\nsex,1,,30,\nsex,2,,30,\nstate,California,CA,20,CA\n");
    // What is not filled in is not mapped.
    let (code, _, error) = import(&["--map-values", map]);
    assert!(code == 1 && error.contains("sex: 1 (30)") && !error.contains("California"), "{error}");
    std::fs::write(map, template.replace("sex,1,", "sex,1,Male").replace("sex,2,", "sex,2,Female")).unwrap();
    let (code, out, error) = import(&["--map-values", map]);
    assert!(code == 0 && out.contains("60 rows written"), "{out}{error}");
    let query = |sql: &str| {
        let (code, out, error) = ran_on(&db, &["sql", "--format", "csv", sql]);
        assert_eq!(code, 0, "{error}");
        out
    };
    let sql = "SELECT sex, state, country, count(*) AS n FROM people GROUP BY 1, 2, 3 ORDER BY 1, 2";
    assert_eq!(query(sql), "sex,state,country,n\nFemale,CA,USA,10\nFemale,TX,USA,20\nMale,CA,USA,10\nMale,TX,USA,20\n");
    // The table knows whose people it has, and its values are levels.
    let sql = "SELECT sum(weight)::INT AS people FROM rake(people, 'usa', margins => sex)";
    assert_eq!(query(sql), "people\n60\n");
    let sql = "SELECT sex, observed FROM rebalance(people, 'usa', strata => sex) ORDER BY 1";
    assert_eq!(query(sql), "sex,observed\nFemale,30\nMale,30\n");
    assert_eq!(
        query("SELECT DISTINCT country_code, sex_code FROM personas_harmonised ORDER BY 2").lines().nth(1),
        Some("US,female")
    );
    assert!(ran_on(&db, &["tables", "--format", "csv"]).1.contains("people,60,usa,"));
    // Or they are NULL, or as they were.
    let another = |into: &str, more: &[&str]| {
        let fixed = ["import", csv, "--into", into, "--map", "gender=sex", "--country", "usa"];
        ran_on(&db, &[&fixed[..], more].concat())
    };
    let (code, out, error) = another("some", &["--unmapped", "null", "--map-values", "sex.1=Male"]);
    assert!(code == 0 && out.contains("50 values that are no levels are NULL"), "{out}{error}");
    assert_eq!(query("SELECT count(sex) AS a, count(state) AS b FROM some"), "a,b\n30,40\n");
    let (code, out, error) = another("kept", &["--unmapped", "keep"]);
    assert!(code == 0 && out.contains("kept as they are, though no levels:\n  sex: 1 (30), 2 (30)"), "{out}{error}");
    assert_eq!(query("SELECT DISTINCT sex FROM kept ORDER BY 1"), "sex\n1\n2\n");
    let (code, _, error) = another("none", &["--map-values", "sex.1=Man"]);
    assert!(
        code == 1 && error.contains("`Man` is no level of sex") && error.contains("There are: Male, Female"),
        "{error}"
    );
}
