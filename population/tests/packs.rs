//! Bad packs: every fault is named with its place, and none panics.

mod support;

use populace_population::{Error, Pack};
use support::compile_files;

const HEAD: &str = r#"
[pack]
name = "tiny"
title = "Tiny"
country = "T"
year = "2000"
population_figure = "sexes"
columns = ["sex", "age"]
[[source]]
id = "office"
agency = "Office"
title = "Census"
year = "2000"
licence = "CC0"
[[variable]]
name = "sex"
levels = ["f", "m"]
[[variable]]
name = "age"
integers = [18, 29]
[[figure]]
name = "sexes"
file = "sexes.csv"
status = "official"
source = "office"
[[figure]]
name = "ages"
file = "ages.csv"
status = "official"
source = "office"
columns = { band = "age" }
"#;
const NODES: &str = r#"
[[node]]
variable = "sex"
figures = [{ figure = "sexes" }]
[[node]]
variable = "age"
parents = ["sex"]
figures = [{ figure = "ages", given = ["sex"] }]
"#;
const SEXES: &str = "sex,count\nf,51\nm,49\n";
const AGES: &str = "sex,band,share\nf,18-19,0.25\nf,20-29,0.75\nm,18-19,0.5\nm,20-29,0.5\nf,0-17,9\n";

fn error(manifest: &str, sexes: &str, ages: &str) -> String {
    compile_files(&[("pack.toml", manifest), ("sexes.csv", sexes), ("ages.csv", ages)]).unwrap_err().to_string()
}

fn sound() -> String {
    format!("{HEAD}{NODES}")
}

#[test]
fn a_sound_pack_meets_its_figures() {
    let compiled = compile_files(&[("pack.toml", &sound()), ("sexes.csv", SEXES), ("ages.csv", AGES)]).unwrap();
    let pack = compiled.pack;
    assert_eq!(pack.population(), 100.0);
    let sexes = pack.marginal("sex").unwrap();
    assert!((sexes[0] - 0.51).abs() < 1e-9);
    let ages = pack.marginal("age").unwrap();
    assert!((ages[..2].iter().sum::<f64>() - (0.51 * 0.25 + 0.49 * 0.5)).abs() < 1e-9);
    // Entropy is greatest where nothing is said: both ages of a band are alike.
    assert!((ages[0] - ages[1]).abs() < 1e-9);
    assert!(pack.figures().iter().flat_map(|f| &f.fits).all(|f| f.max_difference < 1e-9));
    assert_eq!(pack.figures()[1].batch().unwrap().num_rows(), 4);
    assert!(pack.marginal("agee").unwrap_err().to_string().contains("did you mean `age`?"));
}

#[test]
fn faults_in_figures_are_named_with_their_line() {
    for (sexes, ages, expected) in [
        ("sex,count\nf,51\nm,-1\n", AGES, "sexes.csv:3: -1 cannot be a count"),
        ("sex,count\nf,51\nm,many\n", AGES, "sexes.csv:3: `many` is not a number"),
        ("sex,count\nf,51\nm,NaN\n", AGES, "sexes.csv:3: NaN cannot be"),
        ("sex,count\nf,51\nw,49\n", AGES, "sexes.csv:3: unknown level of `sex`: `w`"),
        ("sex,count\nf,51\nf,49\n", AGES, "sexes.csv:3: this cell stands in the table twice"),
        ("sex,count\nf,51,9\n", AGES, "sexes.csv:2"),
        ("sex,size\nf,51\n", AGES, "must be `count`, `share` or `weight`"),
        ("sexx,count\nf,51\n", AGES, "did you mean `sex`?"),
        ("sex,count\nf,0\nm,0\n", AGES, "no cell above 0"),
        (SEXES, "sex,band,share\nf,18-21,1\nf,20-29,1\n", "ages.csv:3, column `band`: `20-29` overlaps `18-21`"),
        (
            SEXES,
            "sex,band,share\nf,15-19,1\n",
            "ages.csv:2, column `band`: band 15-19 reaches outside the range of `age`",
        ),
        (SEXES, "sex,band,share\nf,young,1\n", "ages.csv:2, column `band`: unknown level of `age`: `young`"),
    ] {
        let message = error(&sound(), sexes, ages);
        assert!(message.contains(expected), "{message}\nshould say: {expected}");
    }
}

