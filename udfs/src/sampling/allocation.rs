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
    pub min: u64,
    pub max: Option<u64>,
    pub on_short: OnShort,
}

/// The quota of each stratum, in the same order. They add up to n, unless strata that are short give all that they have.
///
/// Shares become whole numbers by the method of the largest remainder (Hare's quota) in exact arithmetic. Equal
/// remainders go by population, larger first, and then by the order of the strata.
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
            let floor = |s: &Stratum| if on_short == OnShort::Error { min } else { min.min(s.population) };
            let floors: Vec<u64> = strata.iter().map(floor).collect();
            let cap = |s: &Stratum| match on_short {
                OnShort::Redistribute => max.unwrap_or(n).min(s.population),
                _ => max.unwrap_or(n),
            };
            let caps: Vec<u64> = strata.iter().map(cap).collect();
            let (least, most) = (total(&floors), total(&caps));
            if least > u128::from(n) {
                let count = strata.len();
                return Err(format!("{count} strata with `min_per_stratum` {min} come to {least}, more than n, {n}"));
            }
            if most < u128::from(n) && !strata.is_empty() {
                let max = max.unwrap_or(n);
                return Err(format!(
                    "{} strata with `max_per_stratum` {max} give {most} rows at most, fewer than n, {n}",
                    strata.len()
                ));
            }
            apportion(n, &weights(design.allocation, strata)?, &floors, &caps, strata)
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
            // A stratum in which it does not vary weighs next to nothing: it gives its floor, and is the last to help out.
            Ok(strata.iter().map(|s| ((spread(s) / largest * (1u64 << 52) as f64) as u64).max(1)).collect())
        }
    }
}

/// Divides `n` as the weights are, each share within its bounds: the shares are min(max(λ·weight, floor), cap) for the λ
/// at which they add up to n. The floors may not exceed n, and the caps may not fall short of it.
fn apportion(n: u64, weights: &[u64], floors: &[u64], caps: &[u64], strata: &[Stratum]) -> Vec<u64> {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        LeavesFloor,
        ReachesCap,
    }
    // The λ at which each share leaves its floor, and at which it reaches its cap, as fractions.
    let weighted = || (0..weights.len()).filter(|i| weights[*i] > 0);
    let mut events: Vec<(u64, u64, Event, usize)> = weighted()
        .flat_map(|i| {
            let (cap, floor) = (caps[i].max(floors[i]), floors[i]);
            [(floor, weights[i], Event::LeavesFloor, i), (cap, weights[i], Event::ReachesCap, i)]
        })
        .collect();
    let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
    events.sort_by(|a, b| product(a.0, b.1).cmp(&product(b.0, a.1)).then_with(|| (&a.2, a.3).cmp(&(&b.2, b.3))));

    let mut shares: Vec<u64> = floors.to_vec();
    let mut free = vec![false; weights.len()];
    let (mut bound, mut weight) = (total(floors), 0u128);
    for (level, of, event, i) in events {
        // The sum of all shares at this λ
        if bound * u128::from(of) + u128::from(level) * weight >= u128::from(n) * u128::from(of) {
            break;
        }
        match event {
            Event::LeavesFloor => {
                free[i] = true;
                bound -= u128::from(floors[i]);
                weight += u128::from(weights[i]);
            }
            Event::ReachesCap => {
                free[i] = false;
                shares[i] = caps[i].max(floors[i]);
                bound += u128::from(shares[i]);
                weight -= u128::from(weights[i]);
            }
        }
    }
    let rest = u128::from(n).saturating_sub(bound);
    let mut remainders: Vec<(u128, usize)> = vec![];
    let mut left = rest;
    for i in (0..weights.len()).filter(|i| free[*i]) {
        let exact = rest * u128::from(weights[i]);
        shares[i] = (exact / weight) as u64;
        left -= exact / weight;
        remainders.push((exact % weight, i));
    }
    remainders.sort_by(|a, b| {
        let population = |i: usize| strata[i].population;
        b.0.cmp(&a.0).then(population(b.1).cmp(&population(a.1))).then(a.1.cmp(&b.1))
    });
    for (_, i) in remainders.into_iter().take(left as usize) {
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
        Design { n, allocation, min: 0, max: None, on_short }
    }

    fn message(result: Result<Vec<u64>, String>) -> String {
        result.unwrap_err()
    }

    #[test]
    fn largest_remainders_get_what_is_left() {
        let quotas = |n, of: &[u64]| allocate(&design(n, Proportional, Error), &strata(of)).unwrap();
        // The textbook case of Hare's quota: 4.7, 1.6, 1.58, 1.2, 0.61, 0.31 of 10.
        assert_eq!(quotas(10, &[47_000, 16_000, 15_800, 12_000, 6_100, 3_100]), [5, 2, 1, 1, 1, 0]);
        // Equal remainders go to the larger, then to the first.
        assert_eq!(quotas(6, &[1, 11]), [0, 6]);
        assert_eq!(quotas(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(quotas(1, &[3, 9]), [0, 1]);
        assert_eq!(quotas(12, &[3, 9]), [3, 9]);
    }

    #[test]
    fn floors_and_caps() {
        let bounded = |n, min, max, of: &[u64]| {
            allocate(&Design { min, max, ..design(n, Proportional, Error) }, &strata(of)).unwrap()
        };
        assert_eq!(bounded(100, 10, None, &[1000, 100, 10]), [80, 10, 10]);
        assert_eq!(bounded(100, 0, Some(50), &[1000, 100, 50]), [50, 33, 17]);
        assert_eq!(bounded(30, 10, Some(10), &[1000, 100, 10]), [10, 10, 10]);
    }

    #[test]
    fn floors_beyond_the_rows_there_are() {
        let least = |on_short| allocate(&Design { min: 5, ..design(20, Proportional, on_short) }, &strata(&[100, 3]));
        assert!(message(least(Error)).contains("`1` has 3 of 5"));
        assert_eq!(least(TakeAll).unwrap(), [17, 3]);
        let narrow = Design { min: 5, ..design(8, Proportional, Error) };
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

    /// Against the definition: λ found by bisection.
    #[test]
    fn shares_lie_where_the_definition_has_them() {
        let mut state = 1u64;
        let mut next = |below: u64| {
            state = populace_population::permuted(u128::from(state), 3) as u64;
            state % below
        };
        for _ in 0..300 {
            let count = 1 + next(6) as usize;
            let populations: Vec<u64> = (0..count).map(|_| 1 + next(50)).collect();
            let floors: Vec<u64> = (0..count).map(|_| next(5)).collect();
            let caps: Vec<u64> = floors.iter().map(|f| f + next(20)).collect();
            let (least, most): (u64, u64) = (floors.iter().sum(), caps.iter().sum());
            let n = least + next(most - least + 1);
            let shares = apportion(n, &populations, &floors, &caps, &strata(&populations));
            assert_eq!(shares.iter().sum::<u64>(), n);
            let at = |lambda: f64| -> Vec<f64> {
                let share = |i: usize| (lambda * populations[i] as f64).clamp(floors[i] as f64, caps[i] as f64);
                (0..count).map(share).collect()
            };
            let (mut low, mut high) = (0.0, 1e4);
            for _ in 0..100 {
                let middle = (low + high) / 2.0;
                if at(middle).iter().sum::<f64>() < n as f64 { low = middle } else { high = middle }
            }
            for (share, exact) in shares.iter().zip(at(high)) {
                assert!((*share as f64 - exact).abs() < 1.0, "{shares:?}, {:?}", at(high));
            }
        }
    }
}
