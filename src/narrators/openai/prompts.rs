//! Prompts: the templates of a country pack, rendered over the facts of a person.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Environment, UndefinedBehavior, context};
use populace_udfs::Prompt;
use populace_udfs::checks::Instructions;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::narrators::own::OWN_TEXTS;

/// Which call writes a text: the attributes of a person come first, the personas are written from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Attributes,
    Personas,
    /// Scores of what was written
    Judge,
}

impl Step {
    /// The file that asks for it.
    fn template(self) -> &'static str {
        match self {
            Step::Attributes => "attributes.j2",
            Step::Personas => "personas.j2",
            Step::Judge => "judge.j2",
        }
    }

    fn system(self) -> &'static str {
        if self == Step::Judge { "judge_system.j2" } else { "system.j2" }
    }
}

/// A text of the persona table, and what a model is told of it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    pub name: String,
    pub step: Step,
    pub ask: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kinds {
    kind: Vec<Kind>,
    score: Vec<Score>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Score {
    name: String,
    ask: String,
}

/// What is sent: two messages, and the names of the texts that are to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub system: String,
    pub user: String,
    pub keys: Vec<String>,
    /// Whether an answer that is no JSON may be the text itself
    pub free: bool,
    /// The narrative of one's own that it is
    pub own: Option<String>,
    /// Whether scores are asked for rather than texts
    pub scores: bool,
    /// Words that the answer is to have, as far as the prompt says
    pub words: u64,
    /// The call that it is, where it asks for texts of the persona table or for scores
    pub step: Option<Step>,
}

impl Rendered {
    /// Of the prompt.
    pub fn letters(&self) -> u64 {
        (self.system.len() + self.user.len()) as u64
    }

    /// Tokens of the prompt and of the answer, about: a token of a language model is some four letters of English.
    pub fn expected(&self) -> (u64, u64) {
        let schema = 40 + 12 * self.keys.len() as u64;
        let prompt = self.letters() / 4 + schema;
        (prompt, self.words * 4 / 3 + 8 * self.keys.len() as u64)
    }

    /// Both together.
    pub fn tokens(&self) -> u64 {
        let (prompt, answer) = self.expected();
        prompt + answer
    }

    /// The JSON schema of the answer, in the form that strict servers take: every key required, none besides.
    pub fn schema(&self) -> Value {
        let value = match self.scores {
            true => json!({ "type": "integer", "enum": [1, 2, 3, 4, 5] }),
            false => json!({ "type": "string" }),
        };
        let properties: Map<String, Value> = self.keys.iter().map(|k| (k.clone(), value.clone())).collect();
        json!({ "type": "object", "properties": properties, "required": self.keys, "additionalProperties": false })
    }
}

/// Words of a text whose length nobody has said.
const WORDS: u64 = 60;

/// What lengths are asked for in, and how many words one of them is.
const UNITS: [(&str, f64); 7] =
    [("words", 1.0), ("palavras", 1.0), ("शब्द", 1.0), ("shabd", 1.0), ("字", 0.4), ("文字", 0.4), ("characters", 0.4)];

/// What stands between the ends of a range.
const BETWEEN: [&str; 11] = ["to", "a", "-", "–", "—", "~", "〜", "～", "से", "se", "から"];

/// The middle of the length that is asked for, in words: "30 to 60 words", "80〜160字".
pub(super) fn words(ask: &str) -> u64 {
    let starts = ask
        .char_indices()
        .filter(|(at, c)| c.is_ascii_digit() && !ask[..*at].ends_with(|before: char| before.is_ascii_digit()));
    let number = |(at, _): (usize, char)| {
        let digits: String = ask[at..].chars().take_while(char::is_ascii_digit).collect();
        Some((digits.parse::<f64>().ok()?, at, at + digits.len()))
    };
    let numbers: Vec<(f64, usize, usize)> = starts.filter_map(number).collect();
    let range = |pair: &[(f64, usize, usize)]| {
        let [(low, _, ends), (high, begins, last)] = pair else { return None };
        let after = ask[*last..].trim_start();
        let (_, unit) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        BETWEEN.contains(&ask[*ends..*begins].trim()).then_some(((low + high) / 2.0 * unit) as u64)
    };
    numbers.windows(2).find_map(range).unwrap_or(WORDS)
}

/// A person as prompts have them: the facts, and what `person.j2` says of them, said once for all calls.
#[derive(Debug)]
pub(super) struct About {
    facts: Arc<Map<String, Value>>,
    said: Option<String>,
}

