//! Facts that are not known, drawn from their posterior given those that are, person by person.
//!
//! What is known takes the network apart: unknown variables that no table ties together, once what is known is put in, are
//! independent of each other. Each such part has a posterior of its own, which is exact, small, and the same for all
//! people with the same values around it: it is worked out once and kept. Unknown variables without known descendants are
//! drawn from their tables as they are. (Koller and Friedman, Probabilistic Graphical Models, 2009, sections 3.3 and 9.3.)

use std::collections::HashMap;
use std::mem::size_of_val;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::draw::envelope::Enveloped;
use crate::draw::facts::{Facts, UNKNOWN};
use crate::draw::kept::Kept;
use crate::draw::pattern::{Part, Pattern};
use crate::draw::planner::{Planner, TRIES, Ways};
use crate::draw::rows::{of_rows, row_of, span};
use crate::draw::stream::{Noise, Use, named};
use crate::draw::trellis::{Carried, FEW_WAYS, MAX_WAYS, Trellis, base};
use crate::draw::values::Values;
use crate::error::Result;
use crate::infer::elimination::weighed;
use crate::interrupt::Interrupt;
use crate::model::network::{Address, Network, Rows, Table, UNREACHABLE, WORDS};
use crate::model::potential::{Axis, Potential, cells, strides, walk};
use crate::pack::Pack;

/// Plans that are kept.
const PATTERNS: usize = 1 << 10;

/// The posteriors of a pack's people.
#[derive(Debug)]
pub(crate) struct Posteriors {
    pack: Arc<Pack>,
    /// The names of the variables, as random numbers go by them.
    names: Vec<[u32; 2]>,
    patterns: Mutex<HashMap<Vec<bool>, Arc<Pattern>>>,
    kept: Mutex<Kept<Option<Arc<Posterior>>>>,
    bounds: Mutex<Kept<Values>>,
    planner: Planner,
    numbers: AtomicU32,
}

/// Variables and their levels.
type Levels = Vec<(usize, u16)>;

/// The posterior of a part.
#[derive(Debug)]
enum Posterior {
    Trellis(Trellis),
    /// Where a trellis would have many ways
    Enveloped(Enveloped),
    /// Where a trellis would have too many ways, and an envelope's draws are taken back too often
    Tables {
        order: Vec<usize>,
        tables: Vec<(Table, Address)>,
    },
}

impl Posterior {
    fn bytes(&self) -> usize {
        let of = |(table, address): &(Table, Address)| {
            let rows = match &table.rows {
                Rows::Dense { thresholds, .. } => size_of_val(&thresholds[..]),
                Rows::Sparse { offsets, levels, thresholds } => {
                    size_of_val(&offsets[..]) + size_of_val(&levels[..]) + size_of_val(&thresholds[..])
                }
                Rows::Function { levels } => size_of_val(&levels[..]),
            };
            let parents: usize = table.parents.iter().map(|a| 6 * a.partition.class_of().len()).sum();
            rows + parents
                + table.compact.as_ref().map_or(0, |c| size_of_val(&c[..]))
                + 40 * address.parents.len()
                + 200
        };
        match self {
            Posterior::Trellis(trellis) => trellis.bytes(),
            Posterior::Enveloped(enveloped) => enveloped.bytes(),
            Posterior::Tables { tables, .. } => tables.iter().map(of).sum(),
        }
    }

    /// Draws a level of each of the part's variables, and tells of it, by words for each.
    fn draw(&self, part: &Part, words: impl Fn(usize) -> [u32; 4], mut tell: impl FnMut(usize, u16)) {
        let (order, tables) = match self {
            Posterior::Trellis(trellis) => return trellis.draw(words, tell),
            Posterior::Tables { order, tables } => (order, tables),
            // These are drawn by tries.
            Posterior::Enveloped(_) => return,
        };
        let mut codes = vec![0u16; tables.len()];
        for v in order {
            let (table, address) = &tables[*v];
            let config: u32 = address.parents.iter().map(|(p, offsets)| offsets[usize::from(codes[*p])]).sum();
            let row = table.compact.as_ref().map_or(config, |rows| rows[config as usize]);
            let word = words(part.variables[*v])[0];
            // Whoever is drawn can be met; were it not so, a wrong row is better than none.
            codes[*v] = table.rows.pick(if row == UNREACHABLE { 0 } else { row as usize }, word);
            tell(part.variables[*v], codes[*v]);
        }
    }
}

