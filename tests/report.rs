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

/// A panel that takes as many of few people as of many is no picture of them by its rows, and one by its weights.
#[test]
fn a_panel_is_judged_by_its_weights() {
    let directory = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE people AS SELECT uuid, sex, age, state, marital_status, occupation, education_level, race_ethnicity, pack
                 FROM sample_persona('usa', 6000, seed => 3);
               CREATE TABLE panel AS SELECT * FROM stratified_sample(people, 900, strata => race_ethnicity,
                 allocation => 'equal', on_short => 'redistribute', seed => 1);
               CREATE TABLE raked AS SELECT * FROM rake(people, 'usa', margins => sex);
               CREATE TABLE broken AS SELECT * REPLACE (CASE WHEN age > 30 THEN sampling_weight END AS sampling_weight) FROM panel;";
    assert_eq!(ran_on(directory.path(), &["sql", sql]).0, 0);
    let report = |arguments: &[&str]| ran_on(directory.path(), &[&["report"], arguments, &["--out", "-"]].concat());
    let text = |html: &str, id: &str| -> String {
        let page = parsed(html);
        let element = page.descendants().find(|n| n.attribute("id") == Some(id));
        element.into_iter().flat_map(|e| e.descendants()).filter_map(|n| n.text()).collect::<Vec<_>>().join(" ")
    };
    let (code, html, error) = report(&["panel"]);
    assert_eq!(code, 0, "{error}");
    assert!(
        text(&html, "weighting").contains("weighted by sampling_weight: 900 of them stand for 6,000 people"),
        "{html}"
    );
    assert!(text(&html, "weighting").contains("Intervals are those of a stratified sample"));
    assert!(text(&html, "verdict").starts_with("Agrees with all"), "{}", text(&html, "verdict"));
    let (_, plain, _) = report(&["panel", "--weights", "none"]);
    assert!(text(&plain, "verdict").starts_with("Differs from") && text(&plain, "weighting").is_empty());
    // Of what the strata are made nothing is left to chance but what the table itself has.
    let share = |html: &str| {
        let page = parsed(html);
        let groups = page.descendants().find(|n| n.attribute("id") == Some("groups")).unwrap();
        let row = groups.descendants().filter(|n| n.has_tag_name("tr")).nth(1).unwrap();
        row.descendants()
            .filter(|n| n.has_tag_name("td"))
            .filter_map(|n| n.text().map(String::from))
            .collect::<Vec<_>>()
    };
    let number = |text: &str| text.trim_end_matches(" %").parse::<f64>().unwrap();
    let (weighted, unweighted) = (share(&html), share(&plain));
    assert!((number(&weighted[2]) - number(&weighted[4])).abs() < 3.0, "{weighted:?}");
    assert!((number(&unweighted[2]) - number(&unweighted[4])).abs() > 20.0, "{unweighted:?}");
    let (_, raked, _) = report(&["raked"]);
    assert!(
        text(&raked, "weighting").contains("weighted by weight")
            && text(&raked, "weighting").contains("of that many rows")
    );
    for (arguments, says) in [
        (&["panel", "--weights", "wieghts"][..], "weights: the table has no column of numbers `wieghts`"),
        (&["broken"][..], "have no `sampling_weight` of 0 or more to be weighted by"),
    ] {
        let (code, _, error) = report(arguments);
        assert!(code == 1 && error.contains(says), "{arguments:?}: {error}");
    }
    // The version, what it is a sample of, and a hash that goes by what the rows hold alone.
    let provenance = text(&html, "provenance");
    for told in
        ["Version of the table", "Sample of", "people (stratified_sample: n=900, strata=(people.race_ethnicity)"]
    {
        assert!(provenance.contains(told), "{told}: {provenance}");
    }
    let hash = |html: &str| {
        let told = text(html, "provenance");
        let is_hash = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        told.split_whitespace().find(is_hash).unwrap_or_else(|| panic!("no hash in {told}")).to_string()
    };
    let again = "CREATE TABLE again AS SELECT * FROM panel ORDER BY age; CREATE TABLE altered AS SELECT * REPLACE (age + 1 AS age) FROM panel;";
    assert_eq!(ran_on(directory.path(), &["sql", again]).0, 0);
    assert_eq!(hash(&report(&["again"]).1), hash(&html));
    assert_ne!(hash(&report(&["altered"]).1), hash(&html));
}

#[test]
fn a_report_on_people_of_a_condition() {
    let directory = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE young AS SELECT * FROM sample_persona('usa', 3000, seed => 1, given => age < 40);
               INSERT INTO young SELECT * FROM sample_persona('usa', 300, seed => 2, given => age = 90);";
    assert_eq!(ran_on(directory.path(), &["sql", sql]).0, 0);
    let report = |arguments: &[&str]| ran_on(directory.path(), &[&["report"], arguments, &["--out", "-"]].concat());
    let (_, all, _) = report(&["young"]);
    assert!(all.contains("Differs from"));
    let (code, html, error) = report(&["young", "--given", "age < 40"]);
    assert_eq!(code, 0, "{error}");
    assert!(
        html.contains("3,000 people, beside") && html.contains("Agrees with all"),
        "{}",
        &html[html.find("<h1>").unwrap()..][..900]
    );
    assert!(html.contains("<h3>Official figures</h3>"));
    assert!(html.contains("people of whom this holds: age &lt; 40") && html.contains("<dt>Condition</dt>"));
    parsed(&html);
    for (given, says) in [
        ("age < 40; DROP TABLE young", "--given"),
        ("agee < 40", "agee"),
        ("age > 95", "nobody in young satisfies age > 95"),
    ] {
        let (code, _, error) = report(&["young", "--given", given]);
        assert!(code == 1 && error.contains(says), "{given}: {error}");
    }
}

/// Whom the texts give away, what is wrong, groups that cross, and how far a figure is beyond chance.
#[test]
fn a_report_says_what_an_auditor_asks() {
    let directory = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE told AS SELECT * EXCEPT (occupation), occupation, concat(first_name, CASE sex WHEN 'Female' THEN ' knits' ELSE ' welds' END,
                 ' on Sundays and works as ', occupation, ' in ', city, ' at the age of ', age, '.') AS persona FROM sample_persona('usa', 400, seed => 5)";
    assert_eq!(ran_on(directory.path(), &["sql", sql]).0, 0);
    let (code, html, error) = ran_on(directory.path(), &["report", "told", "--out", "-"]);
    assert_eq!(code, 0, "{error}");
    let page = parsed(&html);
    let text = |id: &str| -> String {
        let element = page.descendants().find(|n| n.attribute("id") == Some(id)).unwrap_or_else(|| panic!("no {id}"));
        element.descendants().filter_map(|n| n.text()).collect::<Vec<_>>().join(" ")
    };
    assert!(
        text("stereotypes").contains("Female: knits") && text("stereotypes").contains("< 0.001")
            || text("stereotypes").contains("0.005"),
        "{}",
        text("stereotypes")
    );
    assert!(text("crossed").contains("Female, White"), "{}", text("crossed"));
    assert!(text("fidelity").contains("Beyond chance") && text("fidelity").contains("1.000"), "{}", text("fidelity"));
    assert!(!text("validation").is_empty());
    // Of a state with one person of 25 and over there is an interval, and no share.
    assert!(
        text("education").contains("too few") && text("education").contains(" to 100.0 %"),
        "{}",
        text("education")
    );
}
