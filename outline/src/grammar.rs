//! A small generative grammar: productions that hold for some people only, slots for facts, inline alternatives.
//!
//! A grammar is a text. `@symbol` opens a symbol, every line below it is one production. A production may begin with
//! conditions on the person, `[married !kids old|retired]`: all must hold, `!` negates, `|` is or. In its text
//! `(one|two|)` chooses, `{slot}` takes a fact, or expands the symbol of that name, and `<masculine|feminine>` goes by
//! the person's sex: the first where that is not known. A production whose slots cannot be filled is passed over, so a
//! fact that is missing never leaves a hole; one marked `[last]` serves where no other does. `~topic` names what a
//! production is about: a text turns to a topic once. A pole of the temperament is a topic. `in_team` holds where the
//! first hobby that the text has named is of the class `team`.

use std::collections::HashMap;

/// A parsed grammar: the productions of every symbol.
#[derive(Debug)]
pub(crate) struct Grammar {
    symbols: HashMap<String, Vec<Production>>,
}

#[derive(Debug)]
pub(crate) struct Production {
    /// Unique in the grammar: a text uses no production twice while others are left.
    pub id: u32,
    pub conditions: Vec<Vec<(bool, String)>>,
    /// What it is about: a text that has been there prefers another.
    pub topics: Vec<String>,
    /// Used only where every other production of its symbol failed: `[last]`.
    pub last: bool,
    /// How likely the production is next to others: the sentences it can make, so that none of them is made often.
    pub weight: usize,
    pub body: Vec<Node>,
    /// The file and the line that it is in.
    place: String,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Slot(String),
    Choice(Vec<Vec<Node>>),
    /// For a man, for a woman
    Sex(Vec<Node>, Vec<Node>),
}

/// The poles of the temperament.
pub(crate) const POLES: [&str; 10] = ["o_hi", "o_lo", "c_hi", "c_lo", "e_hi", "e_lo", "a_hi", "a_lo", "n_hi", "n_lo"];

/// Beyond so many sentences a production is not chosen more often.
const MOST: usize = 60;

/// Sentences that a clause on the temperament, or one named by a fact, is taken to make.
const CLAUSE: usize = 5;

/// What weighs a grammar's productions.
pub(crate) struct Scales<'a> {
    /// About one person in how many a condition holds for
    pub rarity: &'a dyn Fn(&str) -> usize,
    /// Whether the facts name a symbol for a slot
    pub expands: &'a dyn Fn(&str) -> bool,
}

