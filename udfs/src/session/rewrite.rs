//! What a host does to a statement before it is planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArguments, Ident, ObjectName, SetExpr, Statement,
    TableAlias, TableFactor, TableSampleKind, TableSampleSeed, TableSampleSeedModifier, Value, VisitMut, VisitorMut,
    visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::call::names::function_name;
use crate::call::seed::fresh_seed;
#[cfg(feature = "narratives")]
use crate::narratives::{generate_narrative, generate_persona};
use crate::people::{counterfactual, persona_probability, sample_persona};
use crate::samples::{stratified_sample, table_sample};
use crate::session::functions;

/// Puts a statement into a form that DataFusion plans. A host calls it before planning; one that does not has to
/// write these forms itself.
///
/// - `persona_probability(…)` within expressions becomes a subquery over the table function of that name: the predicate
///   it is given names columns of the country, which are not in the statement's scope, so that no scalar function could
///   be planned with it.
/// - A table that is an argument, `semantic_search(usa, …)`, becomes `(SELECT * FROM usa)`: only tables that stand where
///   relations do are looked up before planning.
pub fn rewrite(statement: &mut Statement) {
    let _: ControlFlow<()> = statement.visit(&mut Rewrite);
}

/// Gives every draw of a statement that names no seed a fresh one, so that its text draws the same people when it is
/// run again.
pub fn with_seeds(statement: &mut Statement) {
    let _: ControlFlow<()> = statement.visit(&mut Seeds);
}

/// The countries that a statement draws people from, as it names them, each once.
pub fn drawn_from(statement: &mut Statement) -> Vec<String> {
    let mut countries = Countries(vec![]);
    let _: ControlFlow<()> = statement.visit(&mut countries);
    countries.0
}

/// Who writes texts in a statement, wherever in it: a narrator by its name, or `None` for the session's own.
#[cfg(feature = "narratives")]
pub fn narrators(statement: &mut Statement) -> Vec<Option<String>> {
    let mut writers = Writers(vec![]);
    let _: ControlFlow<()> = statement.visit(&mut writers);
    writers.0
}

/// Gives a sample, or else a draw, without a seed a fresh one, unless it waits for parameters: then it is drawn when they
/// are bound.
pub(crate) fn with_seed(relation: &mut TableFactor) {
    if table_sample::clause(relation).is_some() {
        return seed_sample(relation);
    }
    let waits = call(relation).is_some_and(|(name, args, _)| {
        let name = function_name(name).unwrap_or_default();
        let draws = matches!(name.as_str(), sample_persona::NAME | "generate_persona");
        draws && !args.iter().any(|arg| is_named(arg, "margins")) && args.iter().any(has_parameter)
    });
    if !waits {
        seed_call(relation);
    }
}

