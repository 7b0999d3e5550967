//! Small packs written to a folder and compiled, for the tests of this crate.
#![allow(dead_code)]

pub mod margins;
pub mod questions;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use populace_population::{Compiled, Pack, Result, compile};

/// A network small enough to enumerate: levels are `0`, `1`, …; integers for every second variable.
#[derive(Debug, Clone)]
pub struct Small {
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub levels: usize,
    /// Indices of earlier nodes.
    pub parents: Vec<usize>,
    /// Rows of weights, one for each configuration of the parents, the last parent running fastest.
    pub weights: Vec<Vec<u32>>,
}

impl Small {
    pub fn is_integer(variable: usize) -> bool {
        variable % 2 == 1
    }

    pub fn label(variable: usize, level: usize) -> String {
        if Small::is_integer(variable) { level.to_string() } else { format!("v{level}") }
    }

    /// Writes the pack's sources, compiles them and reads them back.
    pub fn pack(&self) -> Arc<Pack> {
        let dir = tempfile::tempdir().unwrap();
        let columns: Vec<String> = (0..self.nodes.len()).map(|v| format!("\"x{v}\"")).collect();
        let mut toml = format!(
            "[pack]\nname = \"small\"\ntitle = \"Small\"\ncountry = \"S\"\nyear = \"2000\"\npopulation_figure = \"f0\"\ncolumns = [{}]\n\
             [[source]]\nid = \"s\"\nagency = \"a\"\ntitle = \"t\"\nyear = \"2000\"\nlicence = \"CC0\"\n",
            columns.join(", ")
        );
        for (v, node) in self.nodes.iter().enumerate() {
            let levels: Vec<String> = (0..node.levels).map(|l| format!("\"{}\"", Small::label(v, l))).collect();
            let levels = match Small::is_integer(v) {
                true => format!("integers = [0, {}]", node.levels - 1),
                false => format!("levels = [{}]", levels.join(", ")),
            };
            let parents: Vec<String> = node.parents.iter().map(|p| format!("\"x{p}\"")).collect();
            write!(
                toml,
                "[[variable]]\nname = \"x{v}\"\n{levels}\n\
                 [[figure]]\nname = \"f{v}\"\nfile = \"f{v}.csv\"\nstatus = \"official\"\nsource = \"s\"\n\
                 [[node]]\nvariable = \"x{v}\"\nparents = [{}]\ntables = [\"f{v}\"]\n",
                parents.join(", ")
            )
            .unwrap();
            let mut csv: String = node.parents.iter().map(|p| format!("x{p},")).collect();
            writeln!(csv, "x{v},count").unwrap();
            for (config, row) in node.weights.iter().enumerate() {
                for (level, weight) in row.iter().enumerate() {
                    let mut rest = config;
                    let mut labels = vec![];
                    for parent in node.parents.iter().rev() {
                        labels.push(Small::label(*parent, rest % self.nodes[*parent].levels));
                        rest /= self.nodes[*parent].levels;
                    }
                    labels.reverse();
                    labels.push(Small::label(v, level));
                    writeln!(csv, "{},{weight}", labels.join(",")).unwrap();
                }
            }
            std::fs::write(dir.path().join(format!("f{v}.csv")), csv).unwrap();
        }
        std::fs::write(dir.path().join("pack.toml"), toml).unwrap();
        compile(dir.path()).unwrap().pack
    }

    /// Every joint configuration with its probability.
    pub fn enumerate(&self) -> Vec<(Vec<usize>, f64)> {
        let mut all = vec![(vec![], 1.0)];
        for node in &self.nodes {
            let mut next = vec![];
            for (levels, p) in all {
                let config = node.parents.iter().fold(0, |c, parent| c * self.nodes[*parent].levels + levels[*parent]);
                let total: u32 = node.weights[config].iter().sum();
                for (level, weight) in node.weights[config].iter().enumerate() {
                    let mut levels: Vec<usize> = levels.clone();
                    levels.push(level);
                    next.push((levels, p * f64::from(*weight) / f64::from(total)));
                }
            }
            all = next;
        }
        all
    }
}

/// Compiles a folder made of these files.
pub fn compile_files(files: &[(&str, &str)]) -> Result<Compiled> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(Path::new(dir.path()).join(name), text).unwrap();
    }
    compile(dir.path())
}
