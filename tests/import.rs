//! Files into tables: those that are published as they are, others by a mapping, and what is broken with its place.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use populace::engine::{Access, Engine, Files, Options, message};
use populace::import::{Import, OnError};

mod support;
use support::place::{Place, into};

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
async fn the_same_import_again_is_taken_and_another_is_told_what_is_there() {
    let place = Place::new();
    let csv = place.write("p.csv", "uuid,zip,age,persona,tweet\na,01234,34,keeps bees,hm\nb,94110,35,sings,oh\n");
    let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let first = Import {
        as_text: names(&["age"]),
        narratives: names(&["tweet"]),
        embed: Some(names(&["tweet", "persona"])),
        ..into("t", &[&csv])
    };
    assert_eq!(place.import(first.clone()).await.unwrap().appended.written, 2);
    let again = Import { embed: Some(names(&["persona", "tweet"])), ..first.clone() };
    let again = place.import(again).await.unwrap().appended;
    assert_eq!((again.written, again.skipped), (0, 2));
    let bare = Import { embed: Some(vec![]), ..into("bare", &[&csv]) };
    for _ in 0..2 {
        place.import(bare.clone()).await.unwrap();
    }
    let cases = [
        (Import { embed: Some(names(&["persona"])), ..first.clone() }, "it has vectors of persona,tweet"),
        (Import { embed: Some(vec![]), ..first.clone() }, "--embed persona,tweet"),
        (Import { narratives: names(&["zip"]), ..first.clone() }, "its column zip is no narrative"),
        (Import { embed: Some(names(&["persona"])), ..bare.clone() }, "--no-embeddings"),
        (Import { as_text: names(&["age"]), ..bare }, "leave out --as-text age"),
    ];
    for (import, says) in cases {
        let error = place.import(import).await.unwrap_err();
        assert!(error.contains("is there already") && error.contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_takes_files_where_files_are_allowed() {
    let place = Place::new();
    place.sql("CREATE TABLE people AS SELECT uuid, age, first_name FROM sample_persona('usa', 2, seed => 1)").await;
    let csv = place.write("it's.csv", "uuid,age\na,34\nb,35\n").display().to_string().replace('\'', "''");
    let copy = format!("COPY people FROM '{csv}'");
    let refused = place.engine.run(place.engine.parse(&copy).unwrap().pop().unwrap()).await.map(|_| ()).unwrap_err();
    assert!(message(&refused).contains("--allow-files"), "{refused}");
    let access = Access { files: Files::Allowed, ..Access::default() };
    let options = Options { access, ..Options::default() };
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
