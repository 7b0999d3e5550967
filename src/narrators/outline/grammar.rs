//! A small generative grammar: productions that hold for some people only, slots for facts, inline alternatives.
//!
//! A grammar is a text. `@symbol` opens a symbol, every line below it is one production. A production may begin with
//! conditions on the person, `[married !kids old|retired]`: all must hold, `!` negates, `|` is or. In its text
//! `(one|two|)` chooses, `{slot}` takes a fact, or expands the symbol of that name. A production whose slots cannot be
//! filled is passed over, so a fact that is missing never leaves a hole; one marked `[last]` serves where no other does.
//! `~topic` names what a production is about: a text turns to a topic once. A pole of the temperament is a topic.
//! `in_team` holds where the first hobby that the text has named is of the class `team`.

use std::collections::HashMap;

use super::person::{Hobby, Person};

/// A parsed grammar: the productions of every symbol.
#[derive(Debug)]
pub struct Grammar {
    symbols: HashMap<&'static str, Vec<Production>>,
}

#[derive(Debug)]
struct Production {
    /// Unique in the grammar: a text uses no production twice while others are left.
    id: u32,
    conditions: Vec<Vec<(bool, &'static str)>>,
    /// What it is about: a text that has been there prefers another.
    topics: Vec<&'static str>,
    /// Used only where every other production of its symbol failed: `[last]`.
    last: bool,
    /// How likely the production is next to others: the sentences it can make, so that none of them is made often.
    weight: usize,
    body: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    Text(&'static str),
    Slot(&'static str),
    Choice(Vec<Vec<Node>>),
}

/// The state of one text being written: its random choices, and what it has used.
struct Pen<'a> {
    person: &'a Person,
    state: u64,
    used: Vec<u32>,
    topics: Vec<&'static str>,
    /// The hobbies that the text has named.
    hobbies: Vec<usize>,
    /// How far into each list the text has come, the latest last.
    named: Vec<(&'static str, usize)>,
    /// How often the person has been mentioned, for names and pronouns.
    mentions: u32,
    /// And how often since by name.
    since_name: u32,
    /// The text so far.
    text: String,
}

impl Grammar {
    /// Reads the grammars of several files as one. They are part of the binary, so a fault in them is a bug.
    pub fn parse(files: &[&'static str]) -> Grammar {
        let mut symbols: HashMap<&'static str, Vec<Production>> = HashMap::new();
        let mut id = 0;
        for file in files {
            let mut symbol = "";
            for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                if let Some(name) = line.strip_prefix('@') {
                    symbol = name;
                    continue;
                }
                let (conditions, text) = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                    Some((conditions, text)) => (conditions, text.trim_start()),
                    None => ("", line),
                };
                let last = conditions.split_whitespace().any(|c| c == "last");
                let topics = conditions
                    .split_whitespace()
                    .filter_map(|c| c.strip_prefix('~').or(POLES.contains(&c).then_some(c)));
                // Who a person is, in a relative clause, is said once, and who lives in the house.
                let named = ["person", "home"].into_iter().filter(|name| text.contains(&format!("{{{name}}}")));
                let topics = topics.chain(named).collect();
                let conditions = conditions
                    .split_whitespace()
                    .filter(|c| *c != "last" && !c.starts_with('~'))
                    .map(|any| any.split('|').map(|c| c.strip_prefix('!').map_or((true, c), |c| (false, c))).collect())
                    .collect();
                id += 1;
                let body = nodes(text, &mut 0);
                symbols.entry(symbol).or_default().push(Production { id, conditions, topics, last, weight: 1, body });
            }
        }
        let mut grammar = Grammar { symbols };
        let weight = |p: &Production| (16 * grammar.variants(&p.body, 0).min(MOST)).isqrt() * p.rarity();
        let weights: HashMap<u32, usize> = grammar.symbols.values().flatten().map(|p| (p.id, weight(p))).collect();
        for production in grammar.symbols.values_mut().flatten() {
            production.weight = weights.get(&production.id).copied().unwrap_or(1);
        }
        grammar
    }

    /// How many sentences the nodes can make, the facts aside; a few levels deep, which is enough to compare.
    fn variants(&self, body: &[Node], depth: u32) -> usize {
        let count = |node: &Node| match node {
            Node::Text(_) => 1,
            Node::Choice(options) => options.iter().map(|option| self.variants(option, depth)).sum(),
            Node::Slot("duty" | "trait") => 5,
            Node::Slot(slot) if depth < 4 => self.symbols.get(slot).map_or(1, |productions| {
                let share = |p: &Production| self.variants(&p.body, depth + 1).div_ceil(p.rarity());
                productions.iter().map(share).fold(0_usize, usize::saturating_add)
            }),
            Node::Slot(_) => 1,
        };
        body.iter().map(count).fold(1, |product: usize, n| product.saturating_mul(n)).min(MOST * MOST)
    }

    /// Every symbol, for checks of the grammar itself.
    #[cfg(test)]
    pub fn contains(&self, symbol: &str) -> bool {
        self.symbols.contains_key(symbol)
    }

    /// Slots that productions name, for checks of the grammar itself.
    #[cfg(test)]
    pub fn slots(&self) -> Vec<&'static str> {
        fn walk(nodes: &[Node], slots: &mut Vec<&'static str>) {
            for node in nodes {
                match node {
                    Node::Slot(slot) => slots.push(slot),
                    Node::Choice(options) => options.iter().for_each(|o| walk(o, slots)),
                    Node::Text(_) => {}
                }
            }
        }
        let mut slots = Vec::new();
        self.symbols.values().flatten().for_each(|p| walk(&p.body, &mut slots));
        slots
    }

    /// Writes `symbol` about a person; `None` where no production fits what is known.
    pub fn write(&self, symbol: &str, person: &Person, seed: u64) -> Option<String> {
        self.draft(symbol, person, seed).map(|draft| finish(&draft))
    }

    /// A text, and its sentences with every fact masked: what the variety of the narrator is measured on.
    #[cfg(test)]
    pub fn skeleton(&self, symbol: &str, person: &Person, seed: u64) -> (String, Vec<String>) {
        let draft = self.draft(symbol, person, seed).unwrap_or_default();
        let mut masked = String::new();
        let mut inside = false;
        for c in draft.chars() {
            match c {
                FACT => masked.push('_'),
                ARTICLE => masked.push('a'),
                _ if !inside && c != END && c != COMMA => masked.push(c),
                _ => {}
            }
            inside = c == FACT || (inside && c != END);
        }
        (finish(&draft), masked.split(". ").map(|s| s.trim_end_matches('.').trim().to_lowercase()).collect())
    }

    fn draft(&self, symbol: &str, person: &Person, seed: u64) -> Option<String> {
        let mut pen = Pen {
            person,
            state: seed,
            used: Vec::new(),
            topics: Vec::new(),
            hobbies: Vec::new(),
            named: Vec::new(),
            mentions: 0,
            since_name: 0,
            text: String::new(),
        };
        self.expand(symbol, &mut pen, 0).then_some(pen.text)
    }

    fn expand(&self, symbol: &str, pen: &mut Pen, depth: u32) -> bool {
        let Some(productions) = self.symbols.get(symbol) else { return false };
        if depth > 12 {
            return false;
        }
        let mut fit: Vec<&Production> = productions.iter().filter(|p| p.fits(pen)).collect();
        // Fresh productions first, by weight; a dead end falls through to the next one.
        while !fit.is_empty() {
            let stale = |p: &Production| pen.used.contains(&p.id) || p.topics.iter().any(|t| pen.topics.contains(t));
            let rank = |p: &Production| (stale(p), p.last);
            let best = fit.iter().map(|p| rank(p)).min();
            let weight = |p: &Production| if Some(rank(p)) == best { p.weight } else { 0 };
            let weights: Vec<usize> = fit.iter().map(|p| weight(p)).collect();
            let mut draw = pen.below(weights.iter().sum());
            let at = weights.iter().position(|weight| {
                let here = draw < *weight;
                draw = draw.saturating_sub(*weight);
                here
            });
            let production = fit.swap_remove(at.unwrap_or(0));
            let mark = pen.mark();
            pen.used.push(production.id);
            pen.topics.extend(&production.topics);
            if self.body(&production.body, pen, depth) {
                return true;
            }
            pen.restore(mark);
        }
        false
    }

    fn body(&self, body: &[Node], pen: &mut Pen, depth: u32) -> bool {
        body.iter().all(|node| match node {
            Node::Text(text) => {
                pen.text.push_str(text);
                true
            }
            Node::Slot(slot) => self.slot(slot, pen, depth),
            Node::Choice(options) => {
                let first = pen.below(options.len());
                (0..options.len()).any(|i| {
                    let mark = pen.mark();
                    let done = self.body(&options[(first + i) % options.len()], pen, depth);
                    if !done {
                        pen.restore(mark);
                    }
                    done
                })
            }
        })
    }

    fn slot(&self, slot: &'static str, pen: &mut Pen, depth: u32) -> bool {
        match slot {
            "N" | "N's" | "F" | "they" | "them" | "their" | "themself" | "theirs" => {
                pen.mention(slot);
                return true;
            }
            "a" => {
                pen.text.push(ARTICLE);
                return true;
            }
            "," => {
                pen.text.push(COMMA);
                return true;
            }
            _ => {}
        }
        if self.symbols.contains_key(slot) {
            return self.expand(slot, pen, depth + 1);
        }
        match slot {
            "trait" => {
                let pole = pen.person.traits.iter().find(|pole| !pen.topics.contains(pole));
                pen.topics.extend(pole);
                return self.expand(&format!("t_{}", pole.unwrap_or(&"avg")), pen, depth + 1);
            }
            "hobby" => return pen.hobby(None, false),
            "does" => return pen.hobby(None, true),
            _ => {}
        }
        if let Some(class) = slot.strip_prefix("h_") {
            return pen.hobby(Some(class), false);
        }
        if let Some(class) = slot.strip_prefix("v_") {
            return pen.hobby(Some(class), true);
        }
        let Some(values) = pen.person.values(slot) else { return false };
        let at = pen.named.iter().rev().find(|(name, _)| *name == slot).map_or(0, |(_, at)| *at);
        let Some(value) = values.get(at) else { return false };
        if values.len() > 1 {
            pen.named.push((slot, at + 1));
        }
        match value.strip_prefix('@') {
            Some(symbol) => {
                // Symbols named by the person: more than one may be tried, and one may serve twice.
                let symbol = symbol.to_owned();
                self.expand(&symbol, pen, depth + 1)
            }
            None => {
                // What one list names, another does not name again.
                if slot != "city" && slot != "state" && values.len() > 1 && pen.text.contains(value.as_str()) {
                    return self.slot(slot, pen, depth);
                }
                pen.fact(value);
                true
            }
        }
    }
}

impl Production {
    fn fits(&self, pen: &Pen) -> bool {
        let holds = |flag: &str| match flag.strip_prefix("in_") {
            Some(class) => pen.hobbies.first().is_some_and(|at| pen.person.hobbies[*at].is(class)),
            None => pen.person.is(flag),
        };
        self.conditions.iter().all(|any| any.iter().any(|(wanted, flag)| holds(flag) == *wanted))
    }

