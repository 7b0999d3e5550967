//! A search at work.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Float32Type, SchemaRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::TaskContext;
use futures::TryStreamExt;

use super::choose::{Quota, unlike, within};
use super::collected::{Collected, as_vectors};
use super::facts::{Facts, Nearness, Usual};
use super::rank::{Hit, Ranking, fuse, reciprocal};
use super::request::is_text;
use super::usual::UsualByLanguage;
use super::{By, Search, bm25};
use crate::host::embedder::{Embedder, Purpose, for_statement};
use crate::host::language::TELLING;
use crate::host::table_search::rows_of_table;
use crate::host::table_search::{SearchRows, TextQuery};
use crate::nodes::relation_function::{Input, PlannedHere, Wanted};
use crate::samples::strata::Strata;
use crate::scalars::cosine_similarity::similarity;
use crate::scalars::embed::embed;

/// Rows of each ranking that are fused at least, that quotas are filled from, and that diversity chooses among; at
/// first so many times `k` of them.
const LEAST_DEPTH: usize = 100;
const DEPTH_TIMES: usize = 10;

/// Texts of a language from which it is told how near they usually are to a query, and that are read together.
pub(super) const USUAL: usize = 1000;

/// What the texts count beside the facts.
const OF_TEXTS: f32 = 0.5;

/// What is known of the rows that are searched, those with the nearest facts first.
struct Known {
    facts: Facts,
    rows: Vec<Nearness>,
    places: HashMap<u64, usize>,
    /// Of each language, what is usual of the facts and of the texts
    usual: Vec<(Usual, Usual)>,
}

/// Rows that diversity, and a search by facts, choose among at most, unless more are asked for.
const POOL: usize = 10_000;

impl Search {
    /// The rows found, in the order in which they are shown: these columns of the table and the added ones.
    pub(super) async fn run(&self, wanted: Wanted) -> Result<RecordBatch> {
        let Wanted { task, projection, carried, schema, inputs } = wanted;
        let width = self.table.fields().len();
        let shown = projection.iter().filter(|at| **at < width).map(|at| self.table.field(*at).name().clone());
        let shown: Vec<String> = shown.chain(carried).collect();
        let targets = match self.by {
            By::Person => self.person(&inputs[1], &task).await?,
            _ => vec![],
        };
        let rows = self.open(&inputs[0], &task).await?;
        let targets = match self.by {
            By::Meaning | By::Both | By::Facts => self.meaning(rows.as_ref(), self.embedder(&task)?.as_ref()).await?,
            _ => targets,
        };
        let usual = match self.by {
            By::Meaning | By::Both | By::Person => self.usual(&inputs[0], rows.as_ref(), &targets).await?,
            By::Words | By::Facts => None,
        };
        let hits = self.found(rows.as_ref(), &targets, usual.as_ref(), &task).await?;
        let hits = self.reranked(rows.as_ref(), hits, &task).await?;
        self.output(rows.as_ref(), &hits, &shown, &projection, schema).await
    }

    /// The columns that say what language a row's texts are in.
    pub(super) fn telling(&self) -> Vec<String> {
        let has = |name: &&str| self.table.fields().iter().any(|f| f.name() == name && is_text(f.data_type()));
        TELLING.into_iter().filter(has).map(String::from).collect()
    }

    /// The columns that are read of the rows, shown or not.
    pub(super) fn searched(&self) -> Vec<String> {
        let of_quotas = self.quotas.iter().map(|(c, _)| c);
        let telling = self.telling();
        let all = self
            .vectors
            .iter()
            .chain(&self.texts)
            .chain(&self.facts)
            .chain(of_quotas)
            .chain(&telling)
            .chain(&self.pool)
            .chain(self.rerank.iter().flat_map(|rerank| &rerank.texts));
        all.cloned().collect()
    }

    /// Rows to search: by the host where they are those of a table of its, else read whole.
    async fn open(&self, rows: &Input, task: &Arc<TaskContext>) -> Result<Arc<dyn SearchRows>> {
        let host = self.populace.search.as_deref();
        let of_table = match &rows.planned {
            Some(PlannedHere { logical, state }) => rows_of_table(host, logical, None, state).await?,
            None => None,
        };
        match of_table {
            Some(rows) => Ok(rows),
            None => Ok(Arc::new(Collected::read(self.function, rows.rows(task)?, task).await?)),
        }
    }

