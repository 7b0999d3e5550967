//! People as system prompts: a conversation a line, for those who have a model play them.

use std::io::Write;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use minijinja::{Environment, UndefinedBehavior};
use populace_population::there_are;
use populace_udfs::{facts_of, template_names};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::packs;

/// The template of the system prompt where none is named.
const SYSTEM: &str = include_str!("chat.j2");

/// What each message of a conversation is made of.
#[derive(Debug)]
pub(super) struct Chat {
    environment: Environment<'static>,
    /// Whether the system prompt is the built-in one, which says levels in plain words
    built_in: bool,
    user: bool,
    names: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a Value>,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

impl Chat {
    /// Templates over the columns of a table: of the system prompt, and of what a user says then, if anything.
    ///
    /// # Errors
    /// If one does not parse, or names a column that there is not.
    pub fn new(system: Option<&str>, user: Option<&str>, columns: &[&str]) -> Result<Chat> {
        let mut environment = populace_udfs::bounded();
        // What is NULL is absent: a template says nothing of it.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        let mut names = Vec::new();
        for (role, template, own) in [("system", system.unwrap_or(SYSTEM), system.is_some())]
            .into_iter()
            .chain(user.map(|user| ("user", user, true)))
        {
            let named = template_names(template).map_err(|e| plan_datafusion_err!("{role}: {e}"))?;
            let unknown = named.iter().find(|n| !columns.contains(&n.as_str()));
            if let Some(unknown) = unknown.filter(|_| own) {
                return plan_err!("{role}: no column `{unknown}`{}", there_are(unknown, columns));
            }
            names.extend(named);
            environment
                .add_template_owned(role, template.to_string())
                .map_err(|e| plan_datafusion_err!("{role}: the template does not parse: {e}"))?;
        }
        names.retain(|n| columns.contains(&n.as_str()));
        if names.is_empty() {
            return plan_err!(
                "the table has no column that the template names: take a table of people, or a template of your own"
            );
        }
        // Whose words its levels have.
        let told_by: &[&str] = if system.is_none() { &["uuid", "pack", "country"] } else { &["uuid"] };
        names.extend(told_by.iter().filter(|name| columns.contains(name)).map(|name| name.to_string()));
        names.sort();
        names.dedup();
        Ok(Chat { environment, built_in: system.is_none(), user: user.is_some(), names })
    }

    /// The columns that the templates name, and the key.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// Writes a line a row.
    ///
    /// # Errors
    /// If a template cannot be rendered for a row, or nothing can be written.
    pub fn write(&self, rows: &RecordBatch, out: &mut impl Write) -> Result<()> {
        for (facts, system) in facts_of(rows)?.into_iter().zip(self.prompts(rows)?) {
            let mut messages = vec![Message { role: "system", content: system }];
            if self.user {
                messages.push(Message { role: "user", content: self.render("user", &facts)? });
            }
            let line = Line { uuid: facts.get("uuid"), messages };
            let written = serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from);
            written.and_then(|()| out.write_all(b"\n"))?;
        }
        Ok(())
    }

    /// The system prompt of each row.
    ///
    /// # Errors
    /// If the template cannot be rendered for a row.
    pub fn prompts(&self, rows: &RecordBatch) -> Result<Vec<String>> {
        let facts = facts_of(rows)?;
        let prompt = |facts: &Map<String, Value>| match self.built_in {
            true => self.render("system", &in_words(facts)),
            false => self.render("system", facts),
        };
        facts.iter().map(prompt).collect()
    }

    fn render(&self, role: &str, facts: &Map<String, Value>) -> Result<String> {
        let rendered = self.environment.get_template(role);
        let rendered = rendered.and_then(|t| populace_udfs::render_bounded(&t, facts));
        let text = rendered.map_err(|e| {
            let who = facts.get("uuid").and_then(Value::as_str).unwrap_or("a row");
            exec_datafusion_err!("{role}: the template fails for {who}: {e:#}")
        })?;
        match text.trim() {
            "" => exec_err!("{role}: the template leaves nothing for {}", Value::Object(facts.clone())),
            text => Ok(text.into()),
        }
    }
}

