//! Runs `tests/slt/*.slt` on a plain DataFusion session with the plugin and a tiny country.

use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use populace_population::Pack;
use populace_udfs::{
    Embedder, Narrative, NarrativeError, NarrativeRequest, Narrator, Populace, Prompt, Purpose, register, rewrite,
};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

/// Counts the letters a, b and c.
#[derive(Debug)]
struct Letters;

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

/// Greets by first name; says in each text how many it has written. It knows nothing to say to those without a name.
#[derive(Debug, Default)]
struct Greeter(std::sync::atomic::AtomicU32);

#[async_trait]
impl Narrator for Greeter {
    fn name(&self) -> &str {
        "greeter"
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
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
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

struct Session(SessionContext);

impl Session {
    fn new() -> Session {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/tiny");
        let pack = populace_population::compile(&dir).unwrap().pack;
        let context = SessionContext::new();
        register(
            &context,
            Populace::new()
                .with_pack(pack)
                .with_lazy_pack("usa", || {
                    Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack"))
                })
                .with_embedder(Arc::new(Letters))
                .with_narrator(Arc::new(Greeter::default())),
        )
        .unwrap();
        Session(context)
    }
}

#[async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let state = self.0.state();
        let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
        if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
            rewrite(statement);
        }
        let plan = state.statement_to_plan(statement).await?;
        let frame = self.0.execute_logical_plan(plan).await?;
        let types = vec![DefaultColumnType::Any; frame.schema().fields().len()];
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = vec![];
        for batch in frame.collect().await? {
            let columns =
                batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
            rows.extend((0..batch.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect()));
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "datafusion"
    }
}

#[test]
fn statements() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let mut runner = Runner::new(|| async { Ok(Session::new()) });
        runtime.block_on(runner.run_file_async(&file)).unwrap_or_else(|e| panic!("{}", e.display(true)));
    }
}
