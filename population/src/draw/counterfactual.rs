//! Counterfactual twins: the same people with something otherwise.
//!
//! Each fact of somebody is drawn by a word of theirs from a row of its variable's table. A twin has the same words; what
//! is set is set, and only what depends on it, by the network, is drawn again from the rows that it now has. (Abduction,
//! action, prediction: Pearl, Causality, 2009, section 7.1.) For people drawn here the words are known. For others they
//! are drawn from what is known of them: facts that are not stated from the posterior given those stated, and then each
//! word among those that draw the fact.
//!
//! - Integers are drawn by inverse CDF, with the same word: who was tall for their age stays so.
//! - Levels of texts have no order, so that their places in a table ought not to matter. Each level is taken to arrive at
//!   an exponential time, at the rate of its probability, and the first is drawn; a twin has the same arrivals at other
//!   rates. This is the Gumbel-max model (Oberst and Sontag, "Counterfactual off-policy evaluation with Gumbel-max
//!   structural causal models", ICML 2019): a level gives way only to one whose odds against it have risen.
//!
//! What this can claim: in the model whose arrows are those of the network, twins are drawn from P(Y | do(X)), and differ
//! from their originals by what was set alone. What it cannot: the order of drawing is not an order of causes. An arrow
//! from sex to age is there because a table was published so. Who reads an effect from a pair argues for the arrows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rayon::prelude::*;

use crate::draw::facts::{Facts, Texts, UNKNOWN, constant, list_column, lists, stated, unsigned};
use crate::draw::intervention::{Intervention, Role};
use crate::draw::kernels::draw_items;
use crate::draw::posteriors::Posteriors;
use crate::draw::rows::{row_of, span};
use crate::draw::stream::{Noise, Stream, Use, named, text};
use crate::error::{Error, Result};
use crate::infer::elimination::condition;
use crate::infer::predicate::Value;
use crate::model::network::Rows;
use crate::model::philox;
use crate::model::variable::Levels;
use crate::pack::{Column, Pack};

/// What the hash is of that a twin's uuid is.
const TWIN: &str = "populace 2026-11 twin v1";

/// The same people with something otherwise. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Counterfactual {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pack: Arc<Pack>,
    schema: SchemaRef,
    intervention: Intervention,
    posteriors: Posteriors,
    /// What must be known of the original.
    needed: Vec<bool>,
    /// Of the levels of texts that may be drawn again, as random numbers go by them.
    levels: Vec<Vec<[u32; 2]>>,
    lists: Vec<[u32; 2]>,
}

/// The words of somebody.
enum Words<'a> {
    /// A row of a stream, by which they were drawn
    Drawn(&'a Stream, u64),
    Abducted,
}

/// Working memory of a thread.
#[derive(Default)]
struct Scratch {
    before: Vec<f64>,
    after: Vec<(usize, f64)>,
}

impl Counterfactual {
    /// `set` is what is otherwise: variables and their values. `keep` are variables that stay as they are although they
    /// depend on it. A variable that shows a hidden one, as a marital status shows its detail, is set by drawing the
    /// hidden one among the levels that show the value, and kept by keeping it.
    ///
    /// # Errors
    /// If a name is unknown, a list, or set twice; if a value is no level of its variable.
    pub fn new(pack: Arc<Pack>, set: &[(String, Value)], keep: &[String]) -> Result<Counterfactual> {
        let intervention = Intervention::new(&pack, set, keep)?;
        let of = pack.schema();
        let mut fields: Vec<Field> = of.fields().iter().map(|f| f.as_ref().clone()).collect();
        for field in fields.iter_mut().filter(|f| f.name() == "seed" || f.name() == "row_index") {
            *field = field.clone().with_nullable(true);
        }
        fields.push(Field::new("twin_of", DataType::Utf8, false));
        let network = &pack.network;
        let mut needed = vec![false; network.variables.len()];
        for column in &pack.columns {
            match column {
                Column::Variable(v) => needed[*v] = true,
                Column::List(l) => pack.list_addresses[*l].parents.iter().for_each(|(p, _)| needed[*p] = true),
                _ => {}
            }
        }
        let drawn = |v: usize| matches!(intervention.roles[v], Role::Among(_) | Role::Follows);
        for v in (0..needed.len()).filter(|v| drawn(*v)) {
            needed[v] = true;
            pack.addresses[v].parents.iter().for_each(|(p, _)| needed[*p] = true);
        }
        let levels = network.variables.iter().enumerate().map(|(v, variable)| {
            let races = drawn(v) && !matches!(network.tables[v].rows, Rows::Function { .. });
            let of = if races { variable.len() } else { 0 };
            (0..of).map(|level| named(&["level", &variable.name, &variable.label(level)])).collect()
        });
        let levels = levels.collect();
        let lists = pack.list_names().map(|l| named(&["list", l])).collect();
        let posteriors = Posteriors::new(pack.clone());
        let schema = Arc::new(Schema::new(fields));
        Ok(Counterfactual { inner: Arc::new(Inner { pack, schema, intervention, posteriors, needed, levels, lists }) })
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.inner.pack
    }