    /// What turns texts into vectors, on behalf of the statement that searches.
    fn embedder(&self, task: &TaskContext) -> Result<Arc<dyn Embedder>> {
        match &self.populace.embedder {
            Some(embedder) => Ok(for_statement(embedder.get()?, task.session_config().options())),
            None => plan_err!("{}: this session has no embedder", self.function),
        }
    }

    /// The vector of the text, once for each column.
    async fn meaning(&self, rows: &dyn SearchRows, embedder: &dyn Embedder) -> Result<Vec<Option<Vec<f32>>>> {
        rows.check_embedder(embedder)?;
        let vectors = embed(embedder, &[Some(&self.wanted)], Purpose::Query).await?;
        let vector = vectors.value(0).as_primitive::<Float32Type>().values().to_vec();
        // A search by facts wants it without texts too.
        Ok(vec![Some(vector); self.vectors.len().max(1)])
    }

    /// The vectors of the person.
    async fn person(&self, person: &Input, task: &Arc<TaskContext>) -> Result<Vec<Option<Vec<f32>>>> {
        let rows = self.open(person, task).await?;
        let mut batches = rows.scan(&self.vectors).await?;
        while let Some(batch) = batches.try_next().await? {
            if batch.num_rows() == 0 {
                continue;
            }
            let found: Vec<Option<Vec<f32>>> = (0..self.vectors.len())
                .map(|c| Ok(vectors_of(batch.column(c))?.swap_remove(0)))
                .collect::<Result<_>>()?;
            if found.iter().all(Option::is_none) {
                return exec_err!("{}: {} has no vectors of {}", self.function, self.wanted, self.columns.join(", "));
            }
            return Ok(found);
        }
        exec_err!("{}: the table has nobody with the uuid `{}`", self.function, self.wanted)
    }

    /// The rows to show.
    async fn found(
        &self,
        rows: &dyn SearchRows,
        targets: &[Option<Vec<f32>>],
        usual: Option<&UsualByLanguage>,
        task: &TaskContext,
    ) -> Result<Vec<Hit>> {
        let candidates = match self.diversity {
            Some(_) => self.k.saturating_mul(DEPTH_TIMES).clamp(LEAST_DEPTH, POOL).max(self.k),
            None => self.k,
        };
        let plain = !matches!(self.by, By::Both | By::Facts) && self.columns.len() == 1 && self.quotas.is_empty();
        let mut depth =
            if plain { candidates } else { self.k.saturating_mul(DEPTH_TIMES).max(LEAST_DEPTH).max(candidates) };
        let mut scanned = None;
        let known = match self.by {
            By::Facts => Some(self.known(rows, targets, self.embedder(task)?.as_ref()).await?),
            _ => None,
        };
        loop {
            let found = match self.by {
                By::Facts => match &known {
                    Some(known) => self.by_facts(rows, known, targets, depth).await?,
                    None => Ranking::default(),
                },
                By::Meaning | By::Person => self.by_meaning(rows, targets, usual, depth).await?,
                By::Words => self.by_words(rows, depth, &mut scanned).await?,
                By::Both => {
                    let text = self.by_words(rows, depth, &mut scanned).await?;
                    reciprocal(&text, &self.by_meaning(rows, targets, usual, depth).await?)
                }
            };
            if found.complete || found.hits.len() >= candidates {
                let quotas = self.groups(rows, &found.hits).await?;
                let admitted = within(found.hits.len(), candidates, &quotas);
                if found.complete || admitted.len() == candidates {
                    let hits = admitted.into_iter().map(|at| found.hits[at].clone()).collect();
                    return self.diverse(rows, hits).await;
                }
            }
            depth = depth.saturating_mul(4);
        }
    }

