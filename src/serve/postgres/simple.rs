//! Statements in one message, whose rows are sent as text.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::catalog::Asked;
use super::extended::Prepared;
use super::flow::Flow;
use super::messages::{Column, Severity};
use super::session::{Block, Place, Session, Stop};
use super::settings::{self, Change};
use super::socket::Lost;
use super::sqlstate;
use super::text::{Control, Piece, What, pieces};
use super::types;
use crate::engine::{Error, ErrorKind};
use crate::serve::answers::Answers;

impl Session {
    /// Runs the statements of a text, up to one that fails.
    pub async fn query(&mut self, sql: &str) -> Result<(), Lost> {
        let pieces = match pieces(sql) {
            Ok(pieces) => pieces,
            Err(error) => {
                self.place = Place::new(sql, 0);
                self.failed(&error.into());
                return Ok(());
            }
        };
        if pieces.is_empty() {
            self.socket.said.step(b'I');
        }
        for piece in pieces {
            self.place = Place::new(&piece.text, piece.before);
            match self.piece(&piece).await {
                Ok(()) => {}
                Err(Stop::Lost(lost)) => return Err(lost),
                Err(stop) => {
                    self.failed(&stop);
                    break;
                }
            }
        }
        Ok(())
    }

    async fn piece(&mut self, piece: &Piece) -> Result<(), Stop> {
        match &piece.what {
            What::Control(control) => self.control(control, Some(&[])).await,
            What::Copy(copy) => {
                self.may_run()?;
                self.copy(copy).await
            }
            What::Sql => {
                self.may_run()?;
                let asked = self.parsed(piece).await?;
                let answers = Answers::of(&asked.statement, &piece.text);
                self.run(asked, &answers).await
            }
        }
    }

    /// The statement of a text.
    pub async fn parsed(&mut self, piece: &Piece) -> Result<Asked, Stop> {
        let (engine, text) = (self.engine.clone(), piece.text.clone());
        // It may nest deep.
        Ok(self.host.on_runtime(async move { super::catalog::parsed(&engine, &text) }).await??)
    }

    /// Runs a statement from its begin to its end.
    async fn run(&mut self, asked: Asked, answers: &Answers) -> Result<(), Stop> {
        if answers.writes() {
            self.writes();
        }
        let mut flow = self.start("query", asked.statement, None).await?;
        flow.schema = asked.names.told(flow.schema);
        match answers {
            Answers::Rows => {
                let columns = types::columns(&flow.schema, &[]);
                self.socket.said.columns(&columns);
                self.rows(&mut flow, &columns, 0).await?;
                self.socket.said.done(&format!("SELECT {}", flow.rows));
            }
            Answers::Counted(tag) => {
                let count = self.count(&mut flow).await?;
                self.socket.said.done(&format!("{tag} {count}"));
            }
            Answers::Done(tag, _) => {
                self.count(&mut flow).await?;
                self.socket.said.done(tag);
            }
        }
        if answers.writes() {
            self.wrote();
        }
        Ok(())
    }

    /// Does what is of the connection. `formats` are those of rows that were not told of yet; none where they were.
    pub async fn control(&mut self, control: &Control, formats: Option<&[i16]>) -> Result<(), Stop> {
        let ends = matches!(control, Control::Commit | Control::Rollback | Control::RollbackTo);
        if !ends {
            self.may_run()?;
        }
        match control {
            Control::Begin => {
                match self.block {
                    Block::None => self.block = Block::Open(0),
                    _ => self.say(Severity::Warning, "25001", "there is a block already, which goes on"),
                }
                self.socket.said.done("BEGIN");
            }
            Control::Commit | Control::Rollback => self.end_block(*control == Control::Commit),
            Control::RollbackTo => {
                self.undone();
                if let Block::Failed(writes) = self.block {
                    self.block = Block::Open(writes);
                }
                self.socket.said.done("ROLLBACK");
            }
            Control::Savepoint(tag) => self.socket.said.done(tag),
            Control::Set { name, value } => self.set(name, value.clone())?,
            Control::Show(_) => {
                let batch = self.shown(control)?;
                let mut flow = Flow::ready(batch, self.given());
                self.send_rows(&mut flow, formats, 0, "SHOW").await?;
            }
            Control::Discard { all } => {
                if *all {
                    self.prepared.clear();
                    self.portals.clear();
                    self.settings.reset();
                    self.forget_all().await?;
                }
                self.socket.said.done(if *all { "DISCARD ALL" } else { "DISCARD" });
            }
            Control::Deallocate(name) => {
                match name {
                    None => {
                        self.prepared.clear();
                        self.forget_all().await?;
                    }
                    Some(name) if self.prepared.remove(name).is_some() => {}
                    // It may be one of PREPARE.
                    Some(name) => {
                        let text = format!("DEALLOCATE {}", crate::sql::quoted_name(name));
                        self.quietly(text).await?;
                    }
                }
                self.socket.said.done(if name.is_none() { "DEALLOCATE ALL" } else { "DEALLOCATE" });
            }
            Control::Close(name) => {
                match name {
                    None => self.portals.clear(),
                    Some(name) => {
                        self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
                    }
                }
                self.socket.said.done("CLOSE CURSOR");
            }
            Control::Declare { name, query } => {
                let prepared = self.prepare(single(query)?, vec![]).await?;
                self.declare(name, Arc::new(prepared))?;
                self.socket.said.done("DECLARE CURSOR");
            }
            Control::Fetch { name, rows, moves } => self.fetch(name, *rows, *moves, formats).await?,
            Control::Nothing(tag) => self.socket.said.done(tag),
        }
        Ok(())
    }

