//! What the counts say: each figure's joint table and the margin of each of its columns, tested as one family.

use super::mapped::MappedFigure;
use super::tally::FigureCount;
use crate::statistics::{Test, holm, jensen_shannon, of_fit, of_sample, total_variation};

/// One table of counts against what is expected of it: a figure's joint table, or one of its margins.
#[derive(Debug, Clone)]
pub(crate) struct FigureComparison {
    /// The column that it is the margin of; `None` for the joint table.
    pub margin: Option<usize>,
    pub cells: usize,
    pub n_effective: f64,
    pub total_variation: f64,
    pub jensen_shannon: f64,
    /// The total variation distance to expect of a sample of this size that agrees.
    pub noise_floor: f64,
    /// None where the rows are too few.
    pub test: Option<Test>,
    /// Holm's p-value, among all tests of all figures.
    pub adjusted: f64,
}

/// Observed and expected shares of the joint table: its cells, then what has none, if anything is there.
pub(crate) fn shares(figure: &MappedFigure, count: &FigureCount) -> (Vec<f64>, Vec<f64>) {
    let (mut observed, mut expected) = (count.cells.clone(), figure.expected.clone());
    if figure.elsewhere > 0.0 || count.elsewhere > 0.0 {
        observed.push(count.elsewhere);
        expected.push(figure.elsewhere);
    }
    normalise(&mut observed);
    normalise(&mut expected);
    (observed, expected)
}

fn normalise(shares: &mut [f64]) {
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
}

/// Compares the joint table, and the margin of each column among the rows that are in cells.
pub(crate) fn compare(figure: &MappedFigure, count: &FigureCount) -> Vec<FigureComparison> {
    let n = count.effective();
    let mut comparisons = vec![comparison(None, n, shares(figure, count))];
    if figure.columns.len() > 1 {
        let within = if count.weight > 0.0 { 1.0 - count.elsewhere / count.weight } else { 0.0 };
        for (at, column) in figure.columns.iter().enumerate() {
            let mut observed = vec![0.0; column.labels.len()];
            let mut expected = observed.clone();
            for ((label, counted), share) in column.cells.iter().zip(&count.cells).zip(&figure.expected) {
                observed[usize::from(*label)] += counted;
                expected[usize::from(*label)] += share;
            }
            normalise(&mut observed);
            normalise(&mut expected);
            comparisons.push(comparison(Some(at), n * within, (observed, expected)));
        }
    }
    comparisons
}

fn comparison(margin: Option<usize>, n: f64, (observed, expected): (Vec<f64>, Vec<f64>)) -> FigureComparison {
    FigureComparison {
        margin,
        cells: expected.len(),
        n_effective: n,
        total_variation: total_variation(&observed, &expected),
        jensen_shannon: jensen_shannon(&observed, &expected),
        noise_floor: of_sample(n, &expected),
        test: if n > 0.0 { of_fit(n, &observed, &expected) } else { None },
        adjusted: 1.0,
    }
}

