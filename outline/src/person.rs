//! What the outline narrator knows of a person: conditions that hold, and words for the facts.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::grammar::Grammar;
use crate::lexicon::inflect;
use crate::manifest::{Flag, Manifest, Slot, TEMPERAMENT, Test, pieces};
use crate::read::Outline;

/// A person as the grammar sees one.
#[derive(Debug)]
pub(crate) struct Person<'a> {
    pub short: String,
    pub full: String,
    /// Subject, object, possessive, absolute possessive, reflexive; the short name stands for one that is empty.
    pub pronouns: Option<&'a [String; 5]>,
    pub female: Option<bool>,
    /// Begins elsewhere for every kind.
    pub hobbies: Vec<Hobby<'a>>,
    /// What is marked in the temperament, as symbols of the grammar, the most marked first.
    pub traits: Vec<&'static str>,
    flags: HashSet<String>,
    values: HashMap<&'a str, Vec<String>>,
}

/// Something a person likes.
#[derive(Debug)]
pub(crate) struct Hobby<'a> {
    pub class: &'a str,
    families: Vec<&'a str>,
    /// A noun phrase: "pottery".
    pub phrase: String,
    /// A verb phrase in the third person: "throws pots".
    pub does: String,
    /// Whether it is not done of an evening.
    pub away: bool,
}

impl Hobby<'_> {
    /// Whether it is of a class, or of one of the classes of a family.
    pub fn is(&self, class: &str) -> bool {
        self.class == class || self.families.contains(&class)
    }
}

/// The facts of a row.
struct Facts<'a>(&'a Map<String, Value>);