#[test]
fn faults_in_manifests_are_named() {
    for (from, to, expected) in [
        ("ages.csv", "agess.csv", "agess.csv: No such file"),
        ("parents = [\"sex\"]", "parents = [\"age\"]", "`age` is not drawn before it"),
        ("parents = [\"sex\"]", "parents = [\"sx\"]", "did you mean `sex`?"),
        ("integers = [18, 29]", "integers = [29, 18]", "`integers` is [lowest, highest]"),
        ("figure = \"ages\", given", "figure = \"agges\", given", "did you mean `ages`?"),
        ("given = [\"sex\"]", "given = [\"sex\"], pass = \"later\"", "unknown pass `later`"),
        ("id = \"office\"", "id = \"bureau\"", "no [[source]] has the id `office`"),
        ("levels = [\"f\", \"m\"]", "levels = [\"f\", \"f\"]", "level `f` stands there twice"),
        ("columns = [\"sex\", \"age\"]", "columns = [\"sex\", \"agge\"]", "did you mean `age`?"),
        ("variable = \"age\"\nparents", "variable = \"sex\"\nparents", "two nodes"),
        ("[pack]", "[pack]\nflavour = 1", "pack.toml:3:1: unknown field `flavour`"),
    ] {
        let manifest = sound().replace(from, to);
        let message = error(&manifest, SEXES, AGES);
        assert!(message.contains(expected), "{message}\nshould say: {expected}");
    }
}

#[test]
fn contradictory_figures_are_refused_with_the_gap() {
    let manifest = format!(
        "{HEAD}[[figure]]\nname = \"census\"\nfile = \"census.csv\"\nstatus = \"official\"\nsource = \"office\"\n{}",
        NODES.replace(
            "figures = [{ figure = \"sexes\" }]",
            "figures = [{ figure = \"sexes\" }, { figure = \"census\" }]"
        )
    );
    let files = [
        ("pack.toml", manifest.as_str()),
        ("sexes.csv", SEXES),
        ("ages.csv", AGES),
        ("census.csv", "sex,count\nf,40\nm,60\n"),
    ];
    let error = compile_files(&files).unwrap_err();
    let Error::Inconsistent { node, gap, .. } = &error else { panic!("{error}") };
    assert_eq!(node, "sex");
    assert!((gap - 0.11).abs() < 1e-6, "{error}");
}

#[test]
fn zeros_that_leave_nothing_are_refused() {
    let manifest =
        sound().replace("given = [\"sex\"] }]", "given = [\"sex\"] }]\nzeros = [{ sex = \"f\", age = \"18-29\" }]");
    assert!(error(&manifest, SEXES, AGES).contains("no level is possible for sex = f"));
    let manifest =
        sound().replace("given = [\"sex\"] }]", "given = [\"sex\"] }]\nzeros = [{ sex = \"f\", age = \"18-19\" }]");
    assert!(error(&manifest, SEXES, AGES).contains("contradict"));
}

/// Every prefix, and a flip of every hundredth byte, of a compiled pack is refused or read, never a panic.
#[test]
fn damaged_packs_are_refused() {
    let compiled = compile_files(&[("pack.toml", &sound()), ("sexes.csv", SEXES), ("ages.csv", AGES)]).unwrap();
    for length in 0..compiled.bytes.len() {
        assert!(matches!(Pack::from_bytes(&compiled.bytes[..length]), Err(Error::NotAPack(_))));
    }
    for at in (0..compiled.bytes.len()).step_by(100) {
        let mut bytes = compiled.bytes.clone();
        bytes[at] ^= 0x55;
        assert!(Pack::from_bytes(&bytes).is_err());
    }
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let files = [("pack.toml", sound()), ("sexes.csv", SEXES.into()), ("ages.csv", AGES.into())];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    assert_eq!(compile_files(&files).unwrap().bytes, compile_files(&files).unwrap().bytes);
}

