//! Honest fits: what is told of a fit is true of the people drawn, and what cannot be met is told with its place.

mod support;

use populace_population::{Compiled, Error, Predicate, Result, equals};
use support::compile_files;

const PACK: &str = "[pack]\nname = \"fit\"\ntitle = \"Fit\"\ncountry = \"F\"\nyear = \"2000\"\n\
    population_figure = \"people\"\ncolumns = [\"a\", \"b\"]\n\
    [[source]]\nid = \"s\"\nagency = \"Office\"\ntitle = \"Census\"\nyear = \"2000\"\nlicence = \"CC0\"\n";

fn figure(name: &str, more: &str) -> String {
    format!("[[figure]]\nname = \"{name}\"\nfile = \"{name}.csv\"\nstatus = \"official\"\nsource = \"s\"\n{more}\n")
}

/// Two variables of two levels, `a` and `b`; figures by name, and the node of `b`.
fn compiled(figures: &[(&str, &str, &str)], node: &str) -> Result<Compiled> {
    let mut manifest = PACK.to_string();
    manifest += "[[variable]]\nname = \"a\"\nlevels = [\"a1\", \"a2\"]\n[[variable]]\nname = \"b\"\nlevels = [\"b1\", \"b2\"]\n";
    manifest += "[[node]]\nvariable = \"a\"\nfigures = [{ figure = \"people\" }]\n";
    manifest += &format!("[[node]]\nvariable = \"b\"\nparents = [\"a\"]\n{node}\n");
    figures.iter().for_each(|(name, more, _)| manifest += &figure(name, more));
    let files: Vec<(String, &str)> = figures.iter().map(|(name, _, csv)| (format!("{name}.csv"), *csv)).collect();
    let mut all = vec![("pack.toml", manifest.as_str())];
    all.extend(files.iter().map(|(name, csv)| (name.as_str(), *csv)));
    compile_files(&all)
}

fn share(compiled: &Compiled, variable: &str, level: &str) -> f64 {
    compiled.pack.probability(&equals(variable, level)).unwrap()
}

const PEOPLE: (&str, &str, &str) = ("people", "", "a,count\na1,135000000\na2,135000000\n");

/// A hundred people of 270 million are not nobody.
#[test]
fn figures_that_contradict_each_other_in_a_few_people_are_refused_by_name() {
    let one = ("one", "", "b,count\nb1,269999900\nb2,100\n");
    let other = ("other", "", "b,count\nb1,270000000\nb2,0\n");
    let third = ("third", "", "a,b,count\na1,b1,1\na2,b1,1\n");
    let node = "figures = [{ figure = \"one\" }, { figure = \"third\", given = [\"b\"] }, { figure = \"other\" }]";
    let error = compiled(&[PEOPLE, one, other, third], node).unwrap_err();
    let Error::Inconsistent { node, figures, gap, cell, .. } = &error else { panic!("{error}") };
    assert_eq!((node.as_str(), figures.as_str(), cell.as_str()), ("b", "`one` and `other`", "b = b2"), "{error}");
    assert!((gap - 100.0 / 270e6).abs() < 1e-9, "{gap}");
    // A hundred that nothing contradicts are met.
    let met = compiled(&[PEOPLE, one], "figures = [{ figure = \"one\" }]").unwrap();
    assert!((share(&met, "b", "b2") * 270e6 - 100.0).abs() < 0.1);
}

/// What a figure says of its own error it is met within; exactly where nothing is against it.
#[test]
fn a_margin_of_error_is_met_within() {
    let exact = ("exact", "", "b,count\nb1,200\nb2,70\n");
    let node = "figures = [{ figure = \"exact\" }, { figure = \"survey\" }]";
    for (more, csv) in [
        ("tolerance = 0.1", "b,count\nb1,195\nb2,75\n"),
        ("margin_of_error = \"moe\"", "b,moe,count\nb1,15,195\nb2,6,75\n"),
    ] {
        let met = compiled(&[PEOPLE, exact, ("survey", more, csv)], node).unwrap();
        assert!((share(&met, "b", "b2") - 70.0 / 270.0).abs() < 1e-6);
        let alone = compiled(&[PEOPLE, ("survey", more, csv)], "figures = [{ figure = \"survey\" }]").unwrap();
        assert!((share(&alone, "b", "b2") - 75.0 / 270.0).abs() < 1e-9);
    }
    let narrow = ("survey", "tolerance = 0.01", "b,count\nb1,195\nb2,75\n");
    assert!(matches!(compiled(&[PEOPLE, exact, narrow], node), Err(Error::Inconsistent { .. })));
    for (more, csv, told) in [
        ("tolerance = 2", "b,count\nb1,1\n", "figure `exact`: `tolerance` is 2: it is a share of each cell"),
        ("tolerance = nan", "b,count\nb1,1\n", "`tolerance` is NaN"),
        ("margin_of_error = \"mo\"", "b,moe,count\nb1,1,1\n", "exact.csv has no column `mo`"),
        ("margin_of_error = \"moe\"", "b,moe,count\nb1,-1,1\n", "exact.csv:2: `-1` is no margin of error"),
        ("tolerance = 0.1\nmargin_of_error = \"moe\"", "b,moe,count\nb1,1,1\n", "not both"),
    ] {
        let error = compiled(&[PEOPLE, ("exact", more, csv)], "figures = [{ figure = \"exact\" }]").unwrap_err();
        assert!(error.to_string().contains(told), "{error}\nshould say: {told}");
    }
}

