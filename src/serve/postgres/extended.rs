//! Statements that are prepared, bound to values, described and executed, each by a message of its own.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tokio::time::Instant;

use super::catalog::Asked;
use super::flow::Flow;
use super::messages::{Bind, Named, Severity, broken};
use super::names::Names;
use super::parameters::{parameter, stand_in};
use super::session::{Place, Session, Stop, too_long};
use super::simple::{no_cursor, single};
use super::sqlstate;
use super::text::{Control, Piece, What};
use super::types;
use crate::engine::{Engine, Error, ErrorKind};
use crate::serve::answers::{Answers, described};
use crate::serve::observed::Named as Action;
use crate::sql::{Parameter, Statement};

/// Bytes of statements that a connection may have prepared.
const PREPARED: usize = 16 << 20;

/// Portals that a connection may have open.
const PORTALS: usize = 1000;

/// A statement that is kept, with places for values.
#[derive(Clone)]
pub(super) struct Prepared {
    /// Nothing where the text was empty
    what: Option<What>,
    place: Place,
    statement: Option<Statement>,
    answers: Answers,
    /// What its columns are called
    names: Names,
    /// How many values it takes
    takes: usize,
    /// Those of them that the statement is planned with: what is asked of tables without rows needs few
    uses: Vec<usize>,
    /// The types of the values: those that the client has named, then those that are written beside them; 0 for others
    types: Vec<u32>,
    /// What the client was told of its rows
    described: Option<Option<SchemaRef>>,
}

impl Prepared {
    pub fn empty() -> Prepared {
        Prepared {
            what: None,
            place: Place::default(),
            statement: None,
            answers: Answers::Done(String::new(), false),
            names: Names::default(),
            takes: 0,
            uses: vec![],
            types: vec![],
            described: None,
        }
    }

    pub fn new(piece: Piece, asked: Option<Asked>, mut types: Vec<u32>) -> Prepared {
        // Clients that ask about types know this one: oid[].
        if types.is_empty() && super::catalog::asks_for_types(&piece.text) {
            types.push(1028);
        }
        let place = Place::new(&piece.text, piece.before);
        let what = Some(piece.what);
        let Some(Asked { statement, takes, names }) = asked else {
            return Prepared { what, place, types, ..Prepared::empty() };
        };
        let answers = Answers::of(&statement, &piece.text);
        let (statement, uses) = statement.renumbered();
        types.resize(takes.max(types.len()), 0);
        for (at, kind) in statement.parameter_types() {
            let at = uses.get(at).and_then(|at| types.get_mut(*at));
            if let Some(oid) = at.filter(|oid| **oid == 0) {
                *oid = types::oid(&kind);
            }
        }
        Prepared { what, place, statement: Some(statement), answers, names, takes, uses, types, described: None }
    }
}

/// A statement with its values.
pub(super) struct Portal {
    prepared: Arc<Prepared>,
    values: Vec<Parameter>,
    formats: Vec<i16>,
    state: State,
    /// One of DECLARE, which outlives the messages of a statement
    pub is_cursor: bool,
}

enum State {
    Waiting,
    Flowing(Box<Flow>),
    /// Its rows have ended
    Done,
    /// They were not taken in time
    Expired,
}

impl Portal {
    /// When what it has begun is to be done.
    pub fn until(&self) -> Option<Instant> {
        match &self.state {
            State::Flowing(flow) => Some(flow.until.0),
            _ => None,
        }
    }

    pub fn expire(&mut self) {
        self.state = State::Expired;
    }
}

impl Session {
    pub async fn parse(&mut self, name: String, sql: &str, types: Vec<u32>) -> Result<(), Stop> {
        if !name.is_empty() && self.prepared.contains_key(&name) {
            let error = Error::new(ErrorKind::Exists, format!("there is a prepared statement {name} already"));
            return Err(error.hint(format!("DEALLOCATE {name} forgets it")).into());
        }
        let kept: usize = self.prepared.values().map(|p| p.place.text.len() + 200).sum();
        if kept + sql.len() > PREPARED {
            let text = format!("the prepared statements of the connection have more than {PREPARED} bytes");
            return Err(Error::new(ErrorKind::Limit, text).hint("DEALLOCATE ALL forgets them").into());
        }
        self.place = Place::new(sql, 0);
        let piece = single(sql)?;
        if let Some(piece) = &piece {
            self.place = Place::new(&piece.text, piece.before);
        }
        let prepared = self.prepare(piece, types).await?;
        self.prepared.insert(name, Arc::new(prepared));
        self.socket.said.step(b'1');
        Ok(())
    }

