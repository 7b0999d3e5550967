//! `generate_narrative(what [, column …])` and `try_generate_narrative`: texts about people, written by a narrator.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Builder, StringArray, StringBuilder, StructArray, UInt32Builder, UInt64Builder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use async_trait::async_trait;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::async_udf::AsyncScalarUDFImpl;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;
use populace_population::did_you_mean;

use crate::host::Narrators;
use crate::host::facts::facts;
use crate::host::narrator::for_statement;
use crate::host::narrator::{Narrative, NarrativeError, NarrativeRequest, Narrator, Prompt};

pub(crate) const NAME: &str = "generate_narrative";
pub(crate) const TRY_NAME: &str = "try_generate_narrative";

/// Whether a function of this name has texts written.
pub fn is_narrating(function: &str) -> bool {
    function == NAME || function == TRY_NAME
}

/// A text, or why there is none.
pub(crate) type NarrativeOrError = Result<Narrative, NarrativeError>;

/// What a first argument asks for: a kind by its name, or a template, which has spaces or braces.
pub(crate) fn prompt(narrator: &dyn Narrator, text: &str) -> Result<Prompt> {
    if text.contains(|c: char| c.is_whitespace() || c == '{') {
        return Ok(Prompt::Template(text.into()));
    }
    // Before the kinds, so that what it takes from the row is checked as any template is.
    if let Some(template) = narrator.template(text)? {
        return Ok(Prompt::Template(template));
    }
    let kinds: Vec<String> = narrator.kinds().into_iter().chain(narrator.scores()).collect();
    if kinds.iter().any(|k| k == text) {
        return Ok(Prompt::Kind(text.into()));
    }
    let hint = did_you_mean(text, kinds.iter().map(String::as_str));
    let hint = if hint.is_empty() { "." } else { &hint };
    plan_err!(
        "{} writes no '{text}'{hint} It writes: {}. A template of your own has spaces or {{{{ }}}}",
        narrator.name(),
        kinds.join(", ")
    )
}

/// What a call asks for: a request for each row but those where nothing is asked, equal ones once.
pub(crate) struct Asked {
    pub requests: Vec<NarrativeRequest>,
    /// The request of each row
    place_of: Vec<Option<usize>>,
}

/// Reads the arguments of a call.
pub(crate) fn requests(narrator: &dyn Narrator, args: &ScalarFunctionArgs) -> Result<Asked> {
    let rows = args.number_rows;
    let Some((what, given)) = args.args.split_first() else { return exec_err!("{NAME}: what should be written?") };
    let what = cast(&what.to_array(rows)?, &DataType::Utf8)?;
    let what = what.as_string::<i32>();
    let (names, given) = match given.split_first() {
        // The names of the facts, as the rule in `row_facts` wrote them down.
        Some((names, given)) if matches!(names.data_type(), DataType::LargeList(_)) => {
            let names = cast(&names.to_array(1)?.as_list::<i64>().value(0), &DataType::Utf8)?;
            (names.as_string::<i32>().iter().map(|n| n.unwrap_or_default().to_string()).collect(), given)
        }
        _ => (args.arg_fields.iter().skip(1).map(|f| f.name().clone()).collect::<Vec<_>>(), given),
    };
    let columns = given.iter().map(|c| c.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
    let mut prompts: HashMap<&str, Prompt> = HashMap::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut asked = Asked { requests: vec![], place_of: Vec::with_capacity(rows) };
    for (text, facts) in what.iter().zip(facts(&names, columns, rows)?) {
        let Some(text) = text else {
            asked.place_of.push(None);
            continue;
        };
        let prompt = match prompts.get(text) {
            Some(known) => known.clone(),
            None => prompts.entry(text).or_insert(prompt(narrator, text)?).clone(),
        };
        let key = format!("{text}\n{}", serde_json::Value::Object(facts.clone()));
        asked.place_of.push(Some(*places.entry(key).or_insert_with(|| {
            asked.requests.push(NarrativeRequest { prompt, facts: Arc::new(facts) });
            asked.requests.len() - 1
        })));
    }
    Ok(asked)
}

/// Writes one text a row.
pub(crate) async fn write(narrator: &dyn Narrator, args: ScalarFunctionArgs) -> Result<Vec<NarrativeOrError>> {
    let Asked { requests, place_of } = requests(narrator, &args)?;
    let wanted = requests.len();
    let written = narrator.narrate(requests).await;
    if written.len() != wanted {
        return exec_err!("the narrator {} did not answer each of {wanted} requests", narrator.name());
    }
    let nothing = || {
        let message = "nothing was asked for: the first argument is NULL".into();
        Err(NarrativeError { message, attempts: 0, outage: false })
    };
    Ok(place_of.into_iter().map(|p| p.map_or_else(nothing, |p| written[p].clone())).collect())
}

macro_rules! narrative_function {
    ($name:ident, $doc:literal, $syntax:literal, $example:literal) => {
        #[user_doc(
            doc_section(label = "Other Functions"),
            description = $doc,
            syntax_example = $syntax,
            sql_example = $example,
            argument(name = "what", description = "The name of a narrative, such as 'persona', or a Jinja template over the columns."),
            argument(name = "column", description = "The facts to write from, by the names of their columns. Without any, the text takes from the row what it needs.")
        )]
        #[derive(Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name {
            signature: Signature,
            narrators: Narrators,
        }

        impl $name {
            pub fn new(narrators: Narrators) -> $name {
                // Volatile, so that nothing calls it while planning, and no two calls are made one.
                $name { signature: Signature::variadic_any(Volatility::Volatile), narrators }
            }
        }
    };
}

