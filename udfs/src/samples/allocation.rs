//! How many rows each stratum gives: its quota.

/// What decides on the shares of the strata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// As their populations
    Proportional,
    /// The same for all
    Equal,
    /// As population times standard deviation of the study variable: the shares that make the variance of its weighted
    /// mean least for a number of rows (Neyman, JRSS 97, 1934; Cochran, Sampling Techniques, 1977, 5.5)
    Neyman,
    /// As a table says
    Quotas,
}

/// What happens where a stratum has fewer rows than its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnShort {
    /// The statement fails, and names the stratum
    Error,
    /// The stratum gives what it has, and there are fewer rows in all
    TakeAll,
    /// The other strata give the rest
    Redistribute,
}

/// One stratum, as the allocation needs to know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stratum {
    /// What it is called in messages
    pub label: String,
    /// Rows that it has
    pub population: u64,
    /// The standard deviation of the study variable, if there is one
    pub deviation: f64,
    /// What the table of quotas asks of it, if there is one
    pub quota: u64,
}

/// What is asked of all strata.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Design {
    /// Rows in all; with a table of quotas, their sum
    pub n: u64,
    pub allocation: Allocation,
    /// Rows of every stratum, at least; where nothing is said, as many as its people need to be stood for ([`Allocation::floor`])
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub on_short: OnShort,
}

impl Allocation {
    /// Rows that a stratum gives where `min_per_stratum` is not said, if it has so many: 1, without which nobody stands
    /// for its people and the weighted mean is biased; 2 where the sample is designed for the variance of a mean, which
    /// cannot be estimated from one row.
    fn floor(self) -> u64 {
        match self {
            Allocation::Proportional | Allocation::Equal => 1,
            Allocation::Neyman => 2,
            Allocation::Quotas => 0,
        }
    }
}

/// The quota of each stratum, in the same order. They add up to n, unless strata that are short give all that they have.
///
/// Every stratum has its floor first: `min`, or else [`Allocation::floor`]. The rows that are left go one by one to the
/// stratum with the largest weight for its next row (see [`apportion`]), so that no stratum has fewer of n + 1 rows than
/// of n, as long as the rest of the design stays the same.
///
/// # Errors
/// Says why there are no such quotas.
pub(crate) fn allocate(design: &Design, strata: &[Stratum]) -> Result<Vec<u64>, String> {
    let Design { n, min, max, on_short, .. } = *design;
    let there: u64 = strata.iter().map(|s| s.population).sum();
    if n > there && on_short != OnShort::TakeAll {
        let or = if on_short == OnShort::Error { ", or say on_short => 'take_all'" } else { "" };
        return Err(format!("{n} rows are asked for, but there {}; ask for fewer{or}", are(there)));
    }
    let quotas: Vec<u64> = match (design.allocation, on_short) {
        (Allocation::Quotas, OnShort::Redistribute) => {
            let weights: Vec<u64> = strata.iter().map(|s| s.quota).collect();
            let room: Vec<u64> = strata.iter().map(|s| if s.quota == 0 { 0 } else { s.population }).collect();
            let all: u64 = room.iter().sum();
            if n > all {
                return Err(format!("the quotas come to {n}, but the strata that they name have {all} rows in all"));
            }
            apportion(n, &weights, &vec![0; strata.len()], &room, strata)
        }
        (Allocation::Quotas, _) => strata.iter().map(|s| s.quota).collect(),
        _ => {
            let weights = weights(design.allocation, strata)?;
            let usual = design.allocation.floor().min(max.unwrap_or(u64::MAX));
            let floor = |s: &Stratum| match min {
                Some(min) if on_short == OnShort::Error => min,
                Some(min) => min.min(s.population),
                None => usual.min(s.population),
            };
            let floors: Vec<u64> = strata.iter().map(floor).collect();
            let cap = |s: &Stratum| match on_short {
                OnShort::Redistribute => max.unwrap_or(n).min(s.population),
                _ => max.unwrap_or(n),
            };
            let caps: Vec<u64> = strata.iter().map(cap).collect();
            let (least, most) = (total(&floors), total(&caps));
            if least > u128::from(n) {
                let count = strata.len();
                return Err(match min {
                    Some(min) => {
                        format!("{count} strata with `min_per_stratum` {min} come to {least}, more than n, {n}")
                    }
                    None => format!(
                        "there are {count} strata, and {usual} of each come to {least} rows, more than n, {n}; ask for \
                         more, or say min_per_stratum => 0 to leave strata without a row, whose people nobody stands \
                         for then"
                    ),
                });
            }
            if most < u128::from(n) && !strata.is_empty() {
                let max = max.unwrap_or(n);
                return Err(format!(
                    "{} strata with `max_per_stratum` {max} give {most} rows at most, fewer than n, {n}",
                    strata.len()
                ));
            }
            apportion(n, &weights, &floors, &caps, strata)
        }
    };
    let short: Vec<usize> = (0..strata.len()).filter(|i| quotas[*i] > strata[*i].population).collect();
    match on_short {
        OnShort::TakeAll => Ok(quotas.iter().zip(strata).map(|(q, s)| (*q).min(s.population)).collect()),
        _ if short.is_empty() => Ok(quotas),
        _ => {
            let tell = |i: &usize| format!("`{}` {} of {}", strata[*i].label, has(strata[*i].population), quotas[*i]);
            let mut told = short.iter().take(5).map(tell).collect::<Vec<_>>().join(", ");
            if short.len() > 5 {
                told += &format!(", and {} more", short.len() - 5);
            }
            Err(format!("too few rows in a stratum: {told}; say on_short => 'take_all' or 'redistribute'"))
        }
    }
}

