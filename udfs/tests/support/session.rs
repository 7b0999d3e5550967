//! A plain DataFusion session with the plugin and a tiny country, for the SQL logic tests.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};
use populace_population::Pack;
use populace_udfs::{
    Embedder, Narrative, NarrativeError, NarrativeRequest, Narrator, Populace, Prompt, Purpose, rewrite,
};

/// Counts the letters a, b and c.
#[derive(Debug)]
pub struct Letters;

#[async_trait]
impl Embedder for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn dimension(&self) -> usize {
        3
    }

    async fn embed(&self, texts: Vec<String>, _: Purpose) -> Result<Vec<Vec<f32>>, DataFusionError> {
        let count = |text: &String, letter: char| text.chars().filter(|c| *c == letter).count() as f32;
        Ok(texts.iter().map(|t| ['a', 'b', 'c'].map(|l| count(t, l)).to_vec()).collect())
    }
}

/// Greets by first name; says in each text how many it has written, if it counts. It knows nothing to say to those
/// without a name.
#[derive(Debug, Default)]
pub struct Greeter {
    pub counts: bool,
    /// Rows that it has in work at once
    pub window: usize,
    pub written: AtomicU32,
}

#[async_trait]
impl Narrator for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    fn window(&self) -> usize {
        self.window.max(1)
    }

    fn kinds(&self) -> Vec<String> {
        vec!["persona".into(), "travel_persona".into()]
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let wanted = |c: &&String| match prompt {
            Prompt::Kind(_) => ["first_name", "age"].contains(&c.as_str()),
            Prompt::Template(text) => text.contains(&format!("{{{{{c}}}}}")),
        };
        available.iter().filter(wanted).cloned().collect()
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>> {
        let write = |request: NarrativeRequest| {
            let count = if self.counts { self.written.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
            let facts = serde_json::Value::Object(request.facts.as_ref().clone());
            let Some(name) = request.facts.get("first_name").and_then(|n| n.as_str()) else {
                return Err(NarrativeError { message: format!("no name in {facts}"), attempts: 2, outage: false });
            };
            let text = match request.prompt {
                Prompt::Kind(kind) => format!("{kind} {count} of {name}, {}", facts["age"]),
                Prompt::Template(text) => text.replace("{{first_name}}", name),
            };
            Ok(Narrative {
                text,
                model: "greeter".into(),
                attempts: 1,
                prompt_tokens: Some(10),
                completion_tokens: None,
                cost_usd: Some(0.5),
            })
        };
        requests.into_iter().map(write).collect()
    }
}

/// What stands in the folder of the plugin.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs").join(name)
}

/// The files of statements, in order; `POPULACE_SLT=surveys` leaves all but one out, for whoever works on that.
pub fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder("tests/slt")).unwrap().map(|e| e.unwrap().path()).collect();
    if let Ok(one) = std::env::var("POPULACE_SLT") {
        files.retain(|file| file.file_stem().is_some_and(|stem| stem == one.as_str()));
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

pub fn tiny() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    PACK.get_or_init(|| populace_population::compile(&folder("tests/packs/tiny")).unwrap().pack).clone()
}

/// The tiny country and the USA, with models that know little.
pub fn populace(greeter: Greeter) -> Populace {
    static USA: OnceLock<Arc<Pack>> = OnceLock::new();
    let usa = || USA.get_or_init(|| Pack::open(&folder("../datasets/usa/usa.pack")).unwrap()).clone();
    Populace::new()
        .with_pack(tiny())
        .with_lazy_pack("usa", move || Ok(usa()))
        .with_embedder(Arc::new(Letters))
        .with_narrator(Arc::new(greeter))
}

/// Plans a statement, and does what it does to the session.
pub async fn planned(context: &SessionContext, sql: &str) -> Result<DataFrame, DataFusionError> {
    let state = context.state();
    let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
    if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
        rewrite(statement);
    }
    let plan = state.statement_to_plan(statement).await?;
    context.execute_logical_plan(plan).await
}

/// Rows as text.
pub fn shown(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, DataFusionError> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in batches {
        let columns =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
        rows.extend((0..batch.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect()));
    }
    Ok(rows)
}
