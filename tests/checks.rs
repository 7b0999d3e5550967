//! The checks of texts, on texts that are sound and on contradictions planted in them.

use populace::narrators::outline::write;
use populace::packs;
use populace_population::Sampler;
use populace_udfs::checks::{Shingles, Vocabulary, Wording, check_text};
use populace_udfs::{NARRATIVES, facts_of};
use serde_json::{Map, Value};

const PEOPLE: u64 = 1500;

type Facts = Map<String, Value>;

fn people() -> (Vec<Facts>, Vocabulary) {
    let pack = packs::open("usa").unwrap().unwrap();
    let vocabulary = Vocabulary::of(&pack);
    let batch = Sampler::new(pack, 99).draw(0..PEOPLE, None).unwrap();
    (facts_of(&batch).unwrap(), vocabulary)
}

fn text<'a>(facts: &'a Facts, name: &str) -> &'a str {
    facts.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A text with its pronouns exchanged; nothing if it has none.
fn exchanged(text: &str, female: bool) -> Option<String> {
    let pairs = match female {
        true => [("she", "he"), ("her", "his"), ("hers", "his"), ("herself", "himself")],
        false => [("he", "she"), ("his", "her"), ("him", "her"), ("himself", "herself")],
    };
    let turned: Vec<String> = text
        .split(' ')
        .map(|word| {
            let bare: String = word.chars().filter(|c| c.is_alphabetic()).collect();
            match pairs.iter().find(|(from, _)| bare.eq_ignore_ascii_case(from)) {
                Some((_, to)) if bare.starts_with(char::is_uppercase) => {
                    word.replace(&bare, &format!("{}{}", to[..1].to_uppercase(), &to[1..]))
                }
                Some((_, to)) => word.replace(&bare, to),
                None => word.to_string(),
            }
        })
        .collect();
    let turned = turned.join(" ");
    (turned != text).then_some(turned)
}

/// What is planted, by the check that is to find it.
fn planted(check: &str, sound: &str, facts: &Facts, i: usize) -> Option<String> {
    let (first, last) = (text(facts, "first_name"), text(facts, "last_name"));
    let age = facts["age"].as_i64().unwrap();
    match check {
        "name_missing" => Some(sound.replace(first, "Zebulon").replace(last, "Quandary"))
            .filter(|t| !t.contains(first) && !t.contains(last)),
        "another_age" => {
            let other = if age > 50 { age - 17 } else { age + 17 };
            let forms = [
                format!("{first}, {other}, has more to say."),
                format!("A {other}-year-old, {first} has more to say."),
                format!("{first} is {other} years old and has more to say."),
                format!("At {other}, {first} has more to say."),
            ];
            let told = sound
                .replace(&format!(" {age},"), &format!(" {other},"))
                .replace(&format!("At {age} "), &format!("At {other} "));
            Some(if told != sound && i.is_multiple_of(2) { told } else { format!("{sound} {}", forms[i % 4]) })
        }
        "another_sex" => exchanged(sound, text(facts, "sex") == "Female"),
        "another_job" => {
            let jobs = ["plumber", "lawyer", "teacher", "firefighter", "dentist", "carpenter"];
            let job = jobs[i % 6];
            let title = text(facts, "occupation");
            let forms = [
                format!("{first} works as a {job}."),
                format!("{first} is a {job}."),
                format!("{first} is a busy {job} these days."),
            ];
            (!title.is_empty() && !title.contains(&job[..4])).then(|| format!("{sound} {}", forms[i % 3]))
        }
        "contact_data" => {
            let forms = [
                format!("Write to {}@example.com.", first.to_lowercase()),
                "The number is 555-010-4477.".to_string(),
                "The card says (555) 010-4477.".into(),
                "The house is at 1200 Maple Avenue.".into(),
                "The licence is D12345678.".into(),
                "The number on the form is 078-05-1120.".into(),
                "There is more at www.example.com.".into(),
            ];
            Some(format!("{sound} {}", forms[i % 7]))
        }
        "refusal" => {
            let forms = [
                "I'm sorry, but I can't help with that.",
                "As an AI, I have no such memories.",
                "I cannot write about this person.",
                "I am unable to describe this.",
            ];
            Some(format!("{} {sound}", forms[i % 4]))
        }
        "another_place" => {
            let own = (text(facts, "city"), text(facts, "state"));
            let cities = [("Chicago", "IL", "Illinois"), ("Houston", "TX", "Texas"), ("Denver", "CO", "Colorado")];
            let (city, code, state) = cities[i % 3];
            let forms = [
                format!("{first} lives in {city}."),
                format!("These days {first} lives with a cat in {city}, {state}."),
                format!(
                    "{first} makes {} home in {state}.",
                    if text(facts, "sex") == "Female" { "her" } else { "his" }
                ),
                format!("{first} has been living in a small house in {city}."),
            ];
            (own.0 != city && own.1 != code).then(|| format!("{sound} {}", forms[i % 4]))
        }
        "wrong_language" => {
            let forms = [
                format!(
                    "{first} trabaja desde hace muchos años en la ciudad, cuida de su familia y dedica los fines de semana a caminar por el campo con sus amigos."
                ),
                format!(
                    "{first} arbeitet seit vielen Jahren in der Stadt, kümmert sich um die Familie und verbringt die Wochenenden am liebsten mit Freunden in den Bergen."
                ),
                format!(
                    "{first} travaille depuis longtemps dans cette ville, s'occupe de toute la famille et passe ses fins de semaine à marcher avec des amis dans les bois."
                ),
                format!(
                    "{first} trabalha há muitos anos na cidade, cuida da família e passa os fins de semana a caminhar com os amigos pelas montanhas da região."
                ),
                format!(
                    "{first}は町の工場で長年働き、家族の世話をしながら、週末になると友人と一緒に山を歩くのを何よりの楽しみにしている。 毎年 春 には 庭 の 桜 を 見る 会 を 開く。"
                ),
            ];
            Some(forms[i % 5].clone())
        }
        "trait_named" => {
            let forms = [
                format!("{first} has a high level of openness."),
                format!("With low neuroticism, {first} sleeps well."),
                format!("Much of it comes from {first}'s conscientiousness."),
                format!("It is {first}'s agreeableness that others notice."),
                format!("On extraversion, {first} is about average."),
            ];
            Some(format!("{sound} {}", forms[i % 5]))
        }
        "blank" => Some("   ".into()),
        _ => None,
    }
}

