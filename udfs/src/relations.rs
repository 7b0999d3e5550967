//! The planner of the table functions: it sees their named arguments, predicates and subqueries as they were written.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::sql::sqlparser::ast::{FunctionArg, TableFactor};

use crate::Populace;
use crate::arguments::Arguments;
use crate::rewrite::call;
use crate::weighting::{rake, rebalance};
use crate::{
    assumed_independences, compare, complete_persona, counterfactual, duplicates, fidelity, generate_persona,
    hybrid_search, persona_probability, sample_persona, semantic_search, similar_to, stereotype_index,
    stratified_sample, table_sample, text_search, validate,
};

#[derive(Debug)]
pub(crate) struct Relations(pub Arc<Populace>);

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let Some(kind) = table_sample::clause(&mut relation).and_then(Option::take) {
            let (TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. }) = &mut relation else {
                return Ok(RelationPlanning::Original(Box::new(relation)));
            };
            let alias = alias.take();
            let plan = table_sample::plan(kind, relation, self.0.search.clone(), context)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))));
        }
        let Some((name, args, alias)) = call(&mut relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let function = name.to_string().to_lowercase();
        match self.plan(&function, args.clone(), context)? {
            Some(plan) => {
                let planned = PlannedRelation::new(plan, alias.clone());
                Ok(RelationPlanning::Planned(Box::new(planned)))
            }
            None => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

impl Relations {
    fn plan(
        &self,
        function: &str,
        args: Vec<FunctionArg>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<LogicalPlan>> {
        let packs = &self.0.packs;
        Ok(Some(match function {
            sample_persona::NAME => {
                let names = ["country", "count", "seed", "given", "margins"];
                let arguments = Arguments::new(sample_persona::NAME, args, &names, 2)?;
                sample_persona::plan(arguments, packs, context)?
            }
            generate_persona::NAME => {
                let names = ["country", "count", "seed", "given", "narrator", "language"];
                let arguments = Arguments::new(generate_persona::NAME, args, &names, 2)?;
                generate_persona::plan(arguments, &self.0, context)?
            }
            persona_probability::NAME => {
                let arguments = Arguments::new(persona_probability::NAME, args, &["country", "given"], 1)?;
                persona_probability::plan(arguments, packs, context)?
            }
            assumed_independences::NAME => {
                let arguments = Arguments::new(assumed_independences::NAME, args, &["country"], 1)?;
                assumed_independences::plan(arguments, packs, context)?
            }
            compare::NAME => {
                let arguments = Arguments::new(compare::NAME, args, &compare::ARGUMENTS, 2)?;
                compare::plan(arguments, context)?
            }
            complete_persona::NAME => {
                let arguments = Arguments::new(complete_persona::NAME, args, &complete_persona::ARGUMENTS, 2)?;
                complete_persona::plan(arguments, packs, context)?
            }
            counterfactual::NAME => {
                let arguments = Arguments::new(counterfactual::NAME, args, &counterfactual::ARGUMENTS, 2)?;
                counterfactual::plan(arguments, packs, context)?
            }
            fidelity::NAME => {
                let arguments = Arguments::new(fidelity::NAME, args, &fidelity::ARGUMENTS, 2)?;
                fidelity::plan(arguments, packs, context)?
            }
            rake::NAME => {
                let arguments = Arguments::new(rake::NAME, args, &rake::ARGUMENTS, 2)?;
                rake::plan(arguments, packs, context)?
            }
            rebalance::NAME => {
                let arguments = Arguments::new(rebalance::NAME, args, &rebalance::ARGUMENTS, 2)?;
                rebalance::plan(arguments, packs, context)?
            }
            semantic_search::NAME => {
                let arguments = Arguments::new(semantic_search::NAME, args, &semantic_search::ARGUMENTS, 3)?;
                semantic_search::plan(arguments, &self.0, context)?
            }
            stereotype_index::NAME => {
                let arguments = Arguments::new(stereotype_index::NAME, args, &stereotype_index::ARGUMENTS, 2)?;
                stereotype_index::plan(arguments, &self.0, context)?
            }
            text_search::NAME => {
                let arguments = Arguments::new(text_search::NAME, args, &text_search::ARGUMENTS, 3)?;
                text_search::plan(arguments, &self.0, context)?
            }
            hybrid_search::NAME => {
                let arguments = Arguments::new(hybrid_search::NAME, args, &hybrid_search::ARGUMENTS, 3)?;
                hybrid_search::plan(arguments, &self.0, context)?
            }
            similar_to::NAME => {
                let arguments = Arguments::new(similar_to::NAME, args, &similar_to::ARGUMENTS, 3)?;
                similar_to::plan(arguments, &self.0, context)?
            }
            duplicates::NAME => {
                let arguments = Arguments::new(duplicates::NAME, args, &duplicates::ARGUMENTS, 1)?;
                duplicates::plan(arguments, context)?
            }
            stratified_sample::NAME => {
                let arguments = Arguments::new(stratified_sample::NAME, args, &stratified_sample::ARGUMENTS, 2)?;
                stratified_sample::plan(arguments, self.0.search.clone(), context)?
            }
            validate::NAME => {
                let arguments = Arguments::new(validate::NAME, args, &["table", "country", "language"], 2)?;
                validate::plan(arguments, &self.0, context)?
            }
            _ => return Ok(None),
        }))
    }
}