/// A row whose levels are in the plain words of its country, where it says which that is.
fn in_words(facts: &Map<String, Value>) -> Map<String, Value> {
    let Some(labels) = packs::labels::of_row(facts) else { return facts.clone() };
    let worded = |(name, value): (&String, &Value)| {
        let words = value.as_str().and_then(|level| labels.of(name, level));
        (name.clone(), words.map_or_else(|| value.clone(), Value::from))
    };
    facts.iter().map(worded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Int32Array, StringArray};
    use serde_json::json;
    use std::sync::Arc;

    fn people() -> RecordBatch {
        let text = |values: [Option<&str>; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let ages: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), None]));
        RecordBatch::try_from_iter_with_nullable([
            ("uuid", text([Some("a"), Some("b")]), true),
            ("first_name", text([Some("Ada"), None]), true),
            ("age", ages, true),
            ("occupation", text([Some("bee_keeper"), None]), true),
            ("persona", text([Some("Ada keeps \"bees\"."), Some("Somebody.")]), true),
        ])
        .unwrap()
    }

    fn lines(chat: &Chat) -> Vec<Value> {
        let mut out = Vec::new();
        chat.write(&people(), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    const COLUMNS: [&str; 5] = ["uuid", "first_name", "age", "occupation", "persona"];

    #[test]
    fn the_built_in_prompt_says_what_is_known() {
        let lines = lines(&Chat::new(None, None, &COLUMNS).unwrap());
        assert_eq!((lines.len(), &lines[0]["uuid"]), (2, &json!("a")));
        let prompt = lines[0]["messages"][0]["content"].as_str().unwrap();
        assert!(prompt.starts_with("You are Ada, 0 years old. Answer"), "{prompt}");
        assert!(prompt.contains("\n- Occupation: bee keeper\n") && prompt.ends_with("Ada keeps \"bees\"."), "{prompt}");
        let prompt = lines[1]["messages"][0]["content"].as_str().unwrap();
        assert!(prompt.starts_with("You are the person described below. Answer"), "{prompt}");
        assert!(!prompt.contains("Occupation") && !prompt.contains("undefined"), "{prompt}");
    }

    #[test]
    fn the_built_in_prompt_says_levels_in_words() {
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let facts = [
            ("country", "USA"),
            ("marital_status", "married_present"),
            ("labour_status", "not_in_labor_force"),
            ("occupation", "not_in_workforce"),
            ("state", "CA"),
        ];
        let people = RecordBatch::try_from_iter(facts.map(|(name, value)| (name, text(value)))).unwrap();
        let names = facts.map(|(name, _)| name);
        let prompt = |chat: Chat| {
            let mut out = Vec::new();
            chat.write(&people, &mut out).unwrap();
            let line: Value = serde_json::from_slice(&out).unwrap();
            line["messages"][0]["content"].as_str().unwrap().to_string()
        };
        let said = prompt(Chat::new(None, None, &names).unwrap());
        for says in [
            "of California. Answer",
            "- Marital status: married, living with the spouse\n",
            "- Work: neither working nor looking for work\n",
            "- Occupation: none",
        ] {
            assert!(said.contains(says), "{said}");
        }
        // Templates of one's own have the levels.
        let own = Chat::new(Some("{{ marital_status }}, {{ state }}"), None, &names).unwrap();
        assert_eq!(prompt(own), "married_present, CA");
    }

    #[test]
    fn families_come_first_where_they_do() {
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let told = |facts: &[(&str, &str)]| {
            let people = RecordBatch::try_from_iter(facts.iter().map(|(name, value)| (*name, text(value)))).unwrap();
            let names: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
            Chat::new(None, None, &names).unwrap().prompts(&people).unwrap().remove(0)
        };
        let name = [("first_name", "治"), ("last_name", "宮島")];
        assert!(told(&[&name[..], &[("country", "JPN")]].concat()).starts_with("You are 宮島 治."));
        assert!(told(&[&name[..], &[("country", "USA")]].concat()).starts_with("You are 治 宮島."));
        assert!(told(&[&name[..], &[("name_order", "Family Name First")]].concat()).starts_with("You are 宮島 治."));
    }

    #[test]
    fn templates_of_ones_own_name_columns() {
        let chat = Chat::new(Some("Be {{ first_name }}."), Some("Are you {{ age }}?"), &COLUMNS).unwrap();
        assert_eq!(chat.columns(), ["age", "first_name", "uuid"]);
        let first = &lines(&chat)[0]["messages"];
        assert_eq!((&first[0]["content"], &first[1]["content"]), (&json!("Be Ada."), &json!("Are you 0?")));
        for (template, says) in [("{{ agee }}", "did you mean `age`"), ("{{ age", "does not parse")] {
            let error = Chat::new(Some(template), None, &COLUMNS).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Chat::new(None, None, &["x"]).is_err());
    }
}
