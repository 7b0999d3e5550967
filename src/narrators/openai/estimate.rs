//! What people will take before anything is asked: calls after what is known, tokens, money.

use std::sync::PoisonError;

use populace_udfs::{Estimate, Prompt};
use serde_json::{Map, Value};

use super::answer::texts;
use super::prompts::{self, About, Kind, Rendered, Step};
use super::{OpenAiNarrator, key};
use crate::catalog::Typical;

impl OpenAiNarrator {
    /// What `person` would ask for. The personas are written from attributes that are not known beforehand, unless
    /// they are at hand: words of the length that is asked for stand in for them.
    pub(super) fn estimate_person(
        &self,
        facts: Map<String, Value>,
        asked: &[(usize, Prompt)],
        estimate: &mut Estimate,
    ) -> Result<(), String> {
        let prompts = self.prompts(&facts)?;
        let mut about = About::new(facts);
        for step in [Step::Attributes, Step::Personas, Step::Judge] {
            let (_, wanted) = prompts.wanted(step, asked);
            if wanted.is_empty() {
                continue;
            }
            about.take(&wanted, &prompts);
            if step == Step::Judge {
                // Texts that are not written yet are of the length that is asked for.
                let missing = prompts.kinds.iter().filter(|k| !about.facts().contains_key(&k.name));
                let stand_in = |k: &Kind| (k.name.clone(), "w".repeat(prompts::words(&k.ask) as usize * 6).into());
                let stand_ins: Map<String, Value> = missing.map(stand_in).collect();
                about.add(stand_ins, &prompts);
            }
            let rendered = prompts.render(step, &wanted, &mut about)?;
            let known = self.estimate_call(&rendered, estimate)?;
            if step == Step::Attributes {
                // Of the length that answers have, or else that is asked for: a word and its space are six letters.
                let typical = self.typical(&rendered)?.map(|t| t.answer_letters as usize / wanted.len());
                let letters = |k: &Kind| typical.unwrap_or(prompts::words(&k.ask) as usize * 6);
                let stand_in = |k: &&Kind| (k.name.clone(), Value::String("w".repeat(letters(k))));
                about.add(known.unwrap_or_else(|| wanted.iter().map(stand_in).collect()), &prompts);
            }
        }
        for (_, prompt) in asked {
            if let Prompt::Template(template) = prompt
                && let Ok(rendered) = prompts.render_own(template, about.facts())
            {
                self.estimate_call(&rendered, estimate)?;
            }
        }
        Ok(())
    }

    /// What answers with these texts take.
    fn typical(&self, asked: &Rendered) -> Result<Option<Typical>, String> {
        let shape = asked.keys.join(",");
        let mut typical = self.typical.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = typical.get(&shape) {
            return Ok(*known);
        }
        let catalog = (self.catalog)()?;
        let found = catalog.typical(&self.client.endpoint().model, &shape).map_err(|e| e.to_string())?;
        Ok(*typical.entry(shape).or_insert(found))
    }

    /// Tokens of the prompt and of the answer, about.
    pub(super) fn expected(&self, asked: &Rendered) -> Result<(u64, u64), String> {
        let most = self.client.endpoint().max_answer_tokens.map_or(u64::MAX, u64::from);
        let (prompt, completion) = match self.typical(asked)? {
            Some(t) => {
                ((asked.letters() as f64 * t.tokens_per_letter).round() as u64, t.completion_tokens.round() as u64)
            }
            None => asked.expected(),
        };
        Ok((prompt, completion.min(most)))
    }

    /// Counts a call; its texts if they are at hand.
    fn estimate_call(&self, asked: &Rendered, estimate: &mut Estimate) -> Result<Option<Map<String, Value>>, String> {
        let endpoint = self.client.endpoint();
        let key = key(endpoint, asked);
        let catalog = (self.catalog)()?;
        let known = catalog.answer(&key).map_err(|e| e.to_string())?.and_then(|a| texts(&a.text, asked).ok());
        if !estimate.seen.insert(key) {
            return Ok(known);
        }
        if known.is_some() {
            estimate.known += 1;
            return Ok(known);
        }
        let (prompt, completion) = self.expected(asked)?;
        estimate.calls += 1;
        estimate.prompt_tokens += prompt;
        estimate.completion_tokens += completion;
        if let Some(price) = endpoint.price.map(|p| if endpoint.batch { p.in_batch() } else { p }) {
            *estimate.cost_usd.get_or_insert(0.0) += price.of(prompt, completion);
        }
        Ok(None)
    }
}
