//! How many requests statements make of a model: no more than the rows that need an answer.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::util::pretty::pretty_format_batches;
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use populace_udfs::{
    Embedder, Estimate, Narrative, NarrativeError, NarrativeRequest, Narrator, Populace, Prompt, Purpose, bounded,
    estimate, register, render_bounded, rewrite, template_names,
};

#[path = "calls/statements.rs"]
mod statements;
use statements::STATEMENTS;

/// A model behind a network, which answers with what it is asked, and keeps what it has answered.
#[derive(Debug, Default)]
struct Model {
    asked: Mutex<HashSet<String>>,
}

fn text_of(request: &NarrativeRequest) -> String {
    match &request.prompt {
        Prompt::Kind(kind) => format!("{kind} of {} of {}", request.facts["first_name"], request.facts["uuid"]),
        Prompt::Template(template) => {
            let environment = bounded();
            let template = environment.template_from_str(template).unwrap();
            render_bounded(&template, request.facts.as_ref()).unwrap()
        }
    }
}

#[async_trait]
impl Narrator for Model {
    fn name(&self) -> &str {
        "model"
    }

    fn kinds(&self) -> Vec<String> {
        vec!["persona".into(), "travel_persona".into()]
    }

    fn window(&self) -> usize {
        32
    }

    fn columns(&self, prompt: &Prompt, available: &[String]) -> Vec<String> {
        let wanted = match prompt {
            Prompt::Kind(_) => vec!["first_name".to_string(), "uuid".to_string()],
            Prompt::Template(template) => template_names(template).unwrap(),
        };
        wanted.into_iter().filter(|w| available.contains(w)).collect()
    }

    fn estimate(&self, requests: &[NarrativeRequest], estimate: &mut Estimate) -> Result<bool, DataFusionError> {
        estimate.calls += requests.len() as u64;
        Ok(true)
    }

    async fn narrate(&self, requests: Vec<NarrativeRequest>) -> Vec<Result<Narrative, NarrativeError>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut asked = self.asked.lock().unwrap();
        let write = |request: NarrativeRequest| {
            let text = text_of(&request);
            asked.insert(text.clone());
            Ok(Narrative {
                text,
                model: "model".into(),
                attempts: 1,
                prompt_tokens: None,
                completion_tokens: None,
                cost_usd: None,
            })
        };
        requests.into_iter().map(write).collect()
    }
}

/// The first number is the length of a text.
#[derive(Debug)]
struct Lengths;

#[async_trait]
impl Embedder for Lengths {
    fn name(&self) -> &str {
        "lengths"
    }

    fn dimension(&self) -> usize {
        2
    }

    async fn embed(&self, texts: Vec<String>, purpose: Purpose) -> Result<Vec<Vec<f32>>, DataFusionError> {
        let second = if purpose == Purpose::Query { 1.0 } else { 0.0 };
        Ok(texts.iter().map(|t| vec![t.len() as f32, second]).collect())
    }
}

struct Session {
    context: SessionContext,
    model: Arc<Model>,
}

impl Session {
    async fn new() -> Session {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/tiny");
        let pack = populace_population::compile(&dir).unwrap().pack;
        let (context, model) = (SessionContext::new(), Arc::new(Model::default()));
        let populace = Populace::new().with_pack(pack).with_embedder(Arc::new(Lengths)).with_narrator(model.clone());
        register(&context, populace).unwrap();
        let session = Session { context, model };
        session.run("CREATE TABLE p AS SELECT * FROM sample_persona('tinyland', 400, seed => 42)").await.unwrap();
        let old = "CREATE TABLE old (uuid VARCHAR NOT NULL, PRIMARY KEY (uuid)) AS SELECT uuid FROM p WHERE age > 27";
        session.run(old).await.unwrap();
        session.run("CREATE TABLE v AS SELECT *, embed(first_name) AS name_embedding FROM p").await.unwrap();
        session
    }

