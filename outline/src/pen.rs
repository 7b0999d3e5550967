//! Writing one text by a grammar: what is drawn, what has been used, and what is taken back where it leads nowhere.

use crate::finish::{ARTICLE, COMMA, END, FACT, Script, finish};
use crate::grammar::{Grammar, Node, Production};
use crate::person::{Hobby, Person};

/// The state of one text being written: its random choices, and what it has used.
pub(crate) struct Pen<'a> {
    grammar: &'a Grammar,
    person: &'a Person<'a>,
    state: u64,
    used: Vec<u32>,
    topics: Vec<&'a str>,
    /// The hobbies that the text has named.
    hobbies: Vec<usize>,
    /// How far into each list the text has come, the latest last.
    named: Vec<(&'a str, usize)>,
    /// How often the person has been mentioned, for names and pronouns.
    mentions: u32,
    /// And how often since by name.
    since_name: u32,
    /// The text so far.
    text: String,
}

/// Symbols within symbols.
const DEEPEST: u32 = 12;

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

/// Writes `symbol` about a person; `None` where no production fits what is known.
pub(crate) fn write(grammar: &Grammar, symbol: &str, person: &Person, seed: u64, script: Script) -> Option<String> {
    draft(grammar, symbol, person, seed).map(|draft| finish(&draft, script))
}

/// A text as [`write`] writes it, and its sentences with every fact masked.
pub(crate) fn skeleton(
    grammar: &Grammar,
    symbol: &str,
    person: &Person,
    seed: u64,
    script: Script,
) -> Option<(String, Vec<String>)> {
    let draft = draft(grammar, symbol, person, seed)?;
    let mut masked = String::new();
    let mut inside = false;
    for c in draft.chars() {
        match c {
            FACT => masked.push('_'),
            ARTICLE => masked.push('a'),
            '。' | '।' if !inside => masked.push_str(". "),
            _ if !inside && c != END && c != COMMA => masked.push(c),
            _ => {}
        }
        inside = c == FACT || (inside && c != END);
    }
    let sentences = masked.split(". ").map(|s| s.trim_end_matches('.').trim().to_lowercase());
    Some((finish(&draft, script), sentences.filter(|s| !s.is_empty()).collect()))
}

