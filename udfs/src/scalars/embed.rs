//! `embed(text [, 'query'])`: the vector of a text.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, FixedSizeListArray, FixedSizeListBuilder, Float32Builder};
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field};
use async_trait::async_trait;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::async_udf::AsyncScalarUDFImpl;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::host::LazyEmbedder;
use crate::host::embedder::{Embedder, Purpose, for_statement};

pub(crate) const NAME: &str = "embed";

#[user_doc(
    doc_section(label = "Other Functions"),
    description = "The vector of a text, by the session's embedder; NULL for NULL. Equal texts are embedded once.",
    syntax_example = "embed(text [, purpose])",
    sql_example = "SELECT embed('a retired beekeeper', 'query')",
    argument(name = "text", description = "The text."),
    argument(name = "purpose", description = "'passage' (the default) or 'query', for models that mark the two.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Embed {
    signature: Signature,
    embedder: LazyEmbedder,
}

impl Embed {
    pub fn new(embedder: LazyEmbedder) -> Embed {
        // Volatile, so that nothing calls it while planning.
        Embed { signature: Signature::variadic_any(Volatility::Volatile), embedder }
    }
}

impl ScalarUDFImpl for Embed {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        if kinds.is_empty() || kinds.len() > 2 {
            return plan_err!("{NAME} takes a text, and 'query' or 'passage'");
        }
        Ok(vector_type(self.embedder.get()?.dimension()))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{NAME} cannot be called here; compute it in a subquery first")
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Embed {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = |value: &ColumnarValue| cast(&value.to_array(args.number_rows)?, &DataType::Utf8);
        let texts = text(&args.args[0])?;
        let texts: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
        let purposes = match args.args.get(1) {
            None => vec![Purpose::Passage; texts.len()],
            Some(purposes) => {
                let purposes = text(purposes)?;
                purposes.as_string::<i32>().iter().map(purpose).collect::<Result<_>>()?
            }
        };
        let embedder = for_statement(self.embedder.get()?, &args.config_options);
        let of = |wanted: Purpose| -> Vec<Option<&str>> {
            texts.iter().zip(&purposes).map(|(text, purpose)| text.filter(|_| *purpose == wanted)).collect()
        };
        let passages = embed(embedder.as_ref(), &of(Purpose::Passage), Purpose::Passage).await?;
        if !purposes.contains(&Purpose::Query) {
            return Ok(ColumnarValue::Array(Arc::new(passages)));
        }
        let queries = embed(embedder.as_ref(), &of(Purpose::Query), Purpose::Query).await?;
        let is_query: BooleanArray = purposes.iter().map(|p| Some(*p == Purpose::Query)).collect();
        Ok(ColumnarValue::Array(zip(&is_query, &queries, &passages)?))
    }
}

fn purpose(name: Option<&str>) -> Result<Purpose> {
    match name {
        Some("query") => Ok(Purpose::Query),
        Some("passage") | None => Ok(Purpose::Passage),
        Some(other) => exec_err!("{NAME}: the purpose is 'query' or 'passage', not '{other}'"),
    }
}

pub(crate) fn vector_type(dimension: usize) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), dimension as i32)
}

/// One vector a text, in order; each distinct text goes to the embedder once.
pub(crate) async fn embed(
    embedder: &dyn Embedder,
    texts: &[Option<&str>],
    purpose: Purpose,
) -> Result<FixedSizeListArray> {
    let mut places = std::collections::HashMap::new();
    let mut distinct = vec![];
    for text in texts.iter().flatten() {
        places.entry(*text).or_insert_with(|| {
            distinct.push(text.to_string());
            distinct.len() - 1
        });
    }
    let dimension = embedder.dimension();
    let wanted = distinct.len();
    let vectors = if wanted == 0 { vec![] } else { embedder.embed(distinct, purpose).await? };
    if vectors.len() != wanted || vectors.iter().any(|v| v.len() != dimension) {
        return exec_err!("the embedder {} did not return {wanted} vectors of {dimension} numbers", embedder.name());
    }
    let numbers = Float32Builder::with_capacity(texts.len() * dimension);
    let mut builder = FixedSizeListBuilder::new(numbers, dimension as i32);
    for text in texts {
        match text {
            Some(text) => builder.values().append_slice(&vectors[places[text]]),
            None => builder.values().append_nulls(dimension),
        }
        builder.append(text.is_some());
    }
    Ok(builder.finish())
}
