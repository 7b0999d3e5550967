//! The outline narrator: plain texts from the facts of a person alone, by the grammars of `populace_outline`.
//!
//! It stands in for a language model where none is at hand, and says so in the `narrator` column. It cannot obey a free
//! prompt: a template is refused with a hint to name a model.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use populace_outline::Outline;
use populace_udfs::{LANGUAGE, Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt, language_of};
use serde_json::{Map, Value};

use crate::packs;

/// The columns that some country's texts are written from, and those that say which country's they are.
static COLUMNS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let of = |name: &&str| packs::outline_columns(name);
    let mut columns: Vec<String> = packs::NAMES.iter().flat_map(of).collect();
    columns.extend(["uuid", "pack", "country", LANGUAGE].map(String::from));
    columns.sort_unstable();
    columns.dedup();
    columns
});

/// Writes narratives without a model.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutlineNarrator;

#[async_trait]
impl Narrator for OutlineNarrator {
    fn name(&self) -> &str {
        "outline"
    }

    fn kinds(&self) -> Vec<String> {
        packs::all_kinds().to_vec()
    }

    fn languages(&self, pack: &str) -> Vec<String> {
        packs::outline_languages(pack)
    }

    fn kinds_of(&self, pack: &str, language: Option<&str>) -> Result<Vec<String>> {
        packs::outline(pack, language).map(|o| o.kinds().to_vec()).map_err(DataFusionError::Plan)
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let wanted = |column: &&String| match prompt {
            Prompt::Kind(_) => COLUMNS.contains(column),
            // It will be refused; the names it mentions are all it could have asked for.
            Prompt::Template(template) => template.contains(column.as_str()),
        };
        available.iter().filter(wanted).cloned().collect()
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<std::result::Result<Narrative, NarrativeError>> {
        requests.iter().map(narrate).collect()
    }
}

/// Writes the text of a kind from the facts of a person, the same text for the same facts: in the language that the
/// row says (`narrative_language`), or else that of the country.
///
/// # Errors
/// Where the country has no outline, or none in this language, where it has no such kind, or the facts are too few.
pub fn write(kind: &str, facts: &Map<String, Value>) -> std::result::Result<String, String> {
    outline(facts)?.write(kind, facts)
}

/// The outline for a person: that of the pack that the row was drawn from, or else of its country, or else the USA's.
fn outline(facts: &Map<String, Value>) -> std::result::Result<Arc<Outline>, String> {
    packs::outline(&packs::country_of(facts)?, language_of(facts))
}

fn narrate(request: &NarrativeRequest) -> std::result::Result<Narrative, NarrativeError> {
    let text = match &request.prompt {
        Prompt::Kind(kind) => write(kind, &request.facts),
        Prompt::Template(_) => Err("the outline narrator cannot follow a template: it takes a model, named by \
                                    --narrator openai:MODEL; without one, ask for a kind such as 'persona'"
            .to_owned()),
    };
    match text {
        Ok(text) => Ok(Narrative {
            text,
            model: "outline".to_owned(),
            attempts: 0,
            prompt_tokens: None,
            completion_tokens: None,
            cost_usd: None,
        }),
        Err(message) => Err(NarrativeError { message, attempts: 0, outage: false }),
    }
}

#[cfg(test)]
mod everyone;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_in_order_and_refuses_templates() {
        let facts = serde_json::json!({ "first_name": "Ada", "last_name": "Moss", "age": 40, "sex": "Female" });
        let request = |prompt| NarrativeRequest { prompt, facts: Arc::new(facts.as_object().unwrap().clone()) };
        let answers = OutlineNarrator
            .narrate(vec![
                request(Prompt::Kind("persona".into())),
                request(Prompt::Template("Write a tweet by {{first_name}}.".into())),
                request(Prompt::Kind("personae".into())),
            ])
            .await;
        assert!(answers[0].as_ref().unwrap().text.contains("Ada"));
        assert!(answers[1].as_ref().unwrap_err().message.contains("openai:MODEL"));
        assert!(answers[2].as_ref().unwrap_err().message.contains("professional_persona"));
    }
}