    /// That of a draw, and then `twin_of`: the uuid of the original. A twin's `seed`, `row_index` and `given` are NULL, for
    /// no draw gives it; those of the original are found by `twin_of`.
    pub fn schema(&self) -> SchemaRef {
        self.inner.schema.clone()
    }

    /// The variables and lists that may differ: what depends on what is set, less what is kept.
    pub fn affected(&self) -> Vec<&str> {
        let Inner { pack, intervention, .. } = self.inner.as_ref();
        let of = |column: &Column| match column {
            Column::Variable(v) if intervention.roles[*v] == Role::Follows => {
                Some(pack.network.variables[*v].name.as_str())
            }
            Column::List(l) if intervention.lists[*l] => Some(pack.lists[*l].name.as_str()),
            _ => None,
        };
        pack.columns.iter().filter_map(of).collect()
    }

    /// One twin for each person of a batch with a column `uuid` and facts, by name; other columns are passed over. NULL is
    /// the level that is NULL, or not stated where there is none. A twin depends on the pack, what is set and kept, and on
    /// the person alone: not on the order of rows or on the batch.
    ///
    /// Who was drawn here without a condition, by the columns `seed`, `row_index`, `given` and `pack`, and is stated as
    /// drawn, has their own words; all others have words that agree with what is stated.
    ///
    /// # Errors
    /// If a uuid is missing, or a fact is no level of its variable; if somebody's facts have no probability in this pack;
    /// if the pack has no distribution for what somebody would be.
    pub fn twins(&self, people: &RecordBatch) -> Result<RecordBatch> {
        let Inner { pack, schema, posteriors, needed, .. } = self.inner.as_ref();
        let rows = people.num_rows();
        let uuids = self.uuids(people)?;
        let mut facts = Facts::read(pack, people, true)?;
        let as_stated = facts.clone();
        let provenance = self.provenance(people)?;
        let mut streams: HashMap<u64, Stream> = HashMap::new();
        for (seed, _) in provenance.iter().flatten() {
            streams.entry(*seed).or_insert_with(|| Stream::new(pack, *seed, &[]));
        }
        let width = facts.width;
        let words: Vec<Words<'_>> = facts
            .codes
            .par_chunks_mut(width.max(1))
            .zip(&provenance)
            .map(|(codes, from)| {
                let Some((seed, row)) = from else { return Words::Abducted };
                let stream = &streams[seed];
                match self.drawn(stream, *row) {
                    Some(drawn) if drawn.iter().zip(&*codes).all(|(d, c)| *c == UNKNOWN || c == d) => {
                        codes.copy_from_slice(&drawn);
                        Words::Drawn(stream, *row)
                    }
                    _ => Words::Abducted,
                }
            })
            .collect();
        let noises: Vec<Noise> = uuids.iter().map(|uuid| Noise::new(0, uuid.as_bytes())).collect();
        let possible = posteriors.fill(&mut facts, &noises, needed)?;
        if let Some(row) = possible.iter().position(|p| !p) {
            return Err(impossible(pack, format!("person `{}`", uuids[row]), as_stated.row(row)));
        }
        let mut twins = facts.clone();
        let faults: Vec<Option<usize>> = twins
            .codes
            .par_chunks_mut(width.max(1))
            .zip(facts.codes.par_chunks(width.max(1)))
            .zip(words.par_iter().zip(&noises))
            .map_init(Scratch::default, |scratch, ((twin, codes), (words, noise))| {
                self.twin(codes, twin, words, *noise, scratch)
            })
            .collect();
        if let Some((row, v)) = faults.iter().enumerate().find_map(|(row, fault)| fault.map(|v| (row, v))) {
            let name = |v: usize| pack.network.variables[v].name.clone();
            let codes = twins.row(row);
            let parents = pack.network.tables[v].parents.iter().map(|p| {
                let label = usize::try_from(codes[p.variable]).map(|l| pack.network.variables[p.variable].label(l));
                format!("{} = '{}'", name(p.variable), label.unwrap_or_default())
            });
            let of = parents.collect::<Vec<String>>().join(", ");
            return Err(Error::NoTwin { person: uuids[row].into(), variable: name(v), of });
        }
        let arrays = pack
            .columns
            .iter()
            .map(|column| self.column(*column, people, &uuids, (&facts, &twins), &words, &noises))
            .chain([Ok(Arc::new(StringArray::from(uuids.clone())) as ArrayRef)])
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
    }

