//! Layouts: people as the files that simulators and evaluation frameworks read by their own loaders. Each is a file of
//! data in `layouts/`, by its name; `person.j2` has what several of them say of a person.
//!
//! ```toml
//! description = "EDSL agents: `AgentList.load(\"people.json\")`"   # for --help
//! ending = "json"                                                  # of the file
//! layout = "array"        # or "lines", "csv", "object" (by a `key`), "files" (one each, called by `file_name`)
//! begin = '{"agent_list": ['                                       # in the place of [ or {
//! end = ']}'
//! template = '''{"name": {{ first_name|tojson }}, "traits": {{ person|tojson }}}'''
//! ```
//!
//! A template is Jinja over the columns of a row, where what is NULL is absent; `words` has them with levels in plain
//! words, `person` all together, `prompt` is the system prompt of `chat`, `number` counts the rows from 1. What it comes to
//! is one value of JSON.

use std::io::Write;
use std::sync::LazyLock;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use minijinja::{Environment, UndefinedBehavior};
use populace_udfs::facts_of;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chat::Chat;
use crate::packs;

macro_rules! layouts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("layouts/", $name, ".toml")))),*]
    };
}

/// The files, by the names of the layouts.
const FILES: &[(&str, &str)] = layouts!(
    "agentsociety",
    "argilla",
    "concordia",
    "distilabel",
    "edsl",
    "inspect",
    "langchain",
    "oasis",
    "oasis-twitter",
    "promptfoo",
    "tinytroupe",
);

/// What several layouts say of a person.
const PERSON: &str = include_str!("layouts/person.j2");

/// The columns that tell of runs, which no peer is told of.
const NOT_TOLD: [&str; 2] = super::RUN_DETAILS;

/// How people are written for one peer.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    #[serde(skip)]
    pub name: &'static str,
    pub description: String,
    pub(super) ending: String,
    pub(super) layout: Form,
    begin: Option<String>,
    end: Option<String>,
    key: Option<String>,
    file_name: Option<String>,
    template: String,
}

/// How the people of a file stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    Array,
    /// By the layout's `key`
    Object,
    /// A value a line
    Lines,
    /// The values of objects, with their keys as the header
    Csv,
    /// A file each, called by the layout's `file_name`
    Files,
}

/// All layouts, by name.
pub fn layouts() -> &'static [Layout] {
    static ALL: LazyLock<Vec<Layout>> = LazyLock::new(|| {
        // Each file is read by a test.
        FILES.iter().filter_map(|(name, text)| read(name, text).ok()).collect()
    });
    &ALL
}

fn read(name: &'static str, text: &str) -> Result<Layout, String> {
    let layout: Layout = toml::from_str(text).map_err(|e| format!("src/export/layouts/{name}.toml: {e}"))?;
    let named = [(Form::Object, "key", layout.key.is_some()), (Form::Files, "file_name", layout.file_name.is_some())];
    match named.into_iter().find(|(form, _, has)| (layout.layout == *form) != *has) {
        Some((_, field, _)) => Err(format!("src/export/layouts/{name}.toml: `{field}` goes with its layout alone")),
        None => Ok(Layout { name, ..layout }),
    }
}

impl Layout {
    /// What stands before the first person of a file, and after the last.
    fn frame(&self) -> (&str, &str) {
        let (begin, end) = match self.layout {
            Form::Array => ("[", "]"),
            Form::Object => ("{", "}"),
            Form::Lines | Form::Csv | Form::Files => return ("", ""),
        };
        (self.begin.as_deref().unwrap_or(begin), self.end.as_deref().unwrap_or(end))
    }
}

/// A person, laid out.
pub(super) struct LaidOut {
    /// Compact JSON
    pub text: String,
    /// The key in an object, or the name of the file
    pub name: Option<String>,
}

/// What lays people out: a layout at work.
#[derive(Debug)]
pub(super) struct Layouter {
    pub layout: &'static Layout,
    environment: Environment<'static>,
    /// What writes the prompt, where the template has it
    chat: Option<Chat>,
    /// Rows so far
    rows: usize,
}

#[derive(Serialize)]
struct Scope<'a> {
    #[serde(flatten)]
    facts: &'a Map<String, Value>,
    person: &'a Map<String, Value>,
    words: Map<String, Value>,
    number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a String>,
}

