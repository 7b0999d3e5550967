//! The recipes, run as they are on a table of people.

mod support;
use support::ran_on;

#[test]
fn every_recipe_runs_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let populace = |arguments: &[&str]| ran_on(directory.path(), arguments);
    assert_eq!(populace(&["generate", "usa", "--count", "1200", "--seed", "7"]).0, 0);
    let (_, listed, _) = populace(&["recipes"]);
    let names: Vec<&str> = listed.lines().take_while(|l| !l.is_empty()).filter_map(|l| l.split("  ").next()).collect();
    assert!(names.len() >= 10 && names.contains(&"evaluation_panel"), "{listed}");
    for name in names {
        let (code, out, error) = populace(&["recipe", name, "--format", "csv"]);
        assert!(code == 0 && out.lines().count() > 1, "{name}: {out}{error}");
        // What one query returns can be kept, every row of it.
        let (_, sql, _) = populace(&["recipe", name, "--print"]);
        let sql = sql.trim_end().trim_end_matches(';');
        if !sql.contains(';') {
            let returned = populace(&["sql", "--format", "csv", &format!("SELECT count(*) AS n FROM ({sql})")]).1;
            assert_eq!(populace(&["sql", &format!("CREATE OR REPLACE TABLE kept AS {sql}")]).0, 0, "{name}");
            let kept = populace(&["sql", "--format", "csv", "SELECT count(*) AS n FROM kept"]).1;
            assert_eq!(kept, returned, "{name}");
            assert_eq!(populace(&["sql", "DROP TABLE kept"]).0, 0);
        }
        let (code, out, _) = populace(&["recipe", name, "--describe"]);
        assert!(code == 0 && out.contains("--param table"), "{name}: {out}");
    }
    let rows = |arguments: &[&str]| populace(&[&["recipe"], arguments, &["--format", "csv"]].concat());
    let (_, out, _) = rows(&["filter_people", "--param", "where=age > 80", "-p", "columns=age", "-p", "n=5"]);
    assert!(out.lines().count() == 6 && out.lines().skip(1).all(|age| age.parse::<u32>().unwrap() > 80), "{out}");
    let (_, out, _) = rows(&["evaluation_panel", "-p", "n=40", "-p", "strata=sex"]);
    assert_eq!(out.lines().count(), 41);
    let sample =
        |more: &[&str]| populace(&[&["sample", "usa", "-n", "30", "--seed", "7", "--format", "csv"], more].concat());
    let (code, out, error) =
        sample(&["--strata", "sex,census_region", "--where", "age < 60", "--on-short", "redistribute"]);
    assert!(code == 0 && out.lines().count() == 31 && out.contains(",stratum,sampling_weight"), "{out}{error}");
    let (code, _, error) = sample(&["--strata", "sexx"]);
    assert!(code == 1 && error.contains("did you mean"), "{error}");
    assert_eq!(sample(&["--strata", "sex", "--allocation", "neyman", "--study-variable", "age"]).0, 0);
    // Both panels, the same people.
    let (_, out, _) = rows(&["ab_panels", "-p", "n=20"]);
    let in_panel =
        |v: &str| out.lines().filter(|l| l.split(',').nth(1) == Some(v)).map(|l| &l[..32]).collect::<Vec<_>>();
    assert_eq!((in_panel("A").len(), in_panel("A")), (20, in_panel("B")));
    // Nobody is missing once they are added, in one statement over all strata.
    let (code, out, error) =
        rows(&["rebalance", "-p", "size=1700", "-p", "strata=(sex, age_band(age, 40), census_region)"]);
    let shares = out.lines().skip_while(|l| !l.starts_with("sex,")).skip(1).filter(|l| !l.is_empty());
    let missing: Vec<&str> = shares.filter_map(|l| l.split(',').nth(5)).collect();
    assert!(code == 0 && missing.len() >= 16 && missing.iter().all(|m| *m == "0"), "{out}{error}");
    let (_, out, _) = rows(&["representation", "-p", "by=(sex, age_band(age, 40))"]);
    assert!(out.starts_with("sex,age_band,people,") && out.lines().count() == 5, "{out}");
    for (arguments, says) in [
        (&["filter_peple"][..], "did you mean `filter_people`?"),
        (&["filter_people", "-p", "nn=3"][..], "did you mean `n`?"),
        (&["filter_people", "-p", "n=many"][..], "the parameter n: many is no number"),
        (&["filter_people", "-p", "where=age >"][..], "the parameter where"),
        (&["filter_people", "-p", "table=people"][..], "there is no table people"),
    ] {
        let (code, _, error) = rows(arguments);
        assert!(code == 1 && error.contains(says), "{arguments:?}: {error}");
    }
}