fn draft(grammar: &Grammar, symbol: &str, person: &Person, seed: u64) -> Option<String> {
    let mut pen = Pen {
        grammar,
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
    pen.expand(symbol, 0).then_some(pen.text)
}

impl<'a> Pen<'a> {
    fn expand(&mut self, symbol: &str, depth: u32) -> bool {
        let Some(productions) = self.grammar.get(symbol) else { return false };
        if depth > DEEPEST {
            return false;
        }
        let mut fit: Vec<&'a Production> = productions.iter().filter(|p| self.fits(p)).collect();
        // Fresh productions first, by weight; a dead end falls through to the next one.
        while !fit.is_empty() {
            let stale = |p: &Production| {
                self.used.contains(&p.id) || p.topics.iter().any(|t| self.topics.contains(&t.as_str()))
            };
            let rank = |p: &Production| (stale(p), p.last);
            let best = fit.iter().map(|p| rank(p)).min();
            let weight = |p: &Production| if Some(rank(p)) == best { p.weight } else { 0 };
            let weights: Vec<usize> = fit.iter().map(|p| weight(p)).collect();
            let mut draw = self.below(weights.iter().sum());
            let at = weights.iter().position(|weight| {
                let here = draw < *weight;
                draw = draw.saturating_sub(*weight);
                here
            });
            let production = fit.swap_remove(at.unwrap_or(0));
            let mark = self.mark();
            self.used.push(production.id);
            self.topics.extend(production.topics.iter().map(String::as_str));
            if self.body(&production.body, depth) {
                return true;
            }
            self.restore(mark);
        }
        false
    }

    fn fits(&self, production: &Production) -> bool {
        let holds = |flag: &str| match flag.strip_prefix("in_") {
            Some(class) => self.hobbies.first().is_some_and(|at| self.person.hobbies[*at].is(class)),
            None => self.person.is(flag),
        };
        production.conditions.iter().all(|any| any.iter().any(|(wanted, flag)| holds(flag) == *wanted))
    }

    fn body(&mut self, body: &'a [Node], depth: u32) -> bool {
        body.iter().all(|node| match node {
            Node::Text(text) => {
                self.text.push_str(text);
                true
            }
            Node::Slot(slot) => self.slot(slot, depth),
            Node::Sex(masculine, feminine) => {
                self.body(if self.person.female == Some(true) { feminine } else { masculine }, depth)
            }
            Node::Choice(options) => {
                let first = self.below(options.len());
                (0..options.len()).any(|i| {
                    let mark = self.mark();
                    let done = self.body(&options[(first + i) % options.len()], depth);
                    if !done {
                        self.restore(mark);
                    }
                    done
                })
            }
        })
    }

    fn slot(&mut self, slot: &'a str, depth: u32) -> bool {
        match slot {
            "N" | "N's" | "F" | "they" | "them" | "their" | "themself" | "theirs" => {
                self.mention(slot);
                return true;
            }
            "a" => {
                self.text.push(ARTICLE);
                return true;
            }
            "," => {
                self.text.push(COMMA);
                return true;
            }
            _ => {}
        }
        if self.grammar.contains(slot) {
            return self.expand(slot, depth + 1);
        }
        match slot {
            "trait" => {
                let person = self.person;
                let pole = person.traits.iter().copied().find(|pole| !self.topics.contains(pole));
                self.topics.extend(pole);
                return self.expand(&format!("t_{}", pole.unwrap_or("avg")), depth + 1);
            }
            "hobby" => return self.hobby(None, false),
            "does" => return self.hobby(None, true),
            _ => {}
        }
        if let Some(class) = slot.strip_prefix("h_") {
            return self.hobby(Some(class), false);
        }
        if let Some(class) = slot.strip_prefix("v_") {
            return self.hobby(Some(class), true);
        }
        self.value(slot, depth)
    }

    /// The next word for a fact.
    fn value(&mut self, slot: &'a str, depth: u32) -> bool {
        let person = self.person;
        let Some(values) = person.values(slot) else { return false };
        loop {
            let at = self.named.iter().rev().find(|(name, _)| *name == slot).map_or(0, |(_, at)| *at);
            let Some(value) = values.get(at) else { return false };
            if values.len() > 1 {
                self.named.push((slot, at + 1));
            }
            if let Some(symbol) = value.strip_prefix('@') {
                return self.expand(symbol, depth + 1);
            }
            // What one list names, another does not name again.
            if values.len() > 1 && self.text.contains(value.as_str()) {
                continue;
            }
            self.fact(value);
            return true;
        }
    }

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

    /// Names the person: in full at first, then by pronoun, and by the short name now and then.
    fn mention(&mut self, slot: &str) {
        let person = self.person;
        let pronoun = |at: usize| person.pronouns.map(|p| p[at].as_str()).filter(|p| !p.is_empty());
        let or_name = |at: usize| pronoun(at).unwrap_or(&person.short).to_owned();
        let word = match slot {
            "N" | "N's" => {
                self.mentions += 1;
                self.since_name += 1;
                let turn = self.below(12);
                let name = match self.mentions {
                    1 if turn < 4 => Some(&person.short),
                    1 => Some(&person.full),
                    _ if pronoun(0).is_none() || (turn < 4 && self.since_name > 2) => Some(&person.short),
                    _ => None,
                };
                if name.is_some() {
                    self.since_name = 0;
                }
                match (slot, name) {
                    ("N", Some(name)) => name.clone(),
                    ("N", None) => or_name(0),
                    (_, Some(name)) => format!("{name}'s"),
                    (_, None) => or_name(2),
                }
            }
            "F" => {
                self.mentions += 1;
                self.since_name = 0;
                person.short.clone()
            }
            "they" => or_name(0),
            "them" => or_name(1),
            "their" => or_name(2),
            "theirs" => or_name(3),
            _ => or_name(4),
        };
        self.fact(&word);
    }

    /// Names the next hobby, of a class if one is given, as a noun or as what is done.
    fn hobby(&mut self, class: Option<&str>, does: bool) -> bool {
        // A journey is not what one does when the dishes are dry.
        let home = |hobby: &Hobby| !(does && hobby.away);
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