    pub fn bind(&mut self, bind: Bind) -> Result<(), Stop> {
        let prepared = self.kept(&bind.statement)?;
        let Bind { portal, formats, values, results, .. } = bind;
        if values.len() != prepared.takes {
            let text = format!("the statement takes {} values, and {} are given", prepared.takes, values.len());
            return Err(Stop::Coded(sqlstate::PROTOCOL, Error::new(ErrorKind::Usage, text)));
        }
        if formats.iter().chain(&results).any(|format| !matches!(format, 0 | 1)) {
            return Err(broken("a format that is neither text nor binary").into());
        }
        let format = |at: usize| match &formats[..] {
            [] => 0,
            [one] => *one,
            each => each.get(at).copied().unwrap_or(0),
        };
        let value = |(at, value): (usize, &Option<Vec<u8>>)| {
            let oid = prepared.types.get(at).copied().unwrap_or(0);
            parameter(at, oid, format(at) == 1, value.as_deref())
        };
        let values: Vec<Parameter> = values.iter().enumerate().map(value).collect::<Result<_, _>>()?;
        let values = prepared.uses.iter().filter_map(|at| values.get(*at).cloned()).collect();
        self.open(portal, Portal { prepared, values, formats: results, state: State::Waiting, is_cursor: false })?;
        self.socket.said.step(b'2');
        Ok(())
    }

    fn open(&mut self, name: String, portal: Portal) -> Result<(), Stop> {
        if !name.is_empty() && self.portals.contains_key(&name) {
            let error = Error::new(ErrorKind::Exists, format!("there is a portal {name} already"));
            return Err(Stop::Coded("42P03", error));
        }
        if self.portals.len() >= PORTALS {
            let text = format!("more than {PORTALS} portals are open");
            return Err(Error::new(ErrorKind::Limit, text).hint("CLOSE ALL closes them").into());
        }
        self.portals.insert(name, portal);
        Ok(())
    }

    fn kept(&self, name: &str) -> Result<Arc<Prepared>, Error> {
        self.prepared
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no prepared statement {name}")))
    }

    pub async fn describe(&mut self, named: Named) -> Result<(), Stop> {
        match named {
            Named::Statement(name) => {
                let prepared = self.kept(&name)?;
                self.place = prepared.place.clone();
                let (types, schema) = self.described(&prepared).await?;
                self.socket.said.parameters(&types);
                self.tell_columns(schema.as_ref().map(|schema| types::columns(schema, &[])));
                let told = Prepared { types, described: Some(schema), ..Prepared::clone(&prepared) };
                self.prepared.insert(name, Arc::new(told));
            }
            Named::Portal(name) => {
                let mut portal = self.portals.remove(&name).ok_or_else(|| no_cursor(&name))?;
                self.place = portal.prepared.place.clone();
                let begun = self.begun(&mut portal).await;
                let schema = match (&portal.state, &portal.prepared.described) {
                    (State::Flowing(flow), _) => Some(flow.schema.clone()),
                    (_, Some(told)) => told.clone(),
                    _ => None,
                };
                let columns = schema.map(|schema| types::columns(&schema, &portal.formats));
                self.portals.insert(name, portal);
                begun?;
                self.tell_columns(columns);
            }
        }
        Ok(())
    }

