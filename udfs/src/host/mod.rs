//! What a host gives: packs, models, and how its tables are searched.

pub(crate) mod embedder;
pub(crate) mod facts;
pub(crate) mod labels;
pub(crate) mod language;
pub(crate) mod narrator;
pub(crate) mod packs;
pub(crate) mod plausibility;
#[cfg(feature = "search")]
pub(crate) mod reranker;
pub(crate) mod table_search;
#[cfg(feature = "search")]
pub(crate) mod words;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use populace_population::{Pack, there_are};

use self::embedder::Embedder;
use self::labels::{InMemory, LabelStore};
use self::narrator::Narrator;
use self::packs::Packs;
use self::plausibility::{CountryStatements, PlausibilityStatements};
#[cfg(feature = "search")]
use self::reranker::{Reranker, Rerankers};
use self::table_search::TableSearch;

type OpenEmbedder = dyn Fn() -> Result<Arc<dyn Embedder>> + Send + Sync;

/// An embedder that is opened when a statement first needs it.
#[derive(Clone)]
pub(crate) struct LazyEmbedder(Arc<OpenEmbedder>);

impl LazyEmbedder {
    pub fn get(&self) -> Result<Arc<dyn Embedder>> {
        (self.0)()
    }
}

impl Default for LazyEmbedder {
    fn default() -> LazyEmbedder {
        LazyEmbedder(Arc::new(|| plan_err!("this session has no embedder: the host gives it one, with_embedder")))
    }
}

impl fmt::Debug for LazyEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LazyEmbedder")
    }
}

impl PartialEq for LazyEmbedder {
    fn eq(&self, other: &LazyEmbedder) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LazyEmbedder {}

impl Hash for LazyEmbedder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

/// Where the vectors of labels are kept.
#[derive(Debug, Clone)]
pub(crate) struct Labels(pub Arc<dyn LabelStore>);

impl Default for Labels {
    fn default() -> Labels {
        Labels(Arc::new(InMemory::default()))
    }
}

type OpenNarrator = dyn Fn(&str) -> Result<Arc<dyn Narrator>> + Send + Sync;

/// The narrators of a session; the first is the default.
#[derive(Clone, Default)]
pub(crate) struct Narrators {
    known: Vec<Arc<dyn Narrator>>,
    open: Option<Arc<OpenNarrator>>,
}

impl fmt::Debug for Narrators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.known).finish()
    }
}

impl Narrators {
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn get(&self, name: Option<&str>) -> Result<Arc<dyn Narrator>> {
        let found = match name {
            None => self.known.first(),
            Some(name) => self.known.iter().find(|n| n.name() == name),
        };
        match (found, name, &self.open) {
            (Some(narrator), ..) => Ok(narrator.clone()),
            (None, None, _) => plan_err!("this session has no narrator: the host gives it one, with_narrator"),
            (None, Some(name), Some(open)) => open(name),
            (None, Some(name), None) => {
                let names: Vec<&str> = self.known.iter().map(|n| n.name()).collect();
                plan_err!("unknown narrator `{name}`{}", there_are(name, &names))
            }
        }
    }
}

impl PartialEq for Narrators {
    fn eq(&self, other: &Narrators) -> bool {
        self.known.len() == other.known.len() && self.known.iter().zip(&other.known).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Eq for Narrators {}

impl Hash for Narrators {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known.iter().for_each(|n| n.name().hash(state));
    }
}

/// What the functions have to work with.
#[derive(Debug, Default)]
pub struct Populace {
    pub(crate) packs: Packs,
    pub(crate) plausibility: PlausibilityStatements,
    pub(crate) embedder: Option<LazyEmbedder>,
    pub(crate) search: Option<Arc<dyn TableSearch>>,
    pub(crate) labels: Labels,
    pub(crate) narrators: Narrators,
    #[cfg(feature = "search")]
    pub(crate) rerankers: Rerankers,
}

impl Populace {
    /// Nothing yet.
    pub fn new() -> Populace {
        Populace::default()
    }

    /// What `embed` and the searches by meaning turn texts into vectors with.
    pub fn with_embedder(self, embedder: Arc<dyn Embedder>) -> Populace {
        self.with_lazy_embedder(move || Ok(embedder.clone()))
    }

    /// The same, asked for whenever a statement needs it: a session without a model fails only where one is needed.
    pub fn with_lazy_embedder(
        mut self,
        open: impl Fn() -> Result<Arc<dyn Embedder>> + Send + Sync + 'static,
    ) -> Populace {
        self.embedder = Some(LazyEmbedder(Arc::new(open)));
        self
    }

    /// What searches are reranked by (feature `search`), opened by its name when one is planned.
    #[cfg(feature = "search")]
    pub fn with_rerankers(
        mut self,
        open: impl Fn(&str) -> Result<Arc<dyn Reranker>> + Send + Sync + 'static,
    ) -> Populace {
        self.rerankers = Rerankers(Some(Arc::new(open)));
        self
    }

    /// How the host searches its own tables; others are scanned.
    pub fn with_table_search(mut self, search: Arc<dyn TableSearch>) -> Populace {
        self.search = Some(search);
        self
    }

    /// Where the vectors of labels are kept that `fact_search` makes; in memory without it.
    pub fn with_label_store(mut self, labels: Arc<dyn LabelStore>) -> Populace {
        self.labels = Labels(labels);
        self
    }

    /// Adds a narrator, by its name; the first is the one that writes where none is named.
    pub fn with_narrator(mut self, narrator: Arc<dyn Narrator>) -> Populace {
        self.narrators.known.push(narrator);
        self
    }

    /// How narrators are opened that a statement names and the session has not, such as one for each model.
    pub fn with_narrators(
        mut self,
        open: impl Fn(&str) -> Result<Arc<dyn Narrator>> + Send + Sync + 'static,
    ) -> Populace {
        self.narrators.open = Some(Arc::new(open));
        self
    }

    /// Adds a country, under the pack's own name.
    pub fn with_pack(self, pack: Arc<Pack>) -> Populace {
        self.with_lazy_pack(pack.name().to_string(), move || Ok(pack.clone()))
    }

    /// Adds a country whose pack is read when a statement first names it.
    pub fn with_lazy_pack(
        mut self,
        name: impl Into<String>,
        load: impl Fn() -> populace_population::Result<Arc<Pack>> + Send + Sync + 'static,
    ) -> Populace {
        self.packs.add(name.into(), Box::new(load));
        self
    }

    /// What `validate` holds against the people of a country together, by the country's name or the path of its pack;
    /// nothing where there are no statements.
    pub fn with_plausibility(mut self, open: impl Fn(&str) -> CountryStatements + Send + Sync + 'static) -> Populace {
        self.plausibility = PlausibilityStatements(Some(Arc::new(open)));
        self
    }

    /// How a country is opened that a statement names and the session does not know by name, such as a pack by its path;
    /// `None` where there is no such country.
    pub fn with_pack_opener(
        mut self,
        open: impl Fn(&str) -> Option<populace_population::Result<Arc<Pack>>> + Send + Sync + 'static,
    ) -> Populace {
        self.packs.open_with(Box::new(open));
        self
    }
}
