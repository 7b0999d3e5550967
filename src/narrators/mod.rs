//! What writes narratives.

mod activity;
pub mod openai;
pub mod outline;
mod own;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use populace_population::there_are;
use populace_udfs::Narrator;

use self::activity::Activities;
use self::openai::{Budget, Endpoint, Limits, Models, OpenAiNarrator, OpenCatalog};

pub use activity::Activity;
use activity::CurrentRun;
pub use own::ReadTemplates;
pub use tally::Asked;

/// What [`open`] takes.
const NAMES: [&str; 2] = ["outline", "openai:MODEL"];

/// How a model is asked; the outline narrator needs none of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestOptions {
    /// Requests in flight at once; 16 where it is not said
    pub concurrency: Option<usize>,
    /// Of one request
    pub timeout: Option<Duration>,
    /// The model's own where it is not said
    pub temperature: Option<f64>,
    /// Of one answer
    pub max_answer_tokens: Option<u32>,
    pub limits: Limits,
    /// Whether requests are handed to the provider in batches, where a run can wait for them
    pub batch: bool,
    /// A file with the servers that share the requests; `OPENAI_BASE_URL` is the one where it is not said
    pub servers: Option<PathBuf>,
    /// A file with the prices of models
    pub prices: Option<PathBuf>,
    /// What the calls are told apart by from all others, where answers that are known are not to count
    pub fresh: Option<String>,
}

/// What all narrators of a session share.
#[derive(Clone)]
pub struct NarratorContext {
    pub catalog: OpenCatalog,
    pub templates: ReadTemplates,
    /// Of the session between statements, and of programs that are none
    pub session: Arc<Activity>,
    statements: Arc<Activities>,
    /// The models of all sessions of the process
    models: Arc<Models>,
}

impl NarratorContext {
    pub fn new(catalog: OpenCatalog, templates: ReadTemplates, limits: Limits) -> NarratorContext {
        NarratorContext::beside(catalog, templates, limits, Arc::default())
    }

    fn beside(catalog: OpenCatalog, templates: ReadTemplates, limits: Limits, models: Arc<Models>) -> NarratorContext {
        let budget = Budget::new(limits, catalog.clone());
        NarratorContext { catalog, templates, session: Activity::new(&budget), statements: Arc::default(), models }
    }

    /// What the narrators of another session share, which asks the same models within limits of its own.
    pub fn of_another_session(&self, limits: Limits) -> NarratorContext {
        NarratorContext::beside(self.catalog.clone(), self.templates.clone(), limits, self.models.clone())
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
            let mut endpoint = Endpoint::open(model, asking.servers.as_deref())?;
            endpoint.concurrency = asking.concurrency.unwrap_or(endpoint.concurrency);
            endpoint.timeout = asking.timeout.unwrap_or(endpoint.timeout);
            endpoint.temperature = asking.temperature;
            endpoint.max_answer_tokens = asking.max_answer_tokens;
            endpoint.limits = asking.limits;
            endpoint.batch = asking.batch;
            endpoint.fresh = asking.fresh.clone();
            endpoint.price = openai::price(asking.prices.as_deref(), model)?;
            if asking.limits.cost.is_some() && endpoint.price.is_none() {
                return Err(format!(
                    "--max-cost needs the price of {model}: write it into a file and name it with --prices"
                ));
            }
            // Sessions that ask alike share what they ask through: its pace, and what is on its way.
            let limits = Limits { calls: None, tokens: None, cost: None, time: None, ..asking.limits };
            let alike = format!("{name} {:?}", RequestOptions { limits, ..asking.clone() });
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