    async fn by_meaning(
        &self,
        rows: &dyn SearchRows,
        targets: &[Option<Vec<f32>>],
        usual: Option<&UsualByLanguage>,
        depth: usize,
    ) -> Result<Ranking> {
        let columns = self.vectors.iter().zip(targets).enumerate();
        let mut scores: HashMap<u64, Vec<Option<f32>>> = HashMap::new();
        let mut bounds = vec![None; targets.len()];
        for (at, (column, target)) in columns.clone() {
            let Some(target) = target else { continue };
            let found = rows.nearest(column, target, depth).await?;
            if found.len() >= depth {
                bounds[at] = found.last().map(|(_, score)| *score);
            }
            for (row, score) in found {
                scores.entry(row).or_insert_with(|| vec![None; targets.len()])[at] = Some(score);
            }
        }
        // What a column's ranking leaves out may still be known by another's.
        for (at, (column, target)) in columns.filter(|_| targets.len() > 1) {
            let missing: Vec<u64> = scores.iter().filter(|(_, s)| s[at].is_none()).map(|(row, _)| *row).collect();
            if let Some(target) = target
                && bounds[at].is_some()
                && !missing.is_empty()
            {
                let taken = rows.take(&missing, std::slice::from_ref(column)).await?;
                for (row, vector) in missing.iter().zip(vectors_of(taken.column(0))?) {
                    if let (Some(scores), Some(vector)) = (scores.get_mut(row), vector) {
                        scores[at] = similarity(&vector, target);
                    }
                }
            }
        }
        if let Some(usual) = usual {
            self.corrected(rows, usual, &mut scores, &mut bounds).await?;
        }
        Ok(fuse(scores, &bounds, &self.fusion))
    }

    /// `scanned` keeps what was found by reading all texts, which is all there is.
    async fn by_words(
        &self,
        rows: &dyn SearchRows,
        depth: usize,
        scanned: &mut Option<Vec<Vec<(u64, f32)>>>,
    ) -> Result<Ranking> {
        let query = TextQuery { text: self.wanted.clone(), words: self.words };
        // Several columns are fused from all that matches in each.
        let depth = if self.texts.len() == 1 { depth } else { usize::MAX };
        let mut found = vec![];
        if scanned.is_none() {
            for column in &self.texts {
                match rows.matching(column, &query, depth).await? {
                    Some(matching) => found.push(matching),
                    None => break,
                }
            }
        }
        let by_index = scanned.is_none() && found.len() == self.texts.len();
        let found: &Vec<Vec<(u64, f32)>> = if by_index {
            &found
        } else {
            if scanned.is_none() {
                let language = |said: &str| self.populace.packs.language(said);
                *scanned = Some(bm25::scan(rows, &self.texts, &self.telling(), &query, language).await?);
            }
            scanned.get_or_insert_default()
        };
        let mut scores: HashMap<u64, Vec<Option<f32>>> = HashMap::new();
        let mut bounds = vec![None; found.len()];
        for (at, found) in found.iter().enumerate() {
            if by_index && found.len() >= depth {
                bounds[at] = found.last().map(|(_, score)| *score);
            }
            for (row, score) in found {
                scores.entry(*row).or_insert_with(|| vec![None; bounds.len()])[at] = Some(*score);
            }
        }
        Ok(fuse(scores, &bounds, &self.fusion))
    }