impl Posteriors {
    pub fn new(pack: Arc<Pack>) -> Posteriors {
        let names: Vec<[u32; 2]> = pack.network.variables.iter().map(|v| named(&["variable", &v.name])).collect();
        Posteriors {
            planner: Planner::new(pack.clone(), names.clone(), Ways { sweeps: true, envelopes: true }),
            pack,
            names,
            patterns: Mutex::default(),
            kept: Mutex::default(),
            bounds: Mutex::default(),
            numbers: AtomicU32::new(0),
        }
    }

    pub fn names(&self) -> &[[u32; 2]] {
        &self.names
    }

    /// Draws what is unknown of the variables that are needed, and tells for each row whether what is known of it has a
    /// probability. Rows that have none are left as they are, in part or whole.
    ///
    /// # Errors
    /// If a posterior needs more memory than the bound.
    pub fn fill(&self, facts: &mut Facts, noises: &[Noise], needed: &[bool]) -> Result<Vec<bool>> {
        let width = facts.width;
        let links = self.planner.links();
        facts.codes.par_chunks_mut(width.max(1)).for_each(|codes| links.follow(&self.pack, codes));
        let mut by_pattern: HashMap<Vec<bool>, Vec<usize>> = HashMap::new();
        for row in 0..noises.len() {
            let known = facts.row(row).iter().map(|c| *c != UNKNOWN).collect();
            by_pattern.entry(known).or_default().push(row);
        }
        let mut patterns = vec![];
        let mut of_row = vec![0; noises.len()];
        let mut possible = vec![true; noises.len()];
        for (known, rows) in by_pattern {
            let pattern = self.pattern(&known);
            let mut needed = needed.to_vec();
            // Barren ones that only others need are found from the last to the first.
            for v in pattern.barren.iter().rev() {
                if needed[*v] {
                    self.pack.addresses[*v].parents.iter().for_each(|(p, _)| needed[*p] = true);
                }
            }
            rows.iter().for_each(|row| of_row[*row] = patterns.len());
            for (number, part) in pattern.parts.iter().enumerate() {
                if part.variables.iter().any(|v| needed[*v]) {
                    self.fill_part(&pattern, number, part, &rows, facts, noises, &mut possible)?;
                }
            }
            let barren: Vec<usize> = pattern.barren.iter().copied().filter(|v| needed[*v]).collect();
            patterns.push((pattern, barren));
        }
        let network = &self.pack.network;
        let people = facts.codes.par_chunks_mut(width.max(1)).zip(&mut possible).zip(noises).zip(&of_row);
        people.for_each(|(((codes, possible), noise), pattern)| {
            let (pattern, barren) = &patterns[*pattern];
            let row = |v: usize, codes: &[i32]| row_of(&network.tables[v], &self.pack.addresses[v], codes);
            let likely =
                |v: &usize| row(*v, codes).is_some_and(|row| span(&network.tables[*v].rows, row, codes[*v]).is_some());
            *possible = *possible && pattern.certain.iter().all(likely);
            for v in barren.iter().take_while(|_| *possible) {
                match row(*v, codes) {
                    Some(row) => {
                        let word = noise.block(self.names[*v], 0, Use::Completion)[0];
                        codes[*v] = i32::from(network.tables[*v].rows.pick(row, word));
                    }
                    None => {
                        *possible = false;
                        break;
                    }
                }
            }
        });
        Ok(possible)
    }

    #[allow(clippy::too_many_arguments)]
    fn fill_part(
        &self,
        pattern: &Pattern,
        number: usize,
        part: &Part,
        rows: &[usize],
        facts: &mut Facts,
        noises: &[Noise],
        possible: &mut [bool],
    ) -> Result<()> {
        let mut groups: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
        for row in rows {
            let key = part.key(&self.pack, [pattern.number, number as u32], facts.row(*row));
            groups.entry(key).or_default().push(*row);
        }
        let interrupt = Interrupt::of_part();
        let drawn = groups
            .into_par_iter()
            .map(|(key, rows)| {
                interrupt.check()?;
                interrupt.within(|| self.draw_alike(key, part, facts, &rows, noises))
            })
            .collect::<Result<Vec<_>>>()?;
        for (row, codes) in drawn.into_iter().flatten() {
            match codes {
                None => possible[row] = false,
                Some(codes) => {
                    codes.into_iter().for_each(|(v, code)| facts.codes[row * facts.width + v] = i32::from(code));
                }
            }
        }
        Ok(())
    }

