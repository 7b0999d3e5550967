//! The laws of every country's outline, in every language, over people who are drawn.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::*;
use populace_outline::Skeleton;
use populace_population::{Pack, Sampler};
use populace_udfs::checks::{Vocabulary, check_text};
use populace_udfs::facts_of;

const PEOPLE: u64 = 300;

/// No sentence, facts aside, is in more texts of a kind than this part.
const REFRAIN: f64 = 0.15;

/// Of sound texts this part may be accused of something.
const ACCUSED: f64 = 0.01;

fn people(pack: Arc<Pack>) -> Vec<Map<String, Value>> {
    facts_of(&Sampler::new(pack, 2026).draw(0..PEOPLE, None).unwrap()).unwrap()
}

/// What is wrong with the texts of a country's people in a language.
fn wrongs(outline: &Outline, pack: &Pack, people: &[Map<String, Value>]) -> Vec<String> {
    let (mut wrongs, mut accused) = (vec![], vec![]);
    let vocabulary = Vocabulary::of(pack).in_language(Some(outline.language()));
    for kind in outline.kinds() {
        let mut texts: HashSet<String> = HashSet::new();
        let mut sentences: HashMap<String, usize> = HashMap::new();
        for facts in people {
            let text = match outline.write(kind, facts) {
                Ok(text) => text,
                Err(error) => {
                    wrongs.push(format!("{kind}: {error}: {}", Value::Object(facts.clone())));
                    continue;
                }
            };
            let Skeleton { text: same, full, short, sentences: skeletons } = outline.skeleton(kind, facts).unwrap();
            assert_eq!(text, same);
            let mut wrong = |what: &str| wrongs.push(format!("{kind}: {what}: {text}"));
            if !text.contains(&short) && !text.contains(&full) {
                wrong(&format!("{full} is not named"));
            }
            if text.contains(['{', '}', '<', '>', '|', '@', '[', ']', '\u{1}', '\u{2}', '\u{3}', '\u{4}']) {
                wrong("a hole");
            }
            if text.contains("  ") || text.contains(" ,") || text.contains(" .") || text.contains("..") {
                wrong("a space or a stop too many");
            }
            if !text.ends_with(['.', '。', '।', '!', '?', '！', '？', '」']) {
                wrong("it has no end");
            }
            let found = check_text(&text, facts, &vocabulary);
            accused.extend(found.first().map(|v| format!("{kind}: {} ({}): {text}", v.check, v.detail)));
            skeletons.into_iter().for_each(|sentence| *sentences.entry(sentence).or_default() += 1);
            if !texts.insert(text.clone()) {
                wrong("two alike");
            }
        }
        let often = sentences.into_iter().filter(|(_, count)| *count as f64 > REFRAIN * people.len() as f64);
        wrongs
            .extend(often.map(|(sentence, count)| format!("{kind}: in {count} texts of {}: {sentence}", people.len())));
    }
    if accused.len() as f64 > ACCUSED * (people.len() * outline.kinds().len()) as f64 {
        wrongs.push(format!("{} texts are accused", accused.len()));
        wrongs.append(&mut accused);
    }
    wrongs.sort();
    wrongs
}

#[test]
fn everybody_is_written_up_in_every_language() {
    for name in packs::NAMES {
        let pack = packs::open(name).unwrap().unwrap();
        let people = people(pack.clone());
        for language in packs::outline_languages(name) {
            let outline = packs::outline(name, Some(&language)).unwrap();
            assert_eq!(outline.kinds(), packs::kinds(name));
            let wrongs = wrongs(&outline, &pack, &people);
            assert!(wrongs.is_empty(), "{name}, {language}: {} faults\n{}", wrongs.len(), wrongs.join("\n"));
        }
    }
}

/// For who writes a grammar: `OUTLINE=datasets/usa/outline/en cargo test --workspace --lib -- --ignored --nocapture an_outline`
/// prints texts, and everything that is wrong with them or held by nobody.
#[test]
#[ignore = "prints the texts of the outline that the variable OUTLINE names"]
fn an_outline() {
    let folder = std::env::var("OUTLINE").unwrap();
    let folder = Path::new(&folder);
    let dataset = folder.ancestors().nth(2).unwrap();
    let name = dataset.file_name().unwrap().to_str().unwrap();
    let pack = Pack::open(&dataset.join(format!("{name}.pack"))).unwrap();
    #[derive(serde::Deserialize)]
    struct Kinds {
        kind: Vec<Map<String, Value>>,
    }
    let kinds = std::fs::read_to_string(dataset.join("prompts/kinds.toml")).ok();
    let kinds: Option<Kinds> = kinds.map(|text| toml::from_str(&text).unwrap());
    let kinds: Vec<String> =
        kinds.map(|k| k.kind.iter().map(|k| k["name"].as_str().unwrap().to_string()).collect()).unwrap_or_default();
    let outline = match Outline::open(folder, packs::kinds_to_write(&kinds)) {
        Ok(outline) => outline,
        Err(faults) => panic!("{} faults\n{}", faults.len(), faults.join("\n")),
    };
    let people = people(pack.clone());
    for facts in people.iter().take(12) {
        println!("{}", Value::Object(facts.clone()));
        for kind in outline.kinds() {
            println!("  {kind}: {}", outline.write(kind, facts).unwrap_or_else(|e| e));
        }
    }
    outline.unmet(&people).iter().for_each(|(flag, place)| println!("nobody is `{flag}`: {place}"));
    let wrongs = wrongs(&outline, &pack, &people);
    println!("{} faults\n{}", wrongs.len(), wrongs.join("\n"));
}