    /// About one person in how many the conditions hold for: what fits few is said the more readily of them.
    fn rarity(&self) -> usize {
        let share = |(wanted, flag): &(bool, &str)| match *flag {
            _ if !wanted => 1,
            "job" | "native" | "with_spouse" | "married_present" | "tool" | "handy" | "h_sport" | "h_art"
            | "lang_english" => 1,
            "retired" | "seeking" | "at_home" | "student" => 1,
            "a18" | "a25" | "a35" | "a45" | "a55" | "a65" | "a75" | "a85" => 4,
            flag if flag.starts_with("in_") => 2,
            flag if flag.starts_with("h_") => 4,
            flag if flag.starts_with("g_") || flag.starts_with("is_") => 8,
            _ => 3,
        };
        self.conditions.iter().map(|any| any.iter().map(share).min().unwrap_or(1)).max().unwrap_or(1)
    }
}

/// Where a text stood before an attempt that may fail.
struct Mark {
    state: u64,
    mentions: u32,
    since_name: u32,
    used: usize,
    topics: usize,
    hobbies: usize,
    named: usize,
    text: usize,
}

impl Pen<'_> {
    fn mark(&self) -> Mark {
        Mark {
            state: self.state,
            mentions: self.mentions,
            since_name: self.since_name,
            used: self.used.len(),
            topics: self.topics.len(),
            hobbies: self.hobbies.len(),
            named: self.named.len(),
            text: self.text.len(),
        }
    }