    fn uuids<'a>(&self, people: &'a RecordBatch) -> Result<Vec<&'a str>> {
        let fault = |message: String| Error::People { column: "uuid".into(), message };
        let column = people.column_by_name("uuid").ok_or_else(|| {
            fault("it is missing; a twin is found by its original's uuid: give each row a text of its own".into())
        })?;
        let texts = Texts::read("uuid", column)?;
        let of = |row: usize| {
            texts.get(row).ok_or_else(|| fault(format!("row {row} has NULL; give each row a text of its own")))
        };
        (0..people.num_rows()).map(of).collect()
    }

    /// The seed and the row of those who say that they were drawn from this pack without a condition.
    fn provenance(&self, people: &RecordBatch) -> Result<Vec<Option<(u64, u64)>>> {
        let none = || vec![None; people.num_rows()];
        let (Some(seeds), Some(rows)) = (unsigned(people, "seed"), unsigned(people, "row_index")) else {
            return Ok(none());
        };
        let (Some(given), Some(packs)) = (people.column_by_name("given"), people.column_by_name("pack")) else {
            return Ok(none());
        };
        let (Ok(given), Ok(packs)) = (Texts::read("given", given), Texts::read("pack", packs)) else {
            return Ok(none());
        };
        let id = self.inner.pack.id();
        let of = |row: usize| match given.get(row).is_none() && packs.get(row) == Some(id.as_str()) {
            true => seeds[row].zip(rows[row]),
            false => None,
        };
        Ok((0..people.num_rows()).map(of).collect())
    }

    /// Who a row of a stream is.
    fn drawn(&self, stream: &Stream, row: u64) -> Option<Vec<i32>> {
        let pack = &self.inner.pack;
        let mut codes = vec![UNKNOWN; pack.network.variables.len()];
        for (v, table) in pack.network.tables.iter().enumerate() {
            let at = row_of(table, &pack.addresses[v], &codes)?;
            codes[v] = i32::from(table.rows.pick(at, philox::word(stream.variables[v], row)));
        }
        Some(codes)
    }

    /// Makes somebody's twin of a copy of them; the variable that has no distribution, if one has none.
    fn twin(
        &self,
        codes: &[i32],
        twin: &mut [i32],
        words: &Words<'_>,
        noise: Noise,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        let Inner { pack, intervention, posteriors, .. } = self.inner.as_ref();
        for (v, role) in intervention.roles.iter().enumerate() {
            let (table, address) = (&pack.network.tables[v], &pack.addresses[v]);
            let among = match role {
                Role::Stays => continue,
                Role::Set(level) => {
                    twin[v] = i32::from(*level);
                    continue;
                }
                Role::Among(mask) => Some(mask.as_slice()),
                Role::Follows => None,
            };
            let Some(now) = row_of(table, address, twin) else { return Some(v) };
            let Some(was) = row_of(table, address, codes) else { return Some(v) };
            let allowed = among.is_none_or(|mask| mask.get(codes[v] as usize).copied().unwrap_or(false));
            if was == now && allowed {
                continue;
            }
            twin[v] = match (&table.rows, &pack.network.variables[v].levels, among) {
                (Rows::Function { .. }, _, None) => i32::from(table.rows.pick(now, 0)),
                (rows, Levels::Integer { .. }, None) => {
                    let word = match words {
                        Words::Drawn(stream, row) => philox::word(stream.variables[v], *row),
                        Words::Abducted => {
                            let Some((low, high)) = span(rows, was, codes[v]) else { return Some(v) };
                            let [high_bits, low_bits, ..] = noise.block(posteriors.names()[v], 0, Use::Abduction);
                            let at = u64::from(high_bits) << 32 | u64::from(low_bits);
                            low + ((u128::from(at) * u128::from(high - low)) >> 64) as u32
                        }
                    };
                    i32::from(rows.pick(now, word))
                }
                (rows, _, among) => match self.race(v, rows, (was, now), codes[v] as usize, among, noise, scratch) {
                    Some(level) => level as i32,
                    None => return Some(v),
                },
            };
        }
        None
    }

    /// The level that arrives first at the new rates, where `level` did at the old ones. The first of all arrives after a
    /// time of rate 1, whichever it is; each other so much later as is exponential at its own rate, for waiting has no
    /// memory. An arrival at rate p is one at rate q after p / q of the time.
    #[allow(clippy::too_many_arguments)]
    fn race(
        &self,
        v: usize,
        rows: &Rows,
        (was, now): (usize, usize),
        level: usize,
        among: Option<&[bool]>,
        noise: Noise,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        let Inner { pack, posteriors, levels, .. } = self.inner.as_ref();
        let Scratch { before, after } = scratch;
        before.clear();
        before.resize(pack.network.variables[v].len(), 0.0);
        after.clear();
        rows.each(was, |level, p| before[level] = p);
        let mut own = 0.0;
        rows.each(now, |l, q| {
            if among.is_none_or(|mask| mask[l]) {
                after.push((l, q));
                if l == level {
                    own = q;
                }
            }
        });
        let first = noise.exponential(posteriors.names()[v], Use::First);
        let mut best = (f64::INFINITY, None);
        if own > 0.0 {
            best = (first * before[level] / own, Some(level));
        }
        for (l, q) in after.iter().filter(|(l, _)| *l != level) {
            // Whose odds have not risen cannot overtake.
            if own > 0.0 && q * before[level] <= own * before[*l] {
                continue;
            }
            let time = (first * before[*l] + noise.exponential(levels[v][*l], Use::Others)) / q;
            if time < best.0 {
                best = (time, Some(*l));
            }
        }
        best.1
    }

    fn column(
        &self,
        column: Column,
        people: &RecordBatch,
        uuids: &[&str],
        (facts, twins): (&Facts, &Facts),
        words: &[Words<'_>],
        noises: &[Noise],
    ) -> Result<ArrayRef> {
        let Inner { pack, intervention, .. } = self.inner.as_ref();
        let rows = uuids.len();
        Ok(match column {
            Column::Uuid => {
                let mut hasher = blake3::Hasher::new_derive_key(TWIN);
                hasher.update(&(intervention.set.len() as u64).to_le_bytes());
                for (name, label) in &intervention.set {
                    text(&mut hasher, name);
                    text(&mut hasher, label);
                }
                intervention.keep.iter().for_each(|name| text(&mut hasher, name));
                let uuid = |of: &&str| {
                    let mut hasher = hasher.clone();
                    // The length of all before is told by its number.
                    hasher.update(&(intervention.keep.len() as u64).to_le_bytes());
                    text(&mut hasher, of);
                    hasher.finalize().to_hex()[..32].to_string()
                };
                Arc::new(StringArray::from_iter_values(uuids.iter().map(uuid)))
            }
            Column::Variable(v) => twins.column(pack, v)?,
            Column::List(l) => {
                let spec = &pack.lists[l];
                let stated = match people.column_by_name(&spec.name) {
                    Some(array) => lists(spec, array)?,
                    None => vec![None; rows],
                };
                let drawn = stated.into_par_iter().enumerate().map(|(row, stated)| {
                    let at = |codes: &[i32]| row_of(&spec.table, &pack.list_addresses[l], codes);
                    let now = at(twins.row(row));
                    if let Some(stated) = stated.filter(|_| now == at(facts.row(row))) {
                        return Ok(stated);
                    }
                    let none = || {
                        let of = "what they would be".to_string();
                        Error::NoTwin { person: uuids[row].into(), variable: spec.name.clone(), of }
                    };
                    let mut items = vec![];
                    draw_items(spec, now.ok_or_else(none)?, &mut items, |lane| match &words[row] {
                        Words::Drawn(stream, index) => {
                            let counter = [*index as u32, (*index >> 32) as u32, lane as u32, 0];
                            philox::block(counter, stream.lists[l])
                        }
                        Words::Abducted => noises[row].block(self.inner.lists[l], lane as u32, Use::Items),
                    });
                    Ok(items)
                });
                let drawn: Vec<Result<Vec<i32>>> = drawn.collect();
                list_column(spec, &drawn.into_iter().collect::<Result<Vec<_>>>()?)?
            }
            Column::Country => constant(&pack.country, rows)?,
            Column::PackId => constant(&pack.id(), rows)?,
            Column::Seed | Column::RowIndex => Arc::new(UInt64Array::new_null(rows)),
            Column::Given => {
                let values = Arc::new(StringArray::from(Vec::<&str>::new()));
                Arc::new(DictionaryArray::try_new(Int32Array::new_null(rows), values)?)
            }
        })
    }
}

/// The error of facts that nobody has together.
pub(crate) fn impossible(pack: &Pack, person: String, codes: &[i32]) -> Error {
    let facts = stated(pack, codes);
    match condition(&pack.network, &facts) {
        Err(Error::Impossible { predicates }) => Error::ImpossiblePerson { person, predicates },
        _ => Error::ImpossiblePerson { person, predicates: facts.conjuncts().iter().map(|p| p.brief()).collect() },
    }
}