impl About {
    pub fn new(facts: impl Into<Arc<Map<String, Value>>>) -> About {
        About { facts: facts.into(), said: None }
    }

    pub fn facts(&self) -> &Arc<Map<String, Value>> {
        &self.facts
    }

    /// Adds to the facts what has been written.
    pub fn add(&mut self, texts: Map<String, Value>, prompts: &Prompts) {
        self.forget(texts.keys().map(String::as_str), prompts);
        Arc::make_mut(&mut self.facts).extend(texts);
    }

    /// Takes from the facts what is to be written: a text is not written from itself.
    pub fn take(&mut self, kinds: &[&Kind], prompts: &Prompts) {
        if kinds.iter().any(|kind| self.facts.contains_key(&kind.name)) {
            self.forget(kinds.iter().map(|kind| kind.name.as_str()), prompts);
            let facts = Arc::make_mut(&mut self.facts);
            kinds.iter().for_each(|kind| _ = facts.remove(&kind.name));
        }
    }

    /// What was said no longer holds where it is of a fact that changes.
    fn forget<'a>(&mut self, mut changed: impl Iterator<Item = &'a str>, prompts: &Prompts) {
        if changed.any(|name| prompts.of_person.contains(name)) {
            self.said = None;
        }
    }
}

/// Facts as templates look them up: one is made a value when a template asks for it.
#[derive(Debug)]
struct Facts(Arc<Map<String, Value>>);

impl Object for Facts {
    fn get_value(self: &Arc<Self>, name: &minijinja::Value) -> Option<minijinja::Value> {
        self.0.get(name.as_str()?).map(minijinja::Value::from_serialize)
    }
}

/// The templates that tell a writer what to do.
const TOLD: [&str; 3] = ["system.j2", "attributes.j2", "personas.j2"];

/// The templates that a pack has; whatever else there is, they include.
const WHOLE: [&str; 6] = ["system.j2", "attributes.j2", "personas.j2", "template.j2", "judge.j2", "judge_system.j2"];

/// What says who the person is, for the templates of the steps as `person`.
const PERSON: &str = "person.j2";

/// The names that a template takes from elsewhere.
fn undeclared(environment: &Environment<'_>, name: &str) -> HashSet<String> {
    environment.get_template(name).map(|t| t.undeclared_variables(false)).unwrap_or_default()
}

/// The prompts of a country.
#[derive(Debug)]
pub(super) struct Prompts {
    environment: Environment<'static>,
    pub kinds: Vec<Kind>,
    /// What a judge scores
    pub scores: Vec<Kind>,
    /// All that a writer is told, whoever the person is
    pub instructions: Instructions,
    /// The facts that `person.j2` speaks of
    of_person: BTreeSet<String>,
    /// What a template says that is the same for all
    constant: BTreeMap<&'static str, String>,
}

impl Prompts {
    /// Reads the templates of a pack: `kinds.toml`, `system.j2`, `attributes.j2`, `personas.j2`, `template.j2`,
    /// `judge.j2`, `judge_system.j2`, and what they include. They are in a language, by its code in BCP 47.
    ///
    /// # Errors
    /// If one is missing, or does not parse; the message names it.
    pub fn new(files: &[(&'static str, &'static str)], language: &str) -> Result<Prompts, String> {
        let mut environment = populace_udfs::bounded();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_trim_blocks(false);
        let mut kinds = None;
        for (name, text) in files {
            if *name == "kinds.toml" {
                let read: Kinds = toml::from_str(text).map_err(|e| format!("prompts/kinds.toml: {e}"))?;
                kinds = Some(read);
            } else {
                environment.add_template(name, text).map_err(|e| format!("prompts/{name}: {e:#}"))?;
            }
        }
        for name in WHOLE {
            environment.get_template(name).map_err(|_| format!("prompts/{name} is missing"))?;
        }
        let Kinds { kind, score } = kinds.ok_or("prompts/kinds.toml is missing")?;
        let scores = score.into_iter().map(|Score { name, ask }| Kind { name, step: Step::Judge, ask });
        // What `person.j2` includes speaks of the person as well.
        let parts = files.iter().map(|(name, _)| *name).filter(|name| !WHOLE.contains(name));
        let of_person = parts.flat_map(|name| undeclared(&environment, name)).collect();
        let constant = files.iter().filter(|(name, text)| WHOLE.contains(name) && !text.contains('{'));
        let constant = constant.map(|(name, text)| (*name, text.trim().to_string())).collect();
        let told = files.iter().filter(|(name, _)| TOLD.contains(name)).map(|(_, text)| *text);
        let instructions = Instructions::new(told.chain(kind.iter().map(|k| k.ask.as_str())), language);
        Ok(Prompts { environment, kinds: kind, scores: scores.collect(), instructions, of_person, constant })
    }