    async fn run(&self, sql: &str) -> Result<Vec<arrow::array::RecordBatch>, DataFusionError> {
        let state = self.context.state();
        let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
        if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
            rewrite(statement);
        }
        let plan = state.statement_to_plan(statement).await?;
        self.context.execute_logical_plan(plan).await?.collect().await
    }

    async fn number(&self, sql: &str) -> usize {
        let rows = self.run(sql).await.unwrap();
        rows[0].column(0).as_primitive::<Int64Type>().value(0) as usize
    }

    /// Runs a statement; the number of different requests that it made.
    async fn requests(&self, sql: &str) -> Result<usize, DataFusionError> {
        self.model.asked.lock().unwrap().clear();
        self.run(sql).await?;
        Ok(self.model.asked.lock().unwrap().len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_ask_only_for_what_they_need() {
    let session = Session::new().await;
    let mut wrong = String::new();
    for (sql, most) in STATEMENTS {
        let most = match most.parse() {
            Ok(most) => most,
            Err(_) => session.number(most).await,
        };
        assert!(most > 0, "{sql} shows nothing");
        match session.requests(sql).await {
            Ok(asked) if asked == most => {}
            Ok(asked) => wrong += &format!("{asked} requests, where {most} are needed: {sql}\n"),
            Err(error) => wrong += &format!("{}: {sql}\n", error.strip_backtrace()),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Calls are told of as many people as are written up, also where a sample takes few of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_count_the_rows_that_are_taken() {
    let session = Session::new().await;
    let whole = "(SELECT * FROM generate_persona('tinyland', 400, seed => 42))";
    let drawn = "sample_persona('tinyland', 400, seed => 42)";
    let taken =
        session.number(&format!("SELECT count(*) FROM {drawn} TABLESAMPLE BERNOULLI (10) REPEATABLE (1)")).await;
    let taken = taken as u64;
    for (sql, calls) in [
        (format!("SELECT persona FROM {whole}"), 400),
        (format!("SELECT persona FROM stratified_sample({whole}, 6, strata => sex)"), 6),
        (format!("SELECT persona FROM stratified_sample({whole}, 6, strata => sex) WHERE age > 20"), 6),
        (format!("SELECT persona FROM {whole} TABLESAMPLE (7 ROWS)"), 7),
        (format!("SELECT persona FROM {whole} TABLESAMPLE BERNOULLI (10) REPEATABLE (1)"), taken),
        (format!("SELECT persona FROM {whole} AS p TABLESAMPLE BERNOULLI (10) REPEATABLE (1) WHERE age > 0"), taken),
        (
            format!("SELECT persona FROM (SELECT persona, uuid AS u, uuid FROM {whole}) TABLESAMPLE BERNOULLI (10) REPEATABLE (1)"),
            taken,
        ),
        (
            "SELECT t FROM stratified_sample((SELECT uuid, sex, generate_narrative('persona') AS t FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => sex)"
                .to_string(),
            6,
        ),
        // Of a prompt that no column goes into, rows without columns are read.
        (format!("SELECT generate_narrative('Say hello.') FROM {drawn}"), 1),
    ] {
        let plan = session.context.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
        let estimate = estimate(&plan, session.context.task_ctx()).await.unwrap().unwrap();
        assert_eq!(estimate.calls, calls, "{sql}");
    }
}

/// What a LIMIT leaves cannot be known before the texts are there: few more are asked for than it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_over_texts_asks_for_few_more() {
    let session = Session::new().await;
    for (sql, most) in [
        ("SELECT uuid FROM p WHERE generate_narrative('{{uuid}}') LIKE '%a%' LIMIT 1", 4),
        ("SELECT uuid FROM p WHERE generate_narrative('{{uuid}}') LIKE '%a%' LIMIT 10", 40),
    ] {
        let asked = session.requests(sql).await.unwrap();
        assert!(asked <= most, "{asked} requests: {sql}");
    }
}

/// Statements and what they show, where a plan mixed calls up or lost facts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_give_each_expression_its_own_text() {
    let session = Session::new().await;
    for (sql, same) in [
        (
            "SELECT max(generate_narrative('{{first_name}} ')), max(generate_narrative('{{state}} ')), min(generate_narrative('{{sex}} ')) FROM p",
            "SELECT max(first_name || ' '), max(state || ' '), min(sex || ' ') FROM p",
        ),
        (
            "SELECT count(DISTINCT generate_narrative('{{first_name}} ')), count(DISTINCT generate_narrative('{{sex}} ')) FROM p",
            "SELECT count(DISTINCT first_name), count(DISTINCT sex) FROM p",
        ),
        (
            "SELECT sex, max(generate_narrative('{{first_name}} ')) FILTER (WHERE age < 20), count(*) FROM p GROUP BY sex ORDER BY sex",
            "SELECT sex, max(first_name || ' ') FILTER (WHERE age < 20), count(*) FROM p GROUP BY sex ORDER BY sex",
        ),
        (
            "SELECT generate_narrative('{{state}} ') AS g, sum(age) FROM p GROUP BY g HAVING sum(age) > 10 ORDER BY g",
            "SELECT state || ' ' AS g, sum(age) FROM p GROUP BY g HAVING sum(age) > 10 ORDER BY g",
        ),
        (
            "SELECT generate_narrative('{{state}} ') AS g, sex, count(*) FROM p GROUP BY ROLLUP (generate_narrative('{{state}} '), sex) ORDER BY 1, 2",
            "SELECT state || ' ' AS g, sex, count(*) FROM p GROUP BY ROLLUP (state || ' ', sex) ORDER BY 1, 2",
        ),
        (
            "SELECT uuid, row_number() OVER (PARTITION BY generate_narrative('{{state}} ') ORDER BY age, uuid) FROM p ORDER BY uuid",
            "SELECT uuid, row_number() OVER (PARTITION BY state ORDER BY age, uuid) FROM p ORDER BY uuid",
        ),
        (
            "SELECT DISTINCT ON (generate_narrative('{{state}} ')) generate_narrative('{{state}} '), age, uuid FROM p ORDER BY generate_narrative('{{state}} '), age, uuid",
            "SELECT DISTINCT ON (state) state || ' ', age, uuid FROM p ORDER BY state, age, uuid",
        ),
        (
            "SELECT p.uuid, o.uuid FROM p LEFT JOIN old o ON p.uuid = o.uuid AND generate_narrative('{{uuid}}', o.uuid) < '8' ORDER BY 1",
            "SELECT p.uuid, o.uuid FROM p LEFT JOIN old o ON p.uuid = o.uuid AND o.uuid < '8' ORDER BY 1",
        ),
        (
            "SELECT a.uuid, b.uuid FROM p a JOIN old b ON a.uuid = b.uuid AND generate_narrative('{{age}}{{uuid}}', a.age, b.uuid) > '28' ORDER BY 1",
            "SELECT a.uuid, b.uuid FROM p a JOIN old b ON a.uuid = b.uuid AND a.age || b.uuid > '28' ORDER BY 1",
        ),
        (
            "SELECT age FROM p ORDER BY generate_narrative('{{uuid}}') LIMIT 3",
            "SELECT age FROM p ORDER BY uuid LIMIT 3",
        ),
        (
            "SELECT age AS uuid FROM p ORDER BY generate_narrative('{{first_name}} {{uuid}}') DESC, age LIMIT 3",
            "SELECT age AS uuid FROM (SELECT age, first_name, uuid AS u FROM p) ORDER BY first_name || ' ' || u DESC, age LIMIT 3",
        ),
        (
            "SELECT CASE WHEN random() < 0.5 THEN generate_narrative('{{first_name}} ') ELSE first_name || ' ' END FROM p ORDER BY uuid",
            "SELECT first_name || ' ' FROM p ORDER BY uuid",
        ),
        (
            "SELECT coalesce(nullif(generate_narrative('{{first_name}} '), 'Ada '), generate_narrative('{{state}} ')) FROM p ORDER BY uuid",
            "SELECT coalesce(nullif(first_name || ' ', 'Ada '), state || ' ') FROM p ORDER BY uuid",
        ),
        (
            "SELECT uuid, t FROM (SELECT uuid, age, generate_narrative('{{uuid}}') AS t FROM p) s JOIN (SELECT uuid AS u FROM old) o ON s.uuid = o.u AND s.age > 20 ORDER BY 1",
            "SELECT uuid, uuid AS t FROM p WHERE age > 27 ORDER BY 1",
        ),
        (
            "SELECT t, uuid, stratum, s FROM stratified_sample((SELECT generate_narrative('{{first_name}} ') AS t, uuid, sex, generate_narrative('{{age}} {{state}}') AS s FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => sex, seed => 1) ORDER BY uuid",
            "SELECT first_name || ' ', uuid, stratum, age || ' ' || state FROM stratified_sample((SELECT * FROM sample_persona('tinyland', 400, seed => 42)), 6, strata => sex, seed => 1) ORDER BY uuid",
        ),
        (
            "SELECT * FROM (SELECT generate_narrative('{{first_name}} ') AS t, age, uuid FROM sample_persona('tinyland', 400, seed => 42) AS people) AS s TABLESAMPLE (5 PERCENT) REPEATABLE (3) ORDER BY uuid",
            "SELECT first_name || ' ', age, uuid FROM sample_persona('tinyland', 400, seed => 42) TABLESAMPLE (5 PERCENT) REPEATABLE (3) ORDER BY uuid",
        ),
        (
            "SELECT t, uuid, s, score FROM semantic_search((SELECT generate_narrative('{{first_name}} ') AS t, uuid, name_embedding, generate_narrative('{{age}} {{state}}') AS s FROM v), 'Ada', 9, \"column\" => 'name')",
            "SELECT first_name || ' ', uuid, age || ' ' || state, score FROM semantic_search(v, 'Ada', 9, \"column\" => 'name')",
        ),
        (
            "SELECT t, carried_0, matched FROM similar_to((SELECT uuid, age AS carried_0, name_embedding, name_embedding AS other_embedding, generate_narrative('{{x}} {{y}}', x, y) AS t FROM (SELECT *, first_name AS x, state AS y FROM v)), '003d5b1940345e06fb3f8145d2000c8f', 9, \"column\" => (name, other)) ORDER BY uuid",
            "SELECT first_name || ' ' || state, age, matched FROM similar_to((SELECT *, name_embedding AS other_embedding FROM v), '003d5b1940345e06fb3f8145d2000c8f', 9, \"column\" => (name, other)) ORDER BY uuid",
        ),
        (
            "SELECT x, round(CAST(cosine_similarity(embed('bees', x), embed('bees', 'passage')) AS DOUBLE), 4) FROM (VALUES ('query'), ('passage')) AS v(x) ORDER BY x",
            "SELECT 'passage', 1.0 UNION ALL SELECT 'query', 0.9701 ORDER BY 1",
        ),
    ] {
        let (one, other) = (session.run(sql).await, session.run(same).await.unwrap());
        let one = one.unwrap_or_else(|e| panic!("{}: {sql}", e.strip_backtrace()));
        let shown = |batches: &[arrow::array::RecordBatch]| -> Vec<String> {
            let table = pretty_format_batches(batches).unwrap().to_string();
            let cells = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
            table.lines().filter(|l| l.starts_with('|')).skip(1).map(cells).collect()
        };
        assert_eq!(shown(&one), shown(&other), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_cannot_be_made_say_so() {
    let session = Session::new().await;
    for (sql, message) in [
        (
            "SELECT generate_narrative('persona') FROM (SELECT age FROM p)",
            "none of the columns that 'persona' is written from",
        ),
        (
            "SELECT generate_narrative('Dear {{first_name}}') FROM p a CROSS JOIN p b",
            "`first_name` is ambiguous here: name those to write from, a.first_name or b.first_name",
        ),
        (
            "SELECT generate_narrative('{{first_name}}', a.first_name, b.first_name) FROM p a CROSS JOIN p b",
            "two of the columns to write from are called `first_name`",
        ),
        (
            "SELECT * FROM p a LEFT JOIN p b ON generate_narrative('{{age}}{{uuid}}', a.age, b.uuid) > '8'",
            "generate_narrative cannot stand in the condition of a Left join",
        ),
        (
            "SELECT * FROM (VALUES (generate_narrative('Hello there'))) AS t(x)",
            "generate_narrative cannot stand in VALUES",
        ),
        ("SELECT embed('bees', 'passages')", "the purpose is 'query' or 'passage', not 'passages'"),
    ] {
        let error = session.run(sql).await.unwrap_err().to_string();
        assert!(error.contains(message), "{sql}: {error}");
    }
    assert_eq!(session.model.asked.lock().unwrap().len(), 0);
}

/// Parameters of a session's own statements reach draws, and the relations of functions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_bound_wherever_they_stand() {
    let session = Session::new().await;
    for (prepared, calls) in [
        (
            "PREPARE q AS SELECT count(*) FROM sample_persona('tinyland', $1, seed => 1, given => age > $2) WHERE age > $2",
            [("EXECUTE q(7, 20)", 7), ("EXECUTE q(12, 25)", 12)],
        ),
        (
            "PREPARE q(BIGINT, BIGINT) AS SELECT count(DISTINCT first_name || CAST(seed AS VARCHAR)) FROM generate_persona('tinyland', 400, seed => $1, given => age = $2)",
            [("EXECUTE q(7, 20)", 4), ("EXECUTE q(12, 25)", 4)],
        ),
        (
            "PREPARE q AS SELECT sum(observed) FROM rebalance((SELECT * FROM p WHERE row_index < $1), 'tinyland', strata => (sex))",
            [("EXECUTE q(30)", 30), ("EXECUTE q(50)", 50)],
        ),
        (
            "PREPARE q AS SELECT count(*) FROM semantic_search((SELECT *, embed(first_name) AS name_embedding FROM p), 'Ada', 400, \"column\" => 'name', \"where\" => row_index < $1)",
            [("EXECUTE q(30)", 30), ("EXECUTE q(50)", 50)],
        ),
        (
            "PREPARE q AS SELECT sum(sampling_weight)::BIGINT FROM stratified_sample((SELECT * FROM p WHERE row_index < $1), 10, strata => sex, seed => 1)",
            [("EXECUTE q(30)", 30), ("EXECUTE q(50)", 50)],
        ),
        (
            "PREPARE q AS SELECT count(*) FROM (SELECT * FROM p WHERE row_index < $1) TABLESAMPLE (40 ROWS) REPEATABLE (1)",
            [("EXECUTE q(30)", 30), ("EXECUTE q(50)", 40)],
        ),
        (
            "PREPARE q AS SELECT max(texts) FROM stereotype_index((SELECT *, first_name || ' is ' || sex AS told FROM p WHERE row_index < $1), sex, narratives => told, ignore => ('x'), permutations => 99)",
            [("EXECUTE q(300)", 300), ("EXECUTE q(400)", 400)],
        ),
    ] {
        session.run(prepared).await.unwrap_or_else(|e| panic!("{}: {prepared}", e.strip_backtrace()));
        for (execute, expected) in calls {
            let rows = session.run(execute).await.unwrap_or_else(|e| panic!("{}: {prepared}", e.strip_backtrace()));
            assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), expected, "{execute}: {prepared}");
        }
        session.run("DEALLOCATE q").await.unwrap();
    }
    // Without a seed each draw has its own.
    session.run("PREPARE q AS SELECT seed FROM sample_persona('tinyland', $1)").await.unwrap();
    let seeds = [session.run("EXECUTE q(1)").await.unwrap(), session.run("EXECUTE q(1)").await.unwrap()];
    assert_ne!(seeds[0], seeds[1]);
    let error = session.run("EXECUTE q(-1)").await.unwrap_err().to_string();
    assert!(error.contains("sample_persona: `count` must be a whole number from 1 to"), "{error}");
}

/// What a function reads stands below it in a plan, with its rows and times, and a sort of its rows is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_show_what_functions_read() {
    let session = Session::new().await;
    for (sql, shown) in [
        ("fidelity((SELECT * FROM p WHERE age > 20), 'tinyland')", "FidelityExec"),
        ("compare((SELECT * FROM p WHERE age > 20), p)", "CompareExec"),
        ("rake((SELECT * FROM p WHERE age > 20), 'tinyland', margins => (sex), on_empty => 'skip')", "RakeExec"),
        ("rebalance((SELECT * FROM p WHERE age > 20), 'tinyland', strata => (sex))", "RebalanceExec"),
        ("validate((SELECT * FROM p WHERE age > 20))", "ValidateExec"),
        ("complete_persona('tinyland', (SELECT age FROM p WHERE age > 20))", "CompletePersonaExec"),
        ("counterfactual('tinyland', (SELECT * FROM p WHERE age > 20), set => (sex = 'Male'))", "CounterfactualExec"),
        ("stratified_sample((SELECT * FROM p WHERE age > 20), 9, strata => (sex))", "StratifiedSampleExec"),
        ("(SELECT * FROM p WHERE age > 20) TABLESAMPLE BERNOULLI (50)", "TableSampleExec"),
        ("(SELECT * FROM p WHERE age > 20) TABLESAMPLE (9 ROWS)", "TableSampleExec"),
        (
            "stereotype_index((SELECT *, first_name || ' is ' || sex AS told FROM p WHERE age > 20), sex, narratives => told)",
            "StereotypeIndexExec",
        ),
    ] {
        let rows = session.run(&format!("EXPLAIN ANALYZE SELECT * FROM {sql}")).await.unwrap();
        let plan = pretty_format_batches(&rows).unwrap().to_string();
        let operator = plan.lines().find(|l| l.contains(shown)).unwrap_or_else(|| panic!("{plan}"));
        assert!(operator.contains("output_rows=") && operator.contains("elapsed_compute="), "{operator}");
        let read = plan.lines().find(|l| l.contains("FilterExec: age")).unwrap_or_else(|| panic!("{plan}"));
        assert!(read.contains("output_rows="), "{read}");
    }
    let search = "semantic_search((SELECT uuid, age, sex, embed(first_name) AS name_embedding FROM p), 'Ada', 5, \"column\" => 'name')";
    let rows = session.run(&format!("EXPLAIN SELECT age FROM {search} ORDER BY score DESC LIMIT 3")).await.unwrap();
    let plan = pretty_format_batches(&rows).unwrap().to_string();
    let physical = &plan[plan.find("physical_plan").unwrap()..];
    assert!(physical.contains("SearchExec") && !physical.contains("SortExec"), "{plan}");
    assert!(!physical.contains("sex"), "columns that nobody wants are not read: {plan}");
}