    /// The levels of a part's variables for rows of which the same is known around it, or that there are none.
    fn draw_alike(
        &self,
        key: Vec<u32>,
        part: &Part,
        facts: &Facts,
        rows: &[usize],
        noises: &[Noise],
    ) -> Result<Vec<(usize, Option<Levels>)>> {
        let codes = facts.row(rows[0]);
        let mut drawn = Vec::with_capacity(rows.len());
        let mut left = rows.to_vec();
        let mut levels = vec![0; part.variables.len()];
        let mut lanes = 0..0;
        // What is drawn must not depend on what happens to be kept: the same ways are tried in the same order.
        for attempt in 0..=part.envelopes.len() {
            let posterior = self.posterior(&key, part, codes, attempt)?;
            if let (Some(envelope), Some(Posterior::Enveloped(enveloped))) =
                (part.envelopes.get(attempt), posterior.as_deref())
            {
                let tries = TRIES.get(attempt).copied().unwrap_or(0);
                lanes = lanes.end + 1..lanes.end + 1 + tries;
                left.retain(|row| {
                    let words = |lane, v: usize| noises[*row].block(self.names[v], lane, Use::Completion);
                    let (accepted, _) = envelope.draw(&self.pack, enveloped, lanes.clone(), words, &mut levels);
                    if accepted {
                        let codes = part.variables.iter().copied().zip(levels.iter().copied()).collect();
                        drawn.push((*row, Some(codes)));
                    }
                    !accepted
                });
            } else {
                drawn.extend(left.drain(..).map(|row| {
                    let words = |v: usize| noises[row].block(self.names[v], 0, Use::Completion);
                    let drawn = posterior.as_ref().map(|p| {
                        let mut codes = Vec::with_capacity(part.variables.len());
                        p.draw(part, words, |v, code| codes.push((v, code)));
                        codes
                    });
                    (row, drawn)
                }));
            }
            if left.is_empty() {
                break;
            }
        }
        Ok(drawn)
    }

    /// The posterior of a part, by as many ways as have failed before.
    fn posterior(&self, key: &[u32], part: &Part, codes: &[i32], failed: usize) -> Result<Option<Arc<Posterior>>> {
        let mut numbered = key.to_vec();
        numbered.push(failed as u32);
        let found = self.kept.lock().unwrap_or_else(PoisonError::into_inner).find(&numbered);
        if let Some(found) = found {
            return Ok(found);
        }
        let made = self.work_out(key, part, codes, failed)?.map(Arc::new);
        let bytes = 100 + 4 * numbered.len() + made.as_ref().map_or(0, |p| p.bytes());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(numbered, made.clone(), bytes);
        Ok(made)
    }

