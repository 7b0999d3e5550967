//! The functions on a plain DataFusion session: no database, no model, no rewriting of statements; a narrator and an
//! embedder of one's own.
//!
//! `cargo run -p populace-udfs --example plain_session`; `cargo test` runs it too, and fails if it leaves a function out.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{Result, plan_err};
use datafusion::prelude::SessionContext;
use minijinja::Environment;
use populace_population::Pack;
use populace_udfs::{
    Embedder, Narrative, NarrativeError, NarrativeRequest, Narrator, Populace, Prompt, Purpose, functions, register,
};

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

/// How often each letter stands in a text: a host puts an embedding model here.
#[derive(Debug)]
struct Letters;

#[async_trait]
impl Embedder for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn dimension(&self) -> usize {
        26
    }

    async fn embed(&self, texts: Vec<String>, _: Purpose) -> Result<Vec<Vec<f32>>> {
        let count = |text: &str, letter: char| text.to_lowercase().chars().filter(|c| *c == letter).count() as f32;
        Ok(texts.iter().map(|text| ('a'..='z').map(|letter| count(text, letter)).collect()).collect())
    }
}

/// One for each function at least.
const STATEMENTS: &[&str] = &[
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
    // A table of people with a text each, and its vector.
    "CREATE TABLE people AS SELECT *, embed(introduction) AS introduction_embedding FROM
        (SELECT *, generate_narrative('introduction') AS introduction FROM sample_persona('usa', 500, seed => 42))",
    // Where a function takes a table, a session that does not call `rewrite` writes a query.
    "SELECT first_name, score FROM semantic_search((SELECT * FROM people), 'Zoe of Los Angeles', 3, \"column\" => 'introduction')",
    "SELECT first_name, score FROM text_search((SELECT * FROM people), 'Houston', 3, \"column\" => 'introduction')",
    "SELECT first_name, score FROM hybrid_search((SELECT * FROM people), 'Houston', 3, \"column\" => 'introduction')",
    "SELECT first_name, fact, score FROM fact_search((SELECT * FROM people), 'nurse', 3, facts => occupation, \"column\" => 'introduction')",
    "SELECT first_name, score FROM similar_to((SELECT * FROM people),
        'f6d6f098e2af1d6c0e73025337a7adb5', 3, \"column\" => 'introduction')",
    "SELECT stratum, count(*) FROM stratified_sample((SELECT * FROM people), 20, strata => (sex), seed => 1)
     GROUP BY stratum ORDER BY stratum",
    "SELECT count(*) FROM (SELECT * FROM people) TABLESAMPLE (10 ROWS) REPEATABLE (7)",
    "SELECT figure, verdict FROM fidelity((SELECT * FROM people), 'usa') LIMIT 3",
    "SELECT columns, verdict FROM compare((SELECT * FROM people), sample_persona('usa', 500, seed => 7), columns => (age, sex))",
    "SELECT round(sum(weight)) FROM rake((SELECT * FROM people), 'usa', margins => (sex))",
    "SELECT sex, observed, expected FROM rebalance((SELECT * FROM people), 'usa', strata => (sex))",
    "SELECT narrative, verdict FROM stereotype_index((SELECT * FROM people), attribute => sex, permutations => 99)",
    "SELECT count(*) FROM duplicates((SELECT * FROM people), \"column\" => 'introduction')",
    "SELECT check, count(*) FROM validate((SELECT * FROM people)) GROUP BY check ORDER BY check",
    "SELECT first_name, age, state FROM complete_persona('usa', (SELECT 'Mary' AS first_name, 34 AS age))",
    "SELECT first_name, sex, twin_of IS NOT NULL AS is_twin
     FROM counterfactual('usa', (SELECT * FROM people LIMIT 2), set => (sex = 'Male'))",
    "SELECT count(*) FROM assumed_independences('usa')",
    "SELECT first_name, introduction FROM generate_persona('usa', 100, seed => 42) ORDER BY age DESC LIMIT 2",
    // What a sample tells of the table, with its standard error, and how varied the people are.
    "SELECT sex, survey_mean(age, sampling_weight, stratum, stratum_size) AS age
     FROM stratified_sample((SELECT * FROM people), 100, strata => (sex), seed => 1) GROUP BY sex ORDER BY sex",
    "SELECT * FROM estimate((SELECT * FROM stratified_sample((SELECT * FROM people), 100, strata => (sex), seed => 1)), age, by => sex)
     ORDER BY sex",
    "SELECT arm_a, arm_b, n, difference FROM differences(
        (SELECT * FROM people CROSS JOIN (VALUES ('small', 1), ('large', 2)) AS models (model, points)),
        age * points, arm => model)",
    "SELECT round(gini_simpson(state), 2), round(evenness(state), 2), round(distinct_ngrams(introduction, 2), 2),
            round(self_similarity(introduction_embedding), 2), round(vendi_score(introduction_embedding), 2) FROM people",
    // A text that could not be written tells why.
    "SELECT try_generate_narrative('introduction')['error'] IS NULL AS written FROM people LIMIT 1",
    "SELECT age_band(age, 30, 60) AS band, count(*), round(shannon_entropy(occupation), 2) AS occupations
     FROM people GROUP BY band ORDER BY band",
    "SELECT count(*) FROM people WHERE permanent_random_number(uuid, 7) < 0.1",
    "SELECT unaccent('São Paulo'), round(cosine_similarity(embed('abc'), embed('abd')), 3)",
    // What was read for a sample, with rows and times.
    "EXPLAIN ANALYZE SELECT * FROM stratified_sample((SELECT * FROM people WHERE age > 30), 20, strata => (sex), seed => 1)",
];

/// That the statements call every function there is.
fn all_are_shown() -> Result<()> {
    let text = STATEMENTS.concat();
    let starts = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_shown = |name: &str| {
        let call = if name == "tablesample" { "TABLESAMPLE ".to_string() } else { format!("{name}(") };
        text.match_indices(&call).any(|(at, _)| starts(at))
    };
    match functions().into_iter().find(|function| !is_shown(&function.name)) {
        Some(function) => plan_err!("this example leaves {} out", function.name),
        None => Ok(()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack");
    let context = SessionContext::new();
    let populace = Populace::new()
        .with_pack(Pack::open(&pack)?)
        .with_narrator(Arc::new(Introductions))
        .with_embedder(Arc::new(Letters));
    register(&context, populace)?;

    all_are_shown()?;
    for statement in STATEMENTS {
        context.sql(statement).await?.show().await?;
    }
    Ok(())
}

#[test]
fn every_function_is_called() {
    main().unwrap();
}
