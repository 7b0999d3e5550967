//! Potentials: tables of weights over classes of variables, and the walk over the joint configurations of a scope.

use crate::error::{Error, Result};
use crate::model::partition::Partition;
use crate::model::variable::{Variable, find};

/// A variable, seen through a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Axis {
    pub variable: usize,
    pub partition: Partition,
}

/// Weights over the joint classes of its axes, row-major: the last axis runs fastest.
#[derive(Debug, Clone)]
pub(crate) struct Potential {
    pub axes: Vec<Axis>,
    pub values: Vec<f64>,
}

/// Variables by their names, each seen through a label for every level.
///
/// # Errors
/// If a variable is unknown, or has another number of levels.
pub(crate) fn labelled(variables: &[Variable], columns: &[(&str, &[u16])]) -> Result<Vec<Axis>> {
    let axis = |(name, labels): &(&str, &[u16])| {
        let variable = find(variables, name)?;
        let levels = variables[variable].len();
        if labels.len() != levels {
            return Err(Error::Labels { variable: name.to_string(), levels, labels: labels.len() });
        }
        Ok(Axis { variable, partition: Partition::by_numbers(labels.iter().map(|label| u32::from(*label))) })
    };
    columns.iter().map(axis).collect()
}

/// How many joint configurations a scope has.
pub(crate) fn cells(scope: &[Axis]) -> u128 {
    scope.iter().fold(1, |cells, axis| cells.saturating_mul(axis.partition.classes() as u128))
}

/// The strides of a row-major table over `axes`.
pub(crate) fn strides(axes: &[Axis]) -> Vec<usize> {
    let mut strides = vec![1; axes.len()];
    for i in (1..axes.len()).rev() {
        strides[i - 1] = strides[i] * axes[i].partition.classes();
    }
    strides
}

/// Where a table over `axes` is found from a configuration of `scope`: for each scope axis, the offset that each of
/// its classes adds. Every axis of the table must be a coarsening of a scope axis; axes over `except` are left out.
pub(crate) fn offsets(scope: &[Axis], axes: &[Axis], except: Option<usize>) -> Vec<Vec<usize>> {
    let strides = strides(axes);
    let mut offsets: Vec<Vec<usize>> = scope.iter().map(|a| vec![0; a.partition.classes()]).collect();
    for (axis, stride) in axes.iter().zip(strides) {
        if Some(axis.variable) == except {
            continue;
        }
        let at = scope.iter().position(|s| s.variable == axis.variable);
        let at = at.expect("a scope holds every variable of its factors");
        let onto = scope[at].partition.onto(&axis.partition).expect("a scope refines the partitions of its factors");
        for (class, target) in onto.into_iter().enumerate() {
            offsets[at][class] += usize::from(target) * stride;
        }
    }
    offsets
}

/// Visits the configurations `range` of `scope` in row-major order, with the index of each table at it.
/// `tables` holds, for each table, what [`offsets`] returns.
pub(crate) fn walk(
    scope: &[Axis],
    tables: &[Vec<Vec<usize>>],
    range: std::ops::Range<usize>,
    visit: impl FnMut(usize, &[usize]),
) {
    walk_sizes(&scope.iter().map(|a| a.partition.classes()).collect::<Vec<_>>(), tables, range, visit);
}

/// As [`walk`], over digits of these sizes; a table has an offset for each value of each digit.
pub(crate) fn walk_sizes(
    sizes: &[usize],
    tables: &[Vec<Vec<usize>>],
    range: std::ops::Range<usize>,
    mut visit: impl FnMut(usize, &[usize]),
) {
    if range.is_empty() {
        return;
    }
    let mut digits = vec![0; sizes.len()];
    let mut rest = range.start;
    for i in (0..sizes.len()).rev() {
        digits[i] = rest % sizes[i];
        rest /= sizes[i];
    }
    let mut at: Vec<usize> =
        tables.iter().map(|t| digits.iter().enumerate().map(|(i, d)| t[i][*d]).sum::<usize>()).collect();
    for config in range {
        visit(config, &at);
        // The odometer: the last digit runs fastest; each step changes only the digits that turn.
        for i in (0..sizes.len()).rev() {
            let before = digits[i];
            digits[i] = if before + 1 == sizes[i] { 0 } else { before + 1 };
            for (table, at) in tables.iter().zip(at.iter_mut()) {
                *at = *at + table[i][digits[i]] - table[i][before];
            }
            if digits[i] != 0 {
                break;
            }
        }
    }
}

