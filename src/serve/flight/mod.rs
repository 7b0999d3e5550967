//! Arrow Flight SQL, for ADBC, JDBC and whoever speaks gRPC: rows as Arrow, on the port of HTTP.
//!
//! Every call stands by itself. What a client is handed, a ticket or a prepared statement, says all that is to be known of
//! it, under a seal; whoever comes with it may do what they may, and no more. So there is no session between calls: a view
//! or a setting is gone with the statement that made it.

mod handle;
mod ingest;
mod metadata;
mod parameters;
mod received;
mod rows;
mod status;

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandGetCatalogs,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use futures::{Stream, stream};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use self::handle::{Handle, Key, schema_bytes};
use self::ingest::Ingest;
use self::received::Rows;
use self::rows::{Data, Fetched, ready, shown, without_rows};
use self::status::{internal, status};
use super::answers::{Answers, described};
use super::observed::Named;
use super::principal::{Principal, Who};
use super::statements::{Host, one};
use crate::engine::{Engine, Error, ErrorKind};
use crate::sql::{Parameter, Statement};

pub(super) use status::refused;

/// Where the service answers, as gRPC names it.
pub(super) const ROUTE: &str = "/arrow.flight.protocol.FlightService/{call}";

/// The most bytes of a message.
const MESSAGE: usize = 64 << 20;

/// Rows of values that one statement is run with.
const ROWS: usize = 100_000;

/// Those that are bound before it is run, which come back with it.
const BOUND: usize = 1000;

/// An action of later clients in the place of CancelQuery.
const CANCEL: &str = "CancelFlightInfo";

type Answered<T> = Result<Response<T>, Status>;
type Results = Pin<Box<dyn Stream<Item = Result<arrow_flight::Result, Status>> + Send>>;

/// The service.
///
/// # Errors
/// If the machine has no random numbers.
pub(super) fn service(host: Arc<Host>) -> Result<FlightServiceServer<impl FlightService>, Error> {
    let key = Key::new().map_err(|e| Error::new(ErrorKind::Io, format!("no random numbers: {e}")))?;
    let flight = Flight { host, key, fetched: Arc::default() };
    Ok(FlightServiceServer::new(flight).max_decoding_message_size(MESSAGE).max_encoding_message_size(usize::MAX))
}

struct Flight {
    host: Arc<Host>,
    key: Key,
    fetched: Arc<Fetched>,
}

/// A statement, and what it is answered with.
struct Read {
    text: String,
    statement: Statement,
    answers: Answers,
}

impl Read {
    fn of(engine: &Engine, text: &str) -> datafusion::common::Result<Read> {
        let statement = one(engine, text)?.numbered();
        let answers = Answers::of(&statement, text);
        Ok(Read { text: text.into(), statement, answers })
    }
}

fn named(action: &'static str) -> Named {
    Named { protocol: "flight", action }
}

fn who<T>(request: &Request<T>) -> Result<Arc<Principal>, Status> {
    let who = request.extensions().get::<Who>();
    who.map(|who| who.0.clone()).ok_or_else(|| Status::unauthenticated("a token that is good is wanted"))
}

impl Flight {
    /// Tells what a statement's rows will be like, and hands out what they are fetched with. A statement without rows runs at
    /// once: a client need not fetch what became of it.
    async fn info(&self, text: String, request: Request<FlightDescriptor>) -> Answered<FlightInfo> {
        let who = who(&request)?;
        let asked = text.clone();
        let work = move |engine: Engine| async move {
            let Read { text, statement, answers } = Read::of(&engine, &text)?;
            if answers != Answers::Rows {
                return Ok(Err(answers));
            }
            let schema = shown(&described(&engine, &statement, vec![]).await?.schema);
            Ok(Ok((statement.seeded().unwrap_or(text), schema)))
        };
        let (handle, written) = match self.host.compute(&who, named("info"), work).await.map_err(status)? {
            Ok((text, schema)) => (Handle::new(text, Some(schema)).map_err(internal)?, None),
            Err(answers) => {
                let answer = self.run(&who, "execute", asked.clone(), vec![]).await?;
                let outcome = rows::outcome(answer, &answers).await?;
                let written = outcome.parse().ok().filter(|_| matches!(answers, Answers::Counted(_)));
                let handle = Handle::new(asked, Some(without_rows(&answers))).map_err(internal)?;
                (Handle { outcome: Some(outcome), ..handle }, written)
            }
        };
        let schema = handle.schema.clone().unwrap_or_else(|| Schema::empty().into());
        let ticket = TicketStatementQuery { statement_handle: handle.sealed(&self.key)?.into() };
        // Drivers tell programs this number as how many rows were written.
        told(&schema, ticket.as_any(), request)
            .map(|told| told.map(|info| info.with_total_records(written.unwrap_or(-1))))
    }

