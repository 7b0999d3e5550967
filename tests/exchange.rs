//! Files into tables, and tables into files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::parquet::arrow::ArrowWriter;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};
use populace::export::{Card, Export, Exported, Format as Out, export};
use populace::import::{Import, Imported, OnError, prepare};

mod support;
use support::ran_on;

struct Place {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let embedder = EmbedderChoice::named(Some("hash".into()));
        let database = Database::open(folder.path().join("db"), embedder).unwrap();
        Place { engine: Engine::new(database, Options::default()).unwrap(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn sql(&self, sql: &str) -> Vec<String> {
        let mut rows = vec![];
        for statement in self.engine.parse(sql).unwrap() {
            let batches: Vec<RecordBatch> = match self.engine.run(statement).await {
                Ok(rows) => rows.try_collect().await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e))),
                Err(e) => panic!("{sql}: {}", message(&e)),
            };
            for batch in batches {
                for row in 0..batch.num_rows() {
                    let value = |c: &ArrayRef| match c.is_null(row) {
                        true => "NULL".into(),
                        false => array_value_to_string(c, row).unwrap(),
                    };
                    rows.push(batch.columns().iter().map(value).collect::<Vec<String>>().join(" | "));
                }
            }
        }
        rows
    }

    async fn import(&self, import: Import) -> Result<Imported, String> {
        let run = async {
            let prepared = prepare(self.engine.database(), import).await?;
            prepared.run(self.engine.database(), |_| {}).await
        };
        run.await.map_err(|e| message(&e))
    }

    async fn export(&self, wanted: Export) -> Result<Exported, String> {
        export(&self.engine, &wanted, |_| {}).await.map_err(|e| message(&e))
    }
}

fn into(table: &str, files: &[&Path]) -> Import {
    Import { files: files.iter().map(PathBuf::from).collect(), table: table.into(), ..Import::default() }
}

