//! Searches of the program's own for people, and what they are reranked by.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::TableReference;
use populace_udfs::Reranker;

use super::Engine;
use crate::database::{Harmonised, VIEW};
use crate::error::{Error, ErrorKind};
use crate::servers::ModelContext;
use crate::sql::access::refused_model;
use crate::sql::{self, Access, Files};
use crate::{embedders, rerankers};

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// What is known of people, and the meaning of their texts
    #[default]
    Facts,
    Meaning,
    Words,
    /// Meaning and words
    Both,
}

/// A search for people by one of their narratives.
#[derive(Debug, Clone)]
pub struct Search {
    pub text: String,
    pub by: By,
    /// All tables of people without it
    pub table: Option<String>,
    /// The narrative, `persona`
    pub column: String,
    pub k: usize,
    /// What holds of the people, in SQL; applied before the search
    pub predicate: Option<String>,
    /// The model that reads the first of those found, and orders them
    pub rerank: Option<String>,
}

impl Engine {
    /// The people found, best first, with the narrative and the `score`.
    ///
    /// # Errors
    /// If there is no such table or column, the predicate is no expression over its columns, or the table was made with
    /// another embedder.
    pub async fn search(&self, search: Search) -> Result<SendableRecordBatchStream> {
        let table = match &search.table {
            Some(table) => table.clone(),
            None => self.people().await?,
        };
        let found = self.context.table_provider(TableReference::bare(table.as_str())).await;
        let schema = found.map_err(|e| self.explained(e))?.schema();
        let place: &[&str] = if table == VIEW { &["region_code"] } else { &["city", "state"] };
        let before = ["table_name", "uuid", "first_name", "last_name", "age"];
        let shown = before.iter().chain(place).chain(&["occupation"]).copied().chain([search.column.as_str()]);
        let (quoted, text) = (sql::quoted_name, sql::quoted_text);
        let shown: Vec<String> =
            shown.filter(|n| schema.column_with_name(n).is_some()).map(quoted).chain(["score".into()]).collect();
        let shown = match search.by {
            By::Facts => [shown, vec!["fact".into()]].concat(),
            _ => shown,
        };
        let function = match search.by {
            By::Facts => "fact_search",
            By::Meaning => "semantic_search",
            By::Words => "text_search",
            By::Both => "hybrid_search",
        };
        let filter = match &search.predicate {
            Some(predicate) => match sql::expression_text(predicate) {
                Ok(predicate) => format!(", where => ({predicate})"),
                Err(error) => return plan_err!("the condition {predicate} is no expression: {error}"),
            },
            None => String::new(),
        };
        let rerank = search.rerank.as_ref().map(|name| format!(", rerank => {}", text(name))).unwrap_or_default();
        // A person may be in several tables, but shows once.
        let once = if table == VIEW && self.all_have_uuids().await? { ", max_per => (uuid, 1)" } else { "" };
        let (shown, table) = (shown.join(", "), quoted(&table));
        let (wanted, column) = (text(&search.text), text(&search.column));
        let sql = format!(
            "SELECT {shown} FROM {function}({table}, {wanted}, {}, column => {column}{filter}{rerank}{once})",
            search.k
        );
        // Its text needs a vector.
        let models = self.options.access.models.clone();
        self.query_one_as(&sql, &Access { models, ..Access::read() }).await
    }

    /// Whether people are known by `uuid` in all tables of the view.
    async fn all_have_uuids(&self) -> Result<bool> {
        for table in Harmonised::of(&self.database).await?.tables() {
            let table = self.context.table_provider(TableReference::bare(table)).await?;
            if table.schema().column_with_name("uuid").is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The table of people, or the view over all of them where there are several.
    async fn people(&self) -> Result<String> {
        let view = Harmonised::of(&self.database).await?;
        match (&view.tables()[..], &self.database.tables()[..]) {
            ([one], _) => Ok(one.to_string()),
            ([], [one]) => Ok(one.clone()),
            ([], []) => plan_err!("the database has no tables yet, `populace generate` makes one"),
            ([], tables) => {
                plan_err!("no table has people of a known country: name one of {} with --table", tables.join(", "))
            }
            _ => Ok(VIEW.into()),
        }
    }
}

/// Opens what searches are reranked by, as far as a session may ask it.
pub(super) fn rerankers_of(
    context: ModelContext,
    access: Access,
    of_session: String,
) -> impl Fn(&str) -> Result<Arc<dyn Reranker>> + Send + Sync + 'static {
    move |name| {
        if rerankers::asks(name) && !access.models.allow(name, &of_session) {
            return Err(refused_model(name));
        }
        if rerankers::is_folder(name) && access.files == Files::Forbidden {
            let text = format!("the reranker {name} is a folder outside of the database");
            return Err(Error::new(ErrorKind::Permission, text).hint("start with --allow-files to allow it").into());
        }
        rerankers::open(name, &embedders::folder(), &context).map_err(DataFusionError::Plan)
    }
}