    /// A kind of text, or of score, by its name.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().chain(&self.scores).find(|k| k.name == name)
    }

    /// The kinds of one step among what is asked for, with their places.
    pub fn wanted(&self, step: Step, asked: &[(usize, Prompt)]) -> (Vec<usize>, Vec<&Kind>) {
        let kind = |name: &String| self.kind(name).filter(|k| k.step == step);
        let of = |(place, prompt): &(usize, Prompt)| match prompt {
            Prompt::Kind(name) => Some((*place, kind(name)?)),
            Prompt::Template(_) => None,
        };
        asked.iter().filter_map(of).unzip()
    }

    /// The names that the prompt of a kind takes from a row.
    pub fn names(&self, step: Step) -> BTreeSet<String> {
        let mut names = self.of_person.clone();
        names.extend(undeclared(&self.environment, step.template()));
        if step == Step::Judge {
            names.extend(self.kinds.iter().map(|k| k.name.clone()));
        }
        names
    }

    /// The prompt that asks for texts of one step about one person.
    ///
    /// # Errors
    /// If a template fails.
    pub fn render(&self, step: Step, wanted: &[&Kind], about: &mut About) -> Result<Rendered, String> {
        let (mut texts, scores) = (vec![], step == Step::Judge);
        let facts = about.facts.as_ref();
        if scores {
            let own = facts.get(OWN_TEXTS).and_then(Value::as_object).into_iter().flatten();
            let written = self.kinds.iter().filter_map(|k| Some((&k.name, facts.get(&k.name)?)));
            texts = written.chain(own).map(|(name, text)| json!({ "name": name, "text": text })).collect();
            if texts.is_empty() {
                return Err("there is no text to judge".into());
            }
        }
        let facts = minijinja::Value::from_object(Facts(about.facts.clone()));
        let person = match &about.said {
            Some(said) => said,
            None => about.said.insert(self.person(&facts)?),
        };
        let user = self.template(step.template(), context! { wanted, texts, person, ..facts.clone() })?;
        let system = self.template(step.system(), facts)?;
        let keys: Vec<String> = wanted.iter().map(|k| k.name.clone()).collect();
        let words = if scores { keys.len() as u64 } else { wanted.iter().map(|k| words(&k.ask)).sum() };
        Ok(Rendered { system, user, keys, free: false, own: None, scores, words, step: Some(step) })
    }

    /// The prompt of a template of the caller's own; a fact that it names must be there.
    ///
    /// # Errors
    /// If it does not parse, or names a fact that the row has not.
    pub fn render_own(&self, template: &str, facts: &Map<String, Value>) -> Result<Rendered, String> {
        let mut own = populace_udfs::bounded();
        own.set_undefined_behavior(UndefinedBehavior::Strict);
        let request = own.template_from_str(template).and_then(|t| populace_udfs::render_bounded(&t, facts));
        let request = request.map_err(|e| match e.kind() {
            minijinja::ErrorKind::UndefinedError => format!("the template names a fact that this row has not: {e}"),
            _ => format!("the template: {e}"),
        })?;
        let user = self.template("template.j2", context! { request })?;
        let system = self.template("system.j2", minijinja::Value::from_serialize(facts))?;
        let keys = vec!["text".into()];
        Ok(Rendered { system, user, keys, free: true, own: None, scores: false, words: WORDS, step: None })
    }

    /// The prompt for some of the texts that a prompt asks for, where they can be asked for alone.
    pub fn narrowed(&self, whole: &Rendered, keys: &[&String], facts: &Arc<Map<String, Value>>) -> Option<Rendered> {
        let step = whole.step.filter(|_| !whole.scores && keys.len() < whole.keys.len())?;
        let kinds: Vec<&Kind> = self.kinds.iter().filter(|k| keys.contains(&&k.name)).collect();
        self.render(step, &kinds, &mut About::new(facts.clone())).ok()
    }

    /// Who the person is, as it stands in a prompt.
    fn person(&self, facts: &minijinja::Value) -> Result<String, String> {
        let Ok(template) = self.environment.get_template(PERSON) else { return Ok(String::new()) };
        populace_udfs::render_bounded(&template, facts).map_err(|e| format!("prompts/{PERSON}: {e:#}"))
    }

    fn template(&self, name: &str, facts: minijinja::Value) -> Result<String, String> {
        if let Some(text) = self.constant.get(name) {
            return Ok(text.clone());
        }
        let rendered = self.environment.get_template(name);
        let rendered = rendered.and_then(|t| populace_udfs::render_bounded(&t, facts));
        rendered.map(|text| text.trim().to_string()).map_err(|e| format!("prompts/{name}: {e:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usa() -> Prompts {
        Prompts::new(&crate::packs::prompts("usa", None).unwrap().unwrap(), "en").unwrap()
    }

    fn facts() -> Map<String, Value> {
        let facts = json!({
            "first_name": "Ada", "last_name": "Moss", "age": 40, "occupation": "registered_nurses",
            "skills_and_expertise_list": ["triage", "charting"], "openness": 61
        });
        facts.as_object().unwrap().clone()
    }

    #[test]
    fn a_prompt_holds_the_facts_and_what_is_asked() {
        let prompts = usa();
        let wanted: Vec<&Kind> = prompts.kinds.iter().filter(|k| k.step == Step::Attributes).collect();
        let rendered = prompts.render(Step::Attributes, &wanted, &mut About::new(facts())).unwrap();
        insta::assert_snapshot!(rendered.user);
        assert_eq!((rendered.keys.len(), rendered.words), (4, 85 + 75 + 75 + 75));
        assert_eq!(rendered.schema()["required"][0], "cultural_background");
    }

    #[test]
    fn a_person_is_said_once_until_a_fact_that_is_said_changes() {
        let mut prompts = usa();
        let wanted: Vec<Kind> = prompts.kinds.iter().filter(|k| k.step == Step::Personas).take(1).cloned().collect();
        let wanted: Vec<&Kind> = wanted.iter().collect();
        let texts = |name: &str, text: &str| json!({ name: text }).as_object().unwrap().clone();
        let mut about = About::new(facts());
        let before = prompts.render(Step::Personas, &wanted, &mut about).unwrap();
        about.add(texts("cultural_background", "Ada grew up by a lake."), &prompts);
        let after = prompts.render(Step::Personas, &wanted, &mut about).unwrap();
        assert!(!before.user.contains("by a lake") && after.user.contains("- Background: Ada grew up by a lake."));
        let facts_of = |prompt: &Rendered| prompt.user.split("\n\n").next().map(String::from);
        assert!(facts_of(&before).unwrap().contains("- Name: Ada Moss"), "{}", before.user);
        // As if it were said anew.
        let anew = prompts.render(Step::Personas, &wanted, &mut About::new(about.facts().clone())).unwrap();
        assert_eq!(after, anew);
        // A pack may have the facts speak of a text.
        prompts.environment.add_template("person.j2", "Facts: {{ cultural_background }}").unwrap();
        prompts.of_person = undeclared(&prompts.environment, PERSON).into_iter().collect();
        let mut about = About::new(facts());
        prompts.render(Step::Personas, &wanted, &mut about).unwrap();
        about.add(texts("cultural_background", "Ada grew up by a lake."), &prompts);
        let after = prompts.render(Step::Personas, &wanted, &mut about).unwrap();
        assert!(after.user.starts_with("Facts: Ada grew up by a lake."), "{}", after.user);
    }

    #[test]
    fn lengths_are_told_in_several_languages() {
        for (ask, expected) in [
            ("Plainly. 30 to 60 words.", 45),
            ("Em 2 frases, de 30 a 61 palavras.", 45),
            ("一、二文、80〜160字。", 48),
            ("दो वाक्य, 30 से 60 शब्द।", 45),
            ("As you like, in 3 sentences.", WORDS),
            ("", WORDS),
        ] {
            assert_eq!(words(ask), expected, "{ask}");
        }
    }

    #[test]
    fn prompts_name_what_they_take_from_a_row() {
        let names = usa().names(Step::Personas);
        for name in ["first_name", "age", "occupation", "hobbies_and_interests_list", "cultural_background"] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn a_template_of_ones_own_is_strict() {
        let rendered = usa().render_own("Write one tweet by {{first_name}}, {{age}}.", &facts()).unwrap();
        assert!(rendered.user.starts_with("Write one tweet by Ada, 40."));
        let error = usa().render_own("A tweet by {{surname}}.", &facts()).unwrap_err();
        assert!(error.contains("a fact that this row has not"), "{error}");
        assert!(usa().render_own("{{ age", &facts()).unwrap_err().starts_with("the template: "));
    }
}