fn out(from: &str, to: &Path, format: Out) -> Export {
    Export {
        from: from.into(),
        to: to.into(),
        format,
        vectors: false,
        rows_per_file: None,
        template: None,
        user_template: None,
        overwrite: false,
        card: Card::default(),
    }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

fn parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The columns that the published datasets share, and those of each country.
const SHARED: &str = "uuid professional_persona sports_persona arts_persona travel_persona culinary_persona persona \
    cultural_background skills_and_expertise skills_and_expertise_list hobbies_and_interests hobbies_and_interests_list \
    career_goals_and_ambitions sex age marital_status education_level occupation country";
const COUNTRIES: [(&str, &str); 10] = [
    ("usa", "bachelors_field city state zipcode"),
    ("japan", "region area prefecture"),
    (
        "india",
        "linguistic_persona linguistic_background education_degree first_language second_language third_language zone \
         state district",
    ),
    ("singapore", "industry planning_area"),
    ("brazil", "municipality state"),
    ("france", "household_type commune departement"),
    ("korea", "family_persona military_status family_type housing_type bachelors_field district province"),
    ("el_salvador", "family_persona languages_spoken household_type area municipality department"),
    ("vietnam", "region zone"),
    ("belgium", "region municipality"),
];

/// A file as it is published: texts everywhere but for the age, lists as Python prints them.
fn published(path: &Path, own: &str) {
    let column = |name: &str| -> ArrayRef {
        match name {
            "age" => Arc::new(Int64Array::from(vec![34, 0, 105])),
            "uuid" => texts(&[
                Some("2c1f9de3a4b84f7b9d0e5f6a7b8c9d0e"),
                Some("2c1f9de3a4b84f7b9d0e5f6a7b8c9d0f"),
                Some("ffffffffffffffffffffffffffffffff"),
            ]),
            "skills_and_expertise_list" => {
                texts(&[Some("['bookkeeping', \"children's books\"]"), Some("[]"), Some("['茶道', '書道']")])
            }
            "hobbies_and_interests_list" => texts(&[Some("['a, b', 'it\\'s']"), None, Some("['लोक संगीत']")]),
            "occupation" => texts(&[Some("software_developer"), None, Some("무직")]),
            "zipcode" => texts(&[Some("01234"), Some("94110"), None]),
            name => texts(&[Some(name), Some("二"), Some(" ")]),
        }
    };
    parquet(path, SHARED.split(' ').chain(own.split_whitespace()).map(|n| (n, column(n))).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_country_is_imported_as_it_is() {
    let place = Place::new();
    for (country, own) in COUNTRIES {
        let file = place.path(&format!("{country}.parquet"));
        published(&file, own);
        let imported = place.import(into(country, &[&file])).await.unwrap();
        assert_eq!((imported.appended.written, imported.keyed), (3, true), "{country}");
        let rows = place
            .sql(&format!(
                "SELECT uuid, age, skills_and_expertise_list, hobbies_and_interests_list, occupation,
                    persona_embedding IS NOT NULL AS v, run_id, narrative_error FROM {country}"
            ))
            .await;
        let expected = [
            "2c1f9de3a4b84f7b9d0e5f6a7b8c9d0e | 34 | [bookkeeping, children's books] | [a, b, it's] | software_developer | \
             true | NULL | NULL",
            "2c1f9de3a4b84f7b9d0e5f6a7b8c9d0f | 0 | [] | NULL | NULL | true | NULL | NULL",
            "ffffffffffffffffffffffffffffffff | 105 | [茶道, 書道] | [लोक संगीत] | 무직 | true | NULL | NULL",
        ];
        assert_eq!(rows, expected, "{country}");
        let lengths = format!("SELECT array_length(hobbies_and_interests_list) FROM {country} WHERE age = 34");
        assert_eq!(place.sql(&lengths).await, ["2"]);
        for column in own.split_whitespace() {
            let sql = format!("SELECT {column} FROM {country} WHERE age = 34");
            let value = if column == "zipcode" { "01234" } else { column };
            assert_eq!(place.sql(&sql).await, [value], "{country}");
            // Texts of other countries are narratives as well, with vectors.
            if column.ends_with("_persona") || column == "linguistic_background" {
                let sql = format!("SELECT count({column}_embedding) FROM {country}");
                assert_eq!(place.sql(&sql).await, ["3"], "{country}");
            }
        }
        // The same again writes nobody.
        let again = place.import(into(country, &[&file])).await.unwrap();
        assert_eq!((again.appended.written, again.appended.skipped), (0, 3));
    }
    // Into one table: what a country has not is NULL.
    place.sql("CREATE TABLE all_of AS SELECT * FROM india LIMIT 0").await;
    let error = place.import(into("all_of", &[&place.path("usa.parquet")])).await.unwrap_err();
    assert!(error.contains("no column bachelors_field, city, zipcode") && error.contains("--skip"), "{error}");
    let skip = ["bachelors_field", "city", "zipcode"].map(String::from).to_vec();
    place.import(Import { skip, ..into("all_of", &[&place.path("usa.parquet")]) }).await.unwrap();
    assert_eq!(place.sql("SELECT state, zone FROM all_of WHERE age = 34").await, ["state | NULL"]);
}

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
        let exported = place.export(Export { rows_per_file: per_file, ..out("usa", &folder, format) }).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn other_files_are_mapped() {
    let place = Place::new();
    let csv = place.write(
        "people.csv",
        "\u{feff}ID;Name;Alter;zip;bio;note\na1;\"Ann; Lee\";34;01234;\"keeps \"\"bees\"\"\nand goats\";\nb2;Bo;;94110;;x\n",
    );
    let map = [("ID", "uuid"), ("Name", "first_name"), ("Alter", "age"), ("zip", "zipcode"), ("bio", "persona")];
    let map: Vec<(String, String)> = map.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    let import = Import { map: map.clone(), narrator: Some("somebody".into()), ..into("people", &[&csv]) };
    assert_eq!(place.import(import).await.unwrap().appended.written, 2);
    assert_eq!(
        place.sql("SELECT uuid, first_name, age, zipcode, persona, note, narrator FROM people ORDER BY uuid").await,
        [
            "a1 | Ann; Lee | 34 | 01234 | keeps \"bees\"\nand goats | NULL | somebody",
            "b2 | Bo | NULL | 94110 | NULL | x | somebody"
        ]
    );
    assert_eq!(place.sql("SELECT count(persona_embedding) FROM people").await, ["1"]);
    // More people, from JSON in its two forms, into the table that is there.
    let lines = "{\"uuid\": \"c3\", \"age\": 50.0, \"first_name\": \"Cy\"}\n\n{\"uuid\": \"a1\"}\n";
    let array = "[ {\"uuid\": \"d4\", \"age\": \"51\"},\n {\"uuid\": \"e5\", \"persona\": \"ein [Satz], {so}\"} ]\n";
    let files = [place.write("more/a.jsonl", lines), place.write("more/b.json", array)];
    let imported = place.import(into("people", &[files[0].parent().unwrap()])).await.unwrap();
    assert_eq!((imported.files, imported.appended.written, imported.appended.skipped), (2, 3, 1));
    assert_eq!(
        place.sql("SELECT uuid, age, persona FROM people WHERE uuid > 'b3' ORDER BY uuid").await,
        ["c3 | 50 | NULL", "d4 | 51 | NULL", "e5 | NULL | ein [Satz], {so}"]
    );
    // Types that all values agree on, and codes that are no numbers.
    let csv = place
        .write("t.csv", "n,x,code,flag,mixed,empty,big\n1,0.5,007,true,1,,18446744073709551615\n-2,3,010,false,x,,1\n");
    let imported = place.import(into("t", &[&csv])).await.unwrap();
    assert!(!imported.keyed);
    assert_eq!(
        place.sql("SELECT data_type FROM information_schema.columns WHERE table_name = 't'").await,
        ["Int64", "Float64", "Utf8", "Boolean", "Utf8", "Utf8", "Utf8"]
    );
    let text = Import { as_text: vec!["n".into()], ..into("u", &[&csv]) };
    place.import(text).await.unwrap();
    assert_eq!(place.sql("SELECT n || code FROM u ORDER BY 1").await, ["-2010", "1007"]);
    // Numbers with decimals where some are missing, as pandas writes whole ones.
    let csv = place.write("p.csv", "uuid,age\na,34.0\nb,\n");
    place.import(into("p", &[&csv])).await.unwrap();
    assert_eq!(place.sql("SELECT uuid, age FROM p ORDER BY 1").await, ["a | 34", "b | NULL"]);
    // Only the narratives asked for get vectors.
    let embed = Some(vec!["persona".to_string()]);
    let json = place
        .write("n.jsonl", r#"{"uuid": "a", "persona": "x", "arts_persona": "y", "tweet": "z", "mood_list": "[1]"}"#);
    let import = Import { embed, narratives: vec!["tweet".into()], ..into("n", &[&json]) };
    place.import(import).await.unwrap();
    let vectors =
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'n' AND column_name LIKE '%_embedding'";
    assert_eq!(place.sql(vectors).await, ["persona_embedding"]);
    assert_eq!(place.sql("SELECT mood_list FROM n").await, ["[1]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let place = Place::new();
    place.sql("CREATE TABLE there AS SELECT uuid, age, first_name FROM sample_persona('usa', 3, seed => 1)").await;
    let plain = |name: &str, text: &[u8]| into("new", &[&place.write(name, text)]);
    let with = |import: Import, on_error| Import { on_error, ..import };
    let lists = b"uuid,hobbies_and_interests_list\na,['x']\nb,['x\n".as_slice();
    let cases: Vec<(Import, &[&str])> = vec![
        (into("new", &[&place.path("peopel.csv")]), &["there is no file", "peopel.csv"]),
        (plain("a.csv", b""), &["a.csv is empty"]),
        (plain("a.bin", b"x"), &["a.bin", "--format"]),
        (plain("lfs.parquet", b"version https://git-lfs.github.com/spec/v1\noid"), &["git lfs pull"]),
        (plain("cut.parquet", b"PAR1 and no more"), &["cut.parquet is no whole Parquet file"]),
        (plain("utf16.csv", b"\xff\xfea\0"), &["UTF-16", "iconv"]),
        (
            plain("age.csv", b"uuid,age\na,34\nb,old\n"),
            &["age.csv: column age, row 2: \"old\" is not a whole number", "--on-error null"],
        ),
        (
            plain("latin.csv", b"uuid,city\na,Boston\nb,Montr\xe9al\n"),
            &["latin.csv: column city, row 2, line 3: the text is not UTF-8", "iconv"],
        ),
        (
            plain("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
            &["ragged.csv: row 2, line 3: 3 values, where the first line names 2"],
        ),
        (plain("twice.csv", b"a,a\n1,2\n"), &["two columns a"]),
        (plain("unnamed.csv", b"a,\n1,2\n"), &["column 2 has no name"]),
        (
            plain("list.csv", lists),
            &["list.csv: column hobbies_and_interests_list, row 2", "is not a list", "closing quote"],
        ),
        (plain("cut.jsonl", b"{\"a\": 1}\n{\"a\": \n"), &["cut.jsonl: row 2, line 2: no whole JSON object"]),
        (plain("cut.json", b"[{\"a\": 1}, {\"a\": "), &["cut.json: row 2", "cut off"]),
        (plain("value.json", b"[1, 2]"), &["row 1", "a row is an object"]),
        (plain("latin.jsonl", b"{\"a\": \"Montr\xe9al\"}"), &["latin.jsonl: row 1", "not UTF-8"]),
        (
            Import { map: vec![("nam".into(), "first_name".into())], ..plain("m.csv", b"name\nx\n") },
            &["--map: no file has a column `nam`; did you mean `name`?"],
        ),
        (
            Import { map: vec![("a".into(), "b".into())], ..plain("m2.csv", b"a,b\n1,2\n") },
            &["two columns are to become b"],
        ),
        (
            into("there", &[&place.write("u.csv", "uuid,agee\na,1\n")]),
            &["no column agee; did you mean `age`?", "--map agee=COLUMN"],
        ),
        (
            into("new", &[&place.write("k1.jsonl", r#"{"k": [1]}"#), &place.write("k2.jsonl", r#"{"k": true}"#)]),
            &["column k holds", "k1.jsonl", "k2.jsonl", "--as-text k"],
        ),
        (
            Import { as_text: vec!["age".into()], ..into("there", &[&place.write("v.csv", "uuid,age\na,1\n")]) },
            &["there is there already"],
        ),
        (plain("fine.csv", b"uuid\na\n"), &[]),
    ];
    for (import, says) in cases {
        match (place.import(import.clone()).await, says.is_empty()) {
            (Ok(_), true) => {}
            (Err(error), false) => {
                for part in says {
                    assert!(error.contains(part), "{import:?}\nsays: {error}\nnot: {part}");
                }
                assert!(!error.contains("Arrow error") && !error.contains("External"), "{error}");
            }
            (result, _) => panic!("{import:?}: {result:?}"),
        }
        if !says.is_empty() {
            assert_eq!(place.engine.database().tables(), ["there"], "a table was left behind by {import:?}");
        }
    }
    let mended = with(plain("age2.csv", b"uuid,age\nc,34\nd,old\n"), OnError::Null);
    assert_eq!(place.import(Import { table: "mended".into(), ..mended }).await.unwrap().nulled, 1);
    assert_eq!(place.sql("SELECT age FROM mended ORDER BY uuid").await, ["34", "NULL"]);
}

/// A file with a text that is not UTF-8, as no program should write it.
fn broken_parquet(path: &Path) {
    use datafusion::parquet::data_type::{ByteArray, ByteArrayType};
    use datafusion::parquet::file::writer::SerializedFileWriter;
    use datafusion::parquet::schema::parser::parse_message_type;
    let schema = "message schema { required binary uuid (UTF8); required binary persona (UTF8); }";
    let file = std::fs::File::create(path).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for values in [vec!["a", "b", "c"], vec!["fine", "caf\u{e9}", "fine"]] {
        let bytes = |v: &str| match v.contains('\u{e9}') {
            true => ByteArray::from(b"caf\xe9".to_vec()),
            false => ByteArray::from(v.as_bytes().to_vec()),
        };
        let values: Vec<ByteArray> = values.into_iter().map(bytes).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_text_and_wrong_types_in_parquet_are_found() {
    let place = Place::new();
    let broken = place.path("broken.parquet");
    broken_parquet(&broken);
    let error = place.import(into("t", &[&broken])).await.unwrap_err();
    assert!(error.contains("broken.parquet: column persona, row 2: the text is not UTF-8"), "{error}");
    assert!(place.engine.database().tables().is_empty());
    let mended = Import { on_error: OnError::Null, ..into("t", &[&broken]) };
    assert_eq!(place.import(mended).await.unwrap().nulled, 1);
    assert_eq!(place.sql("SELECT uuid, persona FROM t ORDER BY 1").await, ["a | fine", "b | NULL", "c | fine"]);
    let wrong = place.path("wrong.parquet");
    let ages = texts(&[Some("34"), Some("thirty")]);
    parquet(&wrong, vec![("uuid", texts(&[Some("d"), Some("e")])), ("age", ages)]);
    let error = place.import(into("w", &[&wrong])).await.unwrap_err();
    assert!(error.contains("wrong.parquet: column age, row 2: \"thirty\" is not a whole number"), "{error}");
    // Row 3,001 is in the second batch.
    let many: Vec<String> = (0..3_500).map(|i| if i == 3_000 { "['x".into() } else { format!("['{i}']") }).collect();
    let lists: ArrayRef = Arc::new(StringArray::from(many));
    parquet(&wrong, vec![("hobbies_and_interests_list", lists)]);
    let error = place.import(into("w", &[&wrong])).await.unwrap_err();
    assert!(error.contains("row 3001"), "{error}");
    let flags: ArrayRef = Arc::new(datafusion::arrow::array::BooleanArray::from(vec![true]));
    parquet(&wrong, vec![("uuid", texts(&[Some("d")])), ("age", flags)]);
    place.sql("CREATE TABLE people AS SELECT uuid, age FROM sample_persona('usa', 1, seed => 1)").await;
    let error = place.import(into("people", &[&wrong])).await.unwrap_err();
    assert!(error.contains("column age holds Boolean") && error.contains("--skip age"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_takes_files_where_files_are_allowed() {
    let place = Place::new();
    place.sql("CREATE TABLE people AS SELECT uuid, age, first_name FROM sample_persona('usa', 2, seed => 1)").await;
    let csv = place.write("it's.csv", "uuid,age\na,34\nb,35\n").display().to_string().replace('\'', "''");
    let copy = format!("COPY people FROM '{csv}'");
    let refused = place.engine.run(place.engine.parse(&copy).unwrap().pop().unwrap()).await.map(|_| ()).unwrap_err();
    assert!(message(&refused).contains("--allow-files"), "{refused}");
    let options = Options { files: populace::engine::Files::Allowed, ..Options::default() };
    let place = Place { engine: Engine::new(place.engine.database().clone(), options).unwrap(), ..place };
    assert_eq!(place.sql(&copy).await, ["2"]);
    assert_eq!(place.sql(&copy).await, ["0"]);
    assert_eq!(place.engine.database().take_notices(), ["2 people were in people already: skipped"]);
    assert_eq!(
        place.sql("SELECT uuid, age FROM people WHERE first_name IS NULL ORDER BY 1").await,
        ["a | 34", "b | 35"]
    );
    let missing = place.engine.run(place.engine.parse(&copy.replace("people", "peple")).unwrap().pop().unwrap()).await;
    assert!(message(&missing.map(|_| ()).unwrap_err()).contains("did you mean `people`"));
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
