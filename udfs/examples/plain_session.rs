//! The functions on a plain DataFusion session: no database, no model, a narrator of one's own.
//!
//! `cargo run -p populace-udfs --example plain_session`

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use minijinja::Environment;
use populace_population::Pack;
use populace_udfs::{Narrative, NarrativeError, NarrativeRequest, Narrator, Populace, Prompt, register};

/// Writes one kind of text, and fills in templates. A host puts a language model here.
#[derive(Debug)]
struct Introductions;

const INTRODUCTION: &str = "{{ first_name }} is {{ age }} and lives in {{ city }}.";

fn template(prompt: &Prompt) -> &str {
    match prompt {
        Prompt::Kind(_) => INTRODUCTION,
        Prompt::Template(template) => template,
    }
}

#[async_trait]
impl Narrator for Introductions {
    fn name(&self) -> &str {
        "introductions"
    }

    fn kinds(&self) -> Vec<String> {
        vec!["introduction".into()]
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let environment = Environment::new();
        let Ok(template) = environment.template_from_str(template(prompt)) else { return vec![] };
        let named = template.undeclared_variables(false);
        available.iter().filter(|c| named.contains(*c)).cloned().collect()
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>> {
        let environment = Environment::new();
        let write = |request: NarrativeRequest| {
            let text = environment
                .render_str(template(&request.prompt), &*request.facts)
                .map_err(|e| NarrativeError { message: e.to_string(), attempts: 0, outage: false })?;
            let model = self.name().to_string();
            Ok(Narrative { text, model, attempts: 0, prompt_tokens: None, completion_tokens: None, cost_usd: None })
        };
        requests.into_iter().map(write).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack");
    let context = SessionContext::new();
    register(&context, Populace::new().with_pack(Pack::open(&pack)?).with_narrator(Arc::new(Introductions)))?;

    let statements = [
        // Who lives where: drawn from the official figures, and the same for this seed on any machine.
        "SELECT first_name, age, state, occupation FROM sample_persona('usa', 5, seed => 42)",
        // A draw under a condition, which costs no more for being rare.
        "SELECT state, count(*) AS people FROM sample_persona('usa', 10000, seed => 42,
            given => age BETWEEN 30 AND 45 AND state IN ('CA', 'NV') AND occupation LIKE '%engineer%')
         GROUP BY state ORDER BY state",
        // How rare it is, exactly.
        "SELECT * FROM persona_probability('usa', given => state = 'WY' AND age > 95)",
        // Texts: the narrator's own kind takes the facts it needs from the row, as does a template.
        "SELECT generate_narrative('introduction') AS introduction,
                generate_narrative('Dear {{ first_name }} {{ last_name }},') AS letter
         FROM sample_persona('usa', 3, seed => 42)",
        // The figures themselves.
        "SELECT figure, agency, year FROM census.usa.sources ORDER BY figure LIMIT 3",
    ];
    for statement in statements {
        context.sql(statement).await?.show().await?;
    }
    Ok(())
}
