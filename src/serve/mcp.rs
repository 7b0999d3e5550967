//! The Model Context Protocol: what a language model's tools may ask. Answers are short, and errors say how to mend the
//! call.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use populace_population::Levels;
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, Implementation, ListResourceTemplatesResult, PaginatedRequestParams,
    PromptMessage, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents,
    ResourceTemplate, Role, ServerCapabilities, ServerConfig,
};
use rmcp::schemars::JsonSchema;
use rmcp::service::RequestContext;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router,
};
use serde::Deserialize;

use super::observed::Named;
use super::principal::{Principal, Who};
use super::requests::{Means, ProbabilityRequest, SampleRequest, SearchRequest};
use super::statements::{Answer, Host, one};
use crate::engine::{Engine, Error, ErrorKind};
use crate::sql::{quoted_name, quoted_text};
use crate::{packs, recipes};

/// Letters of an answer: some 8,000 tokens.
const LETTERS: usize = 24_000;

/// Rows that are told where nobody says how many.
const ROWS: usize = 20;

/// Tools for language models, on behalf of whoever sends the request, or of somebody who is known from the beginning.
#[derive(Clone)]
pub(super) struct Mcp {
    host: Arc<Host>,
    who: Option<Arc<Principal>>,
    tool_router: ToolRouter<Mcp>,
    prompt_router: PromptRouter<Mcp>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct OfCountry {
    /// One of list_countries, such as usa
    country: String,
    /// A variable whose levels are wanted, such as occupation
    #[serde(default)]
    variable: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Sample {
    /// One of list_countries, such as usa
    country: String,
    /// How many, 1 to 50
    n: u64,
    /// What holds of all of them, in SQL: age >= 65 AND state = 'VT'
    #[serde(default)]
    given: Option<String>,
    /// Draws the same people every time
    #[serde(default)]
    seed: Option<u64>,
    /// Only these columns; describe_country tells them
    #[serde(default)]
    columns: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Count {
    /// One of list_countries, such as usa
    country: String,
    /// What holds of them, in SQL: state = 'WY' AND age > 95
    given: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Find {
    /// Whom to look for, in words: retired nurse who gardens
    query: String,
    /// A table of list_tables; all of them without it
    #[serde(default)]
    table: Option<String>,
    /// What holds of those among whom is searched, in SQL
    #[serde(default, rename = "where")]
    predicate: Option<String>,
    /// How many, 1 to 50
    #[serde(default)]
    k: Option<usize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Panel {
    /// A country of list_countries; or a table of list_tables, whose rows are then taken
    #[serde(rename = "from")]
    of: String,
    /// How many people, 1 to 200
    n: u64,
    /// The columns whose shares the panel keeps: ["sex", "census_region"]
    strata: Vec<String>,
    /// Takes the same people every time
    #[serde(default)]
    seed: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Query {
    /// One query in SQL; $ functions such as sample_persona('usa', 100) are tables
    statement: String,
    /// How many rows are told, 1 to 200
    #[serde(default)]
    max_rows: Option<usize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Recipe {
    /// Its name; without one all recipes are told
    #[serde(default)]
    name: Option<String>,
    /// Values for its parameters, as texts
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Person {
    /// The table that the person is in
    table: String,
    /// The person's uuid
    uuid: String,
}

/// What a tool says: a text, or what was wrong with the call.
type Said = Result<CallToolResult, ErrorData>;

fn said(done: Result<String, Error>) -> Said {
    Ok(match done {
        Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
        // It may quote what was asked, however long that is.
        Err(error) => CallToolResult::error(vec![ContentBlock::text(short(error.to_string()))]),
    })
}

fn named(action: &'static str) -> Named {
    Named { protocol: "mcp", action }
}

#[tool_router(router = tool_router)]
impl Mcp {
    /// The countries that people are drawn from.
    #[tool(annotations(title = "List countries", read_only_hint = true, open_world_hint = false))]
    async fn list_countries(&self) -> Said {
        said(
            self.beside(|| {
                let mut text = String::from("name | country | year | people | who\n");
                for name in packs::NAMES {
                    let pack = open(name)?;
                    text += &format!(
                        "{name} | {} | {} | {:.0} | {}\n",
                        pack.title(),
                        pack.year(),
                        pack.population(),
                        pack.universe()
                    );
                }
                Ok(text)
            })
            .await,
        )
    }

    /// The variables of a country's people, or the levels of one of them with their shares.
    #[tool(annotations(title = "Describe a country", read_only_hint = true, open_world_hint = false))]
    async fn describe_country(&self, Parameters(OfCountry { country, variable }): Parameters<OfCountry>) -> Said {
        said(self.beside(move || described(&country, variable.as_deref())).await)
    }

    /// Draws people of a country by its official statistics, exactly those of whom something holds. The seed that is
    /// told draws them again.
    #[tool(annotations(title = "Sample personas", read_only_hint = true, open_world_hint = false))]
    async fn sample_personas(
        &self,
        Parameters(Sample { country, n, given, seed, columns }): Parameters<Sample>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        let wanted = SampleRequest { country, count: n.clamp(1, 50), seed, given, columns, format: None };
        said(
            async {
                let (statement, seed) = wanted.statement()?;
                let rows = self.query(&context, "sample_personas", statement, 50).await?;
                Ok(format!("{rows}\nseed {seed}"))
            }
            .await,
        )
    }

    /// The exact share of a country's people of whom something holds, and how many that is.
    #[tool(annotations(title = "Count people", read_only_hint = true, open_world_hint = false))]
    async fn count_people(
        &self,
        Parameters(Count { country, given }): Parameters<Count>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        said(
            async { self.query(&context, "count_people", ProbabilityRequest { country, given }.statement()?, 1).await }
                .await,
        )
    }

    /// Finds people of the tables by what they are like, best first.
    #[tool(annotations(title = "Search personas", read_only_hint = true, open_world_hint = false))]
    async fn search_personas(
        &self,
        Parameters(Find { query, table, predicate, k }): Parameters<Find>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        let k = k.unwrap_or(5).clamp(1, 50);
        let (by, column) = (Means::Facts, "persona".into());
        let wanted = SearchRequest { text: query, table, predicate, k, by, column, format: None };
        said(
            async {
                let search = wanted.search()?;
                self.answer(&context, "search_personas", 50, async move |engine: Engine| engine.search(search).await)
                    .await
            }
            .await,
        )
    }

    /// A panel of people in which each stratum has its share, with the weight that each stands for.
    #[tool(annotations(title = "Draw a panel", read_only_hint = true, open_world_hint = false))]
    async fn evaluation_panel(
        &self,
        Parameters(Panel { of, n, strata, seed }): Parameters<Panel>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        said(async {
            if strata.is_empty() {
                return Err(Error::new(ErrorKind::Usage, "strata: name a column or several, such as [\"sex\"]"));
            }
            let (n, seed) = (n.clamp(1, 200), seed.unwrap_or_else(populace_udfs::fresh_seed));
            let from = match packs::NAMES.contains(&of.as_str()) {
                true => format!("(SELECT * FROM sample_persona({}, {}, seed => {seed}))", quoted_text(&of), 200 * n),
                false => quoted_name(&of),
            };
            let strata: Vec<String> = strata.iter().map(|column| quoted_name(column)).collect();
            let strata = strata.join(", ");
            let statement = format!(
                "SELECT * EXCEPT (uuid), uuid FROM stratified_sample({from}, {n}, strata => ({strata}), seed => {seed})"
            );
            let rows = self.query(&context, "evaluation_panel", statement, 200).await?;
            Ok(format!("{rows}\nseed {seed}; sampling_weight is how many people a row stands for"))
        }
        .await)
    }

    /// The tables of the database.
    #[tool(annotations(title = "List tables", read_only_hint = true, open_world_hint = false))]
    async fn list_tables(&self, context: RequestContext<RoleServer>) -> Said {
        said(
            async {
                let who = self.who(&context)?;
                let database = Arc::new(self.host.engine().database().session(None));
                let tables = self.host.on_runtime(async move { database.summaries().await }).await??;
                let shown = tables.iter().filter(|t| who.may_name(&t.name));
                let lines: Vec<String> = shown
                    .map(|t| format!("{} | {} rows | {}", t.name, t.rows, t.country.as_deref().unwrap_or("-")))
                    .collect();
                Ok(if lines.is_empty() { "there are no tables".into() } else { lines.join("\n") })
            }
            .await,
        )
    }

    /// Runs one query of SQL (DataFusion's dialect) over tables and over the functions of the database:
    /// sample_persona('usa', 1000, seed => 1, given => age > 65), stratified_sample(…), persona_probability(…),
    /// semantic_search(…), fidelity(…). It reads, and changes nothing.
    #[tool(annotations(title = "Run SQL", read_only_hint = true, open_world_hint = false))]
    async fn run_sql(
        &self,
        Parameters(Query { statement, max_rows }): Parameters<Query>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        let most = max_rows.unwrap_or(ROWS).clamp(1, 200);
        said(self.query(&context, "run_sql", statement, most).await)
    }

    /// Runs a recipe, a query for what people do over and over; without a name it tells the recipes and their parameters.
    #[tool(annotations(title = "Run a recipe", open_world_hint = false))]
    async fn run_recipe(
        &self,
        Parameters(Recipe { name, parameters }): Parameters<Recipe>,
        context: RequestContext<RoleServer>,
    ) -> Said {
        said(
            async {
                let Some(name) = name else { return Ok(listed()) };
                let recipe = recipes::find(&name).map_err(|text| Error::new(ErrorKind::NotFound, text))?;
                let given: Vec<(String, String)> = parameters.into_iter().collect();
                let text = recipe.statements(&given).map_err(|text| Error::new(ErrorKind::Usage, text))?;
                let mut told = vec![];
                for statement in self.host.engine().parse(&text).map_err(|e| Error::from(&e))? {
                    let work = async move |engine: Engine| engine.run(statement).await;
                    told.push(self.answer(&context, "run_recipe", ROWS, work).await?);
                }
                Ok(told.join("\n\n"))
            }
            .await,
        )
    }
}

#[prompt_router]
impl Mcp {
    /// Has the model speak as a person of the database would.
    #[prompt(name = "act_as_persona", description = "Speak as a person of the database would")]
    async fn act_as_persona(
        &self,
        Parameters(Person { table, uuid }): Parameters<Person>,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResult, ErrorData> {
        let facts = self.person(&context, &table, &uuid).await?;
        let text = format!(
            "Answer from now on as the person below would: in the first person, in their own language and words, with \
             their knowledge and no other. What is not said of them is what would be usual for such a person.\n\n{facts}"
        );
        Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]))
    }
}

/// How a person is named: `populace://persona/usa/0190…`.
const PERSONA: &str = "populace://persona/";

#[tool_handler(router = self.tool_router)]
#[prompt_handler(router = self.prompt_router)]
impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources().build();
        let instructions = "A database of synthetic people, drawn from official statistics. list_countries and \
                            describe_country tell what there is; conditions are SQL over those variables; run_sql \
                            answers anything else.";
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("populace", env!("CARGO_PKG_VERSION")))
            .with_instructions(instructions)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new(format!("{PERSONA}{{table}}/{{uuid}}"), "persona")
            .with_description("A person of a table: all facts and texts")
            .with_mime_type("text/plain");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let parts = request.uri.strip_prefix(PERSONA).and_then(|rest| rest.split_once('/'));
        let Some((table, uuid)) = parts else {
            return Err(ErrorData::resource_not_found(format!("a resource is {PERSONA}TABLE/UUID"), None));
        };
        let text = self.person(&context, table, uuid).await?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, request.uri.clone())]).into())
    }
}