/// A joint table of counts is enough: the first variables are drawn from its sums. One that lacks a cell, or is of
/// shares, has no sums to be sure of.
#[test]
fn counts_are_summed_over_what_a_node_does_not_need() {
    let manifest = sound()
        .replace("figure = \"sexes\" }", "figure = \"ages\" }")
        .replace("figure = \"ages\", given = [\"sex\"] }", "figure = \"ages\" }")
        .replace("population_figure = \"sexes\"", "population_figure = \"ages\"");
    let compiled = |ages: &str| compile_files(&[("pack.toml", &manifest), ("sexes.csv", SEXES), ("ages.csv", ages)]);
    let whole = "sex,band,count\nf,18-19,10\nf,20-29,50\nm,18-19,20\nm,20-29,20\nf,0-17,9\n";
    let pack = compiled(whole).unwrap().pack;
    let sexes = pack.marginal("sex").unwrap();
    assert!((sexes[0] - 0.6).abs() < 1e-9, "{sexes:?}");
    let ages = pack.marginal("age").unwrap();
    assert!((ages[..2].iter().sum::<f64>() - 0.3).abs() < 1e-9);
    // What is said of the figure is said of the whole of it.
    let fits: Vec<&str> = pack.figures()[1].fits.iter().map(|f| f.node.as_str()).collect();
    assert_eq!(fits, ["age"]);
    assert!(pack.figures()[1].fits[0].max_difference < 1e-9);
    for partial in [
        "sex,band,count\nf,18-19,10\nf,20-29,50\nm,18-19,20\n",
        "sex,band,count\nf,18-19,10\nm,18-19,20\n",
        "sex,band,share\nf,18-19,0.1\nf,20-29,0.5\nm,18-19,0.2\nm,20-29,0.2\n",
    ] {
        let error = compiled(partial).unwrap_err().to_string();
        assert!(
            error.contains("has a column for `age`, which is neither this node's variable nor a parent"),
            "{error}"
        );
    }
}

/// Sections are read one by one, so that what is wrong with one hides nothing of the others.
#[test]
fn every_section_that_is_wrong_is_told() {
    let manifest = sound()
        .replace("year = \"2000\"\npopulation", "flavour = 1\nyear = \"2000\"\npopulation")
        .replace("integers = [18, 29]", "integers = \"18-29\"")
        .replace("file = \"ages.csv\"\n", "")
        + "[[nodes]]\nvariable = \"age\"\n";
    let message = error(&manifest, SEXES, AGES);
    for told in [
        "4 errors in the pack",
        "pack.toml:6:1: unknown field `flavour`",
        "pack.toml:21:12: invalid type: string",
        "missing field `file`",
        "unknown section `nodes`; did you mean `node`?",
    ] {
        assert!(message.contains(told), "{message}\nshould say: {told}");
    }
    let empty = error("", SEXES, AGES);
    assert!(empty.contains("there is no [pack]") && empty.contains("there is no [[node]]"), "{empty}");
    assert!(error("[pack", SEXES, AGES).contains("pack.toml:1:"), "{empty}");
}

/// A hold-out is read like a figure, and decides nothing: not who is drawn, nor how anything is fitted.
#[test]
fn nothing_is_fitted_to_a_holdout() {
    let again = "[[holdout]]\nname = \"again\"\nfile = \"ages.csv\"\nstatus = \"official\"\nsource = \"office\"\n\
                 columns = { band = \"age\" }\n";
    let compiled = |manifest: &str| {
        compile_files(&[("pack.toml", manifest), ("sexes.csv", SEXES), ("ages.csv", AGES)])
            .unwrap_or_else(|e| panic!("{manifest}: {e}"))
            .pack
    };
    let (without, with) = (compiled(&sound()), compiled(&format!("{HEAD}{again}{NODES}")));
    assert!(without.holdouts().is_empty());
    assert_eq!(with.holdouts().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["again"]);
    assert!(with.holdouts()[0].fits.is_empty());
    assert_eq!((with.figures().len(), with.hash()), (without.figures().len(), without.hash()));
    let unknown = again.replace("office", "nobody");
    for (manifest, says) in [
        (format!("{HEAD}{again}{NODES}").replace("figure = \"ages\",", "figure = \"again\","), "`again` is a hold-out"),
        (format!("{HEAD}{again}tolerance = 0.1\n{NODES}"), "nothing is fitted to a hold-out"),
        (format!("{HEAD}{again}{NODES}").replace("\"again\"", "\"sexes\""), "is declared twice"),
        (format!("{HEAD}{unknown}{NODES}"), "holdout `again`: no [[source]] has the id `nobody`"),
    ] {
        let told = error(&manifest, SEXES, AGES);
        assert!(told.contains(says), "{told}");
    }
}
