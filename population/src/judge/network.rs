//! The network in a language that other programs of inference read, so that anyone can check it.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::judge::Analysis;
use crate::model::partition::Partition;
use crate::model::potential::cells;

/// A table of more cells is left out, with what is drawn after it: every cell is written, zeros too.
const MOST_CELLS: u128 = 1 << 22;

impl Analysis<'_> {
    /// The network as XMLBIF 0.3 (Cozman 1998), which pyAgrum, SamIam and JavaBayes read. A variable that is a parent
    /// through bands or groups has a variable of its classes below it, named `age.13` by their number. A table that would
    /// be too large to write is left out with all that depends on it, and a comment says which; the distribution of the
    /// others is the same without them.
    pub fn export_network(&self) -> String {
        let network = &self.pack.network;
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BIF VERSION=\"0.3\">\n<NETWORK>\n");
        // Whatever goes wrong with a text that grows in memory, it is not writing to it.
        _ = writeln!(text, "<NAME>{}</NAME>", escaped(&self.pack.id()));
        let (mut written, mut left_out) = (vec![false; network.tables.len()], vec![]);
        let mut classes: HashMap<(usize, Partition), String> = HashMap::new();
        let mut definitions = String::new();
        for (v, (variable, table)) in network.variables.iter().zip(&network.tables).enumerate() {
            let size = cells(&table.parents) * variable.len() as u128;
            if size > MOST_CELLS || !table.parents.iter().all(|p| written[p.variable]) {
                left_out.push(variable.name.as_str());
                continue;
            }
            written[v] = true;
            let mut given = vec![];
            for axis in &table.parents {
                let parent = &network.variables[axis.variable];
                if axis.partition.is_finest() {
                    given.push(parent.name.clone());
                    continue;
                }
                let key = (axis.variable, axis.partition.clone());
                if !classes.contains_key(&key) {
                    let count = axis.partition.classes();
                    let mut name = format!("{}.{count}", parent.name);
                    while classes.values().any(|known| *known == name) {
                        name.push('\'');
                    }
                    declare(&mut text, &name, axis.partition.members().iter().map(|m| parent.label(m[0])));
                    let of = |level: usize| usize::from(axis.partition.class_of()[level]);
                    let cell = |at: usize| if of(at / count) == at % count { "1" } else { "0" };
                    let table = (0..parent.len() * count).map(cell).collect::<Vec<_>>().join(" ");
                    define(&mut definitions, &name, std::slice::from_ref(&parent.name), &table);
                    classes.insert(key.clone(), name);
                }
                given.push(classes[&key].clone());
            }
            declare(&mut text, &variable.name, (0..variable.len()).map(|level| variable.label(level)));
            let mut cells = String::new();
            let mut row_cells = vec![0.0; variable.len()];
            for row in 0..table.rows.len() {
                row_cells.fill(0.0);
                table.rows.each(row, |level, p| row_cells[level] = p);
                row_cells.iter().for_each(|p| _ = write!(cells, "{p} "));
            }
            define(&mut definitions, &variable.name, &given, cells.trim_end());
        }
        if !left_out.is_empty() {
            _ = writeln!(
                text,
                "<!-- left out, as too large to write: {} -->",
                escaped(&left_out.join(", ")).replace("--", "- -")
            );
        }
        text + &definitions + "</NETWORK>\n</BIF>\n"
    }
}

fn declare(text: &mut String, name: &str, outcomes: impl Iterator<Item = String>) {
    _ = writeln!(text, "<VARIABLE TYPE=\"nature\">\n<NAME>{}</NAME>", escaped(name));
    outcomes.for_each(|outcome| _ = writeln!(text, "<OUTCOME>{}</OUTCOME>", escaped(&outcome)));
    text.push_str("</VARIABLE>\n");
}

fn define(text: &mut String, name: &str, given: &[String], table: &str) {
    _ = writeln!(text, "<DEFINITION>\n<FOR>{}</FOR>", escaped(name));
    given.iter().for_each(|parent| _ = writeln!(text, "<GIVEN>{}</GIVEN>", escaped(parent)));
    _ = writeln!(text, "<TABLE>{table}</TABLE>\n</DEFINITION>");
}

/// A text as XML has it; a control character, which XML cannot have, as a space.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_written_and_names_are_escaped() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs/tests/packs/tiny");
        let pack = crate::compile(&dir).unwrap().pack;
        let text = Analysis::of(&pack).export_network();
        for told in [
            "<FOR>job</FOR>\n<GIVEN>sex</GIVEN>\n<GIVEN>age</GIVEN>\n<TABLE>",
            "<OUTCOME>civil_engineer</OUTCOME>",
            "<OUTCOME>29</OUTCOME>",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert_eq!(text.matches("<VARIABLE").count(), text.matches("<DEFINITION>").count());
        let table = text.split("<FOR>job</FOR>").nth(1).unwrap().split("<TABLE>").nth(1).unwrap();
        let cells: Vec<f64> = table.split('<').next().unwrap().split(' ').map(|p| p.parse().unwrap()).collect();
        assert_eq!(cells.len(), 2 * 12 * 4);
        assert!(cells.chunks(4).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        assert_eq!(escaped("R&D <\"x\">\n"), "R&amp;D &lt;&quot;x&quot;&gt; ");
    }
}
