//! Recipes: statements for what people do over and over.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Json, Path, Rows, json, whole};
use super::named;
use super::problem::Problem;
use crate::engine::Engine;
use crate::recipes;
use crate::serve::principal::Who;
use crate::serve::statements::Host;

/// A recipe.
#[derive(Debug, Serialize, ToSchema)]
struct Recipe {
    name: String,
    /// What it is for
    description: String,
    parameters: Vec<Parameter>,
    /// Its statements, with the defaults of its parameters; nothing where one must be given
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
}

/// A parameter of a recipe.
#[derive(Debug, Serialize, ToSchema)]
struct Parameter {
    name: String,
    description: String,
    /// It must be given where there is none
    default: Option<String>,
}

impl From<recipes::Recipe> for Recipe {
    fn from(recipe: recipes::Recipe) -> Recipe {
        let sql = recipe.statements(&[]).ok();
        let parameters = recipe.parameters.into_iter().map(|p| {
            let recipes::Parameter { name, description, default, .. } = p;
            Parameter { name, description, default }
        });
        Recipe { name: recipe.name.into(), description: recipe.description, parameters: parameters.collect(), sql }
    }
}

/// The recipes.
#[utoipa::path(get, path = "/v1/recipes", tag = "recipes", responses(
    (status = 200, description = "All of them", body = Vec<Recipe>),
    (status = 401, description = "No token that is good", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(_: Who) -> Response {
    json(&recipes::all().into_iter().map(Recipe::from).collect::<Vec<_>>())
}

/// A recipe.
#[utoipa::path(get, path = "/v1/recipes/{recipe}", tag = "recipes",
    params(("recipe" = String, Path, description = "Its name")), responses(
    (status = 200, description = "What it is for", body = Recipe),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(_: Who, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(json(&Recipe::from(recipes::find(&name).map_err(Problem::not_found)?)))
}

/// Values for the parameters of a recipe.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeRequest {
    /// By their names, as texts
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// Runs a recipe: its statements one after the other.
#[utoipa::path(post, path = "/v1/recipes/{recipe}", tag = "recipes", request_body = RecipeRequest,
    params(("recipe" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The rows of each statement", body = Vec<Rows>),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "What failed", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn run(
    State(host): State<Arc<Host>>,
    Who(who): Who,
    Path(name): Path<String>,
    Json(request): Json<RecipeRequest>,
) -> Result<Response, Problem> {
    let recipe = recipes::find(&name).map_err(Problem::not_found)?;
    let given: Vec<(String, String)> = request.parameters.into_iter().collect();
    let text = recipe.statements(&given).map_err(Problem::usage)?;
    let mut results = vec![];
    // All are parsed before the first runs.
    for statement in host.engine().parse(&text)? {
        let work = async move |engine: Engine| engine.run(statement).await;
        results.push(whole(host.start(&who, named("/v1/recipes/{recipe}"), work).await?).await?);
    }
    Ok(json(&results))
}
