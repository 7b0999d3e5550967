//! The country packs that a session knows.

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use populace_population::{Pack, there_are};

type Load = dyn Fn() -> populace_population::Result<Arc<Pack>> + Send + Sync;

/// A pack that is read when a statement first names it.
pub(crate) struct LazyPack {
    name: String,
    load: Box<Load>,
    pack: OnceLock<Arc<Pack>>,
}

impl fmt::Debug for LazyPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyPack").field("name", &self.name).field("loaded", &self.pack.get().is_some()).finish()
    }
}

type Open = dyn Fn(&str) -> Option<populace_population::Result<Arc<Pack>>> + Send + Sync;

/// All packs of a session, by name.
#[derive(Default)]
pub(crate) struct Packs {
    known: Vec<LazyPack>,
    /// Opens packs that are not known by name
    open: Option<Box<Open>>,
}

impl fmt::Debug for Packs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.known).finish()
    }
}

impl Packs {
    pub fn add(&mut self, name: String, load: Box<Load>) {
        self.known.retain(|p| p.name != name);
        self.known.push(LazyPack { name, load, pack: OnceLock::new() });
    }

    pub fn open_with(&mut self, open: Box<Open>) {
        self.open = Some(open);
    }

    pub fn names(&self) -> Vec<String> {
        self.known.iter().map(|p| p.name.clone()).collect()
    }

    /// The language of a country's texts, by the name of its pack, or by what the column `country` says; BCP 47.
    pub fn language(&self, said: &str) -> Option<String> {
        let of_country =
            |pack: &Arc<Pack>| pack.country().eq_ignore_ascii_case(said) || pack.title().eq_ignore_ascii_case(said);
        let by_country = || self.known.iter().filter_map(|p| self.get(&p.name).ok()).find(of_country);
        self.get(said).ok().or_else(by_country).map(|pack| pack.language().to_string())
    }

    pub fn get(&self, name: &str) -> Result<Arc<Pack>> {
        let Some(lazy) = self.known.iter().find(|p| p.name.eq_ignore_ascii_case(name)) else {
            if let Some(opened) = self.open.as_ref().and_then(|open| open(name)) {
                return opened.map_err(population_error);
            }
            let names = self.names();
            return Err(plan_datafusion_err!("unknown country `{name}`{}", there_are(name, &names)));
        };
        if let Some(pack) = lazy.pack.get() {
            return Ok(pack.clone());
        }
        let pack = (lazy.load)().map_err(population_error)?;
        Ok(lazy.pack.get_or_init(|| pack).clone())
    }
}

/// An error of the population crate, as one of planning: its message says what to do.
pub(crate) fn population_error(error: populace_population::Error) -> DataFusionError {
    plan_datafusion_err!("{error}")
}
