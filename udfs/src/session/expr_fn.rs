//! The functions of a row and the aggregates as expressions, for those who do not write SQL.
//!
//! Those that ask a model are the session's own, and so is that model; the others need no session. Table functions are
//! called by [`TableCall`](crate::TableCall).
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> datafusion::common::Result<()> {
//! # let pack = populace_population::compile(std::path::Path::new("tests/packs/tiny")).unwrap().pack;
//! # let context = datafusion::prelude::SessionContext::new();
//! # populace_udfs::register(&context, populace_udfs::Populace::new().with_pack(pack))?;
//! use datafusion::prelude::{col, lit};
//! use populace_udfs::TableCall;
//! use populace_udfs::expr_fn::{age_band, evenness};
//!
//! let people = TableCall::new("sample_persona").with("country", "tinyland").with("count", 100).with("seed", 1);
//! let bands = people.call(&context).await?.aggregate(
//!     vec![age_band(col("age"), vec![lit(20), lit(27)]).alias("band")],
//!     vec![evenness(col("state"))],
//! )?;
//! assert_eq!(bands.count().await?, 3);
//! # Ok(())
//! # }
//! ```

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF};

use crate::aggregates::diversity::distinct_ngrams::DistinctNgrams;
use crate::aggregates::diversity::self_similarity::SelfSimilarity;
use crate::aggregates::diversity::value_diversity::{Measure, ValueDiversity};
use crate::aggregates::diversity::vendi_score::VendiScore;
use crate::aggregates::survey_mean::SurveyMean;
#[cfg(feature = "narratives")]
use crate::narratives::generate_narrative;
use crate::samples::permanent_random_number::PermanentRandomNumber;
use crate::scalars::age_band::AgeBand;
use crate::scalars::cosine_similarity::CosineSimilarity;
use crate::scalars::embed as embedding;
use crate::scalars::unaccent::Unaccent;

/// The band of ages that an age is in, such as `'30-44'`: a text. The bounds are whole numbers, each the first age of a
/// band.
pub fn age_band(age: Expr, bounds: Vec<Expr>) -> Expr {
    ScalarUDF::from(AgeBand::new()).call([age].into_iter().chain(bounds).collect())
}

/// The cosine of two vectors of one length, from -1 to 1.
pub fn cosine_similarity(one: Expr, other: Expr) -> Expr {
    ScalarUDF::from(CosineSimilarity::new()).call(vec![one, other])
}

/// The number from 0 to 1 that samples of a seed take or leave a row by, whose key this is.
pub fn permanent_random_number(key: Expr, seed: Expr) -> Expr {
    ScalarUDF::from(PermanentRandomNumber::new()).call(vec![key, seed])
}

/// A text in small letters without accents.
pub fn unaccent(text: Expr) -> Expr {
    ScalarUDF::from(Unaccent::new()).call(vec![text])
}

/// The vector of a text as a passage, by a session's embedder.
///
/// # Errors
/// If the functions are not registered with the session.
pub fn embed(session: &dyn FunctionRegistry, text: Expr) -> Result<Expr> {
    Ok(session.udf(embedding::NAME)?.call(vec![text]))
}

/// A text about the person of a row, by a session's first narrator: `what` is a kind of narrative or a template, made from
/// these columns, or from those that it needs where there are none.
///
/// # Errors
/// If the functions are not registered with the session.
#[cfg(feature = "narratives")]
pub fn generate_narrative(session: &dyn FunctionRegistry, what: Expr, columns: Vec<Expr>) -> Result<Expr> {
    Ok(session.udf(generate_narrative::NAME)?.call([what].into_iter().chain(columns).collect()))
}

/// The same, as a structure of the text and of why there is none.
///
/// # Errors
/// If the functions are not registered with the session.
#[cfg(feature = "narratives")]
pub fn try_generate_narrative(session: &dyn FunctionRegistry, what: Expr, columns: Vec<Expr>) -> Result<Expr> {
    Ok(session.udf(generate_narrative::TRY_NAME)?.call([what].into_iter().chain(columns).collect()))
}

fn value_diversity(measure: Measure, value: Expr) -> Expr {
    AggregateUDF::from(ValueDiversity::new(measure)).call(vec![value])
}

/// The entropy of the values of a group, in nats.
pub fn shannon_entropy(value: Expr) -> Expr {
    value_diversity(Measure::ShannonEntropy, value)
}

/// The chance that two rows of a group have different values.
pub fn gini_simpson(value: Expr) -> Expr {
    value_diversity(Measure::GiniSimpson, value)
}

/// The entropy of the values of a group as a share of the highest that so many values can have.
pub fn evenness(value: Expr) -> Expr {
    value_diversity(Measure::Evenness, value)
}

/// The share of the runs of so many words in the texts of a group that are different ones.
pub fn distinct_ngrams(text: Expr, n: Expr) -> Expr {
    AggregateUDF::from(DistinctNgrams::new()).call(vec![text, n])
}

/// The mean cosine similarity of two vectors of a group.
pub fn self_similarity(vector: Expr) -> Expr {
    AggregateUDF::from(SelfSimilarity::new()).call(vec![vector])
}

/// How many different vectors a group is worth.
pub fn vendi_score(vector: Expr) -> Expr {
    AggregateUDF::from(VendiScore::new()).call(vec![vector])
}

/// The weighted mean of a sample with its standard error and an interval of 95 %; with its strata and how many rows of
/// the table each has, by the design of a stratified sample.
pub fn survey_mean(value: Expr, weight: Expr, strata: Option<(Expr, Expr)>) -> Expr {
    let strata = strata.into_iter().flat_map(|(stratum, size)| [stratum, size]);
    AggregateUDF::from(SurveyMean::new()).call([value, weight].into_iter().chain(strata).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Populace;
    use crate::session::functions::{FunctionKind, functions};
    use crate::session::register::register;
    use datafusion::prelude::{SessionContext, col, lit};

    #[test]
    fn every_function_of_a_row_and_every_aggregate_is_an_expression() {
        let context = SessionContext::new();
        register(&context, Populace::new()).unwrap();
        let x = || col("x");
        let all = [
            age_band(x(), vec![lit(30)]),
            cosine_similarity(x(), x()),
            embed(&context, x()).unwrap(),
            #[cfg(feature = "narratives")]
            generate_narrative(&context, lit("persona"), vec![]).unwrap(),
            #[cfg(feature = "narratives")]
            try_generate_narrative(&context, lit("persona"), vec![]).unwrap(),
            permanent_random_number(x(), lit(7)),
            unaccent(x()),
            shannon_entropy(x()),
            gini_simpson(x()),
            evenness(x()),
            distinct_ngrams(x(), lit(2)),
            self_similarity(x()),
            vendi_score(x()),
            survey_mean(x(), x(), None),
        ];
        let named: Vec<String> = all.iter().map(|e| e.schema_name().to_string()).collect();
        for function in functions().iter().filter(|f| f.kind != FunctionKind::Table) {
            let call = format!("{}(", function.name);
            assert!(named.iter().any(|name| name.starts_with(&call)), "{} is no expression", function.name);
        }
    }
}
