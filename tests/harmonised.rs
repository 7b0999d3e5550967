//! `personas_harmonised`: what it reads, and packs of one's own among its tables.

use std::path::Path;

use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options};

mod support;
use support::ran_on;

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let mut rows = vec![];
    for statement in engine.parse(sql).unwrap() {
        for batch in engine.run(statement).await.unwrap().try_collect::<Vec<_>>().await.unwrap() {
            for row in 0..batch.num_rows() {
                let text = |c| datafusion::arrow::util::display::array_value_to_string(batch.column(c), row).unwrap();
                rows.push((0..batch.num_columns()).map(text).collect::<Vec<_>>().join("|"));
            }
        }
    }
    rows
}

/// The lines of the physical plan that say what is read.
async fn reads(engine: &Engine, sql: &str) -> Vec<String> {
    let plan = rows(engine, &format!("EXPLAIN {sql}")).await.concat();
    let read = plan.lines().filter(|line| line.contains("LanceRead"));
    read.map(|line| line.split_once("projection=").map_or(line, |(_, rest)| rest).to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_projections_reach_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let engine = Engine::new(Database::open(folder.path(), embedder).unwrap(), Options::default()).unwrap();
    for table in ["one", "two"] {
        let made = format!("CREATE TABLE {table} AS SELECT * FROM sample_persona('usa', 2000, seed => 1)");
        rows(&engine, &made).await;
    }
    let all = reads(&engine, "SELECT country_code, count(*) FROM personas_harmonised GROUP BY country_code").await;
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|line| line.starts_with("[country], ") && !line.contains("full_filter=country")), "{all:?}");
    let coded =
        reads(&engine, "SELECT count(*) FROM personas_harmonised WHERE region_code IN ('US-VT', 'US-WY')").await;
    assert!(coded.iter().all(|line| line.contains("full_filter=state ") && line.contains("VT")), "{coded:?}");
    assert!(coded.iter().all(|line| line.starts_with("[state], ")), "{coded:?}");
    let one =
        reads(&engine, "SELECT age, education_isced FROM personas_harmonised WHERE table_name = 'two' AND age > 60")
            .await;
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(
        one[0].starts_with("[education_level, age], ") || one[0].starts_with("[age, education_level], "),
        "{one:?}"
    );
    assert!(one[0].contains("age > "), "{one:?}");
    let nobody =
        reads(&engine, "SELECT * FROM personas_harmonised WHERE country_code = 'ZZ' OR education_isced > 8").await;
    assert_eq!(nobody, [""; 0]);
}

/// The tiny country of the tests, with a mapping and compiled, in a folder of its own.
fn tiny(folder: &Path) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs/tests/packs/tiny");
    let to = folder.join("tiny's pack");
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let mapping = "country = \"QT\"\n[region]\ncolumn = \"state\"\ncodes = { North = \"QT-N\", South = \"QT-S\", West = \"QT-W\" }\n\
        [sex]\ncolumn = \"sex\"\ncodes = { Female = \"female\", Male = \"male\" }\n\
        [occupation]\ncolumn = \"job\"\ncodes = { civil_engineer = \"2142\", nurse = \"2221\", software_engineer = \"2512\" }\n";
    std::fs::write(to.join("harmonised.toml"), mapping).unwrap();
    let folder = to.display().to_string();
    let (code, _, error) = ran_on(&to, &["countries", "compile", &folder]);
    assert_eq!(code, 0, "{error}");
    folder
}

