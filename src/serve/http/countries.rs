//! What is known of the countries. It stays as it is for as long as the server runs.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use populace_population::{Levels, Pack};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Path, Query, json};
use super::page::Kept;
use super::problem::Problem;
use crate::engine::{Error, ErrorKind};
use crate::packs;
use crate::serve::principal::Who;
use crate::serve::statements::Host;

/// A country.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Country {
    /// As functions name it
    name: String,
    title: String,
    /// ISO 3166-1, of three letters
    code: String,
    /// What its columns are in; BCP 47
    language: String,
    year: String,
    /// Who is in it
    universe: String,
    people: f64,
    /// Of the pack: the same people are drawn from the same seed as long as this is the same
    pack: String,
    /// The variable whose levels `/v1/countries/{country}/map` has shapes for, where there is a map
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<String>,
}

impl Country {
    fn of(pack: &Pack) -> Country {
        Country {
            name: pack.name().into(),
            title: pack.title().into(),
            code: pack.country().into(),
            language: pack.language().into(),
            year: pack.year().into(),
            universe: pack.universe().into(),
            people: pack.population(),
            pack: pack.id(),
            map: packs::map_of(pack.name()).map(|(_, variable)| variable.into()),
        }
    }
}

/// Opens a pack; it is read once, and that takes some milliseconds.
async fn open(host: &Host, name: String) -> Result<Arc<Pack>, Problem> {
    let read = move || match packs::NAMES.contains(&name.as_str()) {
        true => packs::open(&name).ok_or_else(|| Problem::not_found(packs::unknown(&name)))?.map_err(|e| broken(&e)),
        false => Err(Problem::not_found(packs::unknown(&name))),
    };
    host.beside(read).await?
}

fn broken(error: &populace_population::Error) -> Problem {
    Error::new(ErrorKind::Internal, error.to_string()).into()
}

/// The countries that people are drawn from.
#[utoipa::path(get, path = "/v1/countries", tag = "countries", responses(
    (status = 200, description = "All of them", body = Vec<Country>),
    (status = 401, description = "No token that is good", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(host): State<Arc<Host>>, _: Who) -> Result<Response, Problem> {
    let mut countries = vec![];
    for name in packs::NAMES {
        countries.push(Country::of(&*open(&host, name.into()).await?));
    }
    Ok(json(&countries))
}

/// A country.
#[utoipa::path(get, path = "/v1/countries/{country}", tag = "countries",
    params(("country" = String, Path, description = "Its name")), responses(
    (status = 200, description = "What it is", body = Country),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(host): State<Arc<Host>>,
    _: Who,
    Path(country): Path<String>,
) -> Result<Response, Problem> {
    Ok(json(&Country::of(&*open(&host, country).await?)))
}

/// A variable of a country: a column of its people.
#[derive(Debug, Serialize, ToSchema)]
struct Variable {
    name: String,
    description: String,
    /// How many levels it has
    levels: usize,
    /// The least and the largest, of numbers
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<[i32; 2]>,
    /// Whether some people have none
    nullable: bool,
}