    async fn fetch(&self, handle: Handle, who: Arc<Principal>) -> Answered<Data> {
        if let (Some(outcome), Some(schema)) = (&handle.outcome, &handle.schema) {
            return rows::outcome_row(outcome, schema.clone()).map(|row| Response::new(ready(row)));
        }
        let fetching = self.fetched.begin(handle.id, &who);
        let cancelled = fetching.cancelled.clone();
        let begin = async {
            let (schema, text) = (handle.schema.clone(), handle.into_text()?);
            let answer = self.run(&who, "fetch", text, vec![]).await?;
            let schema = schema.unwrap_or_else(|| shown(&answer.schema));
            Ok(rows::send(answer, schema, &who, fetching))
        };
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(rows::cancelled()),
            begun = begin => begun.map(Response::new),
        }
    }

    async fn run(
        &self,
        who: &Arc<Principal>,
        action: &'static str,
        text: String,
        values: Vec<Parameter>,
    ) -> Result<super::statements::Answer, Status> {
        let work = move |engine: Engine| async move {
            let statement = Read::of(&engine, &text)?.statement.with_parameters(&values)?;
            engine.run(statement).await
        };
        self.host.start(who, named(action), work).await.map_err(status)
    }

    fn prepared(&self, bytes: &[u8]) -> Result<Handle, Status> {
        Handle::opened(bytes, &self.key)
    }

    /// Ends what is fetched by a ticket of theirs; whether there was anything.
    fn cancel(&self, info: Option<FlightInfo>, who: &Principal) -> Result<bool, Status> {
        let ticket = info.and_then(|info| info.endpoint.into_iter().next()?.ticket);
        let ticket = ticket.ok_or_else(|| Status::invalid_argument("it names no ticket"))?;
        let ticket = Any::decode(&*ticket.ticket).ok().and_then(|any| any.unpack::<TicketStatementQuery>().ok()?);
        let ticket = ticket.ok_or_else(|| Status::invalid_argument("it names no ticket of a statement"))?;
        let handle = Handle::opened(&ticket.statement_handle, &self.key)?;
        Ok(self.fetched.cancel(handle.id, who))
    }
}

/// Rows that are fetched by a ticket.
fn told(schema: &Schema, ticket: Any, request: Request<FlightDescriptor>) -> Answered<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket.encode_to_vec()));
    let info = FlightInfo::new().try_with_schema(schema).map_err(internal)?;
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(request.into_inner()).with_ordered(true)))
}

fn sent(batch: Result<RecordBatch, impl std::fmt::Display>) -> Answered<Data> {
    batch.map(|batch| Response::new(ready(batch))).map_err(internal)
}

