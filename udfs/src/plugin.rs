//! Registering the functions.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use populace_population::Pack;

use crate::census::Census;
use crate::packs::Packs;
use crate::relations::Relations;

/// What the functions have to work with.
#[derive(Debug, Default)]
pub struct Populace {
    pub(crate) packs: Packs,
}

impl Populace {
    /// Nothing yet.
    pub fn new() -> Populace {
        Populace::default()
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
    context.register_catalog("census", Arc::new(Census(populace)));
    Ok(())
}
