//! SQL over synthetic people: a DataFusion session with the query plugin and the packs that the binary carries.

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use populace_udfs::Populace;

use crate::packs;

/// Whether statements may read and write files outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    #[default]
    Forbidden,
    Allowed,
}

/// A session. Cheap to make: packs are read when a statement first names them.
#[derive(Debug)]
pub struct Engine {
    context: SessionContext,
    files: Files,
}

impl Engine {
    /// # Errors
    /// If the functions cannot be registered.
    pub fn new(files: Files) -> Result<Engine> {
        let mut config = SessionConfig::new().with_information_schema(true);
        // Draws run on all cores within one partition; dealing their rows out to others would lose their order.
        config.options_mut().optimizer.enable_round_robin_repartition = false;
        let context = SessionContext::new_with_config(config);
        let mut populace = Populace::new();
        for name in packs::NAMES {
            populace = populace.with_lazy_pack(name, move || {
                packs::open(name).unwrap_or_else(|| Err(populace_population::Error::NotAPack(name.into())))
            });
        }
        populace_udfs::register(&context, populace)?;
        Ok(Engine { context, files })
    }

    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Parses statements; nothing runs yet.
    ///
    /// # Errors
    /// If the text is not SQL.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let limit = self.context.copied_config().options().sql_parser.recursion_limit;
        let mut parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).with_recursion_limit(limit).build()?;
        Ok(parser.parse_statements()?.into())
    }

    /// Plans and runs one statement; its rows come as they are made.
    ///
    /// # Errors
    /// If the statement cannot be planned, or is not allowed.
    pub async fn run(&self, mut statement: Statement) -> Result<SendableRecordBatchStream> {
        if let Statement::Statement(statement) = &mut statement {
            populace_udfs::rewrite(statement);
        }
        let plan = self.context.state().statement_to_plan(statement).await?;
        self.check(&plan)?;
        self.context.execute_logical_plan(plan).await?.execute_stream().await
    }

    fn check(&self, plan: &LogicalPlan) -> Result<()> {
        if self.files == Files::Allowed {
            return Ok(());
        }
        let mut reach_out = None;
        datafusion::common::tree_node::TreeNode::apply(plan, |node| {
            reach_out = match node {
                LogicalPlan::Copy(_) => Some("COPY"),
                LogicalPlan::Ddl(DdlStatement::CreateExternalTable(_)) => Some("CREATE EXTERNAL TABLE"),
                _ => return Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue),
            };
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Stop)
        })?;
        match reach_out {
            Some(what) => plan_err!("{what} reaches files outside of the database; start with --allow-files to allow it"),
            None => Ok(()),
        }
    }
}

/// What a person is told of an error: the innermost message, without the names of the layers it came through.
pub fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => {
            strip(text)
        }
        DataFusionError::SQL(error, _) => strip(&error.to_string()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => message(inner),
        DataFusionError::Shared(inner) => message(inner),
        DataFusionError::Collection(errors) => errors.iter().map(message).collect::<Vec<_>>().join("\n"),
        DataFusionError::External(error) => match error.downcast_ref::<DataFusionError>() {
            Some(inner) => message(inner),
            None => strip(&error.to_string()),
        },
        other => strip(&other.strip_backtrace()),
    }
}

fn strip(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let prefixes = ["Error during planning: ", "Execution error: ", "External error: ", "sql parser error: ", "Schema error: "];
    let mut text = text;
    while let Some(rest) = prefixes.iter().find_map(|p| text.strip_prefix(p)) {
        text = rest;
    }
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn error(sql: &str) -> String {
        let engine = Engine::new(Files::Forbidden).unwrap();
        let run = async {
            for statement in engine.parse(sql)? {
                engine.run(statement).await?.try_collect::<Vec<_>>().await?;
            }
            Ok::<_, DataFusionError>(())
        };
        message(&run.await.expect_err(sql))
    }

    #[tokio::test]
    async fn files_are_out_of_reach() {
        for sql in [
            "COPY (SELECT 1) TO 'x.csv'",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x.csv'",
            "EXPLAIN COPY (SELECT 1) TO 'x.csv'",
        ] {
            assert!(error(sql).await.contains("--allow-files"), "{sql}");
        }
        assert!(error("SELECT * FROM 'datasets/usa/levels/hobby.csv'").await.contains("not found"));
    }

    #[tokio::test]
    async fn messages_are_plain() {
        assert_eq!(error("SELECT 1 +").await.lines().count(), 1);
        let unknown = error("SELECT * FROM sample_persona('usaa', 5)").await;
        assert!(unknown.starts_with("unknown country 'usaa'; did you mean 'usa'?"), "{unknown}");
    }
}
