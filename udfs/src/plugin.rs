//! Registering the functions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::async_udf::AsyncScalarUDF;
use datafusion::prelude::SessionContext;
use populace_population::Pack;

use crate::census::Census;
use crate::cosine_similarity::CosineSimilarity;
use crate::embed::Embed;
use crate::packs::Packs;
use crate::relations::Relations;
use crate::{Embedder, TableSearch};

type OpenEmbedder = dyn Fn() -> Result<Arc<dyn Embedder>> + Send + Sync;

/// An embedder that is opened when a statement first needs it.
#[derive(Clone)]
pub(crate) struct LazyEmbedder(Arc<OpenEmbedder>);

impl LazyEmbedder {
    pub fn get(&self) -> Result<Arc<dyn Embedder>> {
        (self.0)()
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

/// What the functions have to work with.
#[derive(Debug, Default)]
pub struct Populace {
    pub(crate) packs: Packs,
    pub(crate) embedder: Option<LazyEmbedder>,
    pub(crate) search: Option<Arc<dyn TableSearch>>,
}

impl Populace {
    /// Nothing yet.
    pub fn new() -> Populace {
        Populace::default()
    }

    /// What `embed` and `semantic_search` turn texts into vectors with.
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

    /// How the host searches its own tables; others are scanned.
    pub fn with_table_search(mut self, search: Arc<dyn TableSearch>) -> Populace {
        self.search = Some(search);
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
}

/// Adds the functions to a session, and the catalogue `census`.
///
/// # Errors
/// If the session refuses one of them.
pub fn register(context: &SessionContext, populace: Populace) -> Result<()> {
    let populace = Arc::new(populace);
    context.register_relation_planner(Arc::new(Relations(populace.clone())))?;
    context.register_udf(ScalarUDF::from(CosineSimilarity::new()));
    if let Some(embedder) = &populace.embedder {
        context.register_udf(AsyncScalarUDF::new(Arc::new(Embed::new(embedder.clone()))).into_scalar_udf());
    }
    context.register_catalog("census", Arc::new(Census(populace)));
    Ok(())
}
