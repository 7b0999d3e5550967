//! What is known of people, held against a query: the values of their columns are labels, and a label has a vector.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, UInt64Type};
use datafusion::common::{Result, exec_err};
use futures::TryStreamExt;

use super::request::is_text;
use crate::host::embedder::{Embedder, Purpose};
use crate::host::labels::LabelStore;
use crate::host::labels::label_vectors;
use crate::host::language::languages_of;
use crate::host::table_search::SearchRows;
use crate::scalars::cosine_similarity::similarity;
use crate::types::plain;

/// Labels of the largest column that is held against a query: one with more tells people apart.
const MOST_LABELS: usize = 5000;

/// Bytes of the longest label; a longer value is a text.
const LONGEST_LABEL: usize = 80;

/// Labels of a language that are embedded as queries are.
const SAMPLE: usize = 64;

/// Labels that a query is led towards, and how far.
const LEADING: usize = 3;
const LED: f32 = 0.3;

/// Facts of all rows that are held in memory.
const MOST_FACTS: usize = 1 << 28;

/// Columns that are no facts of a person unless a statement names them; nor are those with `name` in theirs, readings,
/// and what a narrator left. Skills are mostly ones that anybody has; places are many, and found by a condition.
const NO_FACTS: [&str; 14] = [
    "uuid",
    "pack",
    "country",
    "given",
    "run_id",
    "narrator",
    "twin_of",
    "city",
    "county",
    "municipality",
    "district",
    "subzone",
    "zipcode",
    "skills_and_expertise_list",
];

/// No label: no text, too long a one, or that of a column with too many.
const NONE: u32 = u32::MAX;

/// Whether a column has words about people, or lists of them.
pub(super) fn is_fact(kind: &DataType) -> bool {
    match plain(kind) {
        DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
        kind => is_text(&kind),
    }
}

/// The columns that are held against a query where a statement names none.
pub(super) fn fact_columns(fields: &[Arc<Field>]) -> Vec<String> {
    let is_narrative = |name: &str| fields.iter().any(|f| f.name().strip_suffix("_embedding") == Some(name));
    let told = |name: &str| {
        let word = name.contains("name") || name.ends_with("_reading") || name.starts_with("narrative_");
        !word && !NO_FACTS.contains(&name) && !is_narrative(name)
    };
    fields.iter().filter(|f| is_fact(f.data_type()) && told(f.name())).map(|f| f.name().clone()).collect()
}

/// A value of a column among the people whose texts are in a language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Label {
    language: usize,
    column: usize,
    value: String,
}

/// The facts of some rows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    languages: Vec<String>,
    labels: Vec<Label>,
    places: HashMap<Label, u32>,
    /// Of each column, how many labels it has
    counts: Vec<usize>,
    /// Of each row: its number, its language, and where its labels end
    rows: Vec<(u64, usize, usize)>,
    of_rows: Vec<u32>,
}

/// How near what is known of a row is to a query.
#[derive(Debug, Clone)]
pub(super) struct Nearness {
    pub row: u64,
    /// The place of its language
    pub language: usize,
    /// The place of the nearest label and its similarity
    pub fact: Option<(u32, f32)>,
}

impl Facts {
    /// The facts of all rows. `telling` are the columns that say what language a row's texts are in, and `language` the
    /// language of a pack; `besides` is read for its rows alone.
    ///
    /// # Errors
    /// If the rows cannot be read, or have more facts than memory is for.
    pub async fn read(
        function: &str,
        rows: &dyn SearchRows,
        columns: &[String],
        telling: &[String],
        besides: Option<&String>,
        language: impl Fn(&str) -> Option<String>,
    ) -> Result<Facts> {
        let read: Vec<String> = columns.iter().chain(telling).chain(besides).cloned().collect();
        let mut facts = Facts { counts: vec![0; columns.len()], ..Facts::default() };
        let mut batches = rows.scan(&read).await?;
        while let Some(batch) = batches.try_next().await? {
            facts.add(&batch, columns.len(), telling, &language)?;
            if facts.of_rows.len() > MOST_FACTS {
                return exec_err!(
                    "{function}: there are more than {MOST_FACTS} facts of these people; name the columns that matter, \
                     as in facts => (occupation, hobbies_and_interests_list), or search among fewer with where => …"
                );
            }
        }
        Ok(facts)
    }