/// The fit that is told is that of the thresholds; what they cannot tell is said.
#[test]
fn the_fit_is_that_of_the_people_drawn() {
    let rare = ("rare", "", "b,count\nb1,99999999990\nb2,10\n");
    let compiled = compiled(&[PEOPLE, rare], "figures = [{ figure = \"rare\" }]").unwrap();
    assert_eq!(share(&compiled, "b", "b2"), 0.0);
    let rare = compiled.pack.figures().iter().find(|f| f.name == "rare").unwrap();
    assert!((rare.fits[0].max_difference - 1e-10).abs() < 1e-12, "{:?}", rare.fits);
    assert!(
        compiled.notices[0].contains("node `b`: 1 cells of `rare` are rarer than the words"),
        "{:?}",
        compiled.notices
    );
    assert!(compiled.notices[0].starts_with("pack.toml:"), "{:?}", compiled.notices);
}

#[test]
fn sampling_zeros_are_counted() {
    let jobs = ("jobs", "", "b,count\nb1,150\nb2,120\n");
    let survey = ("survey", "", "a,b,weight\na1,b1,5\na1,b2,4\na2,b1,3\na2,b2,0\n");
    let node = |seed: &str| format!("figures = [{{ figure = \"jobs\" }}]\nseed = {{ figure = \"survey\"{seed} }}");
    let of = |seed: &str| compiled(&[PEOPLE, jobs, survey], &node(seed));
    let notices = of("").unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("its seed `survey` is 0 in 1 of the 4 cells"), "{notices:?}");
    assert!(of(", smoothing = 0.01").unwrap().notices.is_empty());
    let error = of(", smoothing = nan").unwrap_err().to_string();
    assert!(error.contains("pack.toml:") && error.contains("node `b`: `smoothing` is NaN"), "{error}");
}

const LEAF: &str = "[[variable]]\nname = \"a\"\nlevels = [\"a1\", \"a2\", \"a3\"]\n\
    [[variable]]\nname = \"b\"\nlevels = [\"b1\", \"b2\"]\n[[variable]]\nname = \"c\"\nlevels = [\"x\", \"y\"]\n\
    [[node]]\nvariable = \"a\"\nfigures = [{ figure = \"people\" }]\n\
    [[node]]\nvariable = \"b\"\ntables = [\"bs\"]\n\
    [[node]]\nvariable = \"c\"\nparents = [\"a\", \"b\"]\ntables = [\"cs\"]\n";

/// Rows without a cell take the mean of those that were read, by how many people are in each: none counts twice.
#[test]
fn missing_rows_take_the_mean_of_those_that_were_read() {
    let manifest = format!("{PACK}{LEAF}{}{}{}", figure("people", ""), figure("bs", ""), figure("cs", ""));
    let of = |people: &str, cs: &str| {
        let files =
            [("pack.toml", &*manifest), ("people.csv", people), ("bs.csv", "b,weight\nb1,1\nb2,1\n"), ("cs.csv", cs)];
        compile_files(&files).unwrap()
    };
    let x = |compiled: &Compiled, a: &str, b: &str| {
        let at = |more: Option<Predicate>| {
            let parts = [Some(equals("a", a)), Some(equals("b", b)), more].into_iter().flatten().collect();
            compiled.pack.probability(&Predicate::And(parts)).unwrap()
        };
        at(Some(equals("c", "x"))) / at(None)
    };
    let alike = of("a,count\na1,10\na2,10\na3,10\n", "a,b,c,weight\na1,b1,x,10\na2,b1,y,10\na2,b2,y,10\n");
    assert!((x(&alike, "a1", "b2") - 1.0).abs() < 1e-9);
    assert!((x(&alike, "a3", "b1") - 1.0 / 3.0).abs() < 1e-9, "{}", x(&alike, "a3", "b1"));
    assert!((x(&alike, "a3", "b2") - 1.0 / 3.0).abs() < 1e-9);
    // Whatever the scale of a row's weights; four times as many people count four times.
    let weighed = of("a,count\na1,40\na2,10\na3,10\n", "a,b,c,weight\na1,b1,x,10\na2,b1,y,1000\na2,b2,y,1\n");
    assert!((x(&weighed, "a3", "b1") - 4.0 / 6.0).abs() < 1e-9, "{}", x(&weighed, "a3", "b1"));
}