impl Facts<'_> {
    fn text(&self, column: &str) -> Option<String> {
        let text = match self.0.get(column)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn number(&self, column: &str) -> Option<f64> {
        let value = self.0.get(column)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    fn list(&self, column: &str) -> Vec<String> {
        let items = self.0.get(column).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let items = items.iter().filter_map(|v| v.as_str().map(str::to_owned));
        items.filter(|v| !v.trim().is_empty()).collect()
    }
}

impl<'a> Person<'a> {
    /// Reads the facts of a row; `turn` rotates lists, so that every kind begins elsewhere in them. `None` if there is
    /// nothing to call the person by.
    pub fn new(outline: &'a Outline, facts: &Map<String, Value>, turn: u64) -> Option<Person<'a>> {
        let facts = &Facts(facts);
        let manifest = &outline.manifest;
        let sex = manifest.sex.as_ref().and_then(|sex| {
            let level = facts.text(&sex.column)?;
            let female = sex.female.contains(&level);
            (female || sex.male.contains(&level)).then_some(female)
        });
        let pronouns = manifest.pronouns.as_ref().map(|p| match sex {
            Some(true) => &p.female,
            Some(false) => &p.male,
            None => &p.other,
        });
        let mut person = Person {
            short: String::new(),
            full: String::new(),
            pronouns,
            female: sex,
            hobbies: Vec::new(),
            traits: Vec::new(),
            flags: HashSet::new(),
            values: HashMap::new(),
        };
        person.levels(manifest, facts);
        person.temperament(facts);
        person.hobbies(outline, facts, turn);
        person.lists(outline, facts, turn);
        // What a lexicon takes may hang on a flag, and a flag on what a lexicon says: flags are told twice.
        let plain = person.flags.clone();
        person.flags(&manifest.flags, facts);
        let said = person.lexicons(outline, facts, turn);
        person.flags = plain;
        person.flags.extend(said);
        person.flags(&manifest.flags, facts);
        for slot in &manifest.slots {
            person.constant(slot, &outline.grammar, facts);
        }
        let first = |templates: &[String]| templates.iter().find_map(|t| person.filled(t, facts));
        let (short, full) = (first(manifest.short.all()), first(manifest.full.all()));
        person.short = short.clone().or(full.clone()).or(manifest.nameless.clone())?;
        person.full = full.unwrap_or(person.short.clone());
        Some(person)
    }

    /// Whether a condition of the grammar holds.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// The words for a slot.
    pub fn values(&self, slot: &str) -> Option<&Vec<String>> {
        self.values.get(slot)
    }

    fn all(&self, when: &[String]) -> bool {
        when.iter().all(|flag| flag.strip_prefix('!').map_or_else(|| self.is(flag), |flag| !self.is(flag)))
    }

    fn inflected(&self, word: &str) -> String {
        if word.contains('<') { inflect(word, self.female == Some(true)) } else { word.to_owned() }
    }

    /// A template with every name in it filled in by a slot's first word, or else by a column.
    fn filled(&self, template: &str, facts: &Facts) -> Option<String> {
        let mut out = String::new();
        for (text, name) in pieces(template) {
            out.push_str(text);
            if let Some(name) = name {
                let slot = self.values.get(name).and_then(|words| words.first().cloned());
                out.push_str(&slot.or_else(|| facts.text(name))?);
            }
        }
        Some(self.inflected(out.trim())).filter(|name| !name.is_empty())
    }

    fn levels(&mut self, manifest: &Manifest, facts: &Facts) {
        for levels in &manifest.levels {
            if let Some(level) = facts.text(&levels.column) {
                self.flags.insert(format!("{}{}", levels.prefix, level.replace(' ', "_")));
            }
        }
    }

    fn flags(&mut self, flags: &[Flag], facts: &Facts) {
        for flag in flags {
            if flag.all.iter().all(|test| self.passes(test, facts)) {
                self.flags.insert(flag.name.clone());
            }
        }
    }

    fn passes(&self, test: &Test, facts: &Facts) -> bool {
        let flags = test.flag.as_ref().is_none_or(|flag| self.is(flag))
            && test.no_flag.as_ref().is_none_or(|flag| !self.is(flag));
        let Some(column) = &test.column else { return flags };
        let Some(value) = facts.text(column) else { return test.missing };
        let number = |holds: &dyn Fn(f64) -> bool| facts.number(column).is_some_and(holds);
        flags
            && !test.missing
            && test.is.as_ref().is_none_or(|levels| levels.contains(&value))
            && test.not.as_ref().is_none_or(|levels| !levels.contains(&value))
            && test.min.is_none_or(|min| number(&|n| n >= min))
            && test.max.is_none_or(|max| number(&|n| n <= max))
    }

    fn temperament(&mut self, facts: &Facts) {
        let mut traits: Vec<(i64, &'static str)> = TEMPERAMENT
            .into_iter()
            .filter_map(|(name, high, low)| facts.number(name).map(|score| (score.round() as i64, high, low)))
            .filter(|(score, ..)| *score >= 55 || *score <= 44)
            .map(|(score, high, low)| ((score - 50).abs(), if score >= 55 { high } else { low }))
            .collect();
        traits.sort_by_key(|(distance, _)| -distance);
        for (_, name) in traits {
            self.flags.insert(name.to_owned());
            self.traits.push(name);
        }
    }

    /// Sets the slots of the lexicons; the flags that they add.
    fn lexicons(&mut self, outline: &'a Outline, facts: &Facts, turn: u64) -> Vec<String> {
        let mut flags = vec![];
        for (wanted, lexicon) in outline.manifest.lexicons.iter().zip(&outline.lexicons) {
            let Some(level) = facts.text(&wanted.column).filter(|_| self.all(&wanted.when)) else { continue };
            let Some(cells) = lexicon.get(&level) else {
                if let Some(slot) = &wanted.otherwise {
                    self.values.entry(slot.as_str()).or_insert_with(|| vec![level.replace('_', " ")]);
                }
                continue;
            };
            for (slot, cell) in lexicon.headers.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
                if slot == "flags" {
                    flags.extend(cell.split_whitespace().map(String::from));
                    continue;
                }
                if let Some(symbols) = cell.strip_prefix('@') {
                    if let Some(symbol) = first_symbol(&outline.grammar, symbols, &level) {
                        self.values.entry(slot.as_str()).or_insert_with(|| vec![format!("@{symbol}")]);
                    }
                    continue;
                }
                let mut words: Vec<String> =
                    cell.split(';').map(|w| self.inflected(w.trim())).filter(|w| !w.is_empty()).collect();
                rotate(&mut words, turn);
                self.values.entry(slot.as_str()).or_insert(words);
            }
        }
        flags
    }

    /// Sets a slot that nothing has set yet.
    fn constant(&mut self, slot: &'a Slot, grammar: &Grammar, facts: &Facts) {
        if self.values.contains_key(slot.name.as_str()) || !self.all(&slot.when) {
            return;
        }
        let value = match (&slot.column, &slot.value) {
            (Some(column), _) => facts.text(column),
            (None, Some(value)) => match value.strip_prefix('@') {
                Some(symbols) => first_symbol(grammar, symbols, "").map(|symbol| format!("@{symbol}")),
                None => self.filled(value, facts),
            },
            (None, None) => None,
        };
        let Some(value) = value else { return };
        let differs = || slot.differs_from.iter().all(|column| facts.text(column).as_ref() != Some(&value));
        if !slot.no_ending.iter().any(|ending| value.ends_with(ending.as_str())) && differs() {
            self.values.insert(&slot.name, vec![value]);
        }
    }

    fn hobbies(&mut self, outline: &'a Outline, facts: &Facts, turn: u64) {
        let Some((wanted, lexicon)) = outline.manifest.hobbies.as_ref().zip(outline.hobbies.as_ref()) else { return };
        let [class, phrase, does] = ["class", "phrase", "does"].map(|name| lexicon.column(name));
        for hobby in facts.list(&wanted.column) {
            let cells = lexicon.get(&hobby);
            let cell = |at: Option<usize>| at.and_then(|at| cells.map(|c| c[at].as_str())).filter(|c| !c.is_empty());
            let class = cell(class).unwrap_or("other");
            let families = outline.manifest.families.iter().filter(|(_, classes)| classes.iter().any(|c| c == class));
            let families: Vec<&str> = families.map(|(family, _)| family.as_str()).collect();
            let phrase = cell(phrase).map_or(hobby.clone(), |phrase| self.inflected(phrase));
            let does = match cell(does) {
                Some(does) => self.inflected(does),
                None => self.inflected(&wanted.otherwise).replace("{phrase}", &phrase),
            };
            self.flags.extend(families.iter().chain([&class]).map(|class| format!("h_{class}")));
            let away = wanted.away.iter().any(|c| c == class);
            self.hobbies.push(Hobby { class, families, phrase, does, away });
        }
        rotate(&mut self.hobbies, turn);
    }

    fn lists(&mut self, outline: &'a Outline, facts: &Facts, turn: u64) {
        for (wanted, lexicon) in outline.manifest.lists.iter().zip(&outline.lists) {
            let [class, phrase] = ["class", "phrase"].map(|name| lexicon.column(name));
            let mut lists: HashMap<&str, Vec<String>> = HashMap::new();
            for item in facts.list(&wanted.column) {
                let cells = lexicon.get(&item);
                let cell =
                    |at: Option<usize>| at.and_then(|at| cells.map(|c| c[at].as_str())).filter(|c| !c.is_empty());
                let Some(slot) = cell(class).or(wanted.otherwise.as_deref()) else { continue };
                let phrase = cell(phrase).map_or(item.clone(), |phrase| self.inflected(phrase));
                let also = wanted.also.get(slot).map(String::as_str);
                for slot in also.into_iter().chain([slot]) {
                    lists.entry(slot).or_default().push(phrase.clone());
                }
            }
            for (slot, mut phrases) in lists {
                rotate(&mut phrases, turn);
                self.flags.insert(slot.to_owned());
                self.values.insert(slot, phrases);
            }
        }
    }
}

/// The first symbol that there is of `d_*|@d_group`, with the level in the place of `*`.
pub(crate) fn first_symbol(grammar: &Grammar, symbols: &str, level: &str) -> Option<String> {
    let named = symbols.split('|').map(|symbol| symbol.trim().trim_start_matches('@'));
    let of = |symbol: &str| [symbol.replace('*', level), symbol.replace('*', &level.replace(' ', "_"))];
    named.flat_map(of).find(|symbol| grammar.contains(symbol))
}

fn rotate<T>(list: &mut [T], turn: u64) {
    if !list.is_empty() {
        let by = (turn % list.len() as u64) as usize;
        list.rotate_left(by);
    }
}