    fn add(
        &mut self,
        batch: &RecordBatch,
        columns: usize,
        telling: &[String],
        language: &impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let Some(ids) = batch.columns().last().and_then(|c| c.as_primitive_opt::<UInt64Type>()) else {
            return exec_err!("the rows of a search have no numbers");
        };
        let languages = self.languages(batch, columns, telling, language)?;
        let coded = batch.columns()[..columns].iter().map(coded).collect::<Result<Vec<_>>>()?;
        // Of each column and language, the labels of the codes.
        let mut known: HashMap<(usize, usize), Vec<u32>> = HashMap::new();
        for (row, language) in languages.into_iter().enumerate() {
            for (column, coded) in coded.iter().enumerate() {
                let labels = known.entry((column, language)).or_insert_with(|| {
                    coded.values.iter().map(|value| self.label(language, column, value.as_deref())).collect()
                });
                let codes = coded.codes(row).filter_map(|code| labels.get(code).copied());
                self.of_rows.extend(codes.filter(|label| *label != NONE));
            }
            self.rows.push((ids.value(row), language, self.of_rows.len()));
        }
        Ok(())
    }

    /// The language of each row, as its place among the languages: as it is told, or that of its pack.
    fn languages(
        &mut self,
        batch: &RecordBatch,
        columns: usize,
        telling: &[String],
        language: &impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<usize>> {
        let told = languages_of(telling, &batch.columns()[columns..], batch.num_rows(), language)?;
        let mut place = |told: Option<Arc<str>>| {
            let told = told.unwrap_or_else(|| "".into());
            self.languages.iter().position(|known| **known == *told).unwrap_or_else(|| {
                self.languages.push(told.to_string());
                self.languages.len() - 1
            })
        };
        Ok(told.into_iter().map(&mut place).collect())
    }

    fn label(&mut self, language: usize, column: usize, value: Option<&str>) -> u32 {
        let is_label = |value: &&str| value.len() <= LONGEST_LABEL && value.chars().any(char::is_alphabetic);
        let Some(value) = value.filter(is_label) else { return NONE };
        let label = Label { language, column, value: value.to_string() };
        if let Some(place) = self.places.get(&label) {
            return *place;
        }
        self.counts[column] += 1;
        if self.counts[column] > MOST_LABELS {
            return NONE;
        }
        let place = self.labels.len() as u32;
        self.places.insert(label.clone(), place);
        self.labels.push(label);
        place
    }

    /// How many languages the rows' texts are in.
    pub fn languages_count(&self) -> usize {
        self.languages.len()
    }

    /// A label as it is told: with the name of its column.
    pub fn told(&self, place: u32, columns: &[String]) -> Option<String> {
        let label = self.labels.get(place as usize)?;
        Some(format!("{}: {}", columns.get(label.column)?, label.value))
    }

    /// How near each row is to a query, by the nearest of its labels. Labels of a language are compared by what sets them
    /// apart from each other, and the query by what sets it apart from them (centring: Libovický, Rosa and Fraser, "On
    /// the Language Neutrality of Pre-trained Multilingual Representations", 2020).
    ///
    /// # Errors
    /// If the embedder fails.
    pub async fn nearness(
        &self,
        embedder: &dyn Embedder,
        store: &dyn LabelStore,
        query: &[f32],
        columns: &[String],
        is_list: &[bool],
    ) -> Result<Vec<Nearness>> {
        let is_told = |label: &Label| self.counts[label.column] <= MOST_LABELS;
        let mut scores: Vec<Option<f32>> = vec![None; self.labels.len()];
        for language in 0..self.languages.len() {
            let places: Vec<usize> = (0..self.labels.len())
                .filter(|at| self.labels[*at].language == language && is_told(&self.labels[*at]))
                .collect();
            let mut labels: Vec<String> = vec![];
            for at in &places {
                let label = &self.labels[*at];
                labels.push(wording(&columns[label.column], is_list[label.column], &label.value));
            }
            let mut sample = labels.clone();
            sample.sort_unstable();
            sample.dedup();
            let step = sample.len().div_ceil(SAMPLE).max(1);
            let sample: Vec<String> = sample.into_iter().step_by(step).collect();
            let asked = mean(&label_vectors(embedder, store, Purpose::Query, &sample).await?, query.len());
            let query: Vec<f32> = query.iter().zip(&asked).map(|(q, m)| q - m).collect();
            let mut vectors = label_vectors(embedder, store, Purpose::Passage, &labels).await?;
            let usual = mean(&vectors, query.len());
            for vector in &mut vectors {
                vector.iter_mut().zip(&usual).for_each(|(v, m)| *v -= m);
            }
            let query = led(&query, &vectors);
            for (at, vector) in places.iter().zip(&vectors) {
                scores[*at] = Some(similarity(vector, &query).unwrap_or(0.0));
            }
        }
        let mut from = 0;
        let mut rows = Vec::with_capacity(self.rows.len());
        for (row, language, to) in &self.rows {
            let told = self.of_rows[from..*to].iter().filter_map(|label| Some((*label, scores[*label as usize]?)));
            let fact = told.reduce(|best, next| if next.1 > best.1 { next } else { best });
            rows.push(Nearness { row: *row, language: *language, fact });
            from = *to;
        }
        Ok(rows)
    }
}

/// A label as the embedder has it: an item of a list speaks for itself, another value with the name of its column.
fn wording(column: &str, is_list: bool, value: &str) -> String {
    let words = |text: &str| text.replace('_', " ");
    match is_list {
        true => words(value),
        false => format!("{}: {}", words(column), words(value)),
    }
}

/// A query led towards the labels that are nearest to it, each by its similarity (relevance feedback: Rocchio, "Relevance
/// Feedback in Information Retrieval", 1971): what it means is then said in words that labels have.
fn led(query: &[f32], vectors: &[Vec<f32>]) -> Vec<f32> {
    let mut near: Vec<(f32, &Vec<f32>)> = vectors.iter().filter_map(|v| Some((similarity(v, query)?, v))).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let length = |of: &[f32]| of.iter().map(|x| x * x).sum::<f32>().sqrt();
    let mut towards = vec![0.0; query.len()];
    for (near, vector) in near.iter().take(LEADING) {
        let length = length(vector);
        towards.iter_mut().zip(*vector).for_each(|(sum, x)| *sum += near.max(0.0) * x / length);
    }
    let (of_query, of_towards) = (length(query), length(&towards));
    match of_query > 0.0 && of_towards > 0.0 {
        true => query.iter().zip(&towards).map(|(q, t)| q / of_query + LED * t / of_towards).collect(),
        false => query.to_vec(),
    }
}

fn mean(vectors: &[Vec<f32>], dimension: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; dimension];
    for vector in vectors {
        sums.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    sums.into_iter().map(|sum| (sum / vectors.len().max(1) as f64) as f32).collect()
}

/// A column by codes: one of a row, or as many as its list has items.
struct Coded {
    values: Vec<Option<String>>,
    codes: DictionaryArray<Int32Type>,
    /// Where each row's codes begin and end, in a column of lists
    lists: Option<Vec<(usize, usize)>>,
}

impl Coded {
    fn codes(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let (from, to) = match &self.lists {
            Some(lists) => lists[row],
            None => (row, row + 1),
        };
        (from..to).filter_map(|at| self.codes.key(at))
    }
}

fn coded(column: &ArrayRef) -> Result<Coded> {
    let kind = |kind: &DataType| match plain(kind) {
        DataType::LargeList(item) | DataType::List(item) => Some(item.clone()),
        _ => None,
    };
    let (items, lists) = match kind(column.data_type()) {
        None => (column.clone(), None),
        Some(item) => {
            let column = cast(column, &DataType::LargeList(item))?;
            let list = column.as_list::<i64>();
            let ends = |row: usize| match list.is_valid(row) {
                true => (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize),
                false => (0, 0),
            };
            (list.values().clone(), Some((0..list.len()).map(ends).collect()))
        }
    };
    let coded = cast(&items, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
    let codes = coded.as_dictionary::<Int32Type>().clone();
    let values = codes.values().as_string::<i32>().iter().map(|v| v.map(String::from)).collect();
    Ok(Coded { values, codes, lists })
}

/// What is usual of some numbers: their mean and standard deviation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usual {
    mean: f32,
    deviation: f32,
}

impl Usual {
    pub fn of(numbers: impl Iterator<Item = f32> + Clone) -> Usual {
        let (count, sum) = numbers.clone().fold((0u64, 0.0), |(n, sum), x| (n + 1, sum + f64::from(x)));
        let mean = sum / count.max(1) as f64;
        let squares: f64 = numbers.map(|x| (f64::from(x) - mean).powi(2)).sum();
        Usual { mean: mean as f32, deviation: (squares / count.max(1) as f64).sqrt() as f32 }
    }

