//! The laws of the outline narrator, over synthetic people of every age, state of life and occupation.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::*;

/// The ten texts of the USA, the six short ones first.
const KINDS: [&str; 10] = [
    "professional_persona",
    "sports_persona",
    "arts_persona",
    "travel_persona",
    "culinary_persona",
    "persona",
    "cultural_background",
    "skills_and_expertise",
    "hobbies_and_interests",
    "career_goals_and_ambitions",
];

const PEOPLE: u64 = 10_000;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

static OUTLINE: LazyLock<Outline> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/outline/en");
    Outline::open(&folder, Kinds::Any(&KINDS)).unwrap()
});

/// A file of the USA's outline.
macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../datasets/usa/outline/en/", $name))
    };
}

fn column(file: &'static str) -> Vec<&'static str> {
    file.lines().skip(1).filter_map(|line| line.split(',').next()).collect()
}

struct Levels {
    occupations: Vec<&'static str>,
    hobbies: Vec<&'static str>,
    skills: Vec<&'static str>,
    states: Vec<&'static str>,
}

static LEVELS: LazyLock<Levels> = LazyLock::new(|| Levels {
    occupations: column(file!("occupations.csv")),
    hobbies: column(file!("hobbies.csv")),
    skills: column(file!("skills.csv")).into_iter().chain(["SQL", "Microsoft Excel", "C", "Epic Systems"]).collect(),
    states: column(file!("places.csv")),
});

/// Person `i` of a stream that covers every occupation and every level of every fact; each fact is missing now and then.
fn person(i: u64) -> Map<String, Value> {
    let mut dice = Dice(i.wrapping_mul(0x1234_5678_9abc_def1));
    let dice = &mut dice;
    let Levels { occupations, hobbies, skills, states } = &*LEVELS;
    let age = 18 + dice.roll(83);
    let sex = dice.pick(&["Female", "Male"]);
    let working = dice.roll(100) < if age < 65 { 75 } else { 15 };
    let labour = match (working, dice.roll(10)) {
        (true, _) => "employed",
        (false, 0) if age < 75 => "unemployed",
        _ => "not_in_labor_force",
    };
    let occupation = if working { occupations[i as usize % occupations.len()] } else { "not_in_workforce" };
    let names = ["Ana", "Bela", "Cora", "Dana", "Emery", "Flora", "Gale", "Hollis", "Imre", "Jules", "Kerry", "Lane"];
    let lasts = ["Abbott", "Brandt", "Castell", "Dorsey", "Easton", "Fontaine", "Guerra", "Hadley", "Ito", "Jorgensen"];
    let cities =
        ["Dover Falls", "Eagle Pass", "Millbrook", "Otter Creek", "Union Springs", "Zenith", "Ashby", "Upland"];
    let list = |dice: &mut Dice, from: &[&str], count: usize| -> Value {
        let mut seen: Vec<&str> = Vec::new();
        for _ in 0..count {
            let item = dice.pick(from);
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        json!(seen)
    };
    let score = |dice: &mut Dice| (20 + dice.roll(21) + dice.roll(21) + dice.roll(21)) as i64;
    let facts = json!({
        "uuid": format!("{i:032x}"),
        "first_name": dice.pick(&names),
        "last_name": dice.pick(&lasts),
        "sex": sex,
        "age": age,
        "marital_status": dice.pick(&["never_married", "married_present", "separated", "divorced", "widowed"]),
        "education_level": dice.pick(&[
            "less_than_9th", "9th_12th_no_diploma", "high_school", "some_college", "associates", "bachelors", "graduate",
        ]),
        "bachelors_field": dice.pick(&["no_degree", "stem", "stem_related", "business", "education", "arts_humanities"]),
        "labour_status": labour,
        "occupation": occupation,
        "college_enrolment": if dice.roll(8) == 0 { "public_college" } else { "not_enrolled" },
        "city": dice.pick(&cities),
        "county": "Alder County",
        "state": dice.pick(&states[..]),
        "nativity": dice.pick(&["native", "native", "foreign_born_naturalized", "foreign_born_not_citizen"]),
        "language_at_home": dice.pick(&["english", "english", "spanish", "other_indo_european", "other"]),
        "veteran_status": dice.pick(&["veteran", "nonveteran", "nonveteran"]),
        "living_arrangement": dice.pick(&[
            "lives_alone", "with_spouse", "with_unmarried_partner", "with_parents", "with_other_relatives",
            "with_nonrelatives",
        ]),
        "household_size": 1 + dice.roll(7),
        "children_at_home": dice.pick(&["yes", "no"]),
        "openness": score(dice), "conscientiousness": score(dice), "extraversion": score(dice),
        "agreeableness": score(dice), "neuroticism": score(dice),
        "skills_and_expertise_list": list(dice, &skills[..], 9),
        "hobbies_and_interests_list": list(dice, &hobbies[..], 8),
    });
    let mut facts = facts.as_object().unwrap().clone();
    // One person in five lacks one fact, never the name, sex and uuid; absent or null alike.
    if dice.roll(5) == 0 {
        let names: Vec<String> = facts.keys().cloned().collect();
        let name = &names[dice.roll(names.len())];
        if !["uuid", "first_name", "last_name", "sex"].contains(&name.as_str()) {
            if dice.roll(2) == 0 {
                facts.insert(name.clone(), Value::Null);
            } else {
                facts.remove(name);
            }
        }
    }
    facts
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).collect()
}

/// Heritage is shown through practice, never named.
const LABELS: [&str; 14] = [
    "Hispanic",
    "Latino",
    "Latina",
    "Asian",
    "Black",
    "White",
    "Caucasian",
    "race",
    "ethnic",
    "immigrant",
    "minority",
    "tapestry",
    "testament",
    "vibrant",
];

fn check(kind: &str, facts: &Map<String, Value>, text: &str) {
    let show = || format!("{kind}: {text}\n{}", Value::Object(facts.clone()));
    let first = facts["first_name"].as_str().unwrap();
    assert!(text.contains(first), "the name: {}", show());
    assert!(!text.contains(['{', '}', '|', '[', ']', '(', '\u{1}', '\u{2}', '\u{3}', '_']), "a hole: {}", show());
    assert!(!text.contains("  ") && !text.contains(" ,") && !text.contains(" .") && !text.contains(".."), "{}", show());
    assert!(text.ends_with('.') && text.starts_with(|c: char| c.is_uppercase() || c.is_numeric()), "{}", show());
    for sentence in text.split(". ") {
        assert!(!sentence.starts_with(|c: char| c.is_lowercase()), "a sentence begins small: {}", show());
    }
    let words = words(text);
    for pair in words.windows(2) {
        let vowel = pair[1].to_lowercase().starts_with(['a', 'e', 'i', 'o']);
        let sound_differs =
            ["one", "once", "eu", "hour", "honest"].iter().any(|w| pair[1].to_lowercase().starts_with(w));
        if !sound_differs && (pair[0] == "a" || pair[0] == "A") {
            assert!(!vowel, "a before {}: {}", pair[1], show());
        }
        if pair[0] == "an" && pair[1].chars().all(char::is_lowercase) {
            assert!(vowel || sound_differs || pair[1].starts_with('u'), "an before {}: {}", pair[1], show());
        }
    }
    // A comma between them makes two of them.
    let tokens: Vec<&str> = text.split(' ').collect();
    assert!(tokens.windows(2).all(|pair| pair[0] != pair[1]), "a word twice: {}", show());
    let others =
        if facts["sex"] == "Female" { ["he", "him", "his", "himself"] } else { ["she", "her", "hers", "herself"] };
    assert!(!words.iter().any(|w| others.contains(&w.to_lowercase().as_str())), "another's pronoun: {}", show());
    // Mountains may be called so.
    let elsewhere = text.replace("Black Hills", "").replace("White Mountains", "");
    let elsewhere = self::words(&elsewhere);
    assert!(!LABELS.iter().any(|label| elsewhere.contains(label)), "a label: {}", show());
    let out = facts.get("labour_status").and_then(Value::as_str) == Some("not_in_labor_force");
    if out {
        for phrase in [" works as a", "colleagues", "Colleagues", "promotion", "a raise", "the work of a", "On the job"]
        {
            assert!(!text.contains(phrase), "no job, and yet {phrase:?}: {}", show());
        }
    }
    let abroad = facts.get("nativity").and_then(Value::as_str).is_some_and(|n| n != "native");
    if abroad {
        for phrase in ["grew up", "a teenager", "was young when"] {
            assert!(!text.contains(phrase), "a childhood elsewhere, and yet {phrase:?}: {}", show());
        }
    }
    if let Some(age) = facts.get("age").and_then(Value::as_i64) {
        for word in &words {
            if let Ok(number) = word.parse::<i64>() {
                assert!(number == age, "another age: {}", show());
            }
        }
        if age < 65 {
            assert!(!text.contains("retired") && !text.contains("Retire"), "too young to be retired: {}", show());
        }
    }
    let length = text.chars().count();
    let most = if KINDS.iter().position(|k| k == &kind) < Some(6) { 620 } else { 1_300 };
    assert!((60..=most).contains(&length), "{length} characters: {}", show());
}

#[test]
fn ten_thousand_people_are_each_written_in_their_own_words() {
    let wanting: Vec<String> = std::thread::scope(|scope| {
        let kinds: Vec<_> = KINDS.into_iter().map(|kind| scope.spawn(move || variety(kind))).collect();
        kinds.into_iter().flat_map(|kind| kind.join().unwrap()).collect()
    });
    assert!(wanting.is_empty(), "too often:\n{}", wanting.join("\n"));
}

/// Checks every text of a kind, and that no two are alike; the sentences that come too often.
fn variety(kind: &str) -> Vec<String> {
    let mut texts = HashSet::new();
    let mut skeletons: HashMap<String, usize> = HashMap::new();
    let mut openings: HashMap<String, usize> = HashMap::new();
    for i in 0..PEOPLE {
        let facts = person(i);
        let Skeleton { text, sentences, .. } = OUTLINE.skeleton(kind, &facts).unwrap();
        if i % 50 == 0 {
            assert_eq!(OUTLINE.write(kind, &facts).as_ref(), Ok(&text));
        }
        check(kind, &facts, &text);
        let opening = |sentence: &String| sentence.split(' ').take(4).collect::<Vec<_>>().join(" ");
        for opening in sentences.iter().map(opening).collect::<HashSet<_>>() {
            *openings.entry(opening).or_default() += 1;
        }
        for sentence in sentences {
            *skeletons.entry(sentence).or_default() += 1;
        }
        assert!(!texts.contains(&text), "two alike: {text}");
        texts.insert(text);
    }
    let (sentences, most) = (skeletons.values().sum::<usize>(), skeletons.values().max().copied().unwrap_or(0));
    println!(
        "{kind}: {} skeletons in {sentences} sentences, the commonest in {:.2} % of texts",
        skeletons.len(),
        100.0 * most as f64 / PEOPLE as f64
    );
    // No sentence is in more than one text of a hundred.
    let over = skeletons.into_iter().filter(|(_, count)| *count as f64 > 0.01 * PEOPLE as f64);
    let mut over: Vec<_> =
        over.map(|(s, n)| format!("{kind}: {:.2} %: {s}", 100.0 * n as f64 / PEOPLE as f64)).collect();
    // Nor do sentences begin alike in every fifth text.
    let refrains =
        openings.into_iter().filter(|(opening, count)| !opening.starts_with('_') && count * 5 > PEOPLE as usize);
    over.extend(refrains.map(|(opening, count)| format!("{kind}: {count} texts: {opening} ...")));
    over.sort();
    over
}

#[test]
fn the_same_facts_give_the_same_text_in_any_order_of_columns() {
    let mut facts = person(7);
    facts.remove("uuid");
    let reversed: Map<String, Value> = facts.clone().into_iter().rev().collect();
    for kind in KINDS {
        assert_eq!(OUTLINE.write(kind, &facts), OUTLINE.write(kind, &reversed));
    }
}

#[test]
fn few_facts_suffice() {
    for facts in [json!({}), json!({ "first_name": "Ada" }), json!({ "age": 82 }), json!({ "state": "VT", "age": 30 })]
    {
        for kind in KINDS {
            let text = OUTLINE.write(kind, facts.as_object().unwrap()).unwrap();
            assert!(text.ends_with('.') && !text.contains("  "), "{kind}: {text}");
        }
    }
}

#[test]
fn titles_with_duties_of_their_own_are_occupations() {
    let occupations: HashSet<&str> = column(file!("occupations.csv")).into_iter().collect();
    assert_eq!(occupations.len(), 566);
    let mut seen = HashSet::new();
    for title in file!("titles.txt").lines().filter_map(|line| line.strip_prefix("@d_")) {
        assert!(occupations.contains(title) && seen.insert(title), "{title}");
    }
    assert!(seen.len() > 300);
}