impl Layouter {
    /// # Errors
    /// If the template does not parse, which a test sees to.
    pub fn new(layout: &'static Layout, columns: &[&str]) -> Result<Layouter> {
        let mut environment = populace_udfs::bounded();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        let own = [("row", Some(&layout.template)), ("key", layout.key.as_ref()), ("name", layout.file_name.as_ref())];
        let own = own.into_iter().filter_map(|(name, text)| Some((name, text?.as_str())));
        for (name, text) in own.chain([("person.j2", PERSON)]) {
            let added = environment.add_template(name, text);
            added.map_err(|e| exec_datafusion_err!("the layout {}: {name}: {e:#}", layout.name))?;
        }
        let tells = layout.template.contains("prompt") || PERSON.contains("prompt");
        let chat = tells.then(|| Chat::new(None, None, columns)).transpose()?;
        Ok(Layouter { layout, environment, chat, rows: 0 })
    }

    /// The people of rows, one each.
    ///
    /// # Errors
    /// If a template fails for a row, or leaves no value of JSON.
    pub fn lay_out(&mut self, rows: &RecordBatch) -> Result<Vec<LaidOut>> {
        let prompts = match &self.chat {
            Some(chat) => chat.prompts(rows)?,
            None => vec![],
        };
        let mut people = vec![];
        for (at, mut facts) in facts_of(rows)?.into_iter().enumerate() {
            facts.retain(|name, value| !value.is_null() && !NOT_TOLD.contains(&name.as_str()));
            self.rows += 1;
            let words = packs::labels::in_plain_words(&facts);
            let scope = Scope { facts: &facts, person: &facts, words, number: self.rows, prompt: prompts.get(at) };
            let name = match self.layout.layout {
                Form::Object => Some(self.render("key", &scope)?.trim().to_string()),
                Form::Files => Some(file_name(self.render("name", &scope)?.trim())?),
                _ => None,
            };
            let text = self.render("row", &scope)?;
            let text = compact(&text).map_err(|e| exec_datafusion_err!("the layout {}: {e}", self.layout.name))?;
            people.push(LaidOut { text, name });
        }
        Ok(people)
    }

    fn render(&self, template: &str, scope: &Scope) -> Result<String> {
        let rendered = self.environment.get_template(template);
        let rendered = rendered.and_then(|t| populace_udfs::render_bounded(&t, scope));
        rendered.map_err(|e| {
            let who = scope.facts.get("uuid").and_then(Value::as_str).unwrap_or("a row");
            exec_datafusion_err!("the layout {} fails for {who}: {e:#}", self.layout.name)
        })
    }
}

/// People as the values of JSON that a layout makes of them.
///
/// # Errors
/// If there is no such layout, or it cannot be made of these columns.
pub fn laid_out(people: &RecordBatch, layout: &str) -> Result<Vec<String>> {
    let Some(layout) = layouts().iter().find(|l| l.name == layout) else {
        let names: Vec<&str> = layouts().iter().map(|l| l.name).collect();
        return exec_err!("there is no layout `{layout}`{}", populace_population::there_are(layout, &names));
    };
    let schema = people.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let laid_out = Layouter::new(layout, &columns)?.lay_out(people)?;
    Ok(laid_out.into_iter().map(|person| person.text).collect())
}

/// JSON without spaces between its tokens, keys in their order.
fn compact(text: &str) -> Result<String, serde_json::Error> {
    let mut out = vec![];
    let mut from = serde_json::Deserializer::from_str(text);
    serde_transcode::transcode(&mut from, &mut serde_json::Serializer::new(&mut out))?;
    from.end()?;
    // What a serializer of JSON writes is UTF-8.
    Ok(String::from_utf8(out).unwrap_or_default())
}

/// A name for a file in the folder of the export, and nowhere else.
fn file_name(name: &str) -> Result<String> {
    let fits = !name.is_empty() && name.len() <= 200 && !name.starts_with('.');
    match fits && name.chars().all(|c| !c.is_control() && !matches!(c, '/' | '\\' | ':')) {
        true => Ok(name.to_string()),
        false => exec_err!("`{name}` is no name for a file"),
    }
}

/// A file of people who stand together.
pub(super) enum LaidOutFile<W: Write> {
    Text {
        layout: &'static Layout,
        out: W,
        is_empty: bool,
    },
    Csv {
        out: Box<csv::Writer<W>>,
        /// The keys of the first person
        header: Vec<String>,
    },
}

impl<W: Write> LaidOutFile<W> {
    /// # Errors
    /// If nothing can be written.
    pub fn new(layout: &'static Layout, mut out: W) -> Result<LaidOutFile<W>> {
        if layout.layout == Form::Csv {
            return Ok(LaidOutFile::Csv { out: Box::new(csv::Writer::from_writer(out)), header: vec![] });
        }
        out.write_all(layout.frame().0.as_bytes())?;
        Ok(LaidOutFile::Text { layout, out, is_empty: true })
    }

