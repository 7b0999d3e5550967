//! Tables into files, and back.

use std::path::Path;

use populace::export::{Card, Export, Format as Out};
use populace::import::Import;

mod support;
use support::place::{Place, into, out};
use support::ran_on;

/// People with all that is awkward to write.
async fn awkward(place: &Place) {
    place
        .sql(
            "CREATE TABLE usa AS SELECT *, CAST(NULL AS DOUBLE) AS score FROM generate_persona('usa', 40, seed => 5);
             UPDATE usa SET persona = E'She said \"bees\", it''s\\n所有, ; \\t| \\\\ 🐝', score = 0.1 WHERE row_index = 0;
             UPDATE usa SET persona = NULL, hobbies_and_interests_list = NULL, score = -1e-300 WHERE row_index = 1;
             UPDATE usa SET hobbies_and_interests_list = make_array('a, b', 'c\"d', E'e\\nf', '[]') WHERE row_index = 2;
             UPDATE usa SET skills_and_expertise_list = arrow_cast(make_array(), 'List(Utf8)') WHERE row_index = 3",
        )
        .await;
}

/// All columns but the vectors.
async fn columns(place: &Place, table: &str) -> String {
    let sql = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'
         AND column_name NOT LIKE '%_embedding'"
    );
    place.sql(&sql).await.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_and_imported_again_is_what_it_was() {
    let place = Place::new();
    awkward(&place).await;
    let types = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = ";
    for (format, name, per_file) in [
        (Out::Parquet, "parquet", None),
        (Out::Parquet, "parquets", Some(7)),
        (Out::Datasets, "datasets", Some(15)),
        (Out::Csv, "csv", None),
        (Out::Jsonl, "jsonl", Some(39)),
    ] {
        let folder = place.path(name);
        let wanted = Export { rows_per_file: per_file, run_details: true, ..out("usa", &folder, format) };
        let exported = place.export(wanted).await.unwrap();
        assert_eq!(exported.rows, 40, "{name}");
        place.import(into(name, &[&folder])).await.unwrap();
        // The same columns of the same types, and the same values, NULL or not.
        assert_eq!(place.sql(&format!("{types}'usa'")).await, place.sql(&format!("{types}'{name}'")).await, "{name}");
        let columns = columns(&place, "usa").await;
        for (a, b) in [("usa", name), (name, "usa")] {
            let sql = format!("SELECT count(*) FROM (SELECT {columns} FROM {a} EXCEPT SELECT {columns} FROM {b})");
            assert_eq!(place.sql(&sql).await, ["0"], "{name}: in {a} and not in {b}");
        }
        assert_eq!(place.sql(&format!("SELECT count(*), count(DISTINCT uuid) FROM {name}")).await, ["40 | 40"]);
        // Vectors are made anew, and come out the same.
        let vectors = |t: &str| {
            format!(
                "SELECT uuid, array_to_string(arrow_cast(persona_embedding, 'List(Float32)'), ',') FROM {t} ORDER BY 1"
            )
        };
        assert_eq!(place.sql(&vectors("usa")).await, place.sql(&vectors(name)).await, "{name}");
    }
    // What a table says of its people stays with them.
    let schema = |t: &'static str| place.engine.database().schema(t);
    assert!(schema("usa").await.unwrap().unwrap().metadata().get("populace:embedder").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_whole_or_not_there() {
    let place = Place::new();
    awkward(&place).await;
    let folder = place.path("out");
    let error = place.export(out("(SELECT 1/(row_index - 39) AS x FROM usa)", &folder, Out::Csv)).await.unwrap_err();
    assert!(error.contains("Divide by zero") || error.contains("divide by zero"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    place.export(out("usa", &folder, Out::Csv)).await.unwrap();
    let error = place.export(out("usa", &folder, Out::Csv)).await.unwrap_err();
    assert!(error.contains("usa.csv is there already") && error.contains("--overwrite"), "{error}");
    let anew = Export { overwrite: true, rows_per_file: Some(20), ..out("usa", &folder, Out::Csv) };
    let files = place.export(anew).await.unwrap().files;
    assert_eq!(files, [folder.join("usa-00000-of-00002.csv"), folder.join("usa-00001-of-00002.csv")]);
    assert!(!folder.join("usa.csv").exists(), "the one that was replaced would be read with the others");
    let left = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(left.len(), 2, "{left:?}");
    // What tells of runs stays at home, unless it is asked for.
    let header = |place: &Path| std::fs::read_to_string(place).unwrap().lines().next().unwrap().to_string();
    let told = header(&folder.join("usa-00000-of-00002.csv"));
    assert!(told.contains("narrator") && !told.contains("run_id") && !told.contains("narrative_error"), "{told}");
    let all = Export { run_details: true, ..out("usa", &place.path("all.csv"), Out::Csv) };
    place.export(all).await.unwrap();
    let told = header(&place.path("all.csv"));
    assert!(told.contains("run_id") && told.contains("narrative_error"), "{told}");
    // A file by its name, a query, vectors only when asked for.
    let file = place.path("old.parquet");
    let old = "(SELECT uuid, age, persona, persona_embedding FROM usa WHERE age >= 40)";
    place.export(out(old, &file, Out::Parquet)).await.unwrap();
    place.import(into("old", &[&file])).await.unwrap();
    assert_eq!(place.sql("SELECT min(age) >= 40, count(*) = count(age) FROM old").await, ["true | true"]);
    let names = |file: &Path| -> Vec<String> {
        use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
        let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap();
        builder.schema().fields().iter().map(|f| f.name().clone()).collect()
    };
    assert_eq!(names(&file), ["uuid", "age", "persona"]);
    let with = place.path("with.parquet");
    place.export(Export { vectors: true, ..out(old, &with, Out::Parquet) }).await.unwrap();
    assert_eq!(names(&with), ["uuid", "age", "persona", "persona_embedding"]);
    place.import(into("with", &[&with])).await.unwrap();
    assert_eq!(place.sql("SELECT count(persona_embedding) = count(persona) FROM with").await, ["true"]);
    // A table without rows has a file that says its columns.
    place.export(out("(SELECT * FROM usa WHERE false)", &place.path("none"), Out::Parquet)).await.unwrap();
    assert_eq!(place.import(into("none", &[&place.path("none")])).await.unwrap().appended.written, 0);
    for (from, says) in [("usaa", "usa"), ("SELECT 1", "parentheses"), ("(SELECT 1); DROP TABLE usa; --(", "one query")]
    {
        let error = place.export(out(from, &place.path("x"), Out::Csv)).await.unwrap_err();
        assert!(error.contains(says), "{from}: {error}");
    }
    assert_eq!(place.sql("SELECT count(*) FROM usa").await, ["40"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_has_its_files_and_a_card() {
    let place = Place::new();
    place.sql("CREATE TABLE usa AS SELECT * FROM generate_persona('usa', 300, seed => 77)").await;
    let folder = place.path("out");
    let card = Card { licence: Some("cc-by-4.0".into()), ..Card::default() };
    let wanted = Export { rows_per_file: Some(200), card, ..out("usa", &folder, Out::Datasets) };
    place.export(wanted.clone()).await.unwrap();
    for name in ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "README.md"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        card.starts_with("---\npretty_name: \"Synthetic people: usa\"\nlicense: \"cc-by-4.0\"\nlanguage:\n- en\n"),
        "{card}"
    );
    for says in [
        "size_categories:\n- n<1K",
        "path: data/train-*.parquet",
        "300 rows",
        "- Seed: `77` (300 rows)",
        "- Narrator: `outline` (300 rows)",
        "- Country pack: `usa@",
        "| `age` | whole number | 0 |",
        "| `hobbies_and_interests_list` | list of texts |",
        "## Agreement with the figures",
        "| agrees |",
        "CC BY 4.0",
        "O*NET",
    ] {
        assert!(card.contains(says), "{says} is not in the card:\n{card}");
    }
    assert!(!card.contains("_exported_"), "{card}");
    assert!(place.export(wanted).await.unwrap_err().contains("--overwrite"));
    // Nothing of it stays in the session.
    assert_eq!(place.sql("SHOW TABLES").await.len(), 1);
    // The languages of a table are those of its texts.
    place.sql("CREATE TABLE hindi AS SELECT * FROM generate_persona('india', 20, seed => 1, language => 'hi')").await;
    place.export(out("hindi", &place.path("hindi"), Out::Datasets)).await.unwrap();
    let hindi = std::fs::read_to_string(place.path("hindi").join("README.md")).unwrap();
    assert!(hindi.contains("language:\n- hi\ntags"), "{hindi}");
    // Rows that say nothing of themselves have a card all the same.
    let bare = place.path("bare");
    place.export(out("(SELECT 1 AS x, 'a|b' AS y)", &bare, Out::Datasets)).await.unwrap();
    let card = std::fs::read_to_string(bare.join("README.md")).unwrap();
    assert!(card.contains("The rows do not say how they were made") && card.contains("\n1 row.\n"), "{card}");
}

/// The card of a panel says that it is one, of what and by what strata, and judges it by its weights.
#[tokio::test(flavor = "multi_thread")]
async fn the_card_of_a_sample_says_what_its_weights_are() {
    let place = Place::new();
    place.sql("CREATE TABLE usa AS SELECT * FROM sample_persona('usa', 3000, seed => 7)").await;
    place
        .sql(
            "CREATE TABLE panel AS SELECT * FROM stratified_sample(usa, 400, strata => (sex, race_ethnicity), \
             allocation => 'equal', on_short => 'redistribute', seed => 1)",
        )
        .await;
    let card = |name: &'static str, card: Card| {
        let (folder, place) = (place.path(name), &place);
        async move {
            place.export(Export { card, ..out("panel", &folder, Out::Datasets) }).await?;
            Ok::<_, String>(std::fs::read_to_string(folder.join("README.md")).unwrap())
        }
    };
    let weighted = card("weighted", Card::default()).await.unwrap();
    for says in [
        "are people of another table, `usa`, taken by `stratified_sample: n=400, strata=(usa.sex, usa.race_ethnicity)",
        "a stratified sample",
        "The weights add up to 3,000",
        "survey_mean(value, sampling_weight, stratum, stratum_size)",
        "Rows are weighted by `sampling_weight`",
    ] {
        assert!(weighted.contains(says), "{says} is not in the card:\n{weighted}");
    }
    let differing = |card: &str| card.matches("| differs |").count();
    let plain = card("plain", Card { weights: Some("none".into()), ..Card::default() }).await.unwrap();
    assert!(differing(&weighted) == 0 && differing(&plain) > 3, "{weighted}");
    assert!(!plain.contains("weighted by"), "{plain}");
    let given = card("given", Card { given: Some("sex = 'Female'".into()), ..Card::default() }).await.unwrap();
    assert!(given.contains("compared of whom `sex = 'Female'` holds") && differing(&given) == 0, "{given}");
    for wrong in [
        Card { given: Some("sex = ".into()), ..Card::default() },
        Card { weights: Some("wieght".into()), ..Card::default() },
    ] {
        assert!(card("wrong", wrong).await.is_err());
        assert!(!place.path("wrong").join("data").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_of_the_files_that_were_written_wherever_they_are() {
    let place = Place::new();
    place.sql("CREATE TABLE usa AS SELECT * FROM sample_persona('usa', 50, seed => 77)").await;
    for name in ["out[1]", "out*3", "out?", "a b%20c", "ein{}"] {
        let folder = place.path(name);
        place.export(out("usa", &folder, Out::Datasets)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(std::fs::read_to_string(folder.join("README.md")).unwrap().contains("(50 rows)"), "{name}");
    }
    // Another file beside is another's.
    let beside = place.path("beside");
    let test = beside.join("data/test-00000-of-00001.parquet");
    std::fs::create_dir_all(test.parent().unwrap()).unwrap();
    std::fs::copy(place.path("out?/data/train-00000-of-00001.parquet"), &test).unwrap();
    place.export(out("usa", &beside, Out::Datasets)).await.unwrap();
    let card = std::fs::read_to_string(beside.join("README.md")).unwrap();
    assert!(card.contains("(50 rows)") && !card.contains("(100 rows)"), "{card}");
    assert!(test.is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_rows_are_from_is_kept_and_told_in_the_card() {
    let place = Place::new();
    let csv = place.write("p.csv", "uuid,age\na,34\nb,35\n");
    let import = Import {
        source: Some("Labour force panel, Statistics Atlantis".into()),
        licence: Some("cc-by-4.0".into()),
        ..into("people", &[&csv])
    };
    for _ in 0..2 {
        place.import(import.clone()).await.unwrap();
    }
    let folder = place.path("out");
    place.export(out("people", &folder, Out::Datasets)).await.unwrap();
    let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let told = "- Imported from: Labour force panel, Statistics Atlantis, licence cc-by-4.0\n";
    assert!(card.contains("license: \"cc-by-4.0\"\n") && card.matches(told).count() == 1, "{card}");
    // Whoever imports the files has it as well; two licences are for the publisher to settle.
    place.import(into("copy", &[&folder])).await.unwrap();
    place.import(Import { licence: Some("odbl".into()), ..into("copy", &[&csv]) }).await.unwrap();
    place.export(out("copy", &place.path("again"), Out::Datasets)).await.unwrap();
    let card = std::fs::read_to_string(place.path("again").join("README.md")).unwrap();
    assert!(card.contains(told) && card.contains("licence odbl") && !card.contains("license:"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_database_is_imported_from_its_folder() {
    let place = Place::new();
    place.sql("CREATE TABLE usa AS SELECT * FROM generate_persona('usa', 20, seed => 3)").await;
    let tables = place.path("db/tables");
    let folder = std::fs::read_dir(&tables).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("_versions").is_dir());
    let other = Place::new();
    let imported = other.import(into("theirs", &[&folder.unwrap()])).await.unwrap();
    assert_eq!((imported.appended.written, imported.keyed), (20, true));
    let sql = |table: &str| {
        format!(
            "SELECT uuid, age, persona, hobbies_and_interests_list, persona_embedding IS NULL FROM {table} ORDER BY uuid"
        )
    };
    assert_eq!(other.sql(&sql("theirs")).await, place.sql(&sql("usa")).await);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn exports_beside_each_other_do_not_meet_and_links_are_not_followed() {
    let place = Place::new();
    place.sql("CREATE TABLE usa AS SELECT * FROM sample_persona('usa', 2000, seed => 77)").await;
    let folder = place.path("shared");
    let exports = (0..4).map(|n| {
        let wanted = Export { overwrite: true, ..out("usa", &folder, Out::Csv) };
        let place = &place;
        async move { place.export(wanted).await.unwrap_or_else(|e| panic!("{n}: {e}")) }
    });
    futures::future::join_all(exports).await;
    assert_eq!(std::fs::read_to_string(folder.join("usa.csv")).unwrap().lines().count(), 2001);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // A link that somebody put there is replaced, and what it leads to stays.
    let secret = place.write("secret", "mine");
    for name in ["usa.csv", ".usa-00000.part"] {
        _ = std::fs::remove_file(folder.join(name));
        std::os::unix::fs::symlink(&secret, folder.join(name)).unwrap();
    }
    place.export(Export { overwrite: true, ..out("usa", &folder, Out::Csv) }).await.unwrap();
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "mine");
    assert!(folder.join("usa.csv").symlink_metadata().unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_made_of_people() {
    let place = Place::new();
    awkward(&place).await;
    let file = place.path("chat.jsonl");
    place.export(out("usa", &file, Out::Chat)).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    assert!(lines.iter().all(|l| l["messages"][0]["role"] == "system"));
    let prompts: Vec<&str> = lines.iter().map(|l| l["messages"][0]["content"].as_str().unwrap()).collect();
    assert!(prompts.iter().all(|p| p.starts_with("You are ")), "{prompts:?}");
    assert_eq!(prompts.iter().filter(|p| p.contains("She said \"bees\", it's\n所有")).count(), 1);
    assert_eq!(lines[0]["uuid"].as_str().unwrap().len(), 32);
    let own = Export {
        template: Some("{{ first_name }} of {{ city }}".into()),
        user_template: Some("How old are you?".into()),
        ..out("(SELECT * FROM usa LIMIT 3)", &place.path("own"), Out::Chat)
    };
    place.export(own.clone()).await.unwrap();
    let text = std::fs::read_to_string(place.path("own/people.jsonl")).unwrap();
    assert_eq!(text.lines().filter(|l| l.contains(r#"{"role":"user","content":"How old are you?"}"#)).count(), 3);
    let wrong = Export { template: Some("{{ citi }}".into()), overwrite: true, ..own };
    assert!(place.export(wrong).await.unwrap_err().contains("did you mean `city`"));
}

#[test]
fn the_command_line_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let (db, csv) = (folder.path().join("db"), folder.path().join("p.csv"));
    std::fs::write(&csv, "id,age,persona\na,34,keeps bees\nb,35,\n").unwrap();
    let csv = csv.to_str().unwrap();
    let import = ["import", csv, "--into", "people", "--map", "id=uuid"];
    let (code, output, error) = ran_on(&db, &[&import[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{error}");
    assert!(output.starts_with("2 rows of 1 files; people would be made") && output.contains("from id"), "{output}");
    assert!(!db.exists());
    assert_eq!(ran_on(&db, &import).1, "people: 2 rows written, of 1 file\n");
    let again = ran_on(&db, &import).1;
    assert!(
        again.starts_with("people: 0 rows written, of 1 file\n2 left out: their uuid is in people already"),
        "{again}"
    );
    let to = folder.path().join("out");
    let export = ["export", "people", "--to", to.to_str().unwrap(), "--format", "csv"];
    let (code, output, error) = ran_on(&db, &export);
    assert_eq!((code, output.ends_with("2 rows written\n")), (0, true), "{output}{error}");
    assert!(std::fs::read_to_string(to.join("people.csv")).unwrap().contains("keeps bees"));
    assert_eq!(ran_on(&db, &export).0, 1);
    assert_eq!(ran_on(&db, &["import", csv]).0, 2);
    assert_eq!(ran_on(&db, &["import", csv, "--into", "people", "--map", "id"]).0, 2);
}
