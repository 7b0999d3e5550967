//! What writes narratives.

mod openai;
pub mod outline;
mod own;

use std::sync::Arc;

use populace_population::there_are;
use populace_udfs::Narrator;

use self::openai::{Models, OpenAiNarrator};
use crate::catalog::Account;
use crate::servers::{Activities, Activity, Budget, Endpoint, Limits, OpenCatalog, RequestOptions};

pub use own::ReadTemplates;

/// What [`open`] takes.
const NAMES: [&str; 2] = ["outline", "openai:MODEL"];

/// What all narrators of a session share.
#[derive(Clone)]
pub struct NarratorContext {
    pub catalog: OpenCatalog,
    pub templates: ReadTemplates,
    /// Of the session between statements, and of programs that are none
    pub session: Arc<Activity>,
    pub(crate) statements: Arc<Activities>,
    /// The models of all sessions of the process
    models: Arc<Models>,
}

impl NarratorContext {
    pub fn new(catalog: OpenCatalog, templates: ReadTemplates, limits: Limits) -> NarratorContext {
        NarratorContext::beside(catalog, templates, (limits, None), Arc::default())
    }

    fn beside(
        catalog: OpenCatalog,
        templates: ReadTemplates,
        (limits, payer): (Limits, Option<Account>),
        models: Arc<Models>,
    ) -> NarratorContext {
        let budget = Budget::new(limits, payer, catalog.clone());
        NarratorContext { catalog, templates, session: Activity::new(&budget), statements: Arc::default(), models }
    }

    /// What the narrators of another session share, which asks the same models within limits of its own, and of who pays
    /// for it.
    pub fn of_another_session(&self, limits: Limits, payer: Option<Account>) -> NarratorContext {
        NarratorContext::beside(self.catalog.clone(), self.templates.clone(), (limits, payer), self.models.clone())
    }

    /// A statement that begins. It is known to the narrators as long as what is returned is kept.
    pub fn begin(&self) -> Arc<Activity> {
        self.statements.begin(&self.session.budget)
    }
}

/// A narrator by name: `outline`, or a model as `openai:MODEL`, whose answers are kept in a catalogue. Each knows the
/// user's own narratives, by their names.
///
/// # Errors
/// If there is none of this name, or a model's endpoint or key is missing.
pub fn open(name: &str, asking: &RequestOptions, common: &NarratorContext) -> Result<Arc<dyn Narrator>, String> {
    Ok(Arc::new(own::WithOwn::new(open_bare(name, asking, common)?, common.templates.clone())))
}

fn open_bare(name: &str, asking: &RequestOptions, common: &NarratorContext) -> Result<Arc<dyn Narrator>, String> {
    match name.split_once(':') {
        None if name == "outline" => Ok(Arc::new(outline::OutlineNarrator)),
        Some(("openai", model)) => {
            let endpoint = Endpoint::of(model, asking)?;
            // Sessions that ask alike share what they ask through: its pace, and what is on its way.
            let limits = Limits { calls: None, tokens: None, cost: None, time: None, ..asking.limits };
            let alike = format!("{name} {:?}", RequestOptions { limits, payer: None, ..asking.clone() });
            Ok(OpenAiNarrator::open(endpoint, common, &alike)?)
        }
        _ => Err(format!("unknown narrator `{name}`{}", there_are(name, &NAMES))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_in_names_are_pointed_out() {
        let nowhere: OpenCatalog = Arc::new(|| Err("not needed".into()));
        let none: ReadTemplates = Arc::new(|| Ok(vec![]));
        let common = NarratorContext::new(nowhere, none, Limits::default());
        let open = |name| open(name, &RequestOptions::default(), &common);
        assert_eq!(open("outline").unwrap().name(), "outline");
        assert!(open("outlin").unwrap_err().contains("did you mean `outline`?"));
        assert!(open("openai:").unwrap_err().contains("names no model"));
    }
}