    /// # Errors
    /// If nothing can be written, or the person of a row of CSV is no object.
    pub fn write(&mut self, person: &LaidOut) -> Result<()> {
        match self {
            LaidOutFile::Text { layout, out, is_empty } => {
                let between = match (layout.layout, *is_empty) {
                    (Form::Array | Form::Object, true) => "\n",
                    (Form::Array | Form::Object, false) => ",\n",
                    _ => "",
                };
                *is_empty = false;
                out.write_all(between.as_bytes())?;
                if let (Form::Object, Some(key)) = (layout.layout, &person.name) {
                    write!(out, "{}:", Value::from(key.as_str()))?;
                }
                out.write_all(person.text.as_bytes())?;
                if layout.layout == Form::Lines {
                    out.write_all(b"\n")?;
                }
            }
            LaidOutFile::Csv { out, header } => {
                let values: Map<String, Value> =
                    serde_json::from_str(&person.text).map_err(|e| exec_datafusion_err!("a row of CSV: {e}"))?;
                if header.is_empty() {
                    *header = values.keys().cloned().collect();
                    out.write_record(&*header).map_err(std::io::Error::from)?;
                }
                let of = |name: &String| match values.get(name) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                };
                out.write_record(header.iter().map(of)).map_err(std::io::Error::from)?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// If nothing can be written.
    pub fn finish(self) -> Result<()> {
        match self {
            LaidOutFile::Text { layout, mut out, .. } => {
                let (_, end) = layout.frame();
                if !end.is_empty() {
                    write!(out, "\n{end}\n")?;
                }
                out.flush()?;
            }
            LaidOutFile::Csv { mut out, .. } => out.flush()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_a_layout() {
        for (name, text) in FILES {
            read(name, text).unwrap_or_else(|e| panic!("{e}"));
        }
        assert!(FILES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/export/layouts");
        let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let listed: BTreeSet<String> =
            FILES.iter().map(|(name, _)| format!("{name}.toml")).chain(["person.j2".to_string()]).collect();
        assert_eq!(names.collect::<BTreeSet<_>>(), listed, "a file in src/export/layouts is not in the list");
    }

    /// People of every country, in every layout.
    #[test]
    fn every_country_is_laid_out() {
        for name in packs::NAMES {
            let pack = packs::open(name).unwrap().unwrap();
            let people = populace_population::Sampler::new(pack, 7).draw(0..40, None).unwrap();
            for layout in layouts() {
                let told = laid_out(&people, layout.name).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(told.len(), 40, "{name}: {}", layout.name);
                for person in &told {
                    let value: Value = serde_json::from_str(person).unwrap();
                    assert!(
                        !person.contains("undefined") && !person.contains('\n'),
                        "{name}: {}: {person}",
                        layout.name
                    );
                    assert!(layout.layout != Form::Csv || value.is_object(), "{name}: {person}");
                }
            }
        }
    }

    fn written(layout: Layout, people: &[(&str, Value)]) -> String {
        let layout: &'static Layout = Box::leak(Box::new(layout));
        let mut out = vec![];
        let mut file = LaidOutFile::new(layout, &mut out).unwrap();
        for (name, value) in people {
            file.write(&LaidOut { text: value.to_string(), name: Some(name.to_string()) }).unwrap();
        }
        file.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_stand_together() {
        let of = |form: &str, more: &str| {
            let text = format!("description = ''\nending = 'x'\nlayout = '{form}'\ntemplate = ''\n{more}");
            read("test", &text).unwrap()
        };
        let people = [("a", json!({"x": 1, "y": "b, \"c\""})), ("d", json!({"x": null}))];
        let framed = of("array", "begin = '{\"all\": ['\nend = ']}'");
        assert_eq!(written(framed, &people), "{\"all\": [\n{\"x\":1,\"y\":\"b, \\\"c\\\"\"},\n{\"x\":null}\n]}\n");
        assert_eq!(written(of("array", ""), &[]), "[\n]\n");
        assert_eq!(written(of("object", "key = ''"), &people[1..]), "{\n\"d\":{\"x\":null}\n}\n");
        assert_eq!(written(of("lines", ""), &people[1..]), "{\"x\":null}\n");
        assert_eq!(written(of("csv", ""), &people), "x,y\n1,\"b, \"\"c\"\"\"\n,\n");
        assert!(read("test", "description = ''\nending = ''\nlayout = 'files'\ntemplate = ''").is_err());
        assert!(read("test", "description = ''\nending = ''\nlayout = 'lines'\nkey = ''\ntemplate = ''").is_err());
    }

    #[test]
    fn names_of_files_stay_in_the_folder() {
        assert_eq!(file_name("a b.agent.json").unwrap(), "a b.agent.json");
        for name in ["", ".x", "../x", "a/b", "a\\b", "a\nb"] {
            assert!(file_name(name).is_err(), "{name}");
        }
    }
}
