//! Evidence: a predicate turned into factors over classes of levels.

use crate::error::{Error, Result};
use crate::infer::predicate::{Atom, Predicate, Resolved};
use crate::model::partition::Partition;
use crate::model::potential::{Axis, Factor, cells};
use crate::model::variable::Variable;

/// The most joint classes that one conjunct may tie together.
const MAX_CONJUNCT_CELLS: u64 = 1 << 22;

/// A predicate as a product of 0/1 factors, in a canonical form: predicates that mean the same give the same factors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// One mask a variable at most, for the parts that test one variable alone; ordered by variable.
    pub masks: Vec<Factor>,
    /// The parts that tie variables together.
    pub ties: Vec<Factor>,
}

impl Evidence {
    pub fn new(parts: &[Predicate], variables: &[Variable]) -> Result<Evidence> {
        let mut masks: Vec<Option<Vec<bool>>> = vec![None; variables.len()];
        let mut ties = vec![];
        for part in parts {
            let mut atoms = vec![];
            let resolved = part.resolve(variables, &mut atoms)?;
            let mut tested: Vec<usize> = atoms.iter().map(|a| a.variable).collect();
            tested.sort_unstable();
            tested.dedup();
            match tested[..] {
                [] if resolved.evaluate(&|_| None) == Some(true) => {}
                [] => {
                    return Err(Error::Impossible { predicates: vec![part.to_string()] });
                }
                [variable] => {
                    let mask = masks[variable].get_or_insert_with(|| vec![true; variables[variable].len()]);
                    for (level, mask) in mask.iter_mut().enumerate() {
                        *mask &= resolved.evaluate(&|a| atoms[a].answers[level]) == Some(true);
                    }
                }
                _ => ties.extend(tie(&tested, &atoms, &resolved, variables)?),
            }
        }
        let masks = masks
            .into_iter()
            .enumerate()
            .filter_map(|(variable, mask)| {
                let mask = mask?;
                if mask.iter().all(|m| *m) {
                    return None;
                }
                let partition = Partition::by_signature(&mask);
                let members = partition.members();
                let values = members.iter().map(|m| f64::from(u8::from(mask[m[0]]))).collect();
                Some(Factor { axes: vec![Axis { variable, partition }], values })
            })
            .collect();
        ties.sort_by_key(fingerprint);
        Ok(Evidence { masks, ties })
    }

    pub fn factors(&self) -> impl Iterator<Item = &Factor> {
        self.masks.iter().chain(&self.ties)
    }

    pub fn is_empty(&self) -> bool {
        self.masks.is_empty() && self.ties.is_empty()
    }

    /// The same bytes for predicates that mean the same.
    pub fn fingerprint(&self) -> Vec<u8> {
        self.factors().flat_map(fingerprint).collect()
    }
}

fn fingerprint(factor: &Factor) -> Vec<u8> {
    let mut bytes = vec![];
    for axis in &factor.axes {
        bytes.extend((axis.variable as u32).to_le_bytes());
        bytes.extend(axis.partition.class_of().iter().flat_map(|c| c.to_le_bytes()));
    }
    bytes.extend(factor.values.iter().map(|v| *v as u8));
    bytes
}

/// The factor of a part that tests several variables; `None` if it always holds.
fn tie(tested: &[usize], atoms: &[Atom], resolved: &Resolved, variables: &[Variable]) -> Result<Option<Factor>> {
    // Levels that every test answers alike are one class: the table is over classes, however many levels there are.
    let mut scope: Vec<Axis> = tested
        .iter()
        .map(|variable| {
            let own: Vec<&Atom> = atoms.iter().filter(|a| a.variable == *variable).collect();
            let signature = |level: usize| own.iter().map(|a| a.answers[level]).collect::<Vec<_>>();
            let partition = Partition::by_signature((0..variables[*variable].len()).map(signature));
            Axis { variable: *variable, partition }
        })
        .collect();
    let size = cells(&scope);
    if size > u128::from(MAX_CONJUNCT_CELLS) {
        let variables = tested.iter().map(|v| variables[*v].name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::TooLarge { cells: size, bound: MAX_CONJUNCT_CELLS, variables });
    }
    let members: Vec<Vec<Vec<usize>>> = scope.iter().map(|a| a.partition.members()).collect();
    let mut used = vec![];
    resolved.atoms(&mut used);
    let axis_of: Vec<usize> =
        atoms.iter().map(|a| tested.iter().position(|t| *t == a.variable).expect("tested holds all")).collect();
    let mut values = Vec::with_capacity(size as usize);
    let mut digits = vec![0; scope.len()];
    for _ in 0..size {
        let truth = resolved.evaluate(&|a| atoms[a].answers[members[axis_of[a]][digits[axis_of[a]]][0]]);
        values.push(if truth == Some(true) { 1.0 } else { 0.0 });
        for i in (0..digits.len()).rev() {
            digits[i] = (digits[i] + 1) % scope[i].partition.classes();
            if digits[i] != 0 {
                break;
            }
        }
    }
    for at in 0..scope.len() {
        values = merge_alike(&mut scope, at, values);
    }
    scope.retain(|a| a.partition.classes() > 1);
    Ok(values.contains(&0.0).then_some(Factor { axes: scope, values }))
}

/// Makes one class of those classes of an axis that have equal slices.
fn merge_alike(scope: &mut [Axis], at: usize, values: Vec<f64>) -> Vec<f64> {
    let classes = scope[at].partition.classes();
    let inner: usize = scope[at + 1..].iter().map(|a| a.partition.classes()).product();
    let outer = values.len() / (classes * inner);
    let slice = |class: usize| -> Vec<bool> {
        (0..outer).flat_map(|o| values[(o * classes + class) * inner..][..inner].iter().map(|v| *v > 0.0)).collect()
    };
    let merged = Partition::by_signature((0..classes).map(slice));
    if merged.classes() == classes {
        return values;
    }
    let representative: Vec<usize> = merged.members().iter().map(|m| m[0]).collect();
    let class_of: std::sync::Arc<[u16]> =
        scope[at].partition.class_of().iter().map(|c| merged.class_of()[usize::from(*c)]).collect();
    scope[at].partition = Partition::from_classes(class_of, merged.classes());
    let mut kept = Vec::with_capacity(outer * representative.len() * inner);
    for o in 0..outer {
        for class in &representative {
            kept.extend_from_slice(&values[(o * classes + class) * inner..][..inner]);
        }
    }
    kept
}