    /// By how many standard deviations a number is above the mean; 0 where there is none, or all are the same.
    pub fn above(self, number: Option<f32>) -> f32 {
        match number {
            Some(number) if self.deviation > 1e-6 => (number - self.mean) / self.deviation,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ListBuilder, StringArray, StringBuilder, UInt64Array};

    #[test]
    fn rows_have_labels_by_column_and_language() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("chess"), None, Some("bees")]);
        lists.append_null();
        lists.append_value([Some("chess")]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("job", Arc::new(StringArray::from(vec![Some("nurse"), Some("12"), None]))),
            ("hobbies", Arc::new(lists.finish())),
            ("pack", Arc::new(StringArray::from(vec!["usa@1", "usa@1", "brazil@2"]))),
            ("row", Arc::new(UInt64Array::from(vec![7, 8, 9]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut facts = Facts { counts: vec![0; 2], ..Facts::default() };
        let language = |pack: &str| Some(if pack == "usa" { "en" } else { "pt" }.to_string());
        facts.add(&batch, 2, &["pack".to_string()], &language).unwrap();
        assert_eq!(facts.languages, ["en", "pt"]);
        assert_eq!(facts.rows, [(7, 0, 3), (8, 0, 3), (9, 1, 4)]);
        let columns = ["job", "hobbies"].map(String::from);
        let told: Vec<_> = facts.of_rows.iter().map(|label| facts.told(*label, &columns).unwrap()).collect();
        assert_eq!(told, ["job: nurse", "hobbies: chess", "hobbies: bees", "hobbies: chess"]);
        // The same hobby in another language is another label.
        assert_ne!(facts.of_rows[1], facts.of_rows[3]);
    }

    #[test]
    fn a_query_is_led_towards_what_is_near() {
        let vectors = [vec![2.0, 0.0], vec![0.0, -1.0], vec![0.0, 0.0]];
        assert_eq!(led(&[3.0, 4.0], &vectors), [0.6 + LED, 0.8]);
        assert_eq!(led(&[3.0, 4.0], &[]), [3.0, 4.0]);
        assert_eq!(led(&[0.0, 0.0], &vectors), [0.0, 0.0]);
    }

    #[test]
    fn facts_are_what_is_known_of_a_person() {
        let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
        let vector = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), 2);
        let fields = [
            text("uuid"),
            text("first_name"),
            text("occupation"),
            Arc::new(Field::new("hobbies", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true)),
            Arc::new(Field::new("age", DataType::Int64, true)),
            text("persona"),
            Arc::new(Field::new("persona_embedding", vector, true)),
        ];
        assert_eq!(fact_columns(&fields), ["occupation", "hobbies"]);
    }

    #[test]
    fn what_is_usual_sets_the_scale() {
        let usual = Usual::of([1.0, 3.0].into_iter());
        assert_eq!([usual.above(Some(4.0)), usual.above(None)], [2.0, 0.0]);
        assert_eq!(Usual::of([2.0, 2.0].into_iter()).above(Some(5.0)), 0.0);
        assert_eq!(Usual::of(std::iter::empty()).above(Some(5.0)), 0.0);
    }
}