    /// The types of a statement's parameters, and what its rows are like, before anything of it runs.
    async fn described(&mut self, prepared: &Prepared) -> Result<(Vec<u32>, Option<SchemaRef>), Stop> {
        let mut types = prepared.types.clone();
        types.resize(prepared.takes.max(types.len()), 0);
        let text = |types: Vec<u32>| types.into_iter().map(|oid| if oid == 0 { types::TEXT } else { oid }).collect();
        let statement = match (&prepared.what, &prepared.statement) {
            (Some(What::Control(control)), _) => {
                let schema = self.control_schema(control)?;
                return Ok((text(types), schema));
            }
            (Some(What::Sql), Some(statement)) => statement.clone(),
            _ => return Ok((text(types), None)),
        };
        self.may_run()?;
        self.known().await?;
        self.zoned().await?;
        if prepared.takes == 0 && prepared.answers != Answers::Rows {
            return Ok((types, None));
        }
        let given = self.given();
        let (host, who, engine) = (self.host.clone(), self.who.clone(), self.engine.clone());
        let action = Action { protocol: "postgres", action: "describe" };
        let of = |at: &usize| stand_in(types.get(*at).copied().unwrap_or(0));
        let stand_ins: Vec<Parameter> = prepared.uses.iter().map(of).collect();
        let work = move |engine: Engine| async move { described(&engine, &statement, stand_ins).await };
        let until = (Instant::now() + given, given);
        let found = self.guarded(until, host.compute_in(Some(engine), &who, action, work)).await;
        let found = match found {
            Ok(found) => found,
            // What it does is seen when it runs; what was meant by the parameters is for the client to say.
            Err(Stop::Failed(_)) if prepared.answers != Answers::Rows => return Ok((text(types), None)),
            Err(stop) => return Err(stop),
        };
        for (name, kind) in &found.parameters {
            let at = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
            let place = at.checked_sub(1).and_then(|at| prepared.uses.get(at)).and_then(|at| types.get_mut(*at));
            if let Some(oid) = place.filter(|oid| **oid == 0) {
                *oid = types::oid(kind);
            }
        }
        let schema = (prepared.answers == Answers::Rows).then(|| prepared.names.told(found.schema));
        Ok((text(types), schema))
    }