fn are(rows: u64) -> String {
    match rows {
        0 => "are none".into(),
        1 => "is 1".into(),
        _ => format!("are {rows}"),
    }
}

fn has(rows: u64) -> String {
    if rows == 0 { "has none".into() } else { format!("has {rows}") }
}

fn total(numbers: &[u64]) -> u128 {
    numbers.iter().map(|n| u128::from(*n)).sum()
}

/// What the shares are proportional to.
fn weights(allocation: Allocation, strata: &[Stratum]) -> Result<Vec<u64>, String> {
    match allocation {
        Allocation::Proportional => Ok(strata.iter().map(|s| s.population).collect()),
        Allocation::Equal => Ok(vec![1; strata.len()]),
        Allocation::Quotas => Ok(strata.iter().map(|s| s.quota).collect()),
        Allocation::Neyman => {
            if let Some(stratum) = strata.iter().find(|s| !s.deviation.is_finite()) {
                return Err(format!(
                    "the study variable has values that are not finite in stratum `{}`",
                    stratum.label
                ));
            }
            let spread = |s: &Stratum| s.population as f64 * s.deviation;
            let largest = strata.iter().map(spread).fold(0.0, f64::max);
            if largest == 0.0 && !strata.is_empty() {
                return Err(
                    "the study variable does not vary within any stratum, so that there is nothing to allocate by; \
                            say allocation => 'proportional'"
                        .into(),
                );
            }
            // A stratum in which it does not vary weighs next to nothing: it gives its floor, as one row tells all of it, and
            // is the last to help out.
            Ok(strata.iter().map(|s| ((spread(s) / largest * (1u64 << 52) as f64) as u64).max(1)).collect())
        }
    }
}

