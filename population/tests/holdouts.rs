//! How each country does on figures that nothing was fitted to. Whoever changes a pack sees here what it does to them:
//! a hold-out that gets worse fails. `POPULACE_PIN=1 cargo test -p populace-population --test holdouts` writes them down
//! anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use populace_population::{Analysis, Pack};

const COUNTRIES: [&str; 5] = ["brazil", "india", "japan", "singapore", "usa"];

/// How much further from a hold-out a network may be than it was, as a share of the people: rounding of tables.
const SLACK: f64 = 5e-4;

/// Each country's hold-outs, with how far the network is from them and how far their margins alone are.
fn measured() -> BTreeMap<(String, String), (f64, f64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut measured = BTreeMap::new();
    for country in COUNTRIES {
        let pack = Pack::open(&root.join(format!("../datasets/{country}/{country}.pack"))).unwrap();
        for (figure, distance) in pack.holdouts().iter().zip(Analysis::of(&pack).holdout_distances()) {
            let distance = distance.unwrap_or_else(|e| panic!("{country}, {}: {e}", figure.name));
            let distance = distance.unwrap_or_else(|| panic!("{country}, {}: no joint shares", figure.name));
            let baseline = distance.baseline.unwrap_or_else(|| panic!("{country}, {}: no joint", figure.name));
            measured.insert((country.into(), figure.name.clone()), (distance.drift, baseline));
        }
    }
    measured
}

#[test]
fn no_hold_out_gets_worse() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/holdouts.csv");
    let now = measured();
    if std::env::var("POPULACE_PIN").is_ok_and(|pin| pin == "1") {
        let mut text = String::from("country,holdout,drift,baseline\n");
        for ((country, name), (drift, baseline)) in &now {
            writeln!(text, "{country},{name},{drift:.5},{baseline:.5}").unwrap();
        }
        std::fs::write(&golden, text).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&golden).expect("tests/golden/holdouts.csv: POPULACE_PIN=1 writes it");
    let mut wrong = vec![];
    let mut pinned = 0;
    for line in before.lines().skip(1) {
        let [country, name, drift, _] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let drift: f64 = drift.parse().unwrap();
        match now.get(&(country.into(), name.into())) {
            Some((is, _)) if *is > drift + SLACK => wrong.push(format!("{country}, {name}: {is:.5}, was {drift:.5}")),
            Some(_) => pinned += 1,
            None => wrong.push(format!("{country}, {name}: gone")),
        }
    }
    assert!(
        wrong.is_empty(),
        "further from hold-outs (POPULACE_PIN=1 writes them, if that is meant):\n{}",
        wrong.join("\n")
    );
    assert_eq!(pinned, now.len(), "a hold-out is not pinned yet: POPULACE_PIN=1 writes it");
}

/// There are enough of them in each country to judge it by.
#[test]
fn each_country_has_ten() {
    let now = measured();
    for country in COUNTRIES {
        let of = now.keys().filter(|(of, _)| of == country).count();
        assert!(of >= 10, "{country}: {of} hold-outs");
    }
}