    fn control_schema(&self, control: &Control) -> Result<Option<SchemaRef>, Stop> {
        match control {
            Control::Show(_) => Ok(Some(self.shown(control)?.schema())),
            Control::Fetch { name, .. } => match self.portals.get(name).map(|portal| &portal.state) {
                Some(State::Flowing(flow)) => Ok(Some(flow.schema.clone())),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Begins a portal's query, if that was not done. What has no rows is not begun.
    async fn begun(&mut self, portal: &mut Portal) -> Result<(), Stop> {
        if !matches!(portal.state, State::Waiting) || portal.prepared.answers != Answers::Rows {
            if let (State::Waiting, Some(What::Control(control))) = (&portal.state, &portal.prepared.what)
                && matches!(control, Control::Show(_))
            {
                let batch = self.shown(control)?;
                portal.state = State::Flowing(Box::new(Flow::ready(batch, self.given())));
            }
            return Ok(());
        }
        let Some(statement) = portal.prepared.statement.clone() else { return Ok(()) };
        self.may_run()?;
        let statement = statement.with_parameters(&portal.values).map_err(|e| Error::from(&e))?;
        let described = portal.prepared.described.clone().flatten();
        let mut flow = self.start("query", statement, described.as_ref()).await?;
        flow.schema = portal.prepared.names.told(flow.schema);
        portal.state = State::Flowing(Box::new(flow));
        Ok(())
    }

    pub async fn execute(&mut self, name: &str, most: i32) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        self.place = portal.prepared.place.clone();
        let done = self.executed(&mut portal, most.max(0) as u64).await;
        if done.is_err() {
            // What has failed holds no place any more.
            portal.state = State::Done;
        }
        // COMMIT has closed them all.
        self.portals.entry(name.into()).or_insert(portal);
        done
    }

    async fn executed(&mut self, portal: &mut Portal, most: u64) -> Result<(), Stop> {
        let prepared = portal.prepared.clone();
        match &prepared.what {
            None => {
                self.socket.said.step(b'I');
                return Ok(());
            }
            Some(What::Control(control)) if !matches!(portal.state, State::Flowing(_)) => {
                // Its rows, if it has any, were told of by the description of the statement.
                return self.control_in(control, &portal.formats).await;
            }
            Some(What::Copy(copy)) => {
                self.may_run()?;
                return self.copy(copy).await;
            }
            _ => {}
        }
        self.begun(portal).await?;
        match &mut portal.state {
            State::Flowing(flow) => {
                let columns = types::columns(&flow.schema, &portal.formats);
                let before = flow.rows;
                if self.rows(flow, &columns, most).await? {
                    let tag = match &prepared.what {
                        Some(What::Control(_)) => "SHOW".to_string(),
                        _ => format!("SELECT {}", flow.rows - before),
                    };
                    portal.state = State::Done;
                    self.socket.said.done(&tag);
                } else {
                    self.socket.said.step(b's');
                }
            }
            State::Done => self.socket.said.done("SELECT 0"),
            State::Expired => return Err(too_long(self.given()).into()),
            State::Waiting => {
                portal.state = State::Done;
                self.ran(&prepared, &portal.values).await?;
            }
        }
        Ok(())
    }

    /// Runs what has no rows.
    async fn ran(&mut self, prepared: &Prepared, values: &[Parameter]) -> Result<(), Stop> {
        let Some(statement) = prepared.statement.clone() else { return Ok(()) };
        self.may_run()?;
        let statement = statement.with_parameters(values).map_err(|e| Error::from(&e))?;
        if prepared.answers.writes() {
            self.writes();
        }
        let mut flow = self.start("query", statement, None).await?;
        let count = self.count(&mut flow).await?;
        match &prepared.answers {
            Answers::Counted(tag) => self.socket.said.done(&format!("{tag} {count}")),
            Answers::Done(tag, _) => self.socket.said.done(tag),
            Answers::Rows => {}
        }
        if prepared.answers.writes() {
            self.wrote();
        }
        Ok(())
    }

    /// Does what is of the connection; rows were told of.
    async fn control_in(&mut self, control: &Control, formats: &[i16]) -> Result<(), Stop> {
        // A single format is that of all, and tells from none.
        let formats = if formats.is_empty() { vec![0] } else { formats.to_vec() };
        Box::pin(self.control(control, Some(&formats))).await
    }

    pub fn close(&mut self, named: &Named) {
        match named {
            Named::Statement(name) => _ = self.prepared.remove(name),
            Named::Portal(name) => _ = self.portals.remove(name),
        }
        self.socket.said.step(b'3');
    }

    /// Keeps a query as a cursor.
    pub fn declare(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<(), Stop> {
        if prepared.answers != Answers::Rows || prepared.takes > 0 {
            return Err(Error::new(ErrorKind::Usage, "a cursor is of a query without parameters").into());
        }
        self.open(
            name.into(),
            Portal { prepared, values: vec![], formats: vec![], state: State::Waiting, is_cursor: true },
        )
    }

    /// Sends the next rows of a cursor.
    pub async fn fetch(
        &mut self,
        name: &str,
        rows: Option<u64>,
        moves: bool,
        formats: Option<&[i16]>,
    ) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let done = self.fetched(&mut portal, rows, moves, formats).await.map_err(Stop::without_place);
        if done.is_err() {
            portal.state = State::Done;
        }
        self.portals.insert(name.into(), portal);
        done
    }

    async fn fetched(
        &mut self,
        portal: &mut Portal,
        rows: Option<u64>,
        moves: bool,
        formats: Option<&[i16]>,
    ) -> Result<(), Stop> {
        self.begun(portal).await?;
        let tag = if moves { "MOVE" } else { "FETCH" };
        let State::Flowing(flow) = &mut portal.state else {
            if matches!(portal.state, State::Expired) {
                return Err(too_long(self.given()).into());
            }
            self.socket.said.done(&format!("{tag} 0"));
            return Ok(());
        };
        if moves {
            let before = flow.rows;
            if rows != Some(0) {
                self.flow(flow, rows.unwrap_or(0), |_, _, _| {}).await?;
            }
            self.socket.said.done(&format!("{tag} {}", flow.rows - before));
            return Ok(());
        }
        if rows == Some(0) {
            self.say(Severity::Notice, sqlstate::NOTICE, "FETCH 0 fetches nothing");
        }
        // 0 is for all of them.
        match rows {
            Some(0) => {
                let columns = types::columns(&flow.schema, &[]);
                if formats.is_some_and(<[i16]>::is_empty) {
                    self.socket.said.columns(&columns);
                }
                self.socket.said.done("FETCH 0");
                Ok(())
            }
            rows => self.send_rows(flow, formats, rows.unwrap_or(0), tag).await,
        }
    }
}