#[test]
fn a_pack_of_ones_own_is_used_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny(folder.path());
    let file = format!("{path}/tinyland.pack");
    let database = folder.path().join("db");
    let ran = |arguments: &[&str]| {
        let (code, output, error) = ran_on(&database, arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        output
    };
    assert!(ran(&["countries", "show", &path]).starts_with("Tinyland (2000), pack tinyland@"));
    assert!(ran(&["countries", "show", &file]).starts_with("Tinyland (2000), pack tinyland@"));
    let generated = ran(&["generate", &file, "--count", "50", "--seed", "1", "--narrator", "none"]);
    assert!(generated.starts_with("tinyland: 50 people written"), "{generated}");
    // The same pack by its folder goes on with the same table.
    let more = ran(&["generate", &path, "--count", "60", "--seed", "1", "--narrator", "none", "--into", "tinyland"]);
    assert!(more.starts_with("tinyland: 10 people written"), "{more}");
    ran(&["generate", "usa", "--count", "40", "--seed", "1", "--narrator", "none"]);
    let counted = "SELECT table_name, country_code, count(*) AS n, count(region_code) AS r, count(sex_code) AS s, count(education_isced) AS e
                   FROM personas_harmonised GROUP BY 1, 2 ORDER BY 1";
    assert_eq!(
        ran(&["sql", "--format", "csv", counted]),
        "table_name,country_code,n,r,s,e\ntinyland,QT,60,60,60,0\nusa,US,40,40,40,40\n"
    );
    let coded = "SELECT count(*) AS n FROM personas_harmonised WHERE region_code = 'QT-N' AND state <> 'North'";
    assert_eq!(ran(&["sql", "--format", "csv", coded]), "n\n0\n");

    // Statements reach no file unless they may.
    let quoted = file.replace('\'', "''");
    let drawn = format!("SELECT count(*) AS n FROM sample_persona('{quoted}', 5)");
    let (code, _, error) = ran_on(&database, &["sql", &drawn]);
    assert!(code == 1 && error.contains("--allow-files"), "{error}");
    assert_eq!(ran(&["sql", "--allow-files", "--format", "csv", &drawn]), "n\n5\n");

    let made = format!("CREATE TABLE made AS SELECT uuid, sex, state FROM sample_persona('{quoted}', 5)");
    ran(&["sql", "--allow-files", &made]);
    let coded =
        "SELECT country_code, count(region_code) AS r FROM personas_harmonised WHERE table_name = 'made' GROUP BY 1";
    assert_eq!(ran(&["sql", "--format", "csv", coded]), "country_code,r\nQT,5\n");
    ran(&["sql", "DROP TABLE made"]);

    // A statement that drew from a path is repeated where it may.
    ran(&[
        "sql",
        "--allow-files",
        &format!("INSERT INTO tinyland BY NAME SELECT * FROM sample_persona('{quoted}', 3, seed => 9)"),
    ]);
    let runs = ran(&["runs"]);
    let statement = runs.lines().find(|l| l.contains("INSERT INTO")).unwrap().split(' ').next().unwrap();
    let (code, _, error) = ran_on(&database, &["runs", "resume", statement]);
    assert!(code == 1 && error.contains("--allow-files"), "{error}");
    ran(&["runs", "resume", statement, "--allow-files"]);
    assert_eq!(ran(&["sql", "--format", "csv", "SELECT count(*) AS n FROM tinyland"]), "n\n63\n");
    ran(&["sql", "DELETE FROM tinyland WHERE seed = 9"]);

    // A run finds its pack again; nothing is left to do of one that is done.
    assert!(ran(&["runs", "resume"]).contains("nothing to resume"));
    let runs = ran(&["runs"]);
    let run = runs.lines().find(|l| l.contains("60 of 60")).unwrap().split(' ').next().unwrap();
    let resumed = ran(&["runs", "resume", run]);
    assert!(resumed.contains("0 people written, 60 were there already"), "{resumed}");

    // A mapping that is gone or wrong is no error: the table keeps the codes that it was made with.
    for text in [Some("nonsense ="), None] {
        let mapping = Path::new(&path).join("harmonised.toml");
        match text {
            Some(text) => std::fs::write(mapping, text).unwrap(),
            None => std::fs::remove_dir_all(&path).unwrap(),
        }
        let bare = "SELECT count(*) AS n, count(region_code) AS r, count(country_code) AS c FROM personas_harmonised WHERE table_name = 'tinyland'";
        assert_eq!(ran(&["sql", "--format", "csv", bare]), "n,r,c\n60,60,60\n");
    }
    let (code, _, error) = ran_on(&database, &["generate", &path, "--count", "5"]);
    assert!(code == 1 && error.contains("No such file"), "{error}");
}

#[test]
fn a_search_without_a_table_goes_through_all() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path();
    let (code, _, error) = ran_on(database, &["search", "x"]);
    assert!(code == 1 && error.contains("the database has no tables yet"), "{error}");
    for (table, keeps) in [("one", "bees"), ("two", "goats")] {
        let made = format!(
            "CREATE TABLE {table} AS SELECT *, 'keeps {keeps}' || CASE WHEN row_index = 3 THEN ' and swallows' ELSE '' END AS persona
             FROM sample_persona('usa', 20, seed => {})",
            keeps.len()
        );
        assert_eq!(ran_on(database, &["sql", &made]).0, 0);
    }
    let found = |extra: &[&str]| {
        let (code, found, error) = ran_on(
            database,
            &[&["search", "keeps bees and swallows", "-k", "3", "--format", "csv", "--by"], extra].concat(),
        );
        assert_eq!(code, 0, "{error}");
        found
    };
    let all = found(&["meaning"]);
    assert!(all.starts_with("table_name,uuid,first_name,"), "{all}");
    assert!(all.lines().nth(1).unwrap().starts_with("one,") && all.contains("keeps bees and swallows,"), "{all}");
    assert!(
        found(&["meaning", "--where", "table_name = 'two'"])
            .lines()
            .nth(1)
            .unwrap()
            .contains("keeps goats and swallows,")
    );
    assert!(!found(&["meaning", "--table", "two"]).contains("bees"));
    let by_words = found(&["words"]);
    assert!(by_words.lines().nth(1).unwrap().contains("swallows"), "{by_words}");
}