#[test]
fn planted_contradictions_are_found_and_sound_texts_pass() {
    let (people, vocabulary) = people();
    let (mut texts, mut accused) = (0, vec![]);
    let checks = [
        "name_missing",
        "another_age",
        "another_sex",
        "another_job",
        "another_place",
        "wrong_language",
        "contact_data",
        "refusal",
        "trait_named",
        "blank",
    ];
    let mut missed: Vec<(&str, usize, Vec<String>)> = checks.iter().map(|c| (*c, 0, vec![])).collect();
    for (i, facts) in people.iter().enumerate() {
        for (k, kind) in NARRATIVES.iter().enumerate() {
            let sound = write(kind, facts).unwrap();
            texts += 1;
            if let Some(violation) = check_text(&sound, facts, &vocabulary).first() {
                accused.push(format!("{kind}: {} ({}): {sound}", violation.check, violation.detail));
            }
            for (check, count, missed) in &mut missed {
                if let Some(text) = planted(check, &sound, facts, i + k) {
                    *count += 1;
                    if !check_text(&text, facts, &vocabulary).iter().any(|v| v.check == *check) {
                        missed.push(text);
                    }
                }
            }
        }
    }
    println!("{texts} sound texts, {} accused", accused.len());
    accused.iter().take(20).for_each(|a| println!("accused: {a}"));
    for (check, count, missed) in &missed {
        println!("{check}: {count} planted, {} missed", missed.len());
        missed.iter().take(5).for_each(|m| println!("  {m}"));
    }
    assert!(accused.len() * 100 <= texts, "{} of {texts} sound texts are accused", accused.len());
    for (check, count, missed) in missed {
        assert!(count > 500 && missed.len() * 100 <= count, "{check}: {} of {count} missed", missed.len());
    }
}

#[test]
fn texts_that_repeat_another_are_found_and_those_about_one_person_pass() {
    let (people, _) = people();
    let shingles = |text: &str| Shingles::of(&Wording::of(text));
    let (mut pairs, mut accused, mut planted, mut missed) = (0, vec![], 0, vec![]);
    for (i, facts) in people.iter().enumerate() {
        let texts: Vec<(&str, String)> = NARRATIVES.iter().map(|kind| (*kind, write(kind, facts).unwrap())).collect();
        for (at, (kind, text)) in texts.iter().enumerate() {
            let before: Vec<(&str, &str)> = texts[..at].iter().map(|(kind, text)| (*kind, text.as_str())).collect();
            let of_before: Vec<(&str, Shingles)> = before.iter().map(|(kind, text)| (*kind, shingles(text))).collect();
            let others = || of_before.iter().map(|(kind, shingles)| (*kind, shingles));
            pairs += 1;
            if let Some(violation) = shingles(text).repeat(others()) {
                accused.push(format!("{kind}: {}: {text}", violation.detail));
            }
            let Some((_, other)) = before.get(i % before.len().max(1)) else { continue };
            // As it is, with a sentence of its own before or after it, or without its last word.
            let again = match i % 4 {
                0 => other.to_string(),
                1 => format!("{other} That is about all there is to say of it."),
                2 => format!("There is more to say of it. {other}"),
                _ => other.rsplit_once(' ').map_or(other.to_string(), |(most, _)| most.to_string()),
            };
            planted += 1;
            if shingles(&again).repeat(others()).is_none() {
                missed.push(again);
            }
        }
    }
    println!("{pairs} sound texts, {} accused; {planted} planted, {} missed", accused.len(), missed.len());
    accused.iter().take(10).for_each(|a| println!("accused: {a}"));
    missed.iter().take(10).for_each(|m| println!("missed: {m}"));
    assert!(accused.len() * 100 <= pairs && missed.len() * 100 <= planted && planted > 5000);
}