fn has_parameter(arg: &FunctionArg) -> bool {
    visit_expressions(arg, |expr| match expr {
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

#[cfg(feature = "narratives")]
struct Writers(Vec<Option<String>>);

#[cfg(feature = "narratives")]
impl VisitorMut for Writers {
    type Break = ();

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        let Some((name, args, _)) = call(relation) else { return ControlFlow::Continue(()) };
        if function_name(name).as_deref() == Some(generate_persona::NAME) {
            let named = args.iter().position(|a| is_named(a, "narrator")).and_then(|at| expression(&mut args[at]));
            self.0.push(match named {
                Some(Expr::Value(value)) => match &value.value {
                    Value::SingleQuotedString(narrator) => Some(narrator.clone()),
                    _ => None,
                },
                _ => None,
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function_name(&function.name).is_some_and(|name| generate_narrative::is_narrating(&name))
        {
            self.0.push(None);
        }
        ControlFlow::Continue(())
    }
}

struct Countries(Vec<String>);

impl VisitorMut for Countries {
    type Break = ();

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        let Some((name, args, _)) = call(relation) else { return ControlFlow::Continue(()) };
        let name = function_name(name).unwrap_or_default();
        if matches!(name.as_str(), sample_persona::NAME | "generate_persona")
            && let Some(Expr::Value(value)) = table_argument(args, "country", 0)
            && let Value::SingleQuotedString(country) = &value.value
            && !self.0.contains(country)
        {
            self.0.push(country.clone());
        }
        ControlFlow::Continue(())
    }
}

struct Seeds;

impl VisitorMut for Seeds {
    type Break = ();

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        seed_sample(relation);
        seed_call(relation);
        ControlFlow::Continue(())
    }
}

fn seed_sample(relation: &mut TableFactor) {
    if let Some(Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample))) =
        table_sample::clause(relation)
    {
        sample.seed.get_or_insert_with(|| TableSampleSeed {
            modifier: TableSampleSeedModifier::Repeatable,
            value: Value::Number(fresh_seed().to_string(), false).into(),
        });
    }
}

fn seed_call(relation: &mut TableFactor) {
    let Some((name, args, _)) = call(relation) else { return };
    let name = function_name(name).unwrap_or_default();
    let Some(function) = functions::named(&name) else { return };
    let Some(place) = function.parameters.iter().position(|p| p.seed) else { return };
    let unnamed = args.iter().filter(|a| matches!(a, FunctionArg::Unnamed(_))).count();
    if (unnamed <= place || place >= function.positional)
        && !args.iter().any(|a| is_named(a, "seed"))
        && let Some(Expr::Function(function)) = parse(&format!("f(seed => {})", fresh_seed()))
        && let FunctionArguments::List(list) = function.args
    {
        args.extend(list.args);
    }
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function_name(&function.name).as_deref() == Some(persona_probability::NAME)
            && let FunctionArguments::List(list) = &mut function.args
            && let Some(subquery) =
                subquery("(SELECT probability FROM f())", &function.name, Some(std::mem::take(&mut list.args)))
        {
            *expr = subquery;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        let Some((name, args, _)) = call(relation) else { return ControlFlow::Continue(()) };
        let name = function_name(name).unwrap_or_default();
        let Some(function) = functions::named(&name) else { return ControlFlow::Continue(()) };
        if name == counterfactual::NAME {
            of_uuid(args);
        }
        for (place, parameter) in function.parameters.iter().enumerate().filter(|(_, p)| p.relation) {
            // Beyond the places of those without a name it has one.
            let place = if place < function.positional { place } else { usize::MAX };
            if let Some(table) = table_argument(args, parameter.name, place) {
                as_subquery(table);
            }
        }
        if name == stratified_sample::NAME
            && let Some(at) = args.iter().position(|a| is_named(a, "allocation"))
            && let Some(quotas) = expression(&mut args[at])
            && !stratified_sample::is_allocation(&quotas.to_string())
        {
            as_subquery(quotas);
        }
        ControlFlow::Continue(())
    }
}

/// The function that a relation calls, its arguments, and what the relation is called.
pub(crate) fn call(
    relation: &mut TableFactor,
) -> Option<(&ObjectName, &mut Vec<FunctionArg>, &mut Option<TableAlias>)> {
    match relation {
        TableFactor::Table { name, args: Some(args), alias, .. } => Some((name, &mut args.args, alias)),
        TableFactor::Function { name, args, alias, .. } => Some((name, args, alias)),
        _ => None,
    }
}

/// An argument that is a table: by its name, or else by its place among those without one.
fn table_argument<'a>(args: &'a mut [FunctionArg], name: &str, place: usize) -> Option<&'a mut Expr> {
    let unnamed = |a: &FunctionArg| matches!(a, FunctionArg::Unnamed(_));
    let at = args
        .iter()
        .position(|a| is_named(a, name))
        .or_else(|| args.iter().enumerate().filter(|(_, a)| unnamed(a)).nth(place).map(|(at, _)| at))?;
    expression(args.get_mut(at)?)
}