impl Mcp {
    /// For whoever sends a request, where nobody is said.
    pub fn new(host: Arc<Host>, who: Option<Arc<Principal>>) -> Mcp {
        Mcp { host, who, tool_router: Mcp::tool_router(), prompt_router: Mcp::prompt_router() }
    }

    fn who(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Principal>, Error> {
        let sent =
            || context.extensions.get::<http::request::Parts>()?.extensions.get::<Who>().map(|who| who.0.clone());
        let nobody = || Error::new(ErrorKind::Permission, "a token that is good is wanted");
        self.who.clone().or_else(sent).ok_or_else(nobody)
    }

    async fn beside(&self, work: impl FnOnce() -> Result<String, Error> + Send + 'static) -> Result<String, Error> {
        self.host.beside(work).await?.map(short)
    }

    /// The rows of a query, which reads and nothing else.
    async fn query(
        &self,
        context: &RequestContext<RoleServer>,
        tool: &'static str,
        statement: String,
        rows: usize,
    ) -> Result<String, Error> {
        let work = async move |engine: Engine| {
            // A slip in it is told before it is said that only queries run.
            one(&engine, &statement)?;
            engine.query_one(&statement).await
        };
        self.answer(context, tool, rows, work).await
    }

    /// The rows of a statement, as many as are told: the others are not made.
    async fn answer<W, F>(
        &self,
        context: &RequestContext<RoleServer>,
        tool: &'static str,
        rows: usize,
        work: W,
    ) -> Result<String, Error>
    where
        W: FnOnce(Engine) -> F + Send + 'static,
        F: Future<Output = datafusion::common::Result<datafusion::execution::SendableRecordBatchStream>> + Send,
    {
        let answered = async {
            let answer = self.host.start(&self.who(context)?, named(tool), work).await?;
            table(answer, rows).await
        };
        tokio::select! {
            answered = answered => answered,
            () = context.ct.cancelled() => Err(Error::new(ErrorKind::Interrupted, "the call was cancelled")),
        }
    }

    /// A person, a fact a line.
    async fn person(&self, context: &RequestContext<RoleServer>, table: &str, uuid: &str) -> Result<String, ErrorData> {
        let statement = format!("SELECT * FROM {} WHERE uuid = {}", quoted_name(table), quoted_text(uuid));
        let work = async move |engine: Engine| engine.query_one(&statement).await;
        let read = async {
            let answer = self.host.start(&self.who(context)?, named("persona"), work).await?;
            answer.all().await
        };
        let unknown = |text: String| ErrorData::resource_not_found(text, None);
        let (batches, _) = read.await.map_err(|error| unknown(error.to_string()))?;
        let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
            return Err(unknown(format!("{table} has nobody with the uuid {uuid}")));
        };
        let lines = facts(&batch.slice(0, 1)).map_err(|error| unknown(error.to_string()))?;
        Ok(short(lines.join("\n")))
    }
}