impl Grammar {
    /// Reads the grammars of several files, by name and text, as one.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with file and line.
    pub fn parse(files: &[(String, &str)], scales: &Scales) -> Result<Grammar, Vec<String>> {
        let mut symbols: HashMap<String, Vec<Production>> = HashMap::new();
        let mut faults = vec![];
        let mut id = 0;
        for (file, text) in files {
            let mut symbol = "";
            for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let place = format!("{file}:{}", number + 1);
                if let Some(name) = line.strip_prefix('@') {
                    symbol = name.trim();
                    if symbol.is_empty() || symbol.contains(['{', '}', '(', ')', '|', '[', ']']) {
                        faults.push(format!("{place}: {name:?} is no name of a symbol"));
                    }
                    continue;
                }
                id += 1;
                match production(id, line, &place) {
                    _ if symbol.is_empty() => faults.push(format!("{place}: a production before the first @symbol")),
                    Ok(production) => symbols.entry(symbol.to_owned()).or_default().push(production),
                    Err(fault) => faults.push(format!("{place}: {fault}")),
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut grammar = Grammar { symbols };
        let weight =
            |p: &Production| (16 * grammar.variants(&p.body, scales, 0).min(MOST)).isqrt() * p.rarity(scales.rarity);
        let weights: HashMap<u32, usize> = grammar.symbols.values().flatten().map(|p| (p.id, weight(p))).collect();
        for production in grammar.symbols.values_mut().flatten() {
            production.weight = weights.get(&production.id).copied().unwrap_or(1);
        }
        Ok(grammar)
    }

    /// How many sentences the nodes can make, the facts aside; a few levels deep, which is enough to compare.
    fn variants(&self, body: &[Node], scales: &Scales, depth: u32) -> usize {
        let count = |node: &Node| match node {
            Node::Text(_) => 1,
            Node::Choice(options) => options.iter().map(|option| self.variants(option, scales, depth)).sum(),
            Node::Sex(masculine, feminine) => {
                self.variants(masculine, scales, depth).max(self.variants(feminine, scales, depth))
            }
            Node::Slot(slot) if slot == "trait" || (scales.expands)(slot) => CLAUSE,
            Node::Slot(slot) if depth < 4 => self.symbols.get(slot).map_or(1, |productions| {
                let share =
                    |p: &Production| self.variants(&p.body, scales, depth + 1).div_ceil(p.rarity(scales.rarity));
                productions.iter().map(share).fold(0_usize, usize::saturating_add)
            }),
            Node::Slot(_) => 1,
        };
        body.iter().map(count).fold(1, |product: usize, n| product.saturating_mul(n)).min(MOST * MOST)
    }

    /// The productions of a symbol.
    pub fn get(&self, symbol: &str) -> Option<&[Production]> {
        self.symbols.get(symbol).map(Vec::as_slice)
    }

    pub fn contains(&self, symbol: &str) -> bool {
        self.symbols.contains_key(symbol)
    }

    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.symbols.keys().map(String::as_str)
    }

    /// Slots that productions name, each with the place of one of them.
    pub fn slots(&self) -> Vec<(&str, &str)> {
        fn walk<'a>(nodes: &'a [Node], place: &'a str, slots: &mut Vec<(&'a str, &'a str)>) {
            for node in nodes {
                match node {
                    Node::Slot(slot) => slots.push((slot, place)),
                    Node::Choice(options) => options.iter().for_each(|o| walk(o, place, slots)),
                    Node::Sex(masculine, feminine) => [masculine, feminine].iter().for_each(|o| walk(o, place, slots)),
                    Node::Text(_) => {}
                }
            }
        }
        let mut slots = Vec::new();
        self.symbols.values().flatten().for_each(|p| walk(&p.body, &p.place, &mut slots));
        slots
    }

    /// Conditions that productions have, each with the place of one of them.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.symbols.values().flatten();
        all.flat_map(|p| p.conditions.iter().flatten().map(|(_, flag)| (flag.as_str(), p.place.as_str())))
    }
}

impl Production {
    /// About one person in how many the conditions hold for: what fits few is said the more readily of them.
    fn rarity(&self, rarity: &dyn Fn(&str) -> usize) -> usize {
        let share = |(wanted, flag): &(bool, String)| if *wanted { rarity(flag) } else { 1 };
        self.conditions.iter().map(|any| any.iter().map(share).min().unwrap_or(1)).max().unwrap_or(1)
    }
}

fn production(id: u32, line: &str, place: &str) -> Result<Production, String> {
    let (conditions, text) = match line.strip_prefix('[') {
        None => ("", line),
        Some(rest) => rest.split_once(']').ok_or("`[` is not closed")?,
    };
    let last = conditions.split_whitespace().any(|c| c == "last");
    let topics = conditions.split_whitespace().filter_map(|c| c.strip_prefix('~').or(POLES.contains(&c).then_some(c)));
    // Who a person is, in a relative clause, is said once, and who lives in the house.
    let named = ["person", "home"].into_iter().filter(|name| text.contains(&format!("{{{name}}}")));
    let topics = topics.chain(named).map(String::from).collect();
    let any = |any: &str| -> Vec<(bool, String)> {
        any.split('|').map(|c| c.strip_prefix('!').map_or((true, c.into()), |c| (false, c.into()))).collect()
    };
    let conditions: Vec<Vec<(bool, String)>> =
        conditions.split_whitespace().filter(|c| *c != "last" && !c.starts_with('~')).map(any).collect();
    if conditions.iter().flatten().any(|(_, flag)| flag.is_empty()) {
        return Err("a condition has no name".into());
    }
    let body = body(text.trim_start())?;
    Ok(Production { id, conditions, topics, last, weight: 1, body, place: place.into() })
}