/// `counterfactual('usa', 'a uuid', …)`: the person of that uuid in the table that is called as the country is.
fn of_uuid(args: &mut Vec<FunctionArg>) {
    let is_text = |e: &Expr| matches!(e, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    let country = match table_argument(args, "country", 0) {
        Some(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(country) => Ident::with_quote('"', country.to_lowercase()),
            _ => return,
        },
        _ => return,
    };
    let named = args.iter().position(|a| is_named(a, "uuid")).and_then(|at| expression(&mut args[at])).cloned();
    let placed = table_argument(args, "people", 1);
    let (uuid, table) = match (named, placed) {
        (Some(uuid), None) => (uuid, None),
        (None, Some(people)) if is_text(people) => (people.clone(), Some(people)),
        _ => return,
    };
    let Some(mut people) = subquery("(SELECT * FROM t WHERE uuid = u)", &ObjectName::from(vec![country]), None) else {
        return;
    };
    if let Expr::Subquery(query) = &mut people
        && let SetExpr::Select(select) = query.body.as_mut()
        && let Some(Expr::BinaryOp { right, .. }) = &mut select.selection
    {
        **right = uuid.clone();
    }
    let named = |name: &str, value: Expr| FunctionArg::Named {
        name: Ident::new(name),
        arg: FunctionArgExpr::Expr(value),
        operator: FunctionArgOperator::RightArrow,
    };
    match table {
        Some(table) => {
            *table = people;
            args.push(named("uuid", uuid));
        }
        None => args.push(named("people", people)),
    }
}

fn expression(argument: &mut FunctionArg) -> Option<&mut Expr> {
    let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) = argument;
    match arg {
        FunctionArgExpr::Expr(expr) => Some(expr),
        _ => None,
    }
}

/// Puts a table's name in the form of a query.
fn as_subquery(table: &mut Expr) {
    let name = match table {
        Expr::Identifier(name) => ObjectName::from(vec![name.clone()]),
        Expr::CompoundIdentifier(parts) => ObjectName::from(parts.clone()),
        Expr::Function(call) => {
            if let FunctionArguments::List(list) = &mut call.args
                && let Some(subquery) =
                    subquery("(SELECT * FROM f())", &call.name, Some(std::mem::take(&mut list.args)))
            {
                *table = subquery;
            }
            return;
        }
        _ => return,
    };
    if let Some(subquery) = subquery("(SELECT * FROM t)", &name, None) {
        *table = subquery;
    }
}

/// A query like this one, of another relation. Put together of trees: a text that is printed and read again need not be
/// the same, as sqlparser takes quotes in it for escaped ones.
pub(crate) fn subquery(like: &str, name: &ObjectName, given: Option<Vec<FunctionArg>>) -> Option<Expr> {
    let mut expr = parse(like)?;
    let Expr::Subquery(query) = &mut expr else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let TableFactor::Table { name: of, args, .. } = &mut select.from.first_mut()?.relation else { return None };
    *of = name.clone();
    if let (Some(args), Some(given)) = (args, given) {
        args.args = given;
    }
    Some(expr)
}

fn is_named(argument: &FunctionArg, as_: &str) -> bool {
    match argument {
        FunctionArg::Named { name, .. } => name.value.eq_ignore_ascii_case(as_),
        FunctionArg::ExprNamed { name: Expr::Identifier(name), .. } => name.value.eq_ignore_ascii_case(as_),
        _ => false,
    }
}