    /// What is known of all the rows, and how near it is.
    async fn known(
        &self,
        rows: &dyn SearchRows,
        targets: &[Option<Vec<f32>>],
        embedder: &dyn Embedder,
    ) -> Result<Known> {
        let Some(Some(query)) = targets.first() else {
            return exec_err!("{}: the text has no vector", self.function);
        };
        let language = |said: &str| self.populace.packs.language(said);
        // Where nothing is known of people, something has to be read to learn which rows there are.
        let besides = self.vectors.first().filter(|_| self.facts.is_empty());
        let facts = Facts::read(self.function, rows, &self.facts, &self.telling(), besides, language).await?;
        let store = self.populace.labels.0.as_ref();
        let mut rows_known = facts.nearness(embedder, store, query, &self.facts, &self.is_list).await?;
        let of = |language: usize| rows_known.iter().filter(move |r| r.language == language);
        let mut usual = vec![];
        for language in 0..facts.languages_count() {
            let known = Usual::of(of(language).filter_map(|r| r.fact.map(|f| f.1)));
            let step = of(language).count().div_ceil(USUAL).max(1);
            let some: Vec<u64> = of(language).step_by(step).map(|r| r.row).collect();
            let texts = self.similarities(rows, targets, &some).await?;
            usual.push((known, Usual::of(texts.hits.iter().map(|h| h.score))));
        }
        let worth = |r: &Nearness| usual[r.language].0.above(r.fact.map(|f| f.1));
        rows_known.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(a.row.cmp(&b.row)));
        let places = rows_known.iter().enumerate().map(|(at, r)| (r.row, at)).collect();
        Ok(Known { facts, rows: rows_known, places, usual })
    }

    /// The texts of some rows, by how near they are.
    async fn similarities(&self, rows: &dyn SearchRows, targets: &[Option<Vec<f32>>], of: &[u64]) -> Result<Ranking> {
        let mut scores: HashMap<u64, Vec<Option<f32>>> = HashMap::new();
        for of in of.chunks(USUAL).filter(|_| !self.vectors.is_empty()) {
            let taken = rows.take(of, &self.vectors).await?;
            for (at, (column, target)) in taken.columns().iter().zip(targets).enumerate() {
                for (row, vector) in of.iter().zip(vectors_of(column)?) {
                    if let (Some(vector), Some(target)) = (vector, target) {
                        let scores = scores.entry(*row).or_insert_with(|| vec![None; self.vectors.len()]);
                        scores[at] = similarity(&vector, target);
                    }
                }
            }
        }
        Ok(fuse(scores, &vec![None; self.vectors.len()], &self.fusion))
    }

    /// The rows with the nearest facts and those with the nearest texts, by both.
    async fn by_facts(
        &self,
        rows: &dyn SearchRows,
        known: &Known,
        targets: &[Option<Vec<f32>>],
        depth: usize,
    ) -> Result<Ranking> {
        let worth = |r: &Nearness| known.usual[r.language].0.above(r.fact.map(|f| f.1));
        // Many people have the same fact: among them the texts tell.
        let most = depth.max(POOL).min(known.rows.len());
        let last = known.rows.get(depth.min(known.rows.len()).saturating_sub(1)).map_or(0.0, worth);
        let nearest = match known.rows.len() <= POOL {
            true => known.rows.len(),
            false => known.rows[..most].partition_point(|r| worth(r) >= last),
        };
        let mut taken: Vec<usize> = (0..nearest).collect();
        if nearest < known.rows.len() {
            let mut more: HashSet<usize> = HashSet::new();
            for (column, target) in self.vectors.iter().zip(targets) {
                let Some(target) = target else { continue };
                let found = self.nearest_of_each_language(rows, known, (column, target), depth).await?;
                more.extend(found.iter().filter_map(|(row, _)| known.places.get(row)).filter(|at| **at >= nearest));
            }
            taken.extend(more);
        }
        let ids: Vec<u64> = taken.iter().map(|at| known.rows[*at].row).collect();
        let texts = self.similarities(rows, targets, &ids).await?;
        let texts: HashMap<u64, f32> = texts.hits.iter().map(|h| (h.row, h.score)).collect();
        let hit = |at: &usize| {
            let of = &known.rows[*at];
            let text = texts.get(&of.row).copied();
            let score = worth(of) + OF_TEXTS * known.usual[of.language].1.above(text);
            let fact = of.fact.and_then(|(label, near)| Some((known.facts.told(label, &self.facts)?.into(), near)));
            Hit { row: of.row, score, column: 0, text: None, semantic: text.map(|t| (0, t)), fact }
        };
        let mut hits: Vec<Hit> = taken.iter().map(hit).collect();
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        Ok(Ranking { complete: hits.len() == known.rows.len(), hits })
    }

    /// Nearest rows, among them so many of each language, or all that there are: texts in that of the query come first.
    async fn nearest_of_each_language(
        &self,
        rows: &dyn SearchRows,
        known: &Known,
        (column, target): (&str, &[f32]),
        depth: usize,
    ) -> Result<Vec<(u64, f32)>> {
        let mut least = vec![0; known.usual.len()];
        known.rows.iter().for_each(|row| least[row.language] = depth.min(least[row.language] + 1));
        let mut deep = depth;
        loop {
            let found = rows.nearest(column, target, deep).await?;
            let mut counts = vec![0; least.len()];
            let languages = found.iter().filter_map(|(row, _)| Some(known.rows[*known.places.get(row)?].language));
            languages.for_each(|language| counts[language] += 1);
            if found.len() < deep || counts.iter().zip(&least).all(|(count, least)| count >= least) {
                return Ok(found);
            }
            deep = deep.saturating_mul(4);
        }
    }

    /// The groups of the rows, for each quota.
    async fn groups(&self, rows: &dyn SearchRows, hits: &[Hit]) -> Result<Vec<Quota>> {
        if self.quotas.is_empty() || hits.is_empty() {
            return Ok(vec![]);
        }
        let ids: Vec<u64> = hits.iter().map(|h| h.row).collect();
        let names: Vec<String> = self.quotas.iter().map(|(column, _)| column.clone()).collect();
        let taken = rows.take(&ids, &names).await?;
        let quota = |((_, most), column): (&(String, usize), &ArrayRef)| {
            let groups = Strata::new([column.data_type()])?.numbers(std::slice::from_ref(column), hits.len())?;
            Ok(Quota { groups, most: *most })
        };
        self.quotas.iter().zip(taken.columns()).map(quota).collect()
    }

    /// The rows in the order of their marginal relevance, where that is asked for.
    async fn diverse(&self, rows: &dyn SearchRows, hits: Vec<Hit>) -> Result<Vec<Hit>> {
        let (Some(weight), Some(column)) = (self.diversity, self.pool.clone()) else { return Ok(hits) };
        let Some(first) = hits.first() else { return Ok(hits) };
        let ids: Vec<u64> = hits.iter().map(|h| h.row).collect();
        let taken = rows.take(&ids, &[column]).await?;
        let vectors = vectors_of(taken.column(0))?;
        let vectors: Vec<Option<&[f32]>> = vectors.iter().map(Option::as_deref).collect();
        // Similarities of vectors are compared as they are; other scores by the best of them.
        let unit = match self.by {
            By::Meaning | By::Person => 1.0,
            By::Words | By::Both | By::Facts => first.score.max(f32::MIN_POSITIVE),
        };
        let relevance: Vec<f32> = hits.iter().map(|h| h.score / unit).collect();
        let chosen = unlike(self.k, weight, &relevance, &vectors);
        Ok(chosen.into_iter().map(|at| hits[at].clone()).collect())
    }

    async fn output(
        &self,
        rows: &dyn SearchRows,
        hits: &[Hit],
        shown: &[String],
        projection: &[usize],
        to: SchemaRef,
    ) -> Result<RecordBatch> {
        let ids: Vec<u64> = hits.iter().map(|h| h.row).collect();
        if ids.is_empty() {
            return Ok(RecordBatch::new_empty(to));
        }
        let taken = match shown.is_empty() {
            true => vec![],
            false => rows.take(&ids, shown).await?.columns().to_vec(),
        };
        let mut taken = taken.into_iter();
        let width = self.table.fields().len();
        let added = self.added();
        let mut columns: Vec<ArrayRef> = vec![];
        for at in projection {
            let column = match at.checked_sub(width) {
                None => taken.next(),
                Some(added_at) => added.get(added_at).map(|f| self.told(f.name(), hits)),
            };
            match column {
                Some(column) => columns.push(column),
                None => return exec_err!("{}: a column is missing", self.function),
            }
        }
        columns.extend(taken);
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        Ok(RecordBatch::try_new_with_options(to, columns, &options)?)
    }

    /// What an added column says of the rows.
    fn told(&self, name: &str, hits: &[Hit]) -> ArrayRef {
        type Place = Option<(i64, f32)>;
        let scores = |of: fn(&Hit) -> Place| -> ArrayRef {
            Arc::new(hits.iter().map(|h| of(h).map(|p| p.1)).collect::<Float32Array>())
        };
        let ranks = |of: fn(&Hit) -> Place| -> ArrayRef {
            Arc::new(hits.iter().map(|h| of(h).map(|p| p.0)).collect::<Int64Array>())
        };
        match name {
            "matched" => Arc::new(hits.iter().map(|h| self.columns.get(h.column)).collect::<StringArray>()),
            "fact" => Arc::new(hits.iter().map(|h| h.fact.as_ref().map(|f| f.0.as_ref())).collect::<StringArray>()),
            "fact_score" => Arc::new(hits.iter().map(|h| h.fact.as_ref().map(|f| f.1)).collect::<Float32Array>()),
            "text_score" => scores(|h| h.text),
            "text_rank" => ranks(|h| h.text),
            "semantic_score" => scores(|h| h.semantic),
            "semantic_rank" => ranks(|h| h.semantic),
            _ => Arc::new(hits.iter().map(|h| Some(h.score)).collect::<Float32Array>()),
        }
    }
}

/// Vectors, row by row.
pub(crate) fn vectors_of(column: &ArrayRef) -> Result<Vec<Option<Vec<f32>>>> {
    let lists = as_vectors(column)?;
    let lists = lists.as_list::<i32>();
    let vector = |row| lists.is_valid(row).then(|| lists.value(row).as_primitive::<Float32Type>().values().to_vec());
    Ok((0..lists.len()).map(vector).collect())
}
