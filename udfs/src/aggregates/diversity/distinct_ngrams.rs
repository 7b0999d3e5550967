//! `distinct_ngrams(text, n)`: how many of the n-grams of words in a group of texts are different ones.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, ColumnarValue, Documentation, Signature, Volatility};
use datafusion_macros::user_doc;
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;

use super::{count_field, no_distinct};
use crate::types::plain;

pub(crate) const NAME: &str = "distinct_ngrams";

/// More words than that are no phrase.
const LONGEST: i64 = 32;

/// Distinct-n of Li, Galley, Brockett, Gao and Dolan, "A diversity-promoting objective function for neural conversation
/// models", NAACL 2016.
#[user_doc(
    doc_section(label = "Statistical Functions"),
    description = "Of the n-grams of words in the texts of a group, the share that are different ones (distinct-n): 1 where no phrase of n words comes twice. Words are those of Unicode, in small letters; no phrase reaches from one text into the next. NULL where no text has n words.",
    syntax_example = "distinct_ngrams(text, n)",
    sql_example = "SELECT narrator, distinct_ngrams(persona, 3) FROM usa GROUP BY narrator",
    argument(name = "text", description = "Texts."),
    argument(name = "n", description = "Words in a phrase, from 1 to 32; a constant.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct DistinctNgrams {
    signature: Signature,
}

impl DistinctNgrams {
    pub fn new() -> DistinctNgrams {
        DistinctNgrams { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for DistinctNgrams {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds.first().map(plain) {
            Some(DataType::Utf8 | DataType::Null) => Ok(DataType::Float64),
            Some(other) => plan_err!("{NAME}: n-grams are those of texts, {other} is none"),
            None => plan_err!("{NAME} takes a text and the number of words"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let hashes = Field::new(format!("{}[hashes]", args.name), DataType::LargeBinary, true);
        Ok(vec![count_field(args.name), Arc::new(hashes)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        no_distinct(&args)?;
        let Some(n) = args.exprs.get(1) else { return exec_err!("{NAME} takes a text and the number of words") };
        let constant = n.evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty())));
        let Ok(ColumnarValue::Scalar(value)) = constant else {
            return plan_err!("{NAME}: `n` must be a constant, {n} is not");
        };
        let whole = value.data_type().is_integer().then(|| value.cast_to(&DataType::Int64));
        match whole {
            Some(Ok(ScalarValue::Int64(Some(n)))) if (1..=LONGEST).contains(&n) => {
                Ok(Box::new(Ngrams { n: n as usize, count: 0, hashes: HashSet::new() }))
            }
            _ => plan_err!("{NAME}: `n` must be a whole number from 1 to {LONGEST}, {value} is not"),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

#[derive(Debug)]
struct Ngrams {
    n: usize,
    count: u64,
    /// Of the n-grams; two of 2^32 would be taken for one with a chance of 1 in 2^65
    hashes: HashSet<[u8; 16]>,
}

impl Ngrams {
    fn add(&mut self, text: &str) {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.unicode_words().collect();
        for ngram in words.windows(self.n) {
            let mut hasher = blake3::Hasher::new();
            for word in ngram {
                // A space ends a word, as no word holds one.
                hasher.update(word.as_bytes()).update(b" ");
            }
            let mut hash = [0; 16];
            hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
            self.hashes.insert(hash);
            self.count += 1;
        }
    }

    fn share(&self) -> Option<f64> {
        (self.count > 0).then(|| self.hashes.len() as f64 / self.count as f64)
    }
}

impl Accumulator for Ngrams {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let texts = cast(&values[0], &DataType::Utf8)?;
        texts.as_string::<i32>().iter().flatten().for_each(|text| self.add(text));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.count += states[0].as_primitive::<UInt64Type>().iter().flatten().sum::<u64>();
        for hashes in states[1].as_binary::<i64>().iter().flatten() {
            let (hashes, _) = hashes.as_chunks::<16>();
            self.hashes.extend(hashes);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let hashes: Vec<u8> = self.hashes.iter().flatten().copied().collect();
        Ok(vec![ScalarValue::UInt64(Some(self.count)), ScalarValue::LargeBinary(Some(hashes))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.share()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.hashes.capacity() * 17
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(n: usize, texts: &[&str]) -> Option<f64> {
        let mut ngrams = Ngrams { n, count: 0, hashes: HashSet::new() };
        texts.iter().for_each(|text| ngrams.add(text));
        ngrams.share()
    }

    #[test]
    fn shares() {
        assert_eq!(share(1, &["The cat sat on the mat."]), Some(5.0 / 6.0));
        assert_eq!(share(2, &["a b a b", "A, b!"]), Some(2.0 / 4.0));
        assert_eq!(share(2, &["ab c", "a bc"]), Some(1.0));
        assert_eq!(share(3, &["two words", ""]), None);
        assert_eq!(share(1, &["東京 東京"]), Some(0.5));
    }
}