/// Reads a production's text.
pub(crate) fn body(text: &str) -> Result<Vec<Node>, String> {
    let mut at = 0;
    let body = nodes(text, &mut at, 0)?;
    match text[at..].chars().next() {
        Some(c) => Err(format!("`{c}` closes nothing, before {:?}", beginning(&text[at + c.len_utf8()..]))),
        None => Ok(body),
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(24).collect()
}

/// Alternatives within alternatives: more is a slip, and would exhaust the stack.
const DEEPEST: u32 = 24;

/// Reads from `at` up to the end of the text, or of the alternative that it is in.
fn nodes(text: &str, at: &mut usize, depth: u32) -> Result<Vec<Node>, String> {
    if depth > DEEPEST {
        return Err("alternatives are nested too deeply".into());
    }
    let mut out = Vec::new();
    let mut from = *at;
    while let Some(c) = text[*at..].chars().next() {
        match c {
            '{' => {
                push_text(&mut out, &text[from..*at]);
                let rest = &text[*at + 1..];
                let end = rest.find('}').ok_or_else(|| format!("`{{` is not closed, before {:?}", beginning(rest)))?;
                let slot = &rest[..end];
                if slot.is_empty() || slot.contains(['{', '(', ')', '|', '<', '>']) {
                    return Err(format!("{slot:?} is no name of a slot"));
                }
                out.push(Node::Slot(slot.to_owned()));
                *at += end + 2;
                from = *at;
            }
            '(' | '<' => {
                push_text(&mut out, &text[from..*at]);
                let (close, start) = (if c == '(' { ')' } else { '>' }, *at);
                let mut options = Vec::new();
                loop {
                    *at += 1;
                    options.push(nodes(text, at, depth + 1)?);
                    match text[*at..].chars().next() {
                        Some('|') => {}
                        Some(end) if end == close => break,
                        _ => return Err(format!("`{c}` is not closed, before {:?}", beginning(&text[start + 1..]))),
                    }
                }
                *at += 1;
                from = *at;
                match (c, options.len()) {
                    ('(', _) => out.push(Node::Choice(options)),
                    (_, 2) => {
                        let (feminine, masculine) = (options.pop(), options.pop());
                        out.push(Node::Sex(masculine.unwrap_or_default(), feminine.unwrap_or_default()));
                    }
                    _ => return Err("two forms are written <masculine|feminine>".into()),
                }
            }
            '|' | ')' | '>' => break,
            '}' => return Err("`}` closes nothing".into()),
            _ => *at += c.len_utf8(),
        }
    }
    push_text(&mut out, &text[from..*at]);
    Ok(out)
}

fn push_text(out: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        out.push(Node::Text(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_production_nests_alternatives() {
        let body = body("go (to (the {city}|town)|home).").unwrap();
        assert_eq!(body.len(), 3);
        assert!(matches!(&body[1], Node::Choice(options) if options.len() == 2));
    }

    #[test]
    fn forms_go_by_sex() {
        let text = |t: &str| vec![Node::Text(t.to_string())];
        assert_eq!(body("aposentad<o|a>").unwrap()[1], Node::Sex(text("o"), text("a")));
        assert_eq!(body("<|a>").unwrap(), [Node::Sex(vec![], text("a"))]);
        assert!(body("<o|a|e>").unwrap_err().contains("<masculine|feminine>"));
    }

    #[test]
    fn what_is_not_closed_is_told() {
        for (text, fault) in [
            ("go (to town", "`(` is not closed"),
            ("go to town)", "`)` closes nothing"),
            ("one|two", "`|` closes nothing"),
            ("go to {city", "`{` is not closed"),
            ("go to city}", "`}` closes nothing"),
            ("go (to <o|a) town>", "`<` is not closed"),
            ("go {} there", "no name of a slot"),
            (&"(".repeat(100), "too deeply"),
        ] {
            let error = body(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
        let scales = Scales { rarity: &|_| 1, expands: &|_| false };
        let file = |text| vec![("a.txt".to_string(), text)];
        let faults = |text| Grammar::parse(&file(text), &scales).unwrap_err();
        assert_eq!(
            faults("lost\n@s\n(a|b"),
            ["a.txt:1: a production before the first @symbol", "a.txt:3: `(` is not closed, before \"a|b\""]
        );
        assert_eq!(faults("@s\n[job text"), ["a.txt:2: `[` is not closed"]);
        assert_eq!(faults("@s\n[job|] text"), ["a.txt:2: a condition has no name"]);
    }
}