const LIST: &str = "[[variable]]\nname = \"a\"\nlevels = [\"a1\", \"a2\"]\n\
    [[variable]]\nname = \"b\"\nintegers = [18, 90]\n[[variable]]\nname = \"c\"\nlevels = [\"young\", \"old\"]\n\
    [[node]]\nvariable = \"a\"\nfigures = [{ figure = \"people\" }]\n\
    [[node]]\nvariable = \"b\"\ntables = [\"bs\"]\n\
    [[node]]\nvariable = \"c\"\nparents = [\"b\"]\nmap = { bands = { young = \"18-50\", old = \"51+\" } }\n\
    [[list]]\nname = \"pastimes\"\nitems_file = \"pastime.csv\"\nitem = \"pastime\"\nparents = [\"a\"]\n\
    tables = [\"likes\"]\nsize = [2, 3]\n";

/// What is wrong with lists, maps and names is told with its place, before anything is written.
#[test]
fn what_no_pack_may_have_is_told_with_its_place() {
    let manifest = format!("{PACK}{LIST}{}{}{}", figure("people", ""), figure("bs", ""), figure("likes", ""));
    let bs: String = "b,weight\n".to_string() + &(18..=90).map(|b| format!("{b},1\n")).collect::<String>();
    let likes = "a,pastime,weight\na1,chess,1\na1,go,1\na1,tea,1\na2,chess,1\na2,go,1\na2,tea,1\n";
    let of = |manifest: &str, likes: &str| {
        compile_files(&[
            ("pack.toml", manifest),
            ("people.csv", "a,count\na1,5\na2,5\n"),
            ("bs.csv", &bs),
            ("likes.csv", likes),
            ("pastime.csv", "level\nchess\ngo\ntea\n"),
        ])
    };
    assert!(of(&manifest, likes).unwrap().notices.is_empty());
    for (from, to, told) in [
        ("name = \"fit\"", "name = \"../../escaped\"", "[pack], `name`: \"../../escaped\" is no name for a country"),
        ("title = \"Fit\"", "title = \"Fit\"\nedition = 0", "`edition` is counted from 1"),
        ("title = \"Fit\"", "title = \"Fit\"\npasses = []", "`passes` names the passes of the fit"),
        ("[\"a\", \"b\"]\n[[source]]", "[\"a\", \"a\"]\n[[source]]", "`columns` names `a` twice"),
        ("name = \"pastimes\"", "name = \"Country\"", "list `Country`: every draw has a column `country` of its own"),
        ("name = \"pastimes\"", "name = \"a\"", "list `a`: `a` is the name of a variable or another list"),
        ("size = [2, 3]", "size = [2, 4]", "no more than the 3 items there are"),
        ("old = \"51+\"", "old = \"35-90\"", "node `c`: 35 is mapped twice, to `old` and to `young`"),
        ("old = \"51+\"", "old = \"51-200\"", "node `c`: band `51-200` reaches outside the range of `b`"),
    ] {
        assert!(manifest.contains(from), "{from}");
        let error = of(&manifest.replace(from, to), likes).unwrap_err().to_string();
        assert!(error.contains("pack.toml:") && error.contains(told), "{error}\nshould say: {told}");
    }
    let few = "a,pastime,weight\na1,chess,1\na1,go,1\na1,tea,1\na2,chess,1\na2,tea,0\n";
    let error = of(&manifest, few).unwrap_err().to_string();
    assert!(error.contains("`size` is at least 2, but 1 items alone are possible for a = a2"), "{error}");
}

#[test]
fn editions_are_what_the_manifest_says() {
    let manifest = |edition: &str| {
        format!("{PACK}{LEAF}{}{}{}", figure("people", ""), figure("bs", ""), figure("cs", ""))
            .replace("title = \"Fit\"", &format!("title = \"Fit\"{edition}"))
    };
    let of = |edition: &str| {
        let files = [
            ("pack.toml", &*manifest(edition)),
            ("people.csv", "a,count\na1,10\na2,10\na3,10\n"),
            ("bs.csv", "b,weight\nb1,1\nb2,1\n"),
            ("cs.csv", "c,weight\nx,1\ny,2\n"),
        ];
        compile_files(&files).unwrap().pack
    };
    assert_eq!((of("").edition(), of("\nedition = 7").edition()), (1, 7));
    assert_ne!(of("").id(), of("\nedition = 7").id());
}
