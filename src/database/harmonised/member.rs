//! One table in the view over all: the view's columns as expressions over the table's own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, exec_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlanBuilder, Operator, ScalarUDF, cast, lit, try_cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::TableReference;
use populace_population::Code;

use super::codes::{COUNTRY, Recode, Variant, coded};
use super::countries::Country;
use super::{AGE, COUNTRY_CODE, TABLE_NAME, types};
use crate::database::Table;

/// The most levels that stand in the place of a code in a filter.
const MANY: usize = 2000;

/// A table whose people the view has.
#[derive(Debug)]
pub(super) struct Member {
    table: Arc<Table>,
    /// Each column of the view, in its order
    expressions: Vec<Expr>,
    /// Those of them that are codes of levels, by name
    codes: HashMap<String, Recode>,
}

/// Whether a filter may be put on the tables: it waits for nobody, and asks no other table.
pub(super) fn is_ours_to_apply(filter: &Expr) -> bool {
    let foreign = |e: &Expr| match e {
        Expr::ScalarFunction(function) => function.func.as_async().is_some(),
        Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => true,
        Expr::OuterReferenceColumn(..) => true,
        _ => false,
    };
    !filter.exists(|e| Ok(foreign(e))).unwrap_or(true)
}

impl Member {
    pub fn new(table: Table, countries: &[Country], view: &SchemaRef) -> Result<Member> {
        let own = table.schema();
        let mut member = Member { table: Arc::new(table), expressions: vec![], codes: HashMap::new() };
        for field in view.fields() {
            let expression = match field.name().as_str() {
                TABLE_NAME => lit(member.table.name()),
                name => match recoded(name, field.data_type(), countries, &own) {
                    Some(Coded::Constant(code)) => {
                        let code = ScalarValue::Utf8(Some(code));
                        lit(ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(code)))
                    }
                    Some(Coded::Levels(recode)) => {
                        let arguments = recode.columns().into_iter().map(|c| Expr::Column(Column::from_name(c)));
                        member.codes.insert(name.to_string(), recode.clone());
                        ScalarUDF::from(recode).call(arguments.collect())
                    }
                    None => native(field, &own)?,
                },
            };
            member.expressions.push(expression);
        }
        Ok(member)
    }

    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// A column of the view, over the table's own columns.
    pub fn expression(&self, at: usize) -> &Expr {
        &self.expressions[at]
    }

    /// The rows of the table as rows of the view: these columns, of those that satisfy the filters. `None` where no row
    /// can.
    pub async fn plan(
        &self,
        session: &dyn Session,
        view: &SchemaRef,
        places: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let filter = self.filter(session, view, filters)?;
        if filter.as_ref().is_some_and(is_false) {
            return Ok(None);
        }
        let source = provider_as_source(self.table.clone());
        let mut plan = LogicalPlanBuilder::scan(TableReference::bare(self.table.name()), source, None)?;
        if let Some(filter) = filter {
            plan = plan.filter(filter)?;
        }
        plan = plan.project(places.iter().map(|at| self.expressions[*at].clone().alias(view.field(*at).name())))?;
        if limit.is_some() {
            plan = plan.limit(0, limit)?;
        }
        session.create_physical_plan(&plan.build()?).await.map(Some)
    }

    /// Filters over the view's columns as one over the table's own.
    pub fn filter(&self, session: &dyn Session, view: &SchemaRef, filters: &[Expr]) -> Result<Option<Expr>> {
        let filter = filters.iter().map(|f| self.translated(session, view, f)).collect::<Result<Vec<_>>>()?;
        if filter.iter().any(is_false) {
            return Ok(Some(lit(false)));
        }
        Ok(conjunction(filter.into_iter().filter(|f| !is_true(f))))
    }

    fn translated(&self, session: &dyn Session, view: &SchemaRef, filter: &Expr) -> Result<Expr> {
        if let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) = filter {
            let (left, right) = (self.translated(session, view, left)?, self.translated(session, view, right)?);
            return Ok(match op {
                Operator::And if is_false(&left) || is_false(&right) => lit(false),
                Operator::Or if is_false(&left) => right,
                Operator::Or if is_false(&right) => left,
                Operator::And => left.and(right),
                _ => left.or(right),
            });
        }
        let read = filter.column_refs();
        if let [column] = read.iter().collect::<Vec<_>>()[..]
            && let Some(recode) = self.codes.get(&column.name)
            && let Some(levels) = of_levels(session, filter, column, recode)?
        {
            return Ok(levels);
        }
        let replaced = filter.clone().transform(|e| match &e {
            Expr::Column(column) => match view.index_of(&column.name) {
                Ok(at) => Ok(Transformed::yes(self.expressions[at].clone())),
                Err(_) => exec_err!("{} has no column {}", super::VIEW, column.name),
            },
            _ => Ok(Transformed::no(e)),
        })?;
        match replaced.data.column_refs().is_empty() && !replaced.data.is_volatile() {
            true => Ok(lit(holds(session, &replaced.data, &none())?.first().copied().unwrap_or(false))),
            false => Ok(replaced.data),
        }
    }
}

fn is_false(filter: &Expr) -> bool {
    *filter == lit(false)
}

fn is_true(filter: &Expr) -> bool {
    *filter == lit(true)
}

/// The code of a column of the view.
enum Coded {
    /// That of every row
    Constant(String),
    /// That of a row's level
    Levels(Recode),
}