    /// The posterior of a part: its tables with what is known put in, weighed by what is known below them.
    fn work_out(&self, key: &[u32], part: &Part, codes: &[i32], failed: usize) -> Result<Option<Posterior>> {
        let last = failed == part.envelopes.len();
        if failed == 0 && part.sweeps || last {
            let most = if last { MAX_WAYS } else { FEW_WAYS };
            match part.sweep.as_ref().map(|sweep| sweep.carry(&self.pack, codes, most)) {
                Some(Carried::Trellis(trellis)) => return Ok(Some(Posterior::Trellis(trellis))),
                Some(Carried::Impossible) => return Ok(None),
                Some(Carried::TooManyWays) | None => {}
            }
        }
        if let Some(envelope) = part.envelopes.get(failed) {
            let find = |number: usize, words: &[usize], make: &dyn Fn() -> (Values, u64)| {
                let of = words.iter().map(|word| key[word + 2]);
                let key: Vec<u32> = [key[0], key[1], failed as u32, number as u32].into_iter().chain(of).collect();
                let found = self.bounds.lock().unwrap_or_else(PoisonError::into_inner).find(&key);
                found.unwrap_or_else(|| {
                    let (made, _) = make();
                    let bytes = 100 + size_of_val(&key[..]) + made.bytes();
                    self.bounds.lock().unwrap_or_else(PoisonError::into_inner).put(key, made.clone(), bytes);
                    made
                })
            };
            return Ok(envelope.over(&self.pack, codes, find).map(Posterior::Enveloped));
        }
        let network = &self.pack.network;
        let mut tables = vec![];
        for v in &part.variables {
            let (parents, rows) = self.slice(*v, part, codes);
            tables.push(of_rows(&network.tables[*v].rows, parents, &rows));
        }
        let mut ties = vec![];
        for v in &part.observed {
            let (axes, rows) = self.slice(*v, part, codes);
            let of = &network.tables[*v].rows;
            let weight = |row: &u32| match *row {
                UNREACHABLE => 0.0,
                row => span(of, row as usize, codes[*v]).map_or(0.0, |(low, high)| f64::from(high - low) / WORDS),
            };
            ties.push(Potential { axes, values: rows.iter().map(weight).collect() });
        }
        let variables = part.variables.iter().map(|v| network.variables[*v].clone()).collect();
        let network = Network { variables, tables };
        let Some(case) = weighed(&network, &ties)? else { return Ok(None) };
        let tables = case.tables.into_iter().zip(network.tables).map(|(posterior, prior)| {
            let table = posterior.unwrap_or(prior);
            let address = Address::new(&table.parents);
            (table, address)
        });
        Ok(Some(Posterior::Tables { tables: tables.collect(), order: case.order }))
    }

    /// The unknown parents of a table, by their places in the part, and the table's row for each configuration of them.
    fn slice(&self, v: usize, part: &Part, codes: &[i32]) -> (Vec<Axis>, Vec<u32>) {
        let table = &self.pack.network.tables[v];
        let (mut axes, mut steps) = (vec![], vec![]);
        for (axis, stride) in table.parents.iter().zip(strides(&table.parents)) {
            if let Ok(variable) = part.variables.binary_search(&axis.variable) {
                axes.push(Axis { variable, partition: axis.partition.clone() });
                steps.push((0..axis.partition.classes()).map(|c| c * stride).collect::<Vec<usize>>());
            }
        }
        let base = base(&self.pack.addresses[v], codes) as usize;
        let mut rows = vec![];
        walk(&axes, std::slice::from_ref(&steps), 0..cells(&axes) as usize, |_, at| {
            let config = base + at[0];
            rows.push(table.compact.as_ref().map_or(config as u32, |rows| rows[config]));
        });
        (axes, rows)
    }