    fn restore(&mut self, mark: Mark) {
        self.state = mark.state;
        self.mentions = mark.mentions;
        self.since_name = mark.since_name;
        self.used.truncate(mark.used);
        self.topics.truncate(mark.topics);
        self.hobbies.truncate(mark.hobbies);
        self.named.truncate(mark.named);
        self.text.truncate(mark.text);
    }

    /// A number below `bound`, by SplitMix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * bound as u128) >> 64) as usize
    }

    /// Names the person: in full at first, then by pronoun, and by first name now and then.
    fn mention(&mut self, slot: &str) {
        let person = self.person;
        let word = match slot {
            "N" | "N's" => {
                self.mentions += 1;
                self.since_name += 1;
                let turn = self.below(12);
                let name = match self.mentions {
                    1 if turn < 4 => person.first.clone(),
                    1 => person.full.clone(),
                    _ if person.pronoun.is_none() || (turn < 4 && self.since_name > 2) => person.first.clone(),
                    _ => String::new(),
                };
                if !name.is_empty() {
                    self.since_name = 0;
                }
                match (slot, name.is_empty()) {
                    ("N", true) => person.pronoun.map_or("they", |p| p[0]).to_owned(),
                    ("N", false) => name,
                    (_, true) => person.pronoun.map_or("their", |p| p[2]).to_owned(),
                    (_, false) => format!("{name}'s"),
                }
            }
            "F" => {
                self.mentions += 1;
                self.since_name = 0;
                person.first.clone()
            }
            "they" => person.pronoun.map_or(person.first.clone(), |p| p[0].to_owned()),
            "them" => person.pronoun.map_or("them", |p| p[1]).to_owned(),
            "their" => person.pronoun.map_or("their", |p| p[2]).to_owned(),
            "theirs" => person.pronoun.map_or("theirs", |p| p[3]).to_owned(),
            _ => person.pronoun.map_or("themself", |p| p[4]).to_owned(),
        };
        self.fact(&word);
    }

    /// Names the next hobby, of a class if one is given, as a noun or as what is done.
    fn hobby(&mut self, class: Option<&str>, does: bool) -> bool {
        // A journey is not what one does when the dishes are dry.
        let home = |hobby: &Hobby| !(does && hobby.class == "travel");
        let fits = |hobby: &Hobby| class.map_or_else(|| home(hobby), |class| hobby.is(class));
        let person = self.person;
        let verb = |hobby: &Hobby| hobby.does.split(' ').next().map(str::to_owned);
        let said = |hobby: &Hobby| does && self.hobbies.iter().any(|at| verb(&person.hobbies[*at]) == verb(hobby));
        let left = person.hobbies.iter().enumerate().filter(|(at, h)| fits(h) && !self.hobbies.contains(at));
        // Another verb than before, if there is one: not "goes to the opera and goes camping".
        let Some((at, hobby)) = left.min_by_key(|(_, hobby)| said(hobby)) else { return false };
        self.hobbies.push(at);
        self.fact(if does { &hobby.does } else { &hobby.phrase });
        true
    }

    fn fact(&mut self, word: &str) {
        self.text.push(FACT);
        self.text.push_str(word);
        self.text.push(END);
    }
}