/// Divides `n` as the weights are, each share within its bounds.
///
/// Each share starts at its floor; then rows go one by one to the share, of those below their caps, whose weight divided
/// by its rows and a half is largest: the divisor method of Webster and Sainte-Laguë, within bounds (M. L. Balinski and
/// H. P. Young, Fair Representation, 1982). Of equal ones the stratum of the larger population is served first, then the
/// one that comes first. So the shares of n + 1 are those of n with one row more; with largest remainders a share can
/// lose a row when n grows (the Alabama paradox), and samples would not nest.
///
/// The rows are not handed out one by one: a share has row k + 1 at a level λ if k + ½ ≤ λ·weight, and the level at which
/// n rows are given out is found by bisection, in exact arithmetic.
///
/// The floors may not exceed n; where the caps fall short of it, so does the sum of the shares.
fn apportion(n: u64, weights: &[u64], floors: &[u64], caps: &[u64], strata: &[Stratum]) -> Vec<u64> {
    let strata_of = || 0..weights.len();
    let cap = |i: usize| caps[i].min(n).max(floors[i]);
    // Levels are whole multiples of 1 / (2 · 2^shift), and all weights are below 2^shift: from one to the next no share
    // grows by more than a row.
    let shift = 64 - weights.iter().copied().max().unwrap_or(0).leading_zeros();
    let share = |i: usize, level: u128| {
        let rows = match level.checked_mul(u128::from(weights[i])) {
            Some(product) => (product >> shift).div_ceil(2),
            // More than any cap
            None => u128::MAX,
        };
        rows.min(u128::from(cap(i))).max(u128::from(floors[i])) as u64
    };
    let given = |level: u128| strata_of().map(|i| u128::from(share(i, level))).sum::<u128>();
    // From the level at which all would be served without bounds
    let unbounded = (2 * u128::from(n)).saturating_mul(1 << shift) / total(weights).max(1);
    let (mut level, mut above) = (0, unbounded.max(1));
    while given(above) <= u128::from(n) {
        if above == u128::MAX {
            level = above;
            break;
        }
        (level, above) = (above, above.saturating_mul(2));
    }
    while above - level > 1 {
        let middle = level + (above - level) / 2;
        if given(middle) <= u128::from(n) { level = middle } else { above = middle }
    }
    let mut shares: Vec<u64> = strata_of().map(|i| share(i, level)).collect();
    let left = u128::from(n).saturating_sub(total(&shares));
    // The next rows, of which some are left to give out
    let mut next: Vec<usize> = strata_of().filter(|i| share(*i, above) > shares[*i]).collect();
    next.sort_by(|a, b| {
        let odd = |i: usize| 2 * u128::from(shares[i]) + 1;
        let (of_a, of_b) = (u128::from(weights[*a]) * odd(*b), u128::from(weights[*b]) * odd(*a));
        of_b.cmp(&of_a).then(strata[*b].population.cmp(&strata[*a].population)).then(a.cmp(b))
    });
    for i in next.into_iter().take(left as usize) {
        shares[i] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use Allocation::{Equal, Neyman, Proportional, Quotas};
    use OnShort::{Error, Redistribute, TakeAll};

    fn strata(populations: &[u64]) -> Vec<Stratum> {
        let stratum = |(i, population): (usize, &u64)| Stratum {
            label: i.to_string(),
            population: *population,
            ..Stratum::default()
        };
        populations.iter().enumerate().map(stratum).collect()
    }

    fn design(n: u64, allocation: Allocation, on_short: OnShort) -> Design {
        Design { n, allocation, min: Some(0), max: None, on_short }
    }

    fn message(result: Result<Vec<u64>, String>) -> String {
        result.unwrap_err()
    }

    #[test]
    fn rows_go_where_the_weight_for_the_next_is_largest() {
        let quotas = |n, of: &[u64]| allocate(&design(n, Proportional, Error), &strata(of)).unwrap();
        // The textbook's votes: 47, 16, 15.8, 12, 6.1 and 3.1 thousand, for 10 seats.
        assert_eq!(quotas(10, &[47_000, 16_000, 15_800, 12_000, 6_100, 3_100]), [4, 2, 2, 1, 1, 0]);
        assert_eq!(quotas(11, &[47_000, 16_000, 15_800, 12_000, 6_100, 3_100]), [5, 2, 2, 1, 1, 0]);
        // The Alabama paradox: by largest remainders, 10 rows are 4, 4 and 2, and 11 rows are 5, 5 and 1.
        assert_eq!(quotas(10, &[6000, 6000, 2000]), [5, 4, 1]);
        assert_eq!(quotas(11, &[6000, 6000, 2000]), [5, 5, 1]);
        // Equal ones go to the larger, then to the first.
        assert_eq!(quotas(2, &[1, 3]), [0, 2]);
        assert_eq!(quotas(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(quotas(12, &[3, 9]), [3, 9]);
    }

    /// No stratum is left out while there is a row for it.
    #[test]
    fn every_stratum_has_a_row_where_nothing_else_is_said() {
        let usual = |n, allocation| Design { min: None, ..design(n, allocation, Error) };
        let mut three = strata(&[1000, 3, 1]);
        assert_eq!(allocate(&usual(10, Proportional), &three).unwrap(), [8, 1, 1]);
        assert_eq!(allocate(&usual(3, Proportional), &three).unwrap(), [1, 1, 1]);
        assert_eq!(allocate(&usual(3, Equal), &three).unwrap(), [1, 1, 1]);
        let none = message(allocate(&usual(2, Proportional), &three));
        assert!(none.contains("there are 3 strata, and 1 of each come to 3 rows, more than n, 2"), "{none}");
        assert!(none.contains("min_per_stratum => 0"), "{none}");
        assert_eq!(allocate(&Design { min: Some(0), ..usual(2, Proportional) }, &three).unwrap(), [2, 0, 0]);
        // Two tell how far apart they are; of one there is but one.
        three[0].deviation = 1.0;
        assert_eq!(allocate(&usual(10, Neyman), &three).unwrap(), [7, 2, 1]);
        assert!(message(allocate(&usual(4, Neyman), &three)).contains("2 of each come to 5 rows"));
        assert_eq!(allocate(&Design { max: Some(1), ..usual(3, Neyman) }, &three).unwrap(), [1, 1, 1]);
        assert_eq!(allocate(&Design { on_short: TakeAll, ..usual(2000, Proportional) }, &three).unwrap(), [1000, 3, 1]);
    }

    #[test]
    fn floors_and_caps() {
        let bounded = |n, min, max, of: &[u64]| {
            allocate(&Design { min: Some(min), max, ..design(n, Proportional, Error) }, &strata(of)).unwrap()
        };
        assert_eq!(bounded(100, 10, None, &[1000, 100, 10]), [80, 10, 10]);
        assert_eq!(bounded(100, 0, Some(50), &[1000, 100, 50]), [50, 33, 17]);
        assert_eq!(bounded(30, 10, Some(10), &[1000, 100, 10]), [10, 10, 10]);
    }

    #[test]
    fn floors_beyond_the_rows_there_are() {
        let least =
            |on_short| allocate(&Design { min: Some(5), ..design(20, Proportional, on_short) }, &strata(&[100, 3]));
        assert!(message(least(Error)).contains("`1` has 3 of 5"));
        assert_eq!(least(TakeAll).unwrap(), [17, 3]);
        let narrow = Design { min: Some(5), ..design(8, Proportional, Error) };
        assert!(message(allocate(&narrow, &strata(&[100, 30]))).contains("come to 10, more than n, 8"));
        let capped = Design { max: Some(3), ..design(8, Proportional, TakeAll) };
        assert!(message(allocate(&capped, &strata(&[100, 30]))).contains("give 6 rows at most, fewer than n, 8"));
    }

    #[test]
    fn short_strata() {
        let equal = |on_short| allocate(&design(30, Equal, on_short), &strata(&[100, 2, 50]));
        assert!(message(equal(Error)).contains("too few rows in a stratum: `1` has 2 of 10"));
        assert_eq!(equal(TakeAll).unwrap(), [10, 2, 10]);
        assert_eq!(equal(Redistribute).unwrap(), [14, 2, 14]);
        let many = |on_short| allocate(&design(30, Equal, on_short), &strata(&[4, 5]));
        assert!(message(many(Error)).contains("30 rows are asked for, but there are 9"));
        assert!(message(many(Redistribute)).contains("30 rows are asked for, but there are 9"));
        assert_eq!(many(TakeAll).unwrap(), [4, 5]);
        assert!(message(allocate(&design(1, Equal, Error), &[])).contains("there are none"));
        assert!(allocate(&design(1, Equal, TakeAll), &[]).unwrap().is_empty());
    }

    #[test]
    fn neyman_goes_by_population_and_deviation() {
        let mut three = strata(&[100, 200, 300]);
        three[0].deviation = 6.0;
        three[1].deviation = 1.0;
        assert_eq!(allocate(&design(40, Neyman, Error), &three).unwrap(), [30, 10, 0]);
        // Those that do not vary help out last.
        assert_eq!(allocate(&design(310, Neyman, Redistribute), &three).unwrap(), [100, 200, 10]);
        three[2].deviation = f64::NAN;
        assert!(message(allocate(&design(40, Neyman, Error), &three)).contains("not finite in stratum `2`"));
        assert!(message(allocate(&design(40, Neyman, Error), &strata(&[50]))).contains("does not vary"));
    }

    #[test]
    fn quotas_are_taken_at_their_word() {
        let mut three = strata(&[100, 5, 0]);
        (three[0].quota, three[1].quota) = (10, 8);
        assert!(message(allocate(&design(18, Quotas, Error), &three)).contains("`1` has 5 of 8"));
        assert_eq!(allocate(&design(18, Quotas, TakeAll), &three).unwrap(), [10, 5, 0]);
        assert_eq!(allocate(&design(18, Quotas, Redistribute), &three).unwrap(), [13, 5, 0]);
    }

    fn below(state: &mut u64, limit: u64) -> u64 {
        *state = populace_population::permuted(u128::from(*state), 3) as u64;
        *state % limit
    }

    /// Against the definition: one row after the other.
    #[test]
    fn shares_are_those_of_rows_given_out_one_by_one() {
        let mut state = 1;
        for _ in 0..500 {
            let count = 1 + below(&mut state, 7) as usize;
            // Few different weights, so that there are ties
            let weights: Vec<u64> = (0..count).map(|_| 1 + below(&mut state, 12)).collect();
            let populations: Vec<u64> = (0..count).map(|_| 1 + below(&mut state, 3)).collect();
            let floors: Vec<u64> = (0..count).map(|_| below(&mut state, 5)).collect();
            let caps: Vec<u64> = floors.iter().map(|f| f + below(&mut state, 20)).collect();
            let of = strata(&populations);
            let (least, most): (u64, u64) = (floors.iter().sum(), caps.iter().sum());
            let mut expected = floors.clone();
            for n in least..=most {
                assert_eq!(apportion(n, &weights, &floors, &caps, &of), expected, "{n} of {weights:?}");
                let open = (0..count).filter(|i| expected[*i] < caps[*i]);
                let next = open.min_by(|a, b| {
                    let for_next = |i: usize, other: usize| weights[i] * (2 * expected[other] + 1);
                    for_next(*b, *a).cmp(&for_next(*a, *b)).then(populations[*b].cmp(&populations[*a])).then(a.cmp(b))
                });
                if let Some(next) = next {
                    expected[next] += 1;
                }
            }
        }
    }

    /// For any populations, floors and caps: quotas add up, keep within their bounds, and grow with n.
    #[test]
    fn quotas_of_a_larger_sample_are_no_smaller() {
        let mut state = 2;
        for round in 0..400 {
            let count = 1 + below(&mut state, 30) as usize;
            let largest = 10u64.pow(1 + (round % 6) as u32);
            let mut of = strata(&(0..count).map(|_| 1 + below(&mut state, largest)).collect::<Vec<_>>());
            of.iter_mut().for_each(|s| s.deviation = below(&mut state, 5) as f64);
            of[0].deviation += 0.5;
            let allocation = [Proportional, Equal, Neyman][round % 3];
            let min = [None, Some(0), Some(1 + below(&mut state, 3))][round / 3 % 3];
            let max = (round % 2 == 0).then(|| 3 + below(&mut state, largest));
            let there: u64 = of.iter().map(|s| s.population.min(max.unwrap_or(u64::MAX))).sum();
            let mut before: Option<Vec<u64>> = None;
            for n in (1..=there.min(200)).chain(there.saturating_sub(3).max(201)..=there) {
                let on_short = Redistribute;
                let Ok(quotas) = allocate(&Design { n, allocation, min, max, on_short }, &of) else { continue };
                assert_eq!(quotas.iter().sum::<u64>(), n);
                for (quota, stratum) in quotas.iter().zip(&of) {
                    let floor = min.unwrap_or(if allocation == Neyman { 2 } else { 1 }).min(max.unwrap_or(u64::MAX));
                    assert!(*quota >= floor.min(stratum.population), "{quotas:?}");
                    assert!(*quota <= stratum.population.min(max.unwrap_or(u64::MAX)), "{quotas:?}");
                }
                if let Some(before) = before {
                    assert!(before.iter().zip(&quotas).all(|(before, now)| before <= now), "{before:?}, {quotas:?}");
                }
                before = Some(quotas);
            }
        }
    }

    #[test]
    fn large_samples_of_many_strata() {
        let mut state = 3;
        let populations: Vec<u64> = (0..100_000).map(|_| 1 + below(&mut state, 100_000_000)).collect();
        let of = strata(&populations);
        let quotas = allocate(&Design { min: None, ..design(1_000_000_000, Proportional, Error) }, &of).unwrap();
        assert_eq!(quotas.iter().sum::<u64>(), 1_000_000_000);
        let all: u64 = populations.iter().sum();
        let off = |(quota, population): (&u64, &u64)| (*quota as f64 - *population as f64 * 1e9 / all as f64).abs();
        let largest = quotas.iter().zip(&populations).map(off).fold(0.0, f64::max);
        assert!(largest < 1.1, "{largest}");
        // The extremes of what can be asked
        let huge = apportion(1 << 62, &[u64::MAX, 1, 0], &[0; 3], &[u64::MAX; 3], &strata(&[1; 3]));
        assert_eq!(huge.iter().sum::<u64>(), 1 << 62);
        assert_eq!(apportion(5, &[1, 1], &[0, 0], &[2, 1], &strata(&[1, 1])), [2, 1]);
        assert!(apportion(5, &[], &[], &[], &[]).is_empty());
    }
}
