//! What writes narratives: the trait that a host implements.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use async_trait::async_trait;
use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::{Result, extensions_options, plan_datafusion_err};
use populace_population::there_are;
use serde_json::{Map, Value};

use crate::host::facts::same_language;

extensions_options! {
    /// What a host says of a statement to the functions in it.
    pub struct StatementOptions {
        /// The id of the statement that runs, on whose behalf models are asked; none where the host does not say
        pub statement: String, default = String::new()
    }
}

impl ConfigExtension for StatementOptions {
    const PREFIX: &'static str = "populace";
}

/// A narrator on behalf of the statement that runs with these options.
pub(crate) fn for_statement(narrator: Arc<dyn Narrator>, options: &ConfigOptions) -> Arc<dyn Narrator> {
    let statement = options.extensions.get::<StatementOptions>().map_or("", |o| o.statement.as_str());
    match statement.is_empty() {
        true => narrator,
        false => narrator.for_statement(statement).unwrap_or(narrator),
    }
}

/// The narrative columns of a persona table, in its order.
pub const NARRATIVES: [&str; 10] = [
    "professional_persona",
    "sports_persona",
    "arts_persona",
    "travel_persona",
    "culinary_persona",
    "persona",
    "cultural_background",
    "skills_and_expertise",
    "hobbies_and_interests",
    "career_goals_and_ambitions",
];

/// Metadata of a field whose texts a narrator wrote: where such rows are stored, each text gets its vector.
pub const NARRATIVE: &str = "populace:narrative";

/// A column of texts that a narrator writes.
pub fn narrative_field(name: &str) -> Field {
    let mark = [(NARRATIVE.to_string(), "true".to_string())];
    Field::new(name, DataType::Utf8, true).with_metadata(mark.into())
}

/// What to write: one of the narrative columns of the persona table, or a template of the caller's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// A kind by the name of its column: `professional_persona`, `cultural_background`, `persona` …
    Kind(String),
    /// A Jinja template over the facts of the row: `Write one tweet by {{first_name}}, {{age}}.`
    Template(String),
}

/// One text to write, about one person.
#[derive(Debug, Clone)]
pub struct NarrativeRequest {
    pub prompt: Prompt,
    /// The facts of the person by column name; lists are JSON arrays, unknown facts are absent or null. Requests about
    /// one person share them.
    pub facts: Arc<Map<String, Value>>,
}

impl NarrativeRequest {
    /// A text of each of these kinds about one person.
    pub fn of_kinds(kinds: &[String], facts: Map<String, Value>) -> Vec<NarrativeRequest> {
        let facts = Arc::new(facts);
        let of = |kind: &String| NarrativeRequest { prompt: Prompt::Kind(kind.clone()), facts: facts.clone() };
        kinds.iter().map(of).collect()
    }
}

/// One text that was written, with what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrative {
    pub text: String,
    /// What wrote it, as the `narrator` column has it: `outline`, or `openai:MODEL`.
    pub model: String,
    /// Requests sent for it, retries included; 0 when the answer was known already or nothing was asked.
    pub attempts: u32,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    /// In US dollars; `None` when no price is known for the model.
    pub cost_usd: Option<f64>,
}

/// Why one text could not be written. It belongs to its row and never ends a statement.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct NarrativeError {
    pub message: String,
    pub attempts: u32,
    /// Whether the narrator can write nothing at all for now, as its endpoint is down or refuses the key: a run stops
    /// before this row, and is resumed later, rather than store the error.
    pub outage: bool,
}

/// What requests would come to, with equal ones counted once.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Calls that would be made
    pub calls: u64,
    /// Answers that are at hand already
    pub known: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// In US dollars; `None` when no price is known for the model
    pub cost_usd: Option<f64>,
    /// Whether the numbers are those of a sample of the rows, scaled
    pub sampled: bool,
    /// The keys of requests that are counted
    pub seen: HashSet<[u8; 32]>,
}

/// Writes narratives. Implementations bound their own concurrency; dropping the future ends the calls in flight.
#[async_trait]
pub trait Narrator: Debug + Send + Sync {
    /// As the `narrator` column has it: `outline`, or `openai:MODEL`.
    fn name(&self) -> &str;

    /// The kinds this narrator knows, of all countries, in the order of the persona table.
    fn kinds(&self) -> Vec<String>;

    /// The languages that it writes people of a pack in, by their codes in BCP 47, the pack's own first; none where it
    /// does not tell languages apart.
    fn languages(&self, _pack: &str) -> Vec<String> {
        vec![]
    }

    /// The kinds that it writes of people of a pack, in a language or in the pack's own, in the order of their table.
    ///
    /// # Errors
    /// If it cannot write of them, or not in this language.
    fn kinds_of(&self, _pack: &str, _language: Option<&str>) -> Result<Vec<String>> {
        Ok(self.kinds())
    }

    /// A language as this narrator has it, of one that is asked for: `pt-BR` of `pt`.
    ///
    /// # Errors
    /// If it does not write people of the pack in it; the message says in what it does.
    fn language(&self, pack: &str, asked: &str) -> Result<String> {
        let there = self.languages(pack);
        there.iter().find(|l| same_language(l, asked)).cloned().ok_or_else(|| {
            let there = there_are(asked, &there);
            plan_datafusion_err!("{} does not write people of {pack} in the language `{asked}`{there}", self.name())
        })
    }

    /// The scores that this narrator gives as a judge of texts: each is asked for as a kind is, and its text is a whole
    /// number from 1 to 5.
    fn scores(&self) -> Vec<String> {
        vec![]
    }

    /// People worth having in work at once: more than the calls that it makes at once, so that none of those waits
    /// for the slowest; 1 if it calls nobody.
    fn window(&self) -> usize {
        1
    }

    /// Whether it writes what a template asks for.
    fn follows_templates(&self) -> bool {
        true
    }

    /// The template of a narrative of the user's own, by its name.
    ///
    /// # Errors
    /// If those that there are cannot be read.
    fn template(&self, _name: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// The same narrator on behalf of a statement, by the id that the host gave it in [`StatementOptions`], for one
    /// that notes whom it asks for; `None` for one that does not, or knows of no such statement.
    fn for_statement(&self, _statement: &str) -> Option<Arc<dyn Narrator>> {
        None
    }

    /// Whether the statement at work can be taken up again: on an outage it had better stop than go on without texts.
    fn stops(&self) -> bool {
        false
    }

    /// The columns that a prompt takes from the row, out of those `available`: what an analyzer passes where the
    /// statement names none. A template takes the variables it names; a kind takes what its prompt uses.
    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String>;

    /// Adds to an estimate what these requests would come to; nobody is asked. False if the narrator asks nobody.
    ///
    /// # Errors
    /// If the prompts cannot be made, or the answers at hand cannot be read.
    fn estimate(&self, _requests: &[NarrativeRequest], _estimate: &mut Estimate) -> Result<bool> {
        Ok(false)
    }

    /// People whose answers are worth having ready before the first of them is written up; 0 if none are made ready.
    fn ahead(&self) -> usize {
        0
    }

    /// Has the answers to prompts about people ready, where many together cost less: `narrate` finds them then. What
    /// could not be had is left to it.
    ///
    /// # Errors
    /// On an outage: nothing can be had for now.
    async fn prepare(&self, _prompts: &[Prompt], _people: Vec<Map<String, Value>>) -> Result<(), NarrativeError> {
        Ok(())
    }

    /// Writes the texts, in the order of the requests: exactly one result for each.
    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>>;
}