/// The poles of the temperament.
const POLES: [&str; 10] = ["o_hi", "o_lo", "c_hi", "c_lo", "e_hi", "e_lo", "a_hi", "a_lo", "n_hi", "n_lo"];

/// Beyond so many sentences a production is not chosen more often.
const MOST: usize = 60;
/// Stands for the indefinite article until its noun is known.
const ARTICLE: char = '\u{1}';
/// Stands for a comma, unless the clause ends there anyway: after the state in "in Salem, Oregon, and".
const COMMA: char = '\u{4}';
/// Enclose what comes from the facts while a text is being written, so that its skeleton can be told.
const FACT: char = '\u{2}';
const END: char = '\u{3}';

/// Articles before their nouns, one space between words, capitals at the start of sentences.
fn finish(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut start = true;
    for (at, c) in text.char_indices() {
        match c {
            FACT | END => {}
            COMMA => {
                if text[at + 1..].trim_start_matches([FACT, END]).starts_with(' ') {
                    out.push(',');
                }
            }
            ARTICLE => {
                let word = text[at + 1..].trim_start_matches([' ', FACT, END]);
                let article = if begins_with_vowel_sound(word) { "an" } else { "a" };
                let mut article = article.to_owned();
                if start {
                    article.replace_range(0..1, "A");
                    start = false;
                }
                out.push_str(&article);
            }
            ' ' => {
                let next = text[at + 1..].chars().find(|c| !matches!(*c, FACT | END));
                if !out.is_empty() && !out.ends_with(' ') && !matches!(next, None | Some(',' | '.' | ';' | ':')) {
                    out.push(' ');
                }
            }
            _ => {
                if start && c.is_alphabetic() {
                    out.extend(c.to_uppercase());
                    start = false;
                } else {
                    out.push(c);
                    start &= !c.is_alphanumeric();
                }
                // A full stop ends a sentence where a space and a lower-case letter or an article follow.
                if c == '.' && text[at + 1..].trim_start_matches(END).starts_with(' ') {
                    start = true;
                }
            }
        }
    }
    out.trim_end().to_owned()
}

