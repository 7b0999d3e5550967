//! The lines of a product: cells that differ in the last axes alone, formed one class of the eliminated variable after
//! another, so that a machine multiplies and sums many at once. What is formed, and in which order it is summed, is the same
//! cell by cell, however long the lines are.

use crate::infer::product::Product;
use crate::model::potential::walk;
use crate::model::width::of_any_width;

/// How an input is read along a line.
enum Along {
    /// The same cell all along.
    One,
    /// One cell after another.
    Next,
    /// For each cell of the line, how far from the first it lies.
    Each(Vec<u32>),
}

/// A product's inputs along its lines.
pub(crate) struct Lines<'a> {
    product: &'a Product,
    along: Vec<Along>,
}

/// What is formed of a line.
#[derive(Default)]
pub(crate) struct Formed {
    /// The classes that may have weight in it, and their inner configurations.
    pub classes: Vec<(u16, usize)>,
    /// For each of them the weights of the cells; of the last alone where the others are not asked for.
    pub weights: Vec<f64>,
}

impl<'a> Lines<'a> {
    pub fn new(product: &'a Product) -> Lines<'a> {
        let from = product.scope.len() - product.along;
        let along = product.outer.iter().map(|outer| {
            let mut offsets = Vec::with_capacity(product.line);
            let tables = [outer[from..].to_vec()];
            walk(&product.scope[from..], &tables, 0..product.line, |_, at| offsets.push(at[0] as u32));
            match &offsets {
                all if all.iter().all(|offset| *offset == 0) => Along::One,
                all if all.iter().enumerate().all(|(at, offset)| *offset == at as u32) => Along::Next,
                _ => Along::Each(offsets),
            }
        });
        let along = along.collect();
        Lines { product, along }
    }

    /// Where each input is when the lines begin, for the walk over them.
    pub fn begin(&self) -> Vec<Vec<Vec<usize>>> {
        let from = self.product.scope.len() - self.product.along;
        self.product.outer.iter().map(|outer| outer[..from].to_vec()).collect()
    }

    /// What an input has for a class in a cell of the line at which the inputs are at these cells.
    pub fn value(&self, input: usize, class: usize, at: &[usize], cell: usize) -> f64 {
        let along = match &self.along[input] {
            Along::One => 0,
            Along::Next => cell,
            Along::Each(offsets) => offsets[cell] as usize,
        };
        self.product.inputs[input].values[at[input] + self.product.own[input][class] + along]
    }
}

of_any_width! {
    /// Forms the line at which the inputs are at these cells, and adds it to the message: a line of inner configurations.
    /// With `all`, the weights of all classes stay in `formed`.
    form = form_line(lines: &Lines<'_>, at: &[usize], message: &mut [f64], formed: &mut Formed, all: bool)
}

#[inline(always)]
fn form_line(lines: &Lines<'_>, at: &[usize], message: &mut [f64], formed: &mut Formed, all: bool) {
    let (product, length) = (lines.product, lines.product.line);
    formed.classes.clear();
    if !all {
        formed.weights.resize(length, 0.0);
    }
    for (class, group) in product.classes_at(at) {
        let k = usize::from(*class);
        let value = |input: usize| product.inputs[input].values[at[input] + product.own[input][k]];
        let same = |input: usize| matches!(lines.along[input], Along::One);
        if (0..lines.along.len()).any(|input| same(input) && value(input) == 0.0) {
            continue;
        }
        // Those that come first and are the same all along are multiplied once.
        let first = (0..lines.along.len()).take_while(|input| same(*input)).count();
        let begin = (1..first).fold(if first > 0 { value(0) } else { 1.0 }, |weight, input| weight * value(input));
        if !all && product.groups == 1 && add_line(lines, at, k, first, begin, message) {
            continue;
        }
        let from = if all { formed.classes.len() * length } else { 0 };
        if formed.weights.len() < from + length {
            formed.weights.resize(from + length, 0.0);
        }
        let line = &mut formed.weights[from..][..length];
        let mut begun = false;
        for (input, along) in lines.along.iter().enumerate().skip(first) {
            let values = &product.inputs[input].values[at[input] + product.own[input][k]..];
            match (along, begun) {
                (Along::One, _) => line.iter_mut().for_each(|x| *x *= values[0]),
                (Along::Next, false) => line.iter_mut().zip(values).for_each(|(x, value)| *x = begin * value),
                (Along::Next, true) => line.iter_mut().zip(values).for_each(|(x, value)| *x *= value),
                (Along::Each(offsets), false) => {
                    line.iter_mut().zip(offsets).for_each(|(x, offset)| *x = begin * values[*offset as usize]);
                }
                (Along::Each(offsets), true) => {
                    line.iter_mut().zip(offsets).for_each(|(x, offset)| *x *= values[*offset as usize]);
                }
            }
            begun = true;
        }
        if !begun {
            line.fill(begin);
        }
        match product.groups {
            1 => message.iter_mut().zip(&*line).for_each(|(sum, weight)| *sum += weight),
            groups => message[*group..].iter_mut().step_by(groups).zip(&*line).for_each(|(sum, weight)| *sum += weight),
        }
        formed.classes.push((*class, *group));
    }
}

/// Adds the weights of a class to a message at once, without a line of their own; whether it could, as where no more than two
/// inputs after the first ones differ along the line.
#[inline(always)]
fn add_line(lines: &Lines<'_>, at: &[usize], class: usize, first: usize, begin: f64, message: &mut [f64]) -> bool {
    let product = lines.product;
    let of = |input: usize| &product.inputs[input].values[at[input] + product.own[input][class]..];
    match &lines.along[first..] {
        [] => message.iter_mut().for_each(|sum| *sum += begin),
        [Along::Next] => message.iter_mut().zip(of(first)).for_each(|(sum, x)| *sum += begin * x),
        [Along::Each(offsets)] => {
            let x = of(first);
            message.iter_mut().zip(offsets).for_each(|(sum, offset)| *sum += begin * x[*offset as usize]);
        }
        [Along::Next, Along::Next] => {
            let both = of(first).iter().zip(of(first + 1));
            message.iter_mut().zip(both).for_each(|(sum, (x, y))| *sum += begin * x * y);
        }
        [Along::Next, Along::Each(offsets)] => {
            let y = of(first + 1);
            let both = of(first).iter().zip(offsets);
            message.iter_mut().zip(both).for_each(|(sum, (x, offset))| *sum += begin * x * y[*offset as usize]);
        }
        [Along::Each(offsets), Along::Next] => {
            let x = of(first);
            let both = offsets.iter().zip(of(first + 1));
            message.iter_mut().zip(both).for_each(|(sum, (offset, y))| *sum += begin * x[*offset as usize] * y);
        }
        _ => return false,
    }
    true
}
