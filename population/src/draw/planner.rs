//! How the parts of a pattern are drawn: decided once, by what each way takes for some people.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::draw::envelope::Envelope;
use crate::draw::facts::UNKNOWN;
use crate::draw::groups::Groups;
use crate::draw::kept::KEPT;
use crate::draw::links::Links;
use crate::draw::pattern::Pattern;
use crate::draw::rows::row_of;
use crate::draw::stream::{Noise, Use};
use crate::draw::trellis::{Carried, FEW_WAYS, Sweep};
use crate::draw::values::Values;
use crate::pack::Pack;

/// The ways in which posteriors may be drawn from; where none of them will do, parts are eliminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Parts may be carried forward.
    pub sweeps: bool,
    /// Parts may be drawn under envelopes.
    pub envelopes: bool,
}

/// How many tries the two envelopes of a part are given.
pub(crate) const TRIES: [u32; 2] = [256, 2048];

/// The work that the bounds of an envelope may take for every row, in products, and that of the second envelope.
const WORK: [u64; 5] = [1 << 9, 1 << 12, 1 << 14, 1 << 16, 1 << 18];
const MORE_WORK: u64 = 1 << 18;

/// People like those of the population, always the same: by them it is decided how people are drawn of whom the same
/// variables are known. So many tell how often bounds are the same, and of so many it is found what each way takes.
const PILOTS: usize = 256;
const TESTED: usize = 8;

/// How many rows are thought to share the bounds of a pattern, and how many times fewer there may be of them.
const SHARED: u64 = 1 << 14;
const FEWER: u64 = 4;

/// What a level that is weighed in a try takes, in products, and what a way of a trellis does.
const TRIED: u64 = 4;
const CARRIED: u64 = 8;

/// Where carrying forward takes less, nothing else is looked for.
const SHORT: u64 = 1 << 12;

/// Plans for patterns of a pack's people.
#[derive(Debug)]
pub(crate) struct Planner {
    pack: Arc<Pack>,
    names: Vec<[u32; 2]>,
    ways: Ways,
    links: OnceLock<Links>,
    pilots: OnceLock<Vec<i32>>,
    groups: Vec<OnceLock<Option<Arc<Groups>>>>,
}

impl Planner {
    pub fn new(pack: Arc<Pack>, names: Vec<[u32; 2]>, ways: Ways) -> Planner {
        let groups = pack.network.tables.iter().map(|_| OnceLock::new()).collect();
        Planner { pack, names, ways, links: OnceLock::new(), pilots: OnceLock::new(), groups }
    }

    pub fn links(&self) -> &Links {
        self.links.get_or_init(|| Links::new(&self.pack.network))
    }

    /// The codes of the pilots, one after another.
    pub fn pilots(&self) -> &[i32] {
        self.pilots.get_or_init(|| {
            let (network, width) = (&self.pack.network, self.pack.network.variables.len());
            let mut pilots = vec![UNKNOWN; PILOTS * width];
            for (key, codes) in (0u64..).zip(pilots.chunks_mut(width.max(1))) {
                let noise = Noise::new(0, &key.to_le_bytes());
                for (v, table) in network.tables.iter().enumerate() {
                    if let Some(row) = row_of(table, &self.pack.addresses[v], codes) {
                        codes[v] = i32::from(table.rows.pick(row, noise.block(self.names[v], 0, Use::Pilot)[0]));
                    }
                }
            }
            pilots
        })
    }

    /// The groups of a variable's levels.
    fn groups_of(&self, variable: usize) -> Option<Arc<Groups>> {
        if self.links().inverses()[variable].is_some() {
            return None;
        }
        self.groups[variable].get_or_init(|| Groups::new(&self.pack.network, variable).map(Arc::new)).clone()
    }

