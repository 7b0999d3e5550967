//! Who may do what: what a session or a statement may, and what a statement needs, found out from its plan.
//!
//! The matches here name every kind of plan, with no arm for the rest: a new kind of statement does not compile before
//! somebody has said what it needs.

use std::collections::BTreeSet;

use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::functions_table::generate_series::GenerateSeriesTable;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, Statement as PlanStatement, TableScan, WriteOp};
use datafusion::sql::TableReference;
use populace_population::there_are;

use super::Command;
use crate::error::{Error, ErrorKind};

/// Whether statements may read and write files outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    #[default]
    Forbidden,
    Allowed,
}

/// Which tables of the database may be named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    #[default]
    All,
    /// Those of these names
    Named(BTreeSet<String>),
}

/// Which models may be asked. The grammar, `outline`, asks none and may always write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Models {
    /// The one that the session was told to write with, if it is one
    #[default]
    OfSession,
    /// None at all
    None,
    /// That of the session, and those of these names; `openai` stands for every `openai:MODEL`
    Named(BTreeSet<String>),
    Any,
}

impl Models {
    /// Whether a narrator may write in a session with this one.
    pub fn allow(&self, narrator: &str, of_session: &str) -> bool {
        let named = |names: &BTreeSet<String>| {
            names.contains(narrator) || narrator.split_once(':').is_some_and(|(provider, _)| names.contains(provider))
        };
        narrator == OUTLINE
            || match self {
                Models::None => false,
                Models::Any => true,
                Models::OfSession => narrator == of_session,
                Models::Named(names) => narrator == of_session || named(names),
            }
    }
}

/// The narrator that asks no model.
pub(crate) const OUTLINE: &str = "outline";

/// Settings that a statement may SET: how results look and how work is shared out. Those that would change which people
/// are drawn, how names are read, or which files are written are not among them.
pub const SETTINGS: [&str; 14] = [
    "datafusion.execution.batch_size",
    "datafusion.execution.collect_statistics",
    "datafusion.execution.target_partitions",
    "datafusion.execution.time_zone",
    "datafusion.explain.analyze_level",
    "datafusion.explain.format",
    "datafusion.explain.logical_plan_only",
    "datafusion.explain.physical_plan_only",
    "datafusion.explain.show_schema",
    "datafusion.explain.show_sizes",
    "datafusion.explain.show_statistics",
    "datafusion.explain.tree_maximum_render_width",
    "datafusion.sql_parser.default_null_ordering",
    "datafusion.sql_parser.recursion_limit",
];

/// What a session or a statement may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub tables: Scope,
    /// Write rows
    pub write: bool,
    /// Make, alter and drop tables, views and indexes
    pub ddl: bool,
    pub models: Models,
    pub files: Files,
    /// What may be SET
    pub settings: &'static [&'static str],
}

impl Default for Access {
    /// All of the database, no files, and the session's own model.
    fn default() -> Access {
        Access {
            tables: Scope::All,
            write: true,
            ddl: true,
            models: Models::OfSession,
            files: Files::Forbidden,
            settings: &SETTINGS,
        }
    }
}

impl Scope {
    /// Whether a table may be named.
    pub fn has(&self, table: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Named(tables) => tables.contains(table),
        }
    }
}

impl Access {
    /// Reading, and nothing else: what reports, exports and searches need.
    pub fn read() -> Access {
        Access { write: false, ddl: false, models: Models::None, settings: &[], ..Access::default() }
    }

    /// What both allow.
    pub fn and(&self, other: &Access) -> Access {
        let tables = match (&self.tables, &other.tables) {
            (Scope::All, scope) | (scope, Scope::All) => scope.clone(),
            (Scope::Named(a), Scope::Named(b)) => Scope::Named(a & b),
        };
        let models = match (&self.models, &other.models) {
            (Models::None, _) | (_, Models::None) => Models::None,
            (Models::Any, models) | (models, Models::Any) => models.clone(),
            (Models::OfSession, _) | (_, Models::OfSession) => Models::OfSession,
            (Models::Named(a), Models::Named(b)) => Models::Named(a & b),
        };
        let files = match (self.files, other.files) {
            (Files::Allowed, Files::Allowed) => Files::Allowed,
            (Files::Forbidden, _) | (_, Files::Forbidden) => Files::Forbidden,
        };
        // Lists of settings are this one, or empty.
        let settings = if self.settings.len() <= other.settings.len() { self.settings } else { other.settings };
        Access { tables, write: self.write && other.write, ddl: self.ddl && other.ddl, models, files, settings }
    }