/// Adjusts the p-values for the number of tests.
pub(crate) fn adjust(figures: &mut [Vec<FigureComparison>]) {
    let mut tested: Vec<(&mut f64, f64)> =
        figures.iter_mut().flatten().filter_map(|c| c.test.map(|test| (&mut c.adjusted, test.p_value))).collect();
    let p_values: Vec<f64> = tested.iter().map(|(_, p)| *p).collect();
    for ((adjusted, _), p) in tested.iter_mut().zip(holm(&p_values)) {
        **adjusted = p;
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::levels;
    use super::super::mapped::{find, map};
    use super::*;
    use arrow::array::{Array, ArrayRef};
    use populace_population::{Analysis, Figure, Pack, Sampler, permuted};
    use std::path::Path;
    use std::sync::Arc;

    fn usa() -> Arc<Pack> {
        Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack")).unwrap()
    }

    fn mapped(pack: &Pack, has: &dyn Fn(&str) -> bool, official: bool) -> Vec<(String, MappedFigure)> {
        let of = |figure: &&Figure| !official || figure.status == populace_population::Status::Official;
        let figures: Vec<(&Figure, _)> =
            pack.figures().iter().filter(of).filter_map(|f| Some((f, find(pack, f, has).ok()?))).collect();
        let expected = Analysis::of(pack).expected(&figures.iter().map(|(f, _)| *f).collect::<Vec<_>>());
        figures
            .iter()
            .zip(expected)
            .map(|((f, found), e)| (f.name.clone(), map(pack, f, found, &e.unwrap()).unwrap()))
            .collect()
    }

    /// The figures that differ, at that level, from rows whose column of each variable is what `column` gives.
    fn differing(
        pack: &Pack,
        figures: &[(String, MappedFigure)],
        level: f64,
        column: &dyn Fn(&str) -> ArrayRef,
    ) -> Vec<String> {
        let levels_of = |c: &super::super::mapped::MappedColumn| {
            levels(&column(&c.variable), pack.variable(&c.variable).unwrap()).unwrap()
        };
        let mut compared: Vec<Vec<FigureComparison>> = figures
            .iter()
            .map(|(_, figure)| {
                let columns: Vec<Vec<u32>> = figure.columns.iter().map(levels_of).collect();
                let mut count = FigureCount::new(figure);
                count.add(figure, &columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), None);
                compare(figure, &count)
            })
            .collect();
        adjust(&mut compared);
        let differs = |c: &Vec<FigureComparison>| c.iter().any(|c| c.adjusted <= level);
        let names = figures.iter().zip(&compared).filter(|(_, c)| differs(c)).map(|((name, _), _)| name.clone());
        names.collect()
    }

    /// Of 100 samples that the pack itself draws, at most 5 + 3·√(100 · 0.05 · 0.95) = 11 may be told to differ anywhere
    /// (a right procedure fails here once in 200 runs); Holm's is on the safe side of it.
    #[test]
    fn noise_is_silent() {
        let pack = usa();
        let has = |name: &str| pack.variable(name).is_some_and(|v| !v.hidden);
        let figures = mapped(&pack, &has, true);
        assert!(figures.len() > 15, "{}", figures.len());
        let mut alarms = 0;
        for seed in 0..100 {
            let people = Sampler::new(pack.clone(), 1000 + seed).draw(0..2000, None).unwrap();
            let column = |name: &str| people.column_by_name(name).unwrap().clone();
            alarms += usize::from(!differing(&pack, &figures, 0.05, &column).is_empty());
        }
        assert!(alarms <= 11, "{alarms} of 100 samples were told to differ");
    }

    /// Two points of all 100,000 people go from one level of education to another, whoever they are. At a level of 0.001,
    /// so that one sample in a thousand is told to differ by chance, where it is one in twenty at that of the verdict.
    #[test]
    fn a_shift_of_two_points_is_seen() {
        let pack = usa();
        let has = |name: &str| pack.variable(name).is_some_and(|v| !v.hidden);
        let figures = mapped(&pack, &has, true);
        let people = Sampler::new(pack.clone(), 5).draw(0..100_000, None).unwrap();
        let original = |name: &str| people.column_by_name(name).unwrap().clone();
        assert_eq!(differing(&pack, &figures, 0.001, &original), Vec::<String>::new());
        let texts = arrow::compute::cast(&original("education_level"), &arrow::datatypes::DataType::Utf8).unwrap();
        let texts: &arrow::array::StringArray = arrow::array::AsArray::as_string(&texts);
        let school = texts.iter().flatten().filter(|t| *t == "high_school").count();
        let moved = 2000.0 / school as f64;
        let shifted: arrow::array::StringArray = (0..texts.len())
            .map(|row| match texts.value(row) {
                "high_school" if (permuted(row as u128, 3) >> 64) as f64 / 2f64.powi(64) < moved => Some("bachelors"),
                same => Some(same),
            })
            .collect();
        let shifted: ArrayRef = Arc::new(shifted);
        let found = differing(&pack, &figures, 0.001, &|name| {
            if name == "education_level" { shifted.clone() } else { original(name) }
        });
        assert!(found.iter().any(|f| f == "education_age_sex_state"), "{found:?}");
        assert!(!found.iter().any(|f| f == "population_age_sex_state_2024"), "{found:?}");
    }
}