/// The variables of a country.
#[utoipa::path(get, path = "/v1/countries/{country}/variables", tag = "countries",
    params(("country" = String, Path, description = "Its name")), responses(
    (status = 200, description = "All of them", body = Vec<Variable>),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn variables(
    State(host): State<Arc<Host>>,
    _: Who,
    Path(country): Path<String>,
) -> Result<Response, Problem> {
    let pack = open(&host, country).await?;
    let shown = pack.variables().iter().filter(|v| !v.hidden);
    let variables = shown.map(|variable| Variable {
        name: variable.name.clone(),
        description: variable.description.clone(),
        levels: variable.len(),
        range: match variable.levels {
            Levels::Integer { min, max } => Some([min, max]),
            Levels::Text(_) => None,
        },
        nullable: variable.null_level.is_some(),
    });
    Ok(json(&variables.collect::<Vec<_>>()))
}

/// A level, and how many have it.
#[derive(Debug, Serialize, ToSchema)]
struct Level {
    /// NULL where the column has none
    level: Option<String>,
    /// The level in plain words, where these are others
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The exact share of the country's people
    share: f64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelsAsked {
    /// What the levels, or their labels, begin with, in any case
    #[serde(default)]
    prefix: String,
    /// At most so many, the most frequent first
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 65536)]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// The levels of a variable, the most frequent first.
#[utoipa::path(get, path = "/v1/countries/{country}/variables/{variable}", tag = "countries",
    params(("country" = String, Path, description = "Its name"),
           ("variable" = String, Path, description = "The variable's name"), LevelsAsked), responses(
    (status = 200, description = "The levels", body = Vec<Level>),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn levels(
    State(host): State<Arc<Host>>,
    _: Who,
    Path((country, name)): Path<(String, String)>,
    Query(asked): Query<LevelsAsked>,
) -> Result<Response, Problem> {
    let pack = open(&host, country).await?;
    let Some(variable) = pack.variables().iter().find(|v| v.name == name && !v.hidden) else {
        let names: Vec<&str> = pack.variables().iter().filter(|v| !v.hidden).map(|v| v.name.as_str()).collect();
        let hint = populace_population::there_are(&name, &names);
        return Err(Problem::not_found(format!("{} has no variable {name}{hint}", pack.name())));
    };
    let variable = variable.clone();
    let shares = {
        let (pack, name) = (pack.clone(), name.clone());
        host.beside(move || pack.marginal(&name)).await?.map_err(|e| broken(&e))?
    };
    let prefix = asked.prefix.to_lowercase();
    let level = |at: usize| (Some(at) != variable.null_level.map(usize::from)).then(|| variable.label(at));
    let words = packs::labels::of_country(pack.name());
    let all = shares.into_iter().enumerate().map(|(at, share)| {
        let level = level(at);
        let label = level.as_ref().map(|level| words.words(&name, level)).filter(|label| level.as_ref() != Some(label));
        Level { level, label, share }
    });
    let begins = |l: &Level| {
        let mut said = l.level.iter().chain(&l.label);
        prefix.is_empty() || said.any(|text| text.to_lowercase().starts_with(&prefix))
    };
    let mut levels: Vec<Level> = all.filter(begins).collect();
    levels.sort_by(|a, b| b.share.total_cmp(&a.share));
    levels.truncate(asked.limit);
    Ok(json(&levels))
}

/// The map of a country, as TopoJSON: a shape for each level of one variable, as they lie on a page, in points from the
/// upper left; with its source and licence.
#[utoipa::path(get, path = "/v1/countries/{country}/map", tag = "countries",
    params(("country" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The map; its object is called by the variable", content_type = "application/json",
     body = Object),
    (status = 304, description = "It is the one that `if-none-match` names"),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn map(_: Who, Path(country): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    static MAPS: LazyLock<BTreeMap<&'static str, Kept>> = LazyLock::new(|| {
        let maps = packs::NAMES.into_iter().filter_map(|name| Some((name, packs::map_of(name)?.0)));
        maps.map(|(name, text)| (name, Kept::new("application/json", text.as_bytes()))).collect()
    });
    match MAPS.get(country.as_str()) {
        Some(map) => Ok(map.response(&headers, "no-cache")),
        None if packs::NAMES.contains(&country.as_str()) => {
            Err(Problem::not_found(format!("there is no map of {country}")))
        }
        None => Err(Problem::not_found(packs::unknown(&country))),
    }
}

/// A figure that a country's people agree with, or are held against.
#[derive(Debug, Serialize, ToSchema)]
struct Figure {
    name: String,
    title: String,
    /// `official` or `estimate`
    status: String,
    year: String,
    /// The variables that it is of
    variables: Vec<String>,
    cells: usize,
    source: Source,
    /// Whether the people were made to agree with it; otherwise it is held out, to judge them by
    fitted: bool,
    /// The largest total variation distance of the people from it, where they were made to agree with it
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<f64>,
}

/// Where a figure comes from.
#[derive(Debug, Serialize, ToSchema)]
struct Source {
    agency: String,
    title: String,
    year: String,
    licence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<String>,
}

/// The figures of a country, with their sources and licences.
#[utoipa::path(get, path = "/v1/countries/{country}/figures", tag = "countries",
    params(("country" = String, Path, description = "Its name")), responses(
    (status = 200, description = "All of them", body = Vec<Figure>),
    (status = "4XX", description = "What was wrong", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn figures(
    State(host): State<Arc<Host>>,
    _: Who,
    Path(country): Path<String>,
) -> Result<Response, Problem> {
    let pack = open(&host, country).await?;
    let source = |id: &str| {
        let found = pack.sources().iter().find(|s| s.id == id);
        Source {
            agency: found.map_or(String::new(), |s| s.agency.clone()),
            title: found.map_or(String::new(), |s| s.title.clone()),
            year: found.map_or(String::new(), |s| s.year.clone()),
            licence: found.map_or(String::new(), |s| s.licence.clone()),
            attribution: found.and_then(|s| s.attribution.clone()),
        }
    };
    let figure = |f: &populace_population::Figure, fitted: bool| Figure {
        name: f.name.clone(),
        title: f.title.clone(),
        status: f.status.to_string(),
        year: f.year.clone(),
        variables: f.columns.iter().map(|c| c.variable.clone()).collect(),
        cells: f.len(),
        source: source(&f.source),
        fitted,
        distance: f.fits.iter().filter(|fit| fit.binding).map(|fit| fit.total_variation).reduce(f64::max),
    };
    let fitted = pack.figures().iter().map(|f| figure(f, true));
    Ok(json(&fitted.chain(pack.holdouts().iter().map(|f| figure(f, false))).collect::<Vec<_>>()))
}