fn parse(text: &str) -> Option<Expr> {
    Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut p| p.parse_expr()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::ast::ValueWithSpan;

    #[test]
    fn a_table_as_an_argument_becomes_a_subquery() {
        let sql = "SELECT * FROM compare(usa, old, columns => (age)), fidelity(usa, 'usa')";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT * FROM compare((SELECT * FROM usa), (SELECT * FROM old), columns => (age)), \
            fidelity((SELECT * FROM usa), 'usa')";
        assert_eq!(statement.to_string(), expected);

        let sql = "SELECT * FROM stratified_sample(usa, 5, allocation => quotas), stratified_sample(usa, 5, allocation => equal)";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT * FROM \
            stratified_sample((SELECT * FROM usa), 5, allocation => (SELECT * FROM quotas)), \
            stratified_sample((SELECT * FROM usa), 5, allocation => equal)";
        assert_eq!(statement.to_string(), expected);

        let sql = "SELECT * FROM semantic_search(a.usa, 'bees', 5) AS s, f(usa)";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT * FROM semantic_search((SELECT * FROM a.usa), 'bees', 5) AS s, f(usa)";
        assert_eq!(statement.to_string(), expected);
    }

    #[test]
    fn draws_get_the_seeds_that_they_lack() {
        let seeded = |sql| {
            let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
            with_seeds(&mut statement);
            statement.to_string()
        };
        let sql = "INSERT INTO t SELECT * FROM (SELECT * FROM sample_persona('usa', 5, given => age > 3)) AS x";
        let text = seeded(sql);
        assert!(text.contains("given => age > 3, seed => "), "{text}");
        assert_eq!(seeded(&text), text);
        let text = seeded("INSERT INTO t SELECT * FROM stratified_sample(usa, 5, strata => (a, b))");
        assert!(text.contains("strata => (a, b), seed => "), "{text}");
        assert_eq!(seeded(&text), text);
        let text = seeded("CREATE TABLE t AS SELECT * FROM usa AS u TABLESAMPLE BERNOULLI (5)");
        assert!(text.contains("REPEATABLE ("), "{text}");
        assert_eq!(seeded(&text), text);
        for same in ["SELECT * FROM sample_persona('usa', 5, 7)", "SELECT * FROM sample_persona('usa', 5, SEED => 7)"] {
            assert_eq!(seeded(same), same);
        }
    }

    #[test]
    fn the_countries_of_draws_are_found() {
        let sql = "CREATE TABLE t AS SELECT * FROM sample_persona('a', 5) JOIN generate_persona(count => 2, country => 'b/c') \
            USING (uuid), sample_persona('a', 1), stratified_sample(usa, 5, strata => (a))";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        assert_eq!(drawn_from(&mut statement), ["a", "b/c"]);
    }

    #[test]
    fn texts_and_names_with_quotes_stay_what_they_are() {
        let sql = r#"SELECT persona_probability('usa', given => first_name = '\'' OR true --'), 1 FROM validate("a\""") AS v"#;
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        struct Texts(Vec<String>);
        impl VisitorMut for Texts {
            type Break = ();
            fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
                if let Value::SingleQuotedString(text) = &value.value {
                    self.0.push(text.clone());
                }
                ControlFlow::Continue(())
            }
            fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
                self.0.extend(name.0.iter().filter_map(|part| Some(part.as_ident()?.value.clone())));
                ControlFlow::Continue(())
            }
        }
        let mut texts = Texts(vec![]);
        let _: ControlFlow<()> = statement.visit(&mut texts);
        assert!(texts.0.contains(&r"\' OR true --".to_string()), "{:?}", texts.0);
        assert!(texts.0.contains(&r#"a\""#.to_string()), "{:?}", texts.0);
    }

    #[cfg(feature = "narratives")]
    #[test]
    fn whoever_writes_is_found() {
        let sql = "INSERT INTO t SELECT generate_narrative('persona') FROM stratified_sample((SELECT * FROM \
            generate_persona('a', 5, narrator => 'x')), 2, strata => (a)), generate_persona('a', 1)";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        let mut found = narrators(&mut statement);
        found.sort();
        assert_eq!(found, [None, None, Some("x".to_string())]);
    }

    #[test]
    fn the_scalar_form_becomes_a_subquery() {
        let sql = "SELECT persona_probability('usa', given => age > 95) AS p";
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let expected = "SELECT (SELECT probability FROM persona_probability('usa', given => age > 95)) AS p";
        assert_eq!(statement.to_string(), expected);
    }
}