    /// Sends rows, told of before where that was not done.
    pub async fn send_rows(
        &mut self,
        flow: &mut Flow,
        formats: Option<&[i16]>,
        most: u64,
        tag: &str,
    ) -> Result<(), Stop> {
        let columns = types::columns(&flow.schema, formats.unwrap_or_default());
        if formats.is_some_and(<[i16]>::is_empty) {
            self.socket.said.columns(&columns);
        }
        let before = flow.rows;
        self.rows(flow, &columns, most).await?;
        let counted = format!("{tag} {}", flow.rows - before);
        self.socket.said.done(if tag == "SHOW" { tag } else { &counted });
        Ok(())
    }

    /// The statements that PREPARE kept.
    async fn forget_all(&mut self) -> Result<(), Stop> {
        self.quietly("DEALLOCATE ALL".into()).await
    }

    async fn quietly(&mut self, text: String) -> Result<(), Stop> {
        let asked = self.parsed(&Piece { text, before: 0, what: What::Sql }).await?;
        let mut flow = self.start("deallocate", asked.statement, None).await?;
        self.count(&mut flow).await.map(|_| ())
    }

    fn end_block(&mut self, commits: bool) {
        match (self.block, commits) {
            (Block::None, _) => {
                self.say(Severity::Warning, sqlstate::NO_TRANSACTION, "there is no block that could end");
            }
            (Block::Open(_), true) => {}
            _ => self.undone(),
        }
        let failed = matches!(self.block, Block::Failed(_));
        self.block = Block::None;
        self.portals.clear();
        self.socket.said.done(if commits && !failed { "COMMIT" } else { "ROLLBACK" });
    }

    /// Says that what a block has written stays.
    fn undone(&mut self) {
        if let Block::Open(writes @ 1..) | Block::Failed(writes @ 1..) = self.block {
            let text = format!(
                "{writes} statement{} of this block wrote, and {} not undone: each is committed by itself. RESTORE TABLE \
                 brings a table back to a version",
                if writes == 1 { "" } else { "s" },
                if writes == 1 { "is" } else { "are" },
            );
            self.say(Severity::Warning, sqlstate::WARNING, &text);
        }
    }

    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), Stop> {
        let reset = value.is_none();
        if reset && name == "all" {
            self.settings.reset();
        } else {
            let change = self.settings.set(name, value);
            match change.refusal(name) {
                Some(text) if change == Change::Fixed => {
                    return Err(Stop::Coded("55P02", Error::new(ErrorKind::Usage, text)));
                }
                Some(text) => return Err(Error::new(ErrorKind::Usage, text).into()),
                None if change == Change::Ignored => {
                    let text = format!("{name} has no meaning here, and is not set");
                    self.say(Severity::Notice, sqlstate::NOTICE, &text);
                }
                None => {}
            }
        }
        self.socket.said.done(if reset { "RESET" } else { "SET" });
        Ok(())
    }

    /// The rows of SHOW.
    pub fn shown(&self, control: &Control) -> Result<RecordBatch, Error> {
        let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let batch = match control {
            Control::Show(all) if all == "all" => {
                let (names, values): (Vec<String>, Vec<String>) =
                    self.settings.all().into_iter().map(|(n, v)| (settings::spelled(n).to_string(), v)).unzip();
                RecordBatch::try_from_iter([("name", text(names)), ("setting", text(values))])
            }
            Control::Show(name) => {
                let value = self.settings.get(name).unwrap_or_default();
                RecordBatch::try_from_iter([(settings::spelled(name), text(vec![value]))])
            }
            _ => RecordBatch::try_from_iter([("value", text(vec![]))]),
        };
        batch.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    /// Tells of columns, or that there are none.
    pub fn tell_columns(&mut self, columns: Option<Vec<Column>>) {
        match columns {
            Some(columns) => self.socket.said.columns(&columns),
            None => self.socket.said.step(b'n'),
        }
    }

    /// A statement, to be kept; of these types are its values, as far as the client says.
    pub async fn prepare(&mut self, piece: Option<Piece>, types: Vec<u32>) -> Result<Prepared, Stop> {
        let Some(piece) = piece else { return Ok(Prepared::empty()) };
        let asked = match piece.what {
            What::Sql => Some(self.parsed(&piece).await?),
            _ => None,
        };
        Ok(Prepared::new(piece, asked, types))
    }
}

/// The only statement of a text, if there is one.
///
/// # Errors
/// If there are several, or the text cannot be cut.
pub(super) fn single(sql: &str) -> Result<Option<Piece>, Error> {
    let mut all = pieces(sql)?;
    match (all.pop(), all.len()) {
        (one, 0) => Ok(one),
        (_, more) => {
            let text = format!("one statement can be prepared at a time, and here are {}", more + 1);
            Err(Error::new(ErrorKind::Syntax, text))
        }
    }
}

pub(super) fn no_cursor(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no portal {name}"))
}