    /// Whether a statement that needs this may run in a session whose narrator this is.
    ///
    /// # Errors
    /// What it may not, and what to do.
    pub fn check(&self, needs: &Needs, of_session: &str) -> Result<()> {
        let refused = |message: String| Err(Error::new(ErrorKind::Permission, message).into());
        if let (Files::Forbidden, Some(what)) = (self.files, needs.files) {
            let text = format!("{what} reaches files outside of the database");
            return Err(Error::new(ErrorKind::Permission, text).hint("start with --allow-files to allow it").into());
        }
        if let (false, Some(what)) = (self.write, needs.write) {
            return refused(format!("{what} writes, and here statements may read alone"));
        }
        if let (false, Some(what)) = (self.ddl, needs.ddl) {
            return refused(format!("{what} changes what tables there are, and here statements may read alone"));
        }
        if let Some(model) = needs.models.iter().find(|m| !self.models.allow(m, of_session)) {
            return Err(refused_model(model));
        }
        // Whoever names an embedder for the session means it to be asked.
        if let Some(name) = needs.embedder.as_deref().filter(|name| !self.models.allow(name, name)) {
            return Err(refused_embedder(name));
        }
        if let Scope::Named(tables) = &self.tables
            && let Some(table) = needs.tables.iter().find(|t| !tables.contains(*t))
        {
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            return refused(format!("the table {table} is out of reach here{}", there_are(table, &tables)));
        }
        if let Some(setting) = needs.settings.iter().find(|s| !self.settings.contains(&s.as_str())) {
            let hint = there_are(setting, self.settings);
            return refused(format!("{setting} cannot be SET here{hint}"));
        }
        Ok(())
    }
}

/// Why a model is not asked.
pub(crate) fn refused_model(model: &str) -> datafusion::common::DataFusionError {
    Error::new(ErrorKind::Permission, format!("{model} would be asked, and this session may not spend on it"))
        .hint(format!("start with --narrator {model}, or with --allow-models {model}"))
        .into()
}

/// Why an embedder is not asked.
pub(crate) fn refused_embedder(name: &str) -> datafusion::common::DataFusionError {
    let text = format!("{name} would be asked for vectors, and this session may not spend on it");
    let hint = "take an embedder that runs here, such as multilingual-e5-small, or let the session ask models";
    Error::new(ErrorKind::Permission, text).hint(hint).into()
}

/// What a statement needs; `write`, `ddl` and `files` with what it is that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    pub tables: BTreeSet<String>,
    pub write: Option<&'static str>,
    pub ddl: Option<&'static str>,
    /// Narrators that would write, by their names
    pub models: BTreeSet<String>,
    /// Whether texts would get vectors, for `embed` or to be searched for
    pub vectors: bool,
    /// What would be asked for them, where that may have to be paid
    pub embedder: Option<String>,
    pub files: Option<&'static str>,
    pub settings: BTreeSet<String>,
}

impl Needs {
    /// What a statement about a table as a whole needs.
    pub fn of_command(command: &Command) -> Needs {
        let mut needs = Needs { tables: BTreeSet::from([command.table().to_string()]), ..Needs::default() };
        match command {
            Command::Restore { .. } => needs.write = Some("RESTORE"),
            Command::CreateTag { .. } => needs.ddl = Some("CREATE TAG"),
            Command::DropTag { .. } => needs.ddl = Some("DROP TAG"),
            Command::Optimize { .. } => needs.write = Some("OPTIMIZE"),
            Command::Undrop { .. } => needs.ddl = Some("UNDROP"),
            Command::Import { .. } => {
                needs.write = Some("COPY");
                needs.files = Some("COPY");
            }
        }
        needs
    }

    /// What a statement needs that changes tables and that no plan stands for: ALTER TABLE, CREATE INDEX.
    pub fn of_ddl(what: &'static str, tables: impl IntoIterator<Item = String>) -> Needs {
        Needs { ddl: Some(what), tables: tables.into_iter().collect(), ..Needs::default() }
    }

    /// Adds those who write: narrators by their names, or that of the session.
    pub fn narrate(&mut self, writers: impl IntoIterator<Item = Option<String>>, of_session: &str) {
        self.models.extend(writers.into_iter().map(|writer| writer.unwrap_or_else(|| of_session.to_string())));
    }