narrative_function!(
    GenerateNarrative,
    "A text about each person, written by the session's narrator from the facts in the columns; NULL where none could be written.",
    "generate_narrative(what [, column, ...])",
    "SELECT first_name, generate_narrative('travel_persona', first_name, age, city) FROM sample_persona('usa', 5)"
);
narrative_function!(
    TryGenerateNarrative,
    "As generate_narrative, with what became of it: a structure of text, error, attempts, prompt_tokens, completion_tokens, cost_usd and model.",
    "try_generate_narrative(what [, column, ...])",
    "SELECT try_generate_narrative('persona') FROM sample_persona('usa', 5)"
);

impl ScalarUDFImpl for GenerateNarrative {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        if kinds.is_empty() { plan_err!("{NAME}: what should be written?") } else { Ok(DataType::Utf8) }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{NAME} cannot be called here; compute it in a subquery first")
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for GenerateNarrative {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let narrator = for_statement(self.narrators.get(None)?, &args.config_options);
        let written = write(narrator.as_ref(), args).await?;
        Ok(ColumnarValue::Array(texts(&written)))
    }
}

impl ScalarUDFImpl for TryGenerateNarrative {
    fn name(&self) -> &str {
        TRY_NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        if kinds.is_empty() { plan_err!("{TRY_NAME}: what should be written?") } else { Ok(DataType::Struct(fields())) }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{TRY_NAME} cannot be called here; compute it in a subquery first")
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for TryGenerateNarrative {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let narrator = for_statement(self.narrators.get(None)?, &args.config_options);
        let written = write(narrator.as_ref(), args).await?;
        Ok(ColumnarValue::Array(outcomes(&written)?))
    }
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("error", DataType::Utf8, true),
        Field::new("attempts", DataType::UInt32, true),
        Field::new("prompt_tokens", DataType::UInt64, true),
        Field::new("completion_tokens", DataType::UInt64, true),
        Field::new("cost_usd", DataType::Float64, true),
        Field::new("model", DataType::Utf8, true),
    ])
}

/// What `generate_narrative` returns.
pub(crate) fn texts(written: &[NarrativeOrError]) -> ArrayRef {
    let texts: StringArray = written.iter().map(|w| w.as_ref().ok().map(|n| n.text.as_str())).collect();
    Arc::new(texts)
}

/// What `try_generate_narrative` returns.
pub(crate) fn outcomes(written: &[NarrativeOrError]) -> Result<ArrayRef> {
    let (mut text, mut error, mut model) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut attempts, mut asked, mut answered) = (UInt32Builder::new(), UInt64Builder::new(), UInt64Builder::new());
    let mut cost = Float64Builder::new();
    for outcome in written {
        let narrative = outcome.as_ref().ok();
        text.append_option(narrative.map(|n| &n.text));
        error.append_option(outcome.as_ref().err().map(|e| &e.message));
        attempts.append_value(outcome.as_ref().map_or_else(|e| e.attempts, |n| n.attempts));
        asked.append_option(narrative.and_then(|n| n.prompt_tokens));
        answered.append_option(narrative.and_then(|n| n.completion_tokens));
        cost.append_option(narrative.and_then(|n| n.cost_usd));
        model.append_option(narrative.map(|n| &n.model));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(text.finish()),
        Arc::new(error.finish()),
        Arc::new(attempts.finish()),
        Arc::new(asked.finish()),
        Arc::new(answered.finish()),
        Arc::new(cost.finish()),
        Arc::new(model.finish()),
    ];
    Ok(Arc::new(StructArray::try_new(fields(), columns, None)?))
}
