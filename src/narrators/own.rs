//! Narratives of the user's own beside those of a narrator: templates by name, kept in the catalogue.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use populace_udfs::{Estimate, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt};
use serde_json::{Map, Value};

/// The fact that tells a judge of the user's own narratives: their texts by name.
pub(super) const OWN_TEXTS: &str = "own_texts";

/// Reads the templates by name, when a statement first needs them.
pub type ReadTemplates = Arc<dyn Fn() -> Result<Vec<(String, String)>, String> + Send + Sync>;

/// A narrator that knows the user's own narratives too.
pub(super) struct WithOwn {
    inner: Arc<dyn Narrator>,
    read: ReadTemplates,
    templates: OnceLock<Vec<(String, String)>>,
}

impl std::fmt::Debug for WithOwn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl WithOwn {
    pub fn new(inner: Arc<dyn Narrator>, read: ReadTemplates) -> WithOwn {
        WithOwn { inner, read, templates: OnceLock::new() }
    }

    fn templates(&self) -> Result<&[(String, String)], String> {
        if let Some(known) = self.templates.get() {
            return Ok(known);
        }
        let read = (self.read)()?;
        Ok(self.templates.get_or_init(|| read))
    }

    /// The names of the templates, if the narrator can write them.
    fn own_kinds(&self) -> Vec<String> {
        match self.follows_templates() {
            false => vec![],
            true => self.templates().unwrap_or_default().iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// A prompt in the words of the narrator, which does not know the names of templates.
    fn inner_prompt(&self, prompt: Prompt) -> Prompt {
        match &prompt {
            Prompt::Kind(name) => {
                let own = self.templates().ok().and_then(|t| t.iter().find(|(n, _)| n == name));
                own.map_or(prompt, |(_, template)| Prompt::Template(template.clone()))
            }
            Prompt::Template(_) => prompt,
        }
    }

    fn inner_requests(&self, requests: Vec<NarrativeRequest>) -> Vec<NarrativeRequest> {
        let scores = self.inner.scores();
        let of = |NarrativeRequest { prompt, mut facts }: NarrativeRequest| {
            if is_score(&prompt, &scores) {
                self.tell_judge(Arc::make_mut(&mut facts));
            }
            NarrativeRequest { prompt: self.inner_prompt(prompt), facts }
        };
        requests.into_iter().map(of).collect()
    }

    /// A judge reads the user's own narratives too.
    fn tell_judge(&self, facts: &mut Map<String, Value>) {
        let names = self.templates().unwrap_or_default().iter().map(|(name, _)| name);
        let texts = names.filter_map(|n| Some((n.clone(), facts.get(n).filter(|t| t.is_string())?.clone())));
        let texts: Map<String, Value> = texts.collect();
        if !texts.is_empty() {
            facts.insert(OWN_TEXTS.into(), Value::Object(texts));
        }
    }
}

fn is_score(prompt: &Prompt, scores: &[String]) -> bool {
    matches!(prompt, Prompt::Kind(name) if scores.contains(name))
}

#[async_trait]
impl Narrator for WithOwn {
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Those of the narrator, then the user's own if it can write them: one that calls nobody obeys no template.
    fn kinds(&self) -> Vec<String> {
        let mut kinds = self.inner.kinds();
        kinds.extend(self.own_kinds());
        kinds
    }

    fn languages(&self, pack: &str) -> Vec<String> {
        self.inner.languages(pack)
    }

    fn kinds_of(&self, pack: &str, language: Option<&str>) -> Result<Vec<String>> {
        let mut kinds = self.inner.kinds_of(pack, language)?;
        kinds.extend(self.own_kinds());
        Ok(kinds)
    }

    fn scores(&self) -> Vec<String> {
        self.inner.scores()
    }

    fn window(&self) -> usize {
        self.inner.window()
    }

    fn template(&self, name: &str) -> Result<Option<String>> {
        // No narrative of one's own has the name of a built-in one: the catalogue need not be opened for those.
        if self.inner.kinds().iter().any(|k| k == name) {
            return Ok(None);
        }
        let templates = self.templates().map_err(DataFusionError::Plan)?;
        Ok(templates.iter().find(|(n, _)| n == name).map(|(_, template)| template.clone()))
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let mut columns = self.inner.columns(&self.inner_prompt(prompt.clone()), available);
        if is_score(prompt, &self.inner.scores()) {
            let own = self.templates().unwrap_or_default().iter().map(|(name, _)| name);
            columns.extend(own.filter(|n| available.contains(n)).cloned());
        }
        columns
    }

    fn ahead(&self) -> usize {
        self.inner.ahead()
    }

    fn for_statement(&self, statement: &str) -> Option<Arc<dyn Narrator>> {
        let inner = self.inner.for_statement(statement)?;
        Some(Arc::new(WithOwn { inner, read: self.read.clone(), templates: self.templates.clone() }))
    }

    fn stops(&self) -> bool {
        self.inner.stops()
    }

    /// One that calls nobody obeys no template.
    fn follows_templates(&self) -> bool {
        self.inner.window() > 1
    }

    async fn prepare(&self, prompts: &[Prompt], mut people: Vec<Map<String, Value>>) -> Result<(), NarrativeError> {
        let scores = self.inner.scores();
        if prompts.iter().any(|p| is_score(p, &scores)) {
            people.iter_mut().for_each(|facts| self.tell_judge(facts));
        }
        let prompts: Vec<Prompt> = prompts.iter().map(|p| self.inner_prompt(p.clone())).collect();
        self.inner.prepare(&prompts, people).await
    }

    fn estimate(&self, requests: &[NarrativeRequest], estimate: &mut Estimate) -> Result<bool> {
        self.inner.estimate(&self.inner_requests(requests.to_vec()), estimate)
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>> {
        self.inner.narrate(self.inner_requests(requests)).await
    }
}
