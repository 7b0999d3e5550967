//! Every country: that its compiled file is what its sources give, and what all packs promise.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use populace_population::{Pack, Status, compile};

fn countries() -> Vec<(String, PathBuf)> {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    let folders = std::fs::read_dir(datasets).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_dir());
    let mut found: Vec<(String, PathBuf)> =
        folders.map(|dir| (dir.file_name().unwrap().to_str().unwrap().to_string(), dir)).collect();
    found.sort();
    assert_eq!(
        found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["brazil", "india", "japan", "singapore", "usa"]
    );
    found
}

#[test]
fn the_compiled_files_are_what_the_sources_give() {
    let mut bytes = 0;
    for (name, dir) in countries() {
        let file = dir.join(format!("{name}.pack"));
        let (compiled, committed) = (compile(&dir).unwrap(), std::fs::read(&file).unwrap());
        assert!(
            compiled.bytes == committed,
            "datasets/{name}/{name}.pack is out of date ({} now compiles to {}): run `make pack` and commit it",
            Pack::open(&file).unwrap().id(),
            compiled.pack.id()
        );
        bytes += committed.len();
    }
    // The binary carries them all.
    assert!(bytes <= 45_000_000, "{bytes} bytes");
}

/// Promise 3: a figure marked official is met by the model to 1e-6, in every pass that it binds.
#[test]
fn official_figures_are_met() {
    for (name, dir) in countries() {
        let pack = Pack::open(&dir.join(format!("{name}.pack"))).unwrap();
        let mut met = 0;
        for figure in pack.figures().iter().filter(|f| f.status == Status::Official) {
            for fit in figure.fits.iter().filter(|f| f.binding) {
                assert!(fit.max_difference < 1e-6, "{name}: {}: {fit:?}", figure.name);
                met += 1;
            }
        }
        assert!(met >= 5, "{name}: {met}");
    }
}

/// Each figure says where it is from, by a source that is there and has a year and a licence.
#[test]
fn figures_carry_their_sources() {
    for (name, dir) in countries() {
        let pack = Pack::open(&dir.join(format!("{name}.pack"))).unwrap();
        let sources: BTreeSet<&str> = pack.sources().iter().map(|s| s.id.as_str()).collect();
        for figure in pack.figures() {
            assert!(sources.contains(figure.source.as_str()), "{name}: {}: {}", figure.name, figure.source);
        }
        for source in pack.sources() {
            let said = [&source.agency, &source.title, &source.year, &source.licence];
            assert!(said.iter().all(|text| !text.trim().is_empty()), "{name}: {}", source.id);
        }
    }
}

/// The Big Five, the names and the lists are in every country.
#[test]
fn people_of_every_country_have_what_all_have() {
    for (name, dir) in countries() {
        let pack = Pack::open(&dir.join(format!("{name}.pack"))).unwrap();
        let schema = pack.schema();
        for column in [
            "uuid",
            "first_name",
            "last_name",
            "sex",
            "age",
            "marital_status",
            "education_level",
            "occupation",
            "openness",
            "neuroticism_label",
            "skills_and_expertise_list",
            "hobbies_and_interests_list",
            "country",
        ] {
            assert!(schema.column_with_name(column).is_some(), "{name}: {column}");
        }
    }
}