/// Whether English puts "an" before the word.
fn begins_with_vowel_sound(word: &str) -> bool {
    let word: String = word.chars().take_while(|c| c.is_alphanumeric()).collect();
    let lower = word.to_lowercase();
    if word.len() > 1
        && word.chars().any(char::is_uppercase)
        && word.chars().all(|c| c.is_uppercase() || c.is_ascii_digit())
    {
        // Spelt letter by letter: an MRI scan, a UV lamp.
        return word.starts_with(['A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X']);
    }
    if ["hour", "honest", "honor", "heir", "x"].iter().any(|p| lower.starts_with(p)) {
        return true;
    }
    if ["uni", "use", "usu", "uti", "ute", "eu", "one", "once", "ura"].iter().any(|p| lower.starts_with(p)) {
        return lower.starts_with("unin") || lower.starts_with("unim");
    }
    if lower.starts_with(|c: char| c.is_ascii_digit()) {
        return lower.starts_with('8') || lower == "11" || lower == "18";
    }
    lower.starts_with(['a', 'e', 'i', 'o', 'u'])
}

/// Reads a production's text from `at` up to its end, or to the end of the alternative it stands in.
fn nodes(text: &'static str, at: &mut usize) -> Vec<Node> {
    let mut out = Vec::new();
    let mut from = *at;
    while let Some(c) = text[*at..].chars().next() {
        match c {
            '{' => {
                push_text(&mut out, &text[from..*at]);
                let end = *at + text[*at..].find('}').expect("a slot of the built-in grammar is closed");
                out.push(Node::Slot(&text[*at + 1..end]));
                *at = end + 1;
                from = *at;
            }
            '(' => {
                push_text(&mut out, &text[from..*at]);
                let mut options = Vec::new();
                loop {
                    *at += 1;
                    options.push(nodes(text, at));
                    if !text[*at..].starts_with('|') {
                        break;
                    }
                }
                *at += 1;
                from = *at;
                out.push(Node::Choice(options));
            }
            '|' | ')' => break,
            _ => *at += c.len_utf8(),
        }
    }
    push_text(&mut out, &text[from..*at]);
    out
}

fn push_text(out: &mut Vec<Node>, text: &'static str) {
    if !text.is_empty() {
        out.push(Node::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound() {
        for (text, expected) in [
            ("\u{1} MRI technologist", "An MRI technologist"),
            ("is \u{1} usher", "Is an usher"),
            ("is \u{1} university dean", "Is a university dean"),
            ("is \u{1} hourly job", "Is an hourly job"),
            ("is \u{1} 82 and \u{1} 11", "Is an 82 and an 11"),
            ("is \u{1} sailor. she sails", "Is a sailor. She sails"),
        ] {
            assert_eq!(finish(text), expected);
        }
    }

    #[test]
    fn a_production_nests_alternatives() {
        let body = nodes("go (to (the {city}|town)|home).", &mut 0);
        assert_eq!(body.len(), 3);
        assert!(matches!(&body[1], Node::Choice(options) if options.len() == 2));
    }
}
