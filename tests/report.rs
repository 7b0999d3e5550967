//! The report on a table: one file that draws by itself.

mod support;
use support::ran_on;

fn parsed(html: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(html, options).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_report_is_one_file_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    assert_eq!(ran_on(&database, &["generate", "usa", "--count", "600", "--seed", "7"]).0, 0);
    let file = directory.path().join("people.html");
    let arguments = ["report", "usa", "--title", "A <b>title</b> & more", "--out", file.to_str().unwrap()];
    let (code, out, error) = ran_on(&database, &arguments);
    assert!(code == 0 && out.is_empty(), "{error}");
    let html = std::fs::read_to_string(&file).unwrap();
    let page = parsed(&html);
    let element = |id: &str| page.descendants().find(|n| n.attribute("id") == Some(id));
    let text = |id: &str| -> String {
        element(id).unwrap_or_else(|| panic!("no {id}")).descendants().filter_map(|n| n.text()).collect()
    };
    for id in ["age-sex", "marital", "education", "occupations", "groups"] {
        let section = element(id).unwrap_or_else(|| panic!("no section {id}"));
        let svg = section.descendants().find(|n| n.has_tag_name("svg")).unwrap_or_else(|| panic!("{id}: no chart"));
        let drawn = svg.descendants().filter(|n| n.is_element()).count();
        assert!(drawn > 20, "{id}: {drawn} elements");
        assert!(section.descendants().filter(|n| n.has_tag_name("td")).count() > 10, "{id}: no numbers");
    }
    assert!(text("fidelity").contains("population_age_sex_state_2024"), "{}", text("fidelity"));
    assert!(text("diversity").contains("Race ethnicity") && text("diversity").contains("Cultural background"));
    assert_eq!(element("people").unwrap().descendants().filter(|n| n.has_tag_name("article")).count(), 6);
    let provenance = text("provenance");
    assert!(
        ["usa@", "outline", "generate usa, 600 people, seed 7"].iter().all(|t| provenance.contains(t)),
        "{provenance}"
    );
    assert!(text("sources").contains("CC BY 4.0"));
    // Nothing is fetched, nothing runs, and what is data is text.
    assert!(html.contains("A &lt;b&gt;title&lt;&#x2f;b&gt; &amp; more"));
    for node in page.descendants().filter(|n| n.is_element()) {
        assert!(!["script", "link", "img", "iframe", "object", "base"].contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            assert!(!["src", "href", "srcset", "action"].contains(&attribute.name()), "{attribute:?}");
            assert!(!attribute.name().starts_with("on") || attribute.name() == "one", "{attribute:?}");
        }
    }
    assert!(!html.contains("@import") && !html.contains("url("));
}

#[test]
fn a_report_of_other_tables() {
    let directory = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE bare AS SELECT sex, age FROM sample_persona('usa', 50, seed => 1);
               CREATE TABLE tilted AS SELECT uuid, sex, age, state, pack FROM sample_persona('usa', 3000, seed => 1, given => age < 40);
               CREATE TABLE panel AS SELECT * FROM stratified_sample(tilted, 60, strata => sex, seed => 1);
               CREATE TABLE mixed AS SELECT * EXCEPT (pack), CASE WHEN age < 30 THEN pack END AS pack FROM tilted;
               CREATE TABLE nothing AS SELECT * FROM sample_persona('usa', 5) WHERE age > 200;
               CREATE TABLE other AS SELECT 1 AS a, 'x' AS b;";
    assert_eq!(ran_on(directory.path(), &["sql", sql]).0, 0);
    let report = |arguments: &[&str]| ran_on(directory.path(), &[&["report"], arguments, &["--out", "-"]].concat());
    let (code, html, error) = report(&["bare", "--country", "usa"]);
    assert_eq!(code, 0, "{error}");
    assert!(html.contains("The table has no column occupation."));
    assert!(html.contains("The rows do not say how they were made.") && !html.contains("none of them is real"));
    parsed(&html);
    let (_, html, _) = report(&["tilted"]);
    // The same table, the same report, but for the time.
    let timeless = |html: &str| html.lines().filter(|l| !l.contains("Written by")).collect::<Vec<_>>().join("\n");
    assert_eq!(timeless(&report(&["tilted"]).1), timeless(&html));
    assert!(html.contains("Differs from"), "a table of the young alone agrees");
    assert!(html.contains("none of them is real"));
    let (_, mixed, _) = report(&["mixed"]);
    assert!(mixed.contains("of these people are synthetic") && !mixed.contains("none of them is real"));
    // A sample is a table like others, whatever its columns are called.
    let (code, panel, error) = report(&["panel"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(panel.matches("<article").count(), 6);
    parsed(&html);
    let (code, html, _) = report(&["other", "--country", "usa"]);
    assert!(code == 0 && html.contains("No figure can be compared"));
    parsed(&html);
    for (arguments, says) in [
        (&["bare"][..], "name one with --country: brazil, india, japan, singapore, usa"),
        (&["bare", "--country", "us"][..], "did you mean `usa`?"),
        (&["nothing"][..], "has no rows"),
        (&["usaa"][..], "there is no table usaa"),
    ] {
        let (code, _, error) = report(arguments);
        assert!(code == 1 && error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn a_name_in_somebodys_file_is_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("db");
    assert_eq!(ran_on(&database, &["sql", "CREATE TABLE precious AS SELECT 1 AS a"]).0, 0);
    let rows: String = (0..60).map(|row| format!("{row},A text about somebody with the number {row}.\n")).collect();
    let file = directory.path().join("evil.csv");
    let hostile = "x\"\") FROM precious; DROP TABLE precious; --_persona";
    std::fs::write(&file, format!("age,\"{hostile}\"\n{rows}")).unwrap();
    let (code, _, error) =
        ran_on(&database, &["import", file.to_str().unwrap(), "--into", "theirs", "--delimiter", ","]);
    assert_eq!(code, 0, "{error}");
    let page = directory.path().join("evil.html");
    let (code, _, error) =
        ran_on(&database, &["report", "theirs", "--country", "usa", "--out", page.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    let (_, tables, _) = ran_on(&database, &["sql", "--format", "csv", "SHOW TABLES"]);
    assert!(tables.contains("precious") && tables.contains("theirs"), "{tables}");
}