    fn pattern(&self, known: &[bool]) -> Arc<Pattern> {
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = patterns.get(known) {
            return pattern.clone();
        }
        // Patterns are never taken for each other, and few are in use at a time.
        if patterns.len() >= PATTERNS {
            patterns.clear();
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let pattern = Arc::new(self.planner.plan(Pattern::new(&self.pack.network, known, number)));
        patterns.insert(known.to_vec(), pattern.clone());
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const ROWS: usize = 4000;

    fn only(pack: &Arc<Pack>, ways: Ways) -> Posteriors {
        let posteriors = Posteriors::new(pack.clone());
        Posteriors { planner: Planner::new(pack.clone(), posteriors.names.clone(), ways), ..posteriors }
    }

    /// Somebody's facts, known in many rows, and the others drawn.
    fn drawn(posteriors: &Posteriors, person: &[i32], known: &[usize]) -> Facts {
        let width = person.len();
        let mut facts = Facts { width, codes: vec![UNKNOWN; width * ROWS] };
        for row in facts.codes.chunks_mut(width) {
            known.iter().for_each(|v| row[*v] = person[*v]);
        }
        let noises: Vec<Noise> = (0..ROWS as u64).map(|key| Noise::new(0, &key.to_le_bytes())).collect();
        assert!(posteriors.fill(&mut facts, &noises, &vec![true; width]).unwrap().iter().all(|possible| *possible));
        facts
    }

    /// What follows for certain from what is known of somebody is what they are.
    #[test]
    fn what_follows_is_so() {
        let mut followed = 0;
        for country in ["brazil", "india", "japan", "singapore", "usa"] {
            let path = format!("../datasets/{country}/{country}.pack");
            let pack = Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            let posteriors = Posteriors::new(pack.clone());
            let links = posteriors.planner.links();
            let width = pack.network.variables.len();
            for (at, person) in posteriors.planner.pilots().chunks(width).enumerate() {
                let known = |v: usize| (v * 7 + at * 3 + v * at) % 5 < 2;
                let mut codes: Vec<i32> = (0..width).map(|v| if known(v) { person[v] } else { UNKNOWN }).collect();
                links.follow(&pack, &mut codes);
                for v in (0..width).filter(|v| !known(*v) && codes[*v] != UNKNOWN) {
                    assert_eq!(codes[v], person[v], "{country}: {}", pack.network.variables[v].name);
                    followed += 1;
                }
            }
        }
        assert!(followed > 1_000, "{followed}");
    }

    /// Carried forward, under an envelope or eliminated, a posterior is the same: samples of each variable that is not known
    /// agree.
    #[test]
    fn both_ways_draw_from_one_posterior() {
        for (country, facts) in [
            ("usa", [["age", "sex", "state", "occupation"], ["last_name", "education_level", "city", "industry"]]),
            ("singapore", [["age", "ethnicity", "occupation", "religion"], ["sex", "age", "", ""]]),
            ("india", [["last_name", "internet_use", "marital_status", "sex"], ["age", "sex", "place", "religion"]]),
        ] {
            let path = format!("../datasets/{country}/{country}.pack");
            let pack = Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            let carried = only(&pack, Ways { sweeps: true, envelopes: false });
            let eliminated = only(&pack, Ways { sweeps: false, envelopes: false });
            let variables = &pack.network.variables;
            let everybody = drawn(&carried, &vec![UNKNOWN; variables.len()], &[]);
            let enveloped = only(&pack, Ways { sweeps: false, envelopes: true });
            let (mut trellises, mut envelopes) = (0, 0);
            for (person, names) in facts.iter().enumerate() {
                let known = |v: &usize| names.contains(&variables[*v].name.as_str());
                let known: Vec<usize> = (0..variables.len()).filter(known).collect();
                assert!(known.len() >= 2, "{country}: {names:?}");
                let [a, b, c] = [&carried, &eliminated, &enveloped].map(|p| drawn(p, everybody.row(person), &known));
                let under = enveloped.kept.lock().unwrap();
                let is_envelope = |p: &&Arc<Posterior>| matches!(&***p, Posterior::Enveloped(_));
                envelopes += under.new.values().filter_map(|(p, _)| p.as_ref()).filter(is_envelope).count();
                let kept = carried.kept.lock().unwrap();
                trellises += kept
                    .new
                    .values()
                    .filter_map(|(p, _)| p.as_ref())
                    .filter(|p| matches!(&***p, Posterior::Trellis(_)))
                    .count();
                for (v, variable, a) in
                    [&a, &c].into_iter().flat_map(|a| variables.iter().enumerate().map(move |(v, of)| (v, of, a)))
                {
                    let mut counts = vec![[0.0f64; 2]; variable.len()];
                    for row in 0..ROWS {
                        counts[a.row(row)[v] as usize][0] += 1.0;
                        counts[b.row(row)[v] as usize][1] += 1.0;
                    }
                    let (common, rare): (Vec<[f64; 2]>, Vec<[f64; 2]>) =
                        counts.iter().partition(|[a, b]| a + b >= 20.0);
                    let rare = rare.iter().fold([0.0, 0.0], |sum, [a, b]| [sum[0] + a, sum[1] + b]);
                    let cells = common.iter().chain([&rare]).filter(|[a, b]| a + b > 0.0);
                    let (chi, df) =
                        cells.fold((0.0, 0.0), |(chi, df), [a, b]| (chi + (a - b).powi(2) / (a + b), df + 1.0));
                    let bound = df + 5.0 * (2.0f64 * df).sqrt() + 5.0;
                    assert!(chi < bound, "{country}, {names:?}: {}: {chi} at {df}", variable.name);
                }
            }
            let patterns = enveloped.patterns.lock().unwrap();
            let mut parts = patterns.values().flat_map(|pattern| &pattern.parts).flat_map(|part| &part.envelopes);
            assert!(country != "india" || parts.any(|e| e.is_grouped()), "{country}: no names were grouped");
            assert!(envelopes > 0, "{country}: nothing was drawn under an envelope");
            assert!(trellises > 0, "{country}: nothing was carried forward");
        }
    }
}
