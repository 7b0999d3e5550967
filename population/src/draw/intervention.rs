//! Interventions: what is set from outside, what follows from it, and what stays.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::infer::predicate::Value;
use crate::model::network::{Network, Rows, Table, UNREACHABLE, quantise};
use crate::model::variable::{Levels, Variable, find};
use crate::pack::Pack;

/// What an intervention does to a variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    Stays,
    Set(u16),
    /// Drawn again, by its table, among the levels that show what is set.
    Among(Vec<bool>),
    /// Drawn again: something above it may differ.
    Follows,
}

/// An intervention on a pack's network: `do(set)`, with some descendants kept.
#[derive(Debug)]
pub(crate) struct Intervention {
    pub roles: Vec<Role>,
    /// Whether the parents of each list may differ.
    pub lists: Vec<bool>,
    /// What is set, by name and label, in the order of names; and what is kept.
    pub set: Vec<(String, String)>,
    pub keep: Vec<String>,
}

/// A variable by its name, which is no list's.
fn variable(pack: &Pack, what: &'static str, name: &str) -> Result<usize> {
    if pack.list_names().any(|l| l == name) {
        let message = "it is a list of items, which is drawn by what it depends on".to_string();
        return Err(Error::Intervention { what, name: name.into(), message });
    }
    find(&pack.network.variables, name)
}

fn level(variable: &Variable, value: &Value) -> Result<usize> {
    let mismatch = |is| Error::TypeMismatch { variable: variable.name.clone(), is, value: value.to_string() };
    match (&variable.levels, value) {
        (_, Value::Null) => variable.null_level.map(usize::from).ok_or_else(|| {
            let message = "it is never NULL".to_string();
            Error::Intervention { what: "set", name: variable.name.clone(), message }
        }),
        (Levels::Text(_), Value::Text(text)) => {
            let level = variable.level(text).ok_or_else(|| variable.unknown_level(text))?;
            if variable.null_level.map(usize::from) == Some(level) {
                let message = format!("'{text}' is NULL there; write NULL");
                return Err(Error::Intervention { what: "set", name: variable.name.clone(), message });
            }
            Ok(level)
        }
        (Levels::Text(_), _) => Err(mismatch("text")),
        (Levels::Integer { .. }, Value::Integer(x)) => {
            variable.level(&x.to_string()).ok_or_else(|| variable.unknown_level(&x.to_string()))
        }
        (Levels::Integer { .. }, Value::Number(x)) => {
            variable.level(&x.to_string()).ok_or_else(|| variable.unknown_level(&x.to_string()))
        }
        (Levels::Integer { .. }, _) => Err(mismatch("an integer")),
    }
}

/// The hidden variable that a variable shows, and the level shown for each of its own.
fn shows(network: &Network, v: usize) -> Option<(usize, Vec<u16>)> {
    let table = &network.tables[v];
    match (&table.rows, &table.parents[..], &table.compact) {
        (Rows::Function { levels }, [parent], None) if network.variables[parent.variable].hidden => {
            let shown = parent.partition.class_of().iter().map(|c| levels[usize::from(*c)]).collect();
            Some((parent.variable, shown))
        }
        _ => None,
    }
}