    /// Decides how the parts of a pattern are drawn, by what each way takes for the pilots.
    pub fn plan(&self, mut pattern: Pattern) -> Pattern {
        let (network, width) = (&self.pack.network, self.pack.network.variables.len());
        let inverses = self.links().inverses();
        for number in 0..pattern.parts.len() {
            let mut part = std::mem::take(&mut pattern.parts[number]);
            if self.ways.sweeps {
                part.sweep = Sweep::new(network, &part.variables, &part.observed, inverses);
            }
            if !self.ways.envelopes {
                pattern.parts[number] = part;
                continue;
            }
            let pilots: Vec<Vec<i32>> = self
                .pilots()
                .chunks(width)
                .map(|codes| {
                    // Of them too, only what is known outside of the part and in it is.
                    let mut codes = codes.to_vec();
                    part.variables.iter().for_each(|v| codes[*v] = UNKNOWN);
                    codes
                })
                .collect();
            // Whether they can be carried forward, and what that takes.
            let (mut carried, mut carrying) = (0, 0);
            for codes in pilots.iter().take(TESTED) {
                let sweep = part.sweep.as_ref().map(|sweep| sweep.carry(&self.pack, codes, FEW_WAYS));
                if let Some(Carried::Trellis(trellis)) = sweep {
                    carried += 1;
                    carrying += trellis.ways() as u64 * CARRIED;
                }
            }
            part.sweeps = 2 * carried > TESTED as u64;
            carrying /= carried.max(1);
            let short = part.sweeps && carrying < SHORT;
            part.groups = match short {
                true => part.observed.iter().map(|_| None).collect(),
                false => part.observed.iter().map(|v| self.groups_of(*v)).collect(),
            };
            let of_part = [pattern.number, number as u32];
            let keys: Vec<Vec<u32>> = pilots.iter().map(|codes| part.key(&self.pack, of_part, codes)).collect();
            // How many people there are for each key of some words: all, or about as many as happen to meet.
            let people = |words: &[usize]| {
                let different: HashSet<Vec<u32>> =
                    keys.iter().map(|key| words.iter().map(|w| key[w + 2]).collect()).collect();
                let met = PILOTS - different.len();
                let values = different.len().max(PILOTS * PILOTS / (2 * met + 1)) as u64;
                (SHARED / values).max(1)
            };
            let envelope = |work: u64, grouped: bool| Envelope::new(network, &part, inverses, grouped, &people, work);
            let takes = |envelope: &Envelope| {
                let mut levels = vec![0; part.variables.len()];
                let mut all = 0;
                let mut kept: HashMap<Vec<u32>, (Values, u64)> = HashMap::new();
                for (codes, key) in pilots.iter().zip(&keys).take(TESTED) {
                    let find = |number: usize, words: &[usize], make: &dyn Fn() -> (Values, u64)| {
                        let of = [number as u32].into_iter().chain(words.iter().map(|w| key[w + 2]));
                        let (made, work) = kept.entry(of.collect()).or_insert_with(make).clone();
                        // Bounds that there is no room for are made for every row.
                        let (people, bytes) = (people(words), made.bytes() as u64);
                        all += if SHARED / people * bytes > KEPT as u64 { work } else { FEWER * work / people };
                        made
                    };
                    let Some(enveloped) = envelope.over(&self.pack, codes, find) else { continue };
                    let noise = Noise::new(0, b"");
                    let words = |lane, v: usize| noise.block(self.names[v], lane, Use::Pilot);
                    let (accepted, weighed) =
                        envelope.draw(&self.pack, &enveloped, 1..1 + TRIES[0], words, &mut levels);
                    all += weighed * TRIED + if accepted { 0 } else { MORE_WORK };
                }
                all / TESTED as u64
            };
            // The more work the bounds take, the fewer draws are taken back; bounds of groups take less, and more are.
            let mut least: Option<(u64, Envelope)> = None;
            let grouped = if part.groups.iter().any(Option::is_some) { &[true, false][..] } else { &[false] };
            for grouped in grouped {
                let mut before = None;
                for work in if short { &WORK[1..2] } else { &WORK[..] } {
                    let Some(envelope) = envelope(*work, *grouped) else { break };
                    let takes = takes(&envelope);
                    // What has all the work that it wants is not bounded better by more.
                    if before.replace(takes) == Some(takes) {
                        break;
                    }
                    if least.as_ref().is_none_or(|(least, _)| takes < *least) {
                        least = Some((takes, envelope));
                    }
                    if least.as_ref().is_some_and(|(least, _)| *least < *work) {
                        break;
                    }
                }
            }
            if let Some((takes, loose)) = least {
                let words: Vec<usize> = keys.first().map_or(0..0, |key| 0..key.len() - 2).collect();
                let sweeps = carrying / people(&words) <= takes;
                let envelopes = [loose].into_iter().chain(envelope(MORE_WORK, false)).collect();
                part.sweeps &= sweeps;
                part.envelopes = envelopes;
            }
            pattern.parts[number] = part;
        }
        pattern
    }
}