fn none(schema: SchemaRef) -> Answered<Data> {
    Ok(Response::new(ready(RecordBatch::new_empty(schema))))
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Flight;

    /// Somebody who comes with a name and a password is told to come with the password, as a token.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answered<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>> {
        let who = who(&request)?;
        let token = request.metadata().get("authorization").and_then(|value| super::http::token(value.to_str().ok()?));
        let said = HandshakeResponse { protocol_version: 0, payload: who.name.clone().into_bytes().into() };
        let mut response = Response::new(Box::pin(stream::iter([Ok(said)])) as Pin<Box<_>>);
        if let Some(token) = token.and_then(|token| format!("Bearer {token}").parse().ok()) {
            response.metadata_mut().insert("authorization", token);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        self.info(query.query, request).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        let handle = self.prepared(&query.prepared_statement_handle)?;
        self.info(handle.into_text()?, request).await
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, request: Request<Ticket>) -> Answered<Data> {
        let handle = self.prepared(&ticket.statement_handle)?;
        self.fetch(handle, who(&request)?).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Answered<Data> {
        let handle = self.prepared(&query.prepared_statement_handle)?;
        self.fetch(handle, who(&request)?).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        if query.transaction_id.is_some() {
            return Err(Status::unimplemented("there are no transactions: each statement is one"));
        }
        let (who, text) = (who(&request)?, query.query);
        let read = text.clone();
        let work = move |engine: Engine| async move {
            let Read { statement, answers, .. } = Read::of(&engine, &read)?;
            let takes = statement.parameters();
            let stand_ins = vec![parameters::stand_in(); takes];
            let written: Vec<(usize, DataType)> = statement.parameter_types();
            let found = match answers {
                // What cannot be planned before it has values is not in the way of preparing it, if it has no rows.
                Answers::Rows => Some(described(&engine, &statement, stand_ins).await?),
                _ if takes > 0 => described(&engine, &statement, stand_ins).await.ok(),
                _ => None,
            };
            let known = |at: usize| {
                let inferred = found.as_ref().and_then(|found| found.parameters.get(&format!("${}", at + 1)));
                let written = written.iter().find(|(place, _)| *place == at).map(|(_, kind)| kind);
                inferred.or(written).cloned().unwrap_or(DataType::Utf8)
            };
            let fields = (0..takes).map(|at| Field::new(format!("${}", at + 1), known(at), true));
            let parameters = shown(&Schema::new(fields.collect::<Vec<_>>()));
            let rows = found.filter(|_| answers == Answers::Rows).map(|found| shown(&found.schema));
            Ok((rows, parameters))
        };
        let (rows, parameters) = self.host.compute(&who, named("prepare"), work).await.map_err(status)?;
        let handle = Handle::new(text, None).map_err(internal)?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.sealed(&self.key)?.into(),
            // Drivers take a statement that has no schema for one that writes.
            dataset_schema: rows.map(|rows| schema_bytes(&rows)).transpose()?.unwrap_or_default(),
            parameter_schema: match parameters.fields().is_empty() {
                true => prost::bytes::Bytes::new(),
                false => schema_bytes(&parameters)?,
            },
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        // Nothing is kept.
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let (who, handle) = (who(&request)?, self.prepared(&query.prepared_statement_handle)?);
        let batches = Rows::of(request.into_inner()).await?.all(BOUND).await?;
        let of = |batch: &RecordBatch| (0..batch.num_rows()).map(|row| parameters::row(batch, row)).collect::<Vec<_>>();
        let values = batches.iter().flat_map(of).collect::<Result<Vec<_>, _>>().map_err(status)?;
        let template = handle.text.clone();
        let work = move |engine: Engine| async move {
            let statement = Read::of(&engine, &template)?.statement;
            let bound = |values: Vec<Parameter>| match statement.clone().with_parameters(&values)?.text() {
                Some(text) => Ok(text),
                None => datafusion::common::plan_err!("the statement cannot be written with its values"),
            };
            values.into_iter().map(bound).collect::<datafusion::common::Result<Vec<_>>>()
        };
        let bound = self.host.compute(&who, named("bind"), work).await.map_err(status)?;
        let bound = Handle { bound, ..handle };
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(bound.sealed(&self.key)?.into()) })
    }

    async fn do_put_statement_update(
        &self,
        command: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        if command.transaction_id.is_some() {
            return Err(Status::unimplemented("there are no transactions: each statement is one"));
        }
        let answer = self.run(&who(&request)?, "update", command.query, vec![]).await?;
        rows::count(answer).await
    }

    async fn do_put_prepared_statement_update(
        &self,
        command: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let (who, handle) = (who(&request)?, self.prepared(&command.prepared_statement_handle)?);
        let mut data = request.into_inner();
        // A statement without values comes without a schema of any.
        let binds = matches!(data.peek().await, Some(Ok(first)) if !first.data_header.is_empty());
        let batches = if binds { Rows::of(data).await?.all(ROWS).await? } else { vec![] };
        if batches.iter().all(|batch| batch.num_columns() == 0) {
            let mut written = 0;
            for text in handle.into_texts() {
                written += rows::count(self.run(&who, "update", text, vec![]).await?).await?;
            }
            return Ok(written);
        }
        let mut written = 0;
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let values = parameters::row(batch, row).map_err(status)?;
                written += rows::count(self.run(&who, "update", handle.text.clone(), values).await?).await?;
            }
        }
        Ok(written)
    }

    async fn do_put_statement_ingest(
        &self,
        command: CommandStatementIngest,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let (who, ingest) = (who(&request)?, Ingest::new(&command)?);
        let rows = Rows::of(request.into_inner()).await?;
        let work = move |engine: Engine| ingest.run(engine, rows);
        let answer = self.host.start(&who, named("ingest"), work).await.map_err(status)?;
        rows::count(answer).await
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let info = FlightInfo::decode(&*query.info).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let was_there = self.cancel(Some(info), who(&request)?.as_ref())?;
        // Cancelled, or there was nothing that could be.
        Ok(ActionCancelQueryResult { result: if was_there { 1 } else { 3 } })
    }

    async fn do_action_fallback(&self, request: Request<Action>) -> Answered<Results> {
        let who = who(&request)?;
        let action = request.into_inner();
        if action.r#type != CANCEL {
            let text = format!("there is no action {}", action.r#type);
            return Err(status(Error::new(ErrorKind::Unsupported, text)));
        }
        let asked =
            CancelFlightInfoRequest::decode(&*action.body).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let was_there = self.cancel(asked.info, &who)?;
        let said = if was_there { CancelStatus::Cancelled } else { CancelStatus::NotCancellable };
        let body = CancelFlightInfoResult::new(said).encode_to_vec().into();
        Ok(Response::new(Box::pin(stream::iter([Ok(arrow_flight::Result { body })]))))
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        let description = "Ends what is fetched by the ticket of a flight".into();
        Some(vec![Ok(ActionType { r#type: CANCEL.into(), description })])
    }

    async fn get_flight_info_catalogs(
        &self,
        asked: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&asked.into_builder().schema(), asked.as_any(), request)
    }

    async fn get_flight_info_schemas(
        &self,
        asked: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&asked.clone().into_builder().schema(), asked.as_any(), request)
    }

    async fn get_flight_info_tables(
        &self,
        asked: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&asked.clone().into_builder().schema(), asked.as_any(), request)
    }

    async fn get_flight_info_table_types(
        &self,
        asked: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&asked.into_builder().schema(), asked.as_any(), request)
    }

    async fn get_flight_info_sql_info(
        &self,
        asked: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        let info = metadata::INFO.as_ref().ok_or_else(|| internal("it cannot say what it can do"))?;
        told(&info.schema(), asked.as_any(), request)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        asked: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        let types = metadata::TYPES.as_ref().ok_or_else(|| internal("it cannot say what types there are"))?;
        told(&types.schema(), asked.as_any(), request)
    }

    async fn get_flight_info_primary_keys(
        &self,
        asked: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&metadata::primary_keys(), asked.as_any(), request)
    }

    async fn get_flight_info_exported_keys(
        &self,
        asked: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&metadata::foreign_keys(), asked.as_any(), request)
    }

    async fn get_flight_info_imported_keys(
        &self,
        asked: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&metadata::foreign_keys(), asked.as_any(), request)
    }

    async fn get_flight_info_cross_reference(
        &self,
        asked: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Answered<FlightInfo> {
        told(&metadata::foreign_keys(), asked.as_any(), request)
    }

    async fn do_get_catalogs(&self, asked: CommandGetCatalogs, request: Request<Ticket>) -> Answered<Data> {
        let schemas = self.schemas(&who(&request)?).await?;
        let mut built = asked.into_builder();
        let mut catalogs: Vec<String> = schemas.into_iter().map(|(catalog, _)| catalog).collect();
        catalogs.dedup();
        catalogs.into_iter().for_each(|catalog| built.append(catalog));
        sent(built.build())
    }

    async fn do_get_schemas(&self, asked: CommandGetDbSchemas, request: Request<Ticket>) -> Answered<Data> {
        let schemas = self.schemas(&who(&request)?).await?;
        let mut built = asked.into_builder();
        schemas.into_iter().for_each(|(catalog, schema)| built.append(catalog, schema));
        sent(built.build())
    }

    async fn do_get_tables(&self, asked: CommandGetTables, request: Request<Ticket>) -> Answered<Data> {
        let who = who(&request)?;
        let access = who.access.clone();
        let work = move |engine: Engine| metadata::tables(engine, access, asked);
        let tables = self.host.compute(&who, named("tables"), work).await.map_err(status)?;
        Ok(Response::new(ready(tables)))
    }

    async fn do_get_table_types(&self, asked: CommandGetTableTypes, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        let mut built = asked.into_builder();
        metadata::TABLE_TYPES.into_iter().for_each(|kind| built.append(kind));
        sent(built.build())
    }

    async fn do_get_sql_info(&self, asked: CommandGetSqlInfo, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        let info = metadata::INFO.as_ref().ok_or_else(|| internal("it cannot say what it can do"))?;
        sent(asked.into_builder(info).build())
    }

    async fn do_get_xdbc_type_info(&self, asked: CommandGetXdbcTypeInfo, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        let types = metadata::TYPES.as_ref().ok_or_else(|| internal("it cannot say what types there are"))?;
        sent(asked.into_builder(types).build())
    }

    async fn do_get_primary_keys(&self, _: CommandGetPrimaryKeys, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        none(metadata::primary_keys())
    }

    async fn do_get_exported_keys(&self, _: CommandGetExportedKeys, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        none(metadata::foreign_keys())
    }

    async fn do_get_imported_keys(&self, _: CommandGetImportedKeys, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        none(metadata::foreign_keys())
    }

    async fn do_get_cross_reference(&self, _: CommandGetCrossReference, request: Request<Ticket>) -> Answered<Data> {
        who(&request)?;
        none(metadata::foreign_keys())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

impl Flight {
    async fn schemas(&self, who: &Arc<Principal>) -> Result<Vec<(String, String)>, Status> {
        let work = |engine: Engine| async move { Ok(metadata::schemas(&engine)) };
        self.host.compute(who, named("schemas"), work).await.map_err(status)
    }
}