/// How a column of the view is coded; `None` where it is none of codes, or the table has nothing to code.
fn recoded(name: &str, kind: &DataType, countries: &[Country], own: &Schema) -> Option<Coded> {
    let (label, code, shorten) = match name {
        COUNTRY_CODE => return country_code(countries),
        "region_code" => ("region_code", Code::Region, false),
        "sex_code" => ("sex_code", Code::Sex, false),
        "education_isced" => ("education_isced", Code::Education, false),
        "occupation_isco" => ("occupation_isco", Code::Occupation, false),
        "occupation_isco_major" => ("occupation_isco_major", Code::Occupation, true),
        "marital_code" => ("marital_code", Code::Marital, false),
        "labour_code" => ("labour_code", Code::Labour, false),
        "urban_code" => ("urban_code", Code::Urban, false),
        _ => return None,
    };
    let alone = countries.len() == 1;
    let mut variants: Vec<Variant> = vec![];
    for country in countries {
        let Some(mapping) = country.codes.as_ref().and_then(|codes| codes.mapping(code)) else { continue };
        if own.column_with_name(&mapping.column).is_none() {
            continue;
        }
        let digits = |code: &String| if shorten { code.chars().take(1).collect() } else { code.clone() };
        variants.push(Variant {
            countries: country.name.clone().filter(|_| !alone).map(|name| BTreeSet::from([name])),
            column: mapping.column.clone(),
            codes: mapping.codes.iter().map(|(level, code)| (level.clone(), digits(code))).collect(),
        });
    }
    (!variants.is_empty()).then(|| Coded::Levels(Recode::new(label, variants, kind.clone())))
}

fn country_code(countries: &[Country]) -> Option<Coded> {
    match countries {
        [Country { name: None, alpha2, .. }] => alpha2.clone().map(Coded::Constant),
        _ => {
            let known = countries.iter().filter_map(|c| Some((c.name.clone()?, c.alpha2.clone()?)));
            let variant = Variant { countries: None, column: COUNTRY.into(), codes: known.collect() };
            Some(Coded::Levels(Recode::new(COUNTRY_CODE, vec![variant], coded())))
        }
    }
}

/// A column of the table's own in the type of the view; NULL where it has none of this name, or one of another kind.
fn native(field: &Field, own: &Schema) -> Result<Expr> {
    let found = own.column_with_name(field.name()).map(|(_, f)| f.data_type());
    let column = || Expr::Column(Column::from_name(field.name()));
    match found {
        Some(kind) if kind == field.data_type() => Ok(column()),
        Some(kind) if field.name() == AGE && types::converts(kind, field.data_type()) => {
            Ok(try_cast(column(), field.data_type().clone()))
        }
        Some(kind) if types::converts(kind, field.data_type()) => Ok(cast(column(), field.data_type().clone())),
        _ => Ok(lit(ScalarValue::try_from(field.data_type())?)),
    }
}

/// A filter on one code as a filter on the levels that have such codes. `None` where rows without a code satisfy it,
/// which no list of levels has, or the list were too long.
fn of_levels(session: &dyn Session, filter: &Expr, column: &Column, recode: &Recode) -> Result<Option<Expr>> {
    let codes = recode.every_code()?;
    let schema = Schema::new(vec![Field::new(&column.name, codes.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![codes])?;
    let alone = filter.clone().transform(|e| match e {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::from_name(column.name)))),
        e => Ok(Transformed::no(e)),
    })?;
    let mut satisfy = holds(session, &alone.data, &batch)?;
    if satisfy.pop() != Some(false) {
        return Ok(None);
    }
    let chosen: BTreeSet<&String> =
        recode.values().iter().zip(satisfy).filter(|(_, yes)| *yes).map(|(v, _)| v).collect();
    let one_of = |column: &str, values: Vec<Expr>| {
        let column = Expr::Column(Column::from_name(column));
        match <[Expr; 1]>::try_from(values) {
            Ok([one]) => column.eq(one),
            Err(several) => column.in_list(several, false),
        }
    };
    let mut parts = vec![];
    for variant in recode.variants() {
        let mut levels: Vec<&String> =
            variant.codes.iter().filter(|(_, code)| chosen.contains(code)).map(|(level, _)| level).collect();
        if levels.len() > MANY {
            return Ok(None);
        }
        if levels.is_empty() {
            continue;
        }
        levels.sort();
        let levels = one_of(&variant.column, levels.into_iter().map(|l| lit(l.as_str())).collect());
        parts.push(match &variant.countries {
            None => levels,
            Some(names) => one_of(COUNTRY, names.iter().map(|n| lit(n.as_str())).collect()).and(levels),
        });
    }
    Ok(Some(parts.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))))
}

/// One row of nothing.
fn none() -> RecordBatch {
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::new(Schema::empty());
    RecordBatch::try_new_with_options(schema.clone(), vec![], &options)
        .unwrap_or_else(|_| RecordBatch::new_empty(schema))
}

/// Of which rows a condition holds.
fn holds(session: &dyn Session, condition: &Expr, rows: &RecordBatch) -> Result<Vec<bool>> {
    let found = evaluated(session, condition, rows)?;
    let Some(found) = found.as_boolean_opt() else { return exec_err!("`{condition}` is no condition") };
    Ok(found.iter().map(|b| b == Some(true)).collect())
}

/// An expression over the columns of some rows.
pub(super) fn evaluated(session: &dyn Session, expression: &Expr, rows: &RecordBatch) -> Result<ArrayRef> {
    let schema = DFSchema::try_from(rows.schema().as_ref().clone())?;
    session.create_physical_expr(expression.clone(), &schema)?.evaluate(rows)?.into_array(rows.num_rows())
}