impl Intervention {
    pub fn new(pack: &Pack, set: &[(String, Value)], keep: &[String]) -> Result<Intervention> {
        let network = &pack.network;
        let mut roles = vec![Role::Stays; network.variables.len()];
        let mut kept = vec![false; network.variables.len()];
        for name in keep {
            let v = variable(pack, "keep", name)?;
            kept[v] = true;
            if let Some((hidden, _)) = shows(network, v) {
                kept[hidden] = true;
            }
        }
        let mut labels = vec![];
        let mut set_by_name = vec![false; network.variables.len()];
        for (name, value) in set {
            let v = variable(pack, "set", name)?;
            let fault =
                |message: &str| Error::Intervention { what: "set", name: name.clone(), message: message.into() };
            if set_by_name[v] {
                return Err(fault("it is set twice"));
            }
            if keep.contains(name) {
                return Err(fault("it is to be kept as well"));
            }
            let level = level(&network.variables[v], value)?;
            labels.push((name.clone(), network.variables[v].label(level)));
            if let Some((hidden, shown)) = shows(network, v) {
                let mut mask: Vec<bool> = shown.iter().map(|l| usize::from(*l) == level).collect();
                if let Role::Among(before) = &roles[hidden] {
                    mask.iter_mut().zip(before).for_each(|(m, b)| *m &= b);
                }
                let mut among = (0..mask.len()).filter(|l| mask[*l]);
                // A hidden one that is set by its own name is set, and one with a single such level is so whatever its odds.
                if !matches!(roles[hidden], Role::Set(_)) {
                    roles[hidden] = match (among.next(), among.next()) {
                        (Some(one), None) => Role::Set(one as u16),
                        _ => Role::Among(mask),
                    };
                }
            }
            roles[v] = Role::Set(level as u16);
            set_by_name[v] = true;
        }
        for v in 0..network.tables.len() {
            let differs = |v: &usize| roles[*v] != Role::Stays;
            if !differs(&v) && !kept[v] && network.tables[v].parents.iter().any(|p| differs(&p.variable)) {
                roles[v] = Role::Follows;
            }
        }
        let differs = |v: usize| roles[v] != Role::Stays;
        let lists = pack.lists.iter().map(|l| l.table.parents.iter().any(|p| differs(p.variable))).collect();
        labels.sort();
        let mut keep = keep.to_vec();
        keep.sort();
        keep.dedup();
        Ok(Intervention { roles, lists, set: labels, keep })
    }
}

/// P(variable | do(set)): the share of each of its levels were everybody so, by the network without the arrows into
/// what is set.
///
/// # Errors
/// If a name or a value is unknown; if the pack does not say what some would be, because nobody is like that.
pub fn interventional(pack: &Arc<Pack>, set: &[(String, Value)], variable: &str) -> Result<Vec<f64>> {
    let wanted = self::variable(pack, "ask for", variable)?;
    let roles = Intervention::new(pack, set, &[])?.roles;
    let of = &pack.network;
    let mut needed = vec![false; of.tables.len()];
    needed[wanted] = true;
    for v in (0..of.tables.len()).rev() {
        if needed[v] && !matches!(roles[v], Role::Set(_)) {
            of.tables[v].parents.iter().for_each(|p| needed[p.variable] = true);
        }
    }
    let certain = |level: u16| Table { parents: vec![], rows: Rows::Function { levels: vec![level] }, compact: None };
    let tables = of.tables.iter().enumerate().map(|(v, table)| match &roles[v] {
        Role::Set(level) => certain(*level),
        _ if !needed[v] => certain(0),
        Role::Among(mask) => among(table, mask),
        Role::Stays | Role::Follows => table.clone(),
    });
    let network = Network { variables: of.variables.clone(), tables: tables.collect() };
    let marginal = crate::infer::joint::marginal(&network, wanted)?;
    let total: f64 = marginal.iter().sum();
    if (total - 1.0).abs() > 1e-9 {
        let message = format!(
            "the pack has no distribution of it for {:.3} % of the people, of whom nobody is like that; set something else",
            100.0 * (1.0 - total)
        );
        return Err(Error::Intervention { what: "ask for", name: variable.into(), message });
    }
    Ok(marginal)
}

/// A table whose rows draw some levels only.
fn among(table: &Table, mask: &[bool]) -> Table {
    let width = mask.len();
    let mut thresholds = vec![];
    let rows: Vec<u32> = (0..table.rows.len())
        .map(|row| {
            let mut weights = vec![0.0; width];
            table.rows.each(row, |level, p| weights[level] = if mask[level] { p } else { 0.0 });
            if weights.iter().all(|w| *w == 0.0) {
                return UNREACHABLE;
            }
            quantise(&weights, &mut thresholds);
            (thresholds.len() / width - 1) as u32
        })
        .collect();
    let compact = match &table.compact {
        Some(before) => before.iter().map(|r| rows.get(*r as usize).copied().unwrap_or(UNREACHABLE)).collect(),
        None => rows,
    };
    Table { parents: table.parents.clone(), rows: Rows::of(width, thresholds), compact: Some(compact) }
}
