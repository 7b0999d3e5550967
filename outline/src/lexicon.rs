//! The words for the levels of a column, from a CSV.

use std::collections::HashMap;

/// A CSV whose first column is unique: its other columns by name.
#[derive(Debug)]
pub(crate) struct Lexicon {
    /// The names of the columns after the first
    pub headers: Vec<String>,
    rows: HashMap<String, (usize, Vec<String>)>,
}

impl Lexicon {
    /// Reads a file; `place` is what it is called where it is at fault.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn parse(place: &str, text: &str) -> Result<Lexicon, Vec<String>> {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let mut faults = vec![];
        let headers = reader.headers().map(|h| h.iter().map(|h| h.trim().to_owned()).collect::<Vec<_>>());
        let headers = headers.map_err(|e| vec![format!("{place}:1: {e}")])?;
        if headers.len() < 2 || headers.iter().any(String::is_empty) {
            return Err(vec![format!("{place}:1: a lexicon has names of a level and of what it says of it")]);
        }
        if let Some(twice) = headers.iter().enumerate().find(|(i, h)| headers[..*i].contains(h)) {
            faults.push(format!("{place}:1: two columns are named `{}`", twice.1));
        }
        let mut rows: HashMap<String, (usize, Vec<String>)> = HashMap::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    faults.push(format!("{place}:{line}: {error}"));
                    continue;
                }
            };
            let line = record.position().map_or(0, csv::Position::line) as usize;
            if record.len() != headers.len() {
                faults.push(format!("{place}:{line}: {} fields, the header has {}", record.len(), headers.len()));
                continue;
            }
            let level = record[0].trim().to_owned();
            let cells: Vec<String> = record.iter().skip(1).map(|cell| cell.trim().to_owned()).collect();
            faults.extend(cells.iter().filter_map(|c| inflection_fault(c)).map(|f| format!("{place}:{line}: {f}")));
            if let Some((before, _)) = rows.insert(level.clone(), (line, cells)) {
                faults.push(format!("{place}:{line}: `{level}` is in line {before} already"));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Lexicon { headers: headers.into_iter().skip(1).collect(), rows })
    }

    /// The cells of a level, in the order of the headers.
    pub fn get(&self, level: &str) -> Option<&[String]> {
        self.rows.get(level).map(|(_, cells)| cells.as_slice())
    }

    /// The levels, with the lines they are in and their cells.
    pub fn rows(&self) -> impl Iterator<Item = (&str, usize, &[String])> {
        self.rows.iter().map(|(level, (line, cells))| (level.as_str(), *line, cells.as_slice()))
    }

    /// The place of a column among the cells.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|h| h == name)
    }

    /// The values of a column that are not empty.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let Some(at) = self.column(name) else { return vec![] };
        self.rows.values().map(|(_, cells)| cells[at].as_str()).filter(|c| !c.is_empty()).collect()
    }
}

/// A word with `<masculine|feminine>` in it, for one of them.
pub(crate) fn inflect(text: &str, female: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, form)) = rest.split_once('<') {
        let Some((form, after)) = form.split_once('>') else { break };
        let (masculine, feminine) = form.split_once('|').unwrap_or((form, form));
        out.push_str(before);
        out.push_str(if female { feminine } else { masculine });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What is wrong with the `<masculine|feminine>` in a word.
pub(crate) fn inflection_fault(text: &str) -> Option<String> {
    let mut open = None;
    for c in text.chars() {
        match (c, &mut open) {
            ('<', None) => open = Some(0),
            ('|', Some(bars)) => *bars += 1,
            ('>', Some(1)) => open = None,
            ('<' | '>', _) => return Some(format!("{text:?}: two forms are written <masculine|feminine>")),
            _ => {}
        }
    }
    open.map(|_| format!("{text:?}: `<` is not closed"))
}