/// Adds `axis` to a scope, refining the partition if the variable is there already.
pub(crate) fn widen(scope: &mut Vec<Axis>, axis: &Axis) {
    match scope.iter_mut().find(|s| s.variable == axis.variable) {
        Some(known) => known.partition = known.partition.refine(&axis.partition),
        None => scope.push(axis.clone()),
    }
}

/// Products after which it is asked whether to go on.
const BETWEEN_CHECKS: usize = 1 << 20;

impl Potential {
    pub fn mentions(&self, variable: usize) -> bool {
        self.axes.iter().any(|a| a.variable == variable)
    }

    /// The product of factors, summed over the variables that `keep` does not name, on `keep`'s partitions.
    /// Every axis in `keep` must be a coarsening of the refinement of the factors' axes over that variable.
    pub fn product_onto(factors: &[&Potential], keep: &[Axis]) -> Potential {
        Potential::product_while(factors, keep, || true).expect("it always goes on")
    }

    /// The same, as long as it is to go on; `None` where it is not.
    pub fn product_while(factors: &[&Potential], keep: &[Axis], go_on: impl Fn() -> bool) -> Option<Potential> {
        let mut scope: Vec<Axis> = vec![];
        for axis in keep {
            widen(&mut scope, axis);
        }
        for axis in factors.iter().flat_map(|f| &f.axes) {
            widen(&mut scope, axis);
        }
        let mut tables: Vec<Vec<Vec<usize>>> = factors.iter().map(|f| offsets(&scope, &f.axes, None)).collect();
        tables.push(offsets(&scope, keep, None));
        let mut values = vec![0.0; cells(keep) as usize];
        let cells = cells(&scope) as usize;
        for from in (0..cells).step_by(BETWEEN_CHECKS) {
            if !go_on() {
                return None;
            }
            walk(&scope, &tables, from..(from + BETWEEN_CHECKS).min(cells), |_, at| {
                let weight: f64 = factors.iter().zip(at).map(|(f, i)| f.values[*i]).product();
                values[at[factors.len()]] += weight;
            });
        }
        Some(Potential { axes: keep.to_vec(), values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(variable: usize, levels: usize) -> Axis {
        Axis { variable, partition: Partition::finest(levels) }
    }

    #[test]
    fn a_product_summed_onto_an_axis() {
        let a = Potential { axes: vec![axis(0, 2)], values: vec![0.25, 0.75] };
        let b = Potential { axes: vec![axis(0, 2), axis(1, 3)], values: vec![0.2, 0.3, 0.5, 0.6, 0.4, 0.0] };
        let margin = Potential::product_onto(&[&a, &b], &[axis(1, 3)]);
        let expected = [0.25 * 0.2 + 0.75 * 0.6, 0.25 * 0.3 + 0.75 * 0.4, 0.25 * 0.5];
        for (m, e) in margin.values.iter().zip(expected) {
            assert!((m - e).abs() < 1e-15);
        }
    }

    #[test]
    fn a_walk_may_start_anywhere() {
        let scope = [axis(0, 3), axis(1, 4), axis(2, 2)];
        let tables = [offsets(&scope, &[axis(2, 2), axis(0, 3)], None)];
        let mut whole = vec![];
        walk(&scope, &tables, 0..24, |c, at| whole.push((c, at[0])));
        let mut parts = vec![];
        for start in (0..24).step_by(5) {
            walk(&scope, &tables, start..(start + 5).min(24), |c, at| parts.push((c, at[0])));
        }
        assert_eq!(whole, parts);
        assert_eq!(whole[23], (23, 5));
        assert_eq!(whole[1], (1, 3));
    }
}