fn open(name: &str) -> Result<Arc<populace_population::Pack>, Error> {
    match packs::NAMES.contains(&name).then(|| packs::open(name)).flatten() {
        Some(pack) => pack.map_err(|e| Error::new(ErrorKind::Internal, e.to_string())),
        None => Err(Error::new(ErrorKind::NotFound, packs::unknown(name))),
    }
}

/// Levels that are told of a variable.
const LEVELS: usize = 100;

fn described(country: &str, variable: Option<&str>) -> Result<String, Error> {
    let pack = open(country)?;
    let shown: Vec<_> = pack.variables().iter().filter(|v| !v.hidden).collect();
    let Some(name) = variable else {
        let lines = shown.iter().map(|v| match v.levels {
            Levels::Integer { min, max } => format!("{} | {min} to {max} | {}", v.name, v.description),
            Levels::Text(ref names) if names.len() <= 8 => {
                format!("{} | {} | {}", v.name, names.texts().collect::<Vec<_>>().join(", "), v.description)
            }
            Levels::Text(_) => format!("{} | {} levels | {}", v.name, v.len(), v.description),
        });
        return Ok(lines.collect::<Vec<_>>().join("\n"));
    };
    let Some(variable) = shown.iter().find(|v| v.name == name) else {
        let names: Vec<&str> = shown.iter().map(|v| v.name.as_str()).collect();
        let hint = populace_population::there_are(name, &names);
        return Err(Error::new(ErrorKind::NotFound, format!("{country} has no variable {name}{hint}")));
    };
    let shares = pack.marginal(name).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let label = |at: usize| match variable.null_level.map(usize::from) == Some(at) {
        true => "NULL".into(),
        false => variable.label(at),
    };
    let mut levels: Vec<(String, f64)> = shares.into_iter().enumerate().map(|(at, s)| (label(at), s)).collect();
    if matches!(variable.levels, Levels::Text(_)) {
        levels.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    let all = levels.len();
    let lines = levels.iter().take(LEVELS).map(|(level, share)| format!("{level} | {:.3} %", 100.0 * share));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if all > LEVELS {
        text += &format!("\nthe {LEVELS} most frequent of {all} levels");
    }
    Ok(text)
}

fn listed() -> String {
    let lines = recipes::all().into_iter().map(|recipe| {
        let parameters = recipe.parameters.iter().map(|p| match &p.default {
            Some(default) => format!("{} = {default}", p.name),
            None => p.name.clone(),
        });
        let first = recipe.description.lines().next().unwrap_or_default();
        format!("{} ({}): {first}", recipe.name, parameters.collect::<Vec<_>>().join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text that is no longer than an answer may be.
fn short(text: String) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…\n(cut: ask for less)", &text[..end]),
        None => text,
    }
}

fn no_form(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, format!("a value has no text: {error}"))
}

/// The facts of the first row, those that are there.
fn facts(batch: &RecordBatch) -> Result<Vec<String>, Error> {
    let options = FormatOptions::default();
    let mut lines = vec![];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if matches!(field.data_type(), arrow::datatypes::DataType::FixedSizeList(..)) || column.is_null(0) {
            continue;
        }
        let text = ArrayFormatter::try_new(column, &options).map_err(no_form)?.value(0).to_string();
        lines.push(format!("{}: {text}", field.name()));
    }
    Ok(lines)
}

/// Rows as lines, without vectors; the first of them, and how many are not told.
async fn table(mut answer: Answer, most: usize) -> Result<String, Error> {
    let schema = answer.schema.clone();
    let is_vectors = |at: usize| matches!(schema.field(at).data_type(), arrow::datatypes::DataType::FixedSizeList(..));
    let shown: Vec<usize> = (0..schema.fields().len()).filter(|at| !is_vectors(*at)).collect();
    let names: Vec<&str> = shown.iter().map(|at| schema.field(*at).name().as_str()).collect();
    let mut text = names.join(" | ");
    let (mut rows, mut letters) = (0, text.len());
    let options = FormatOptions::default().with_null("NULL");
    while let Some(batch) = answer.next().await {
        let batch = batch?;
        let columns = shown.iter().map(|at| ArrayFormatter::try_new(batch.column(*at), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(no_form)?;
        for row in 0..batch.num_rows() {
            if rows == most || letters > LETTERS {
                text += &format!(
                    "\nthere are more than these {rows} rows: a LIMIT, fewer columns or an aggregate tell more"
                );
                return Ok(text);
            }
            let values = columns.iter().map(|c| c.value(row).to_string().replace('\n', " "));
            let line = values.collect::<Vec<_>>().join(" | ");
            letters += line.len();
            text += &format!("\n{line}");
            rows += 1;
        }
    }
    for notice in answer.told().await.notices {
        text += &format!("\nnote: {notice}");
    }
    text += &format!("\n{rows} row{}", if rows == 1 { "" } else { "s" });
    Ok(short(text))
}
