//! What all who ask a model of one process share: its servers, its prompts, what is on its way, and how it fares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::future::WeakShared;
use populace_udfs::checks::{Copies, Vocabulary};
use populace_udfs::{language_of, pack_name};
use serde_json::{Map, Value};

use super::client::Client;
use super::prompts::{Prompts, Rendered};
use super::{InFlight, NarratorContext, ReadTemplates};
use crate::catalog::Typical;
use crate::packs;
use crate::servers::{Endpoint, Failure, OpenCatalog};

/// How long an endpoint that cannot be used is left alone; until then requests fail at once.
const REST: Duration = Duration::from_secs(30);

/// The models that the process asks, by how they are asked: all sessions that ask alike share one.
pub(in crate::narrators) type Models = Mutex<HashMap<String, Weak<Model>>>;

/// What all who ask a model share.
pub(in crate::narrators) struct Model {
    pub(super) name: String,
    pub(super) client: Client,
    /// Those of a row that does not say whose it is, or of a pack without prompts
    pub(super) first: Arc<Prompts>,
    /// By pack and language
    pub(super) prompts: Mutex<HashMap<Origin, Arc<Prompts>>>,
    pub(super) vocabularies: Mutex<HashMap<Origin, Arc<Vocabulary>>>,
    /// What was written of late, by narrative
    pub(super) copies: Mutex<HashMap<String, Copies>>,
    pub(super) catalog: OpenCatalog,
    pub(super) read_templates: ReadTemplates,
    /// Narratives of one's own: names and templates
    pub(super) templates: OnceLock<Vec<(String, String)>>,
    pub(super) in_flight: Mutex<HashMap<[u8; 32], WeakShared<InFlight>>>,
    pub(super) outage: Mutex<Option<(Instant, Failure)>>,
    /// What answers take, by the texts that are asked for; read once
    pub(super) typical: Mutex<HashMap<String, Option<Typical>>>,
}

/// A pack, and a language where it is not the pack's own.
type Origin = (String, Option<String>);

impl Model {
    pub(super) fn new(endpoint: Endpoint, common: &NarratorContext) -> Result<Model, String> {
        let first = packs::prompts("usa", None)?.ok_or("no country has prompts")?;
        let first = Arc::new(Prompts::new(&first, "en")?);
        let name = format!("openai:{}", endpoint.model);
        let client = Client::new(endpoint)?;
        Ok(Model {
            name,
            client,
            first,
            prompts: Mutex::default(),
            vocabularies: Mutex::default(),
            copies: Mutex::default(),
            catalog: common.catalog.clone(),
            read_templates: common.templates.clone(),
            templates: OnceLock::new(),
            in_flight: Mutex::default(),
            outage: Mutex::default(),
            typical: Mutex::default(),
        })
    }

    /// What jobs are called in the country that a person lives in, and the language of the person's texts.
    pub(super) fn vocabulary(&self, facts: &Map<String, Value>) -> Arc<Vocabulary> {
        let origin = origin(facts).unwrap_or_default();
        let mut known = self.vocabularies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vocabulary) = known.get(&origin) {
            return vocabulary.clone();
        }
        let vocabulary = match packs::open(&origin.0).filter(|_| pack_name(facts).is_some()) {
            Some(Ok(pack)) => Vocabulary::of(&pack),
            _ => Vocabulary::default(),
        };
        let vocabulary = Arc::new(vocabulary.in_language(origin.1.as_deref()));
        known.insert(origin, vocabulary.clone());
        vocabulary
    }

    /// The prompts of the country that a person lives in, in the language of the person's texts; the USA's where the
    /// row does not say, or the country has none.
    ///
    /// # Errors
    /// If the country has none in this language, or its prompts are at fault.
    pub(super) fn prompts(&self, facts: &Map<String, Value>) -> Result<Arc<Prompts>, String> {
        let Ok((pack, language)) = origin(facts) else { return Ok(self.first.clone()) };
        self.prompts_of(&pack, language.as_deref())
    }

    pub(super) fn prompts_of(&self, pack: &str, language: Option<&str>) -> Result<Arc<Prompts>, String> {
        let origin = (pack.to_string(), language.map(String::from));
        let mut known = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prompts) = known.get(&origin) {
            return Ok(prompts.clone());
        }
        let prompts = match packs::prompts(pack, language)? {
            Some(files) => {
                let own = || packs::prompt_languages(pack).into_iter().next().unwrap_or_default();
                let language = language.map_or_else(own, String::from);
                Arc::new(Prompts::new(&files, &language).map_err(|e| format!("the pack {pack}: {e}"))?)
            }
            None => self.first.clone(),
        };
        known.insert(origin, prompts.clone());
        Ok(prompts)
    }

    /// The narrative of one's own that a template is.
    pub(super) fn own(&self, template: &str) -> Option<&str> {
        // Those that cannot be read are told of where they are asked for by name.
        let templates = self.templates.get_or_init(|| (self.read_templates)().unwrap_or_default());
        templates.iter().find(|(_, known)| known == template).map(|(name, _)| name.as_str())
    }

    pub(super) fn render_own(
        &self,
        prompts: &Prompts,
        template: &str,
        facts: &Map<String, Value>,
    ) -> Result<Rendered, String> {
        Ok(Rendered { own: self.own(template).map(String::from), ..prompts.render_own(template, facts)? })
    }

    /// Notes an outage: for a while, requests fail at once.
    pub(super) fn out(&self, failure: Failure) -> Failure {
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), failure.clone()));
        failure
    }

    /// Whether requests may be sent: after an outage they fail at once for a while.
    pub(super) fn rested(&self) -> Result<(), Failure> {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match outage.as_ref().filter(|(since, _)| since.elapsed() < REST) {
            Some((_, failure)) => Err(Failure { attempts: 0, passing: false, ..failure.clone() }),
            None => Ok(()),
        }
    }
}

/// The pack that a person's prompts go by, and the language where the row names one.
///
/// # Errors
/// If no pack is of the row's country.
fn origin(facts: &Map<String, Value>) -> Result<Origin, String> {
    Ok((packs::country_of(facts)?, language_of(facts).map(String::from)))
}