    /// Adds tables by their names, of whatever version.
    pub fn name<'a>(&mut self, tables: impl IntoIterator<Item = &'a TableReference>) {
        self.tables.extend(tables.into_iter().filter_map(named));
    }

    /// What a plan needs, in a session whose narrator this is.
    ///
    /// # Errors
    /// If a part of it cannot be walked.
    pub fn of_plan(plan: &LogicalPlan, of_session: &str) -> Result<Needs> {
        let mut needs = Needs::default();
        plan.apply_with_subqueries(|node| {
            needs.node(node);
            node.apply_expressions(|expr| {
                expr.apply(|e| {
                    if matches!(e, Expr::ScalarFunction(f) if populace_udfs::is_narrating(f.name())) {
                        needs.models.insert(of_session.to_string());
                    }
                    needs.vectors |= matches!(e, Expr::ScalarFunction(f) if populace_udfs::is_embedding(f.name()));
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(needs)
    }

    fn node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_)
            // What they explain is their input.
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_) => {}
            LogicalPlan::Extension(node) => self.vectors |= populace_udfs::is_embedding(node.node.name()),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Copy(_) => self.files = Some("COPY"),
            LogicalPlan::Dml(dml) => {
                self.tables.extend(named(&dml.table_name));
                self.write = Some(match dml.op {
                    WriteOp::Insert(InsertOp::Append) => "INSERT",
                    WriteOp::Insert(InsertOp::Overwrite) => "INSERT OVERWRITE",
                    WriteOp::Insert(InsertOp::Replace) => "REPLACE",
                    WriteOp::Delete => "DELETE",
                    WriteOp::Update => "UPDATE",
                    WriteOp::Ctas => "CREATE TABLE",
                    WriteOp::Truncate => "TRUNCATE",
                });
            }
            LogicalPlan::Ddl(ddl) => self.ddl(ddl),
            LogicalPlan::Statement(statement) => match statement {
                PlanStatement::TransactionStart(_) | PlanStatement::TransactionEnd(_) => {}
                PlanStatement::SetVariable(set) => _ = self.settings.insert(set.variable.to_lowercase()),
                PlanStatement::ResetVariable(reset) => _ = self.settings.insert(reset.variable.to_lowercase()),
                PlanStatement::Prepare(_) | PlanStatement::Execute(_) | PlanStatement::Deallocate(_) => {}
            },
        }
    }

    fn ddl(&mut self, ddl: &DdlStatement) {
        let what = match ddl {
            DdlStatement::CreateExternalTable(_) => {
                self.files = Some("CREATE EXTERNAL TABLE");
                "CREATE EXTERNAL TABLE"
            }
            DdlStatement::CreateMemoryTable(create) => {
                self.tables.extend(named(&create.name));
                self.write = Some("CREATE TABLE");
                "CREATE TABLE"
            }
            DdlStatement::CreateView(_) => "CREATE VIEW",
            DdlStatement::CreateCatalogSchema(_) => "CREATE SCHEMA",
            DdlStatement::CreateCatalog(_) => "CREATE DATABASE",
            DdlStatement::CreateIndex(create) => {
                self.tables.extend(named(&create.table));
                "CREATE INDEX"
            }
            DdlStatement::DropTable(drop) => {
                self.tables.extend(named(&drop.name));
                "DROP TABLE"
            }
            DdlStatement::DropView(_) => "DROP VIEW",
            DdlStatement::DropCatalogSchema(_) => "DROP SCHEMA",
            DdlStatement::CreateFunction(_) => "CREATE FUNCTION",
            DdlStatement::DropFunction(_) => "DROP FUNCTION",
        };
        self.ddl = Some(what);
    }

    fn scan(&mut self, scan: &TableScan) {
        let provider = scan.source.downcast_ref::<DefaultTableSource>().map(|s| s.table_provider.as_ref());
        if let Some(narrator) = provider.and_then(populace_udfs::narrator_of) {
            self.models.insert(narrator.to_string());
        }
        // A call of a table function has a name of its own; a series of numbers reads nothing.
        let is_series = provider.is_some_and(|provider| provider.is::<GenerateSeriesTable>());
        if !is_series && !scan.table_name.table().contains('#') {
            self.tables.extend(named(&scan.table_name));
        }
    }
}

/// What is published of the countries, which is nobody's own.
const CENSUS: &str = "census";

/// What clients of PostgreSQL are told of tables: it is made, by whoever serves them, of those that they may name.
const SYSTEM: &str = "pg_catalog";

/// The database's own table that a name stands for, whatever version of it is named; what tells of all tables stands for
/// itself, by its whole name.
fn named(reference: &TableReference) -> Option<String> {
    match (reference.catalog(), reference.schema()) {
        (Some(CENSUS), _) | (_, Some(SYSTEM)) => None,
        (_, None | Some("public")) => {
            let name = reference.table();
            Some(name.rsplit_once('@').map_or(name, |(table, _)| table).to_string())
        }
        _ => Some(reference.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_asked_where_they_are_named() {
        let named = |names: &[&str]| Models::Named(names.iter().map(ToString::to_string).collect());
        for (models, narrator, of_session, may) in [
            (Models::OfSession, "outline", "outline", true),
            (Models::OfSession, "openai:a", "outline", false),
            (Models::OfSession, "openai:a", "openai:a", true),
            (Models::OfSession, "openai:b", "openai:a", false),
            (Models::None, "openai:a", "openai:a", false),
            (Models::None, "outline", "openai:a", true),
            (named(&["openai:b"]), "openai:b", "outline", true),
            (named(&["openai:b"]), "openai:c", "outline", false),
            (named(&["openai"]), "openai:c", "outline", true),
            (Models::Any, "openai:c", "outline", true),
        ] {
            assert_eq!(models.allow(narrator, of_session), may, "{models:?} {narrator} {of_session}");
        }
    }

    #[test]
    fn tables_are_those_of_the_database() {
        for (name, is) in [
            ("usa", Some("usa")),
            ("usa@3", Some("usa")),
            ("public.usa", Some("usa")),
            ("census.usa.figures", None),
            ("pg_catalog.pg_class", None),
            ("populace.tables", Some("populace.tables")),
            ("information_schema.tables", Some("information_schema.tables")),
        ] {
            assert_eq!(named(&TableReference::parse_str(name)).as_deref(), is, "{name}");
        }
    }

    #[test]
    fn what_is_needed_and_not_allowed_is_refused() {
        let told = |access: &Access, needs: Needs| {
            access.check(&needs, "outline").err().map(|e| Error::from(&e).to_string()).unwrap_or_default()
        };
        let (all, read) = (Access::default(), Access::read());
        assert_eq!(told(&all, Needs { write: Some("UPDATE"), ddl: Some("DROP TABLE"), ..Needs::default() }), "");
        assert!(told(&read, Needs { write: Some("UPDATE"), ..Needs::default() }).starts_with("UPDATE writes"));
        assert!(told(&read, Needs { ddl: Some("DROP TABLE"), ..Needs::default() }).starts_with("DROP TABLE changes"));
        assert!(told(&all, Needs { files: Some("COPY"), ..Needs::default() }).contains("--allow-files"));
        let model = Needs { models: BTreeSet::from(["openai:x".into()]), ..Needs::default() };
        assert!(told(&all, model).contains("--allow-models openai:x"));
        let vectors = || Needs { vectors: true, embedder: Some("openai:e".into()), ..Needs::default() };
        assert_eq!(told(&all, vectors()), "");
        assert!(told(&read, vectors()).contains("openai:e would be asked for vectors"));
        assert_eq!(told(&read, Needs { vectors: true, ..Needs::default() }), "");
        let set = |name: &str| Needs { settings: BTreeSet::from([name.into()]), ..Needs::default() };
        assert_eq!(told(&all, set("datafusion.execution.batch_size")), "");
        for refused in [
            "datafusion.runtime.temp_directory",
            "datafusion.optimizer.enable_round_robin_repartition",
            "datafusion.sql_parser.enable_ident_normalization",
        ] {
            assert!(told(&all, set(refused)).contains("cannot be SET"), "{refused}");
        }
        let scope = Access { tables: Scope::Named(BTreeSet::from(["usa".into()])), ..Access::default() };
        let of = |table: &str| Needs { tables: BTreeSet::from([table.into()]), ..Needs::default() };
        assert_eq!(told(&scope, of("usa")), "");
        assert!(told(&scope, of("japan")).contains("out of reach"));
        assert_eq!(all.and(&read), read);
        assert_eq!(read.and(&all), read);
    }
}
