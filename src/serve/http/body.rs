//! Bodies: what requests say, and rows in the forms that clients ask for.

use std::io;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::LineDelimited;
use axum::body::{Body, Bytes};
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::arrow::{flat_batch, plain_batch, plain_schema};
use crate::engine::{Error, ErrorKind};
use crate::serve::format::Format;
use crate::serve::principal::Principal;
use crate::serve::statements::{Answer, Told};
use crate::serve::{HEADER, REQUEST};

/// A request's body, in JSON.
pub(super) struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        let is_json = |headers: &HeaderMap| {
            let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
            Some(kind.eq_ignore_ascii_case("application/json"))
        };
        // A form of another site cannot send this kind without being asked whether it may.
        if is_json(request.headers()) != Some(true) {
            let problem = Problem::usage("the body is to be JSON: content-type: application/json");
            return Err(Problem { status: 415, ..problem });
        }
        let read = axum::body::to_bytes(request.into_body(), REQUEST);
        let bytes = match tokio::time::timeout(3 * HEADER, read).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let problem = Problem::usage(format!("the body has more than {REQUEST} bytes, or ended early"));
                return Err(Problem { status: 413, ..problem });
            }
            Err(_) => return Err(Problem { status: 408, ..Problem::usage("the body did not come") }),
        };
        serde_json::from_slice(&bytes).map(Json).map_err(|e| Problem::usage(format!("the body: {e}")))
    }
}

/// The parts of a path that have names.
pub(super) struct Path<T>(pub T);

impl<S: Sync + Send, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        let path = extract::Path::from_request_parts(parts, state).await;
        path.map(|extract::Path(named)| Path(named)).map_err(|e| Problem::usage(e.body_text()))
    }
}

/// What stands after the question mark.
pub(super) struct Query<T>(pub T);

impl<S: Sync + Send, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        let query = extract::Query::from_request_parts(parts, state).await;
        query.map(|extract::Query(asked)| Query(asked)).map_err(|e| Problem::usage(e.body_text()))
    }
}

/// What Arrow's streams are called.
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The form that is said, or else the one that the request accepts.
pub(super) fn accepted(said: Option<Format>, headers: &HeaderMap) -> Format {
    let accepts = |kind: &str| {
        let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.split(';').next().is_some_and(|v| v.trim() == kind))
    };
    let accepted = || match () {
        () if accepts(ARROW) => Format::Arrow,
        () if accepts("application/x-ndjson") => Format::Ndjson,
        () if accepts("text/csv") => Format::Csv,
        () => Format::Json,
    };
    said.unwrap_or_else(accepted)
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::Arrow => ARROW,
    }
}

/// Rows of a statement.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rows {
    pub columns: Vec<Column>,
    /// An object a row, by the names of the columns
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<serde_json::Value>,
    /// What there was to say beside
    pub notices: Vec<String>,
    /// The run that the statement was, if it was one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// With which the same rows are drawn again
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What went wrong after the first rows had been sent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// A column of the rows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Column {
    pub name: String,
    /// Of Arrow: Utf8, Int64, Float64, List(Utf8) …
    #[serde(rename = "type")]
    pub type_: String,
}

fn columns(schema: &SchemaRef) -> Vec<Column> {
    let plain = plain_schema(schema);
    plain.fields().iter().map(|f| Column { name: f.name().clone(), type_: type_name(f.data_type()) }).collect()
}

/// A type as people read it.
pub(super) fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::List(item) | DataType::LargeList(item) => format!("List({})", type_name(item.data_type())),
        DataType::FixedSizeList(item, n) => format!("List({}, {n})", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|f| format!("{}: {}", f.name(), type_name(f.data_type()))).collect();
            format!("Struct({})", fields.join(", "))
        }
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Utf8View | DataType::LargeUtf8 => "Utf8".into(),
        other => other.to_string(),
    }
}

/// Rows in a form, written as they come.
struct Writer {
    answer: Answer,
    form: Form,
    seed: Option<u64>,
    /// Bytes sent, and that may be
    sent: u64,
    most: u64,
    /// Whether rows were written
    any: bool,
    over: bool,
}

enum Form {
    Json,
    Ndjson,
    Csv,
    Arrow(Box<StreamWriter<Vec<u8>>>, SchemaRef),
}

/// Rows as a response.
pub(super) fn rows(answer: Answer, format: Format, who: &Principal, seed: Option<u64>) -> Response {
    let form = match format {
        Format::Json => Form::Json,
        Format::Ndjson => Form::Ndjson,
        Format::Csv => Form::Csv,
        Format::Arrow => {
            let plain = plain_schema(&answer.schema);
            match StreamWriter::try_new(vec![], &plain) {
                Ok(writer) => Form::Arrow(Box::new(writer), plain),
                Err(error) => return Problem::from(arrow_error(&error)).into_response(),
            }
        }
    };
    let mut writer = Writer { answer, form, seed, sent: 0, most: who.bytes, any: false, over: false };
    let begin = match writer.begin() {
        Ok(begin) => begin,
        Err(error) => return Problem::from(arrow_error(&error)).into_response(),
    };
    let body = stream::unfold((writer, Some(begin)), async |(mut writer, begin)| {
        if let Some(begin) = begin {
            return Some((Ok::<Bytes, io::Error>(begin.into()), (writer, None)));
        }
        let next = writer.next().await?;
        Some((next.map(Bytes::from), (writer, None)))
    });
    let mut response = (StatusCode::OK, Body::from_stream(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type(format)));
    if let Some(seed) = seed {
        headers.insert("populace-seed", seed.into());
    }
    response
}

fn arrow_error(error: &ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the rows have no such form: {error}"))
}

impl Writer {
    /// What stands before the first row.
    fn begin(&mut self) -> Result<Vec<u8>, ArrowError> {
        let schema = self.answer.schema.clone();
        match &mut self.form {
            Form::Json => {
                let columns = serde_json::to_string(&columns(&schema)).unwrap_or_default();
                Ok(format!("{{\"columns\":{columns},\"rows\":[").into_bytes())
            }
            Form::Ndjson => Ok(vec![]),
            // A result without rows still says its columns.
            Form::Csv => csv(&RecordBatch::new_empty(schema), true),
            Form::Arrow(writer, _) => Ok(std::mem::take(writer.get_mut())),
        }
    }

    /// What is sent next; `None` after the end.
    async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        if self.over {
            return None;
        }
        match self.answer.next().await {
            Some(Ok(batch)) => {
                let bytes = match self.written(&batch) {
                    Ok(bytes) => bytes,
                    Err(error) => return Some(self.failed(arrow_error(&error))),
                };
                self.sent += bytes.len() as u64;
                if self.sent > self.most {
                    let error = Error::new(ErrorKind::Limit, format!("the answer has more than {} bytes", self.most));
                    return Some(self.failed(error.hint("fewer columns, or a LIMIT, keep it short")));
                }
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(self.failed(error)),
            None => {
                self.over = true;
                let told = self.answer.told().await;
                self.end(told).transpose()
            }
        }
    }

    fn written(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        match &mut self.form {
            Form::Json => {
                let mut lines = lines(batch)?;
                if lines.last() == Some(&b'\n') {
                    lines.pop();
                }
                if lines.is_empty() {
                    return Ok(lines);
                }
                // Within a text, JSON has no line feed as it is.
                let mut text = Vec::with_capacity(lines.len() + batch.num_rows() + 1);
                if std::mem::replace(&mut self.any, true) {
                    text.push(b',');
                }
                for byte in lines {
                    if byte == b'\n' {
                        text.push(b',');
                    }
                    text.push(byte);
                }
                Ok(text)
            }
            Form::Ndjson => lines(batch),
            Form::Csv => csv(batch, false),
            Form::Arrow(writer, plain) => {
                writer.write(&plain_batch(batch, plain)?)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// What stands after the last row.
    fn end(&mut self, told: Told) -> io::Result<Option<Vec<u8>>> {
        match &mut self.form {
            Form::Json => {
                let said = serde_json::json!({ "notices": told.notices, "run": told.run, "seed": self.seed });
                Ok(Some(closing(said)))
            }
            Form::Ndjson | Form::Csv => Ok(None),
            Form::Arrow(writer, _) => {
                writer.finish().map_err(io::Error::other)?;
                Ok(Some(std::mem::take(writer.get_mut())))
            }
        }
    }

    /// Tells what went wrong after the status was sent, where the form has a place for it; else the body breaks off, so
    /// that nobody takes a part for the whole.
    fn failed(&mut self, error: Error) -> io::Result<Vec<u8>> {
        self.over = true;
        let text = error.to_string();
        match &self.form {
            Form::Json => Ok(closing(serde_json::json!({ "error": Problem::from(error) }))),
            Form::Ndjson => {
                let mut line = serde_json::json!({ "error": Problem::from(error) }).to_string().into_bytes();
                line.push(b'\n');
                Ok(line)
            }
            Form::Csv | Form::Arrow(..) => Err(io::Error::other(text)),
        }
    }
}

/// The end of an object that has begun with `rows`.
fn closing(mut said: serde_json::Value) -> Vec<u8> {
    if let Some(fields) = said.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let said = said.to_string();
    format!("],{}", said.strip_prefix('{').unwrap_or("}")).into_bytes()
}

fn lines(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let builder = arrow::json::writer::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(vec![]);
    writer.write(batch)?;
    Ok(writer.into_inner())
}

fn csv(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
    let mut writer = arrow::csv::WriterBuilder::new().with_header(header).build(vec![]);
    writer.write(&flat_batch(batch)?)?;
    Ok(writer.into_inner())
}

/// All rows of a statement as JSON objects.
pub(super) async fn objects(answer: Answer) -> Result<(Vec<serde_json::Value>, Told), Problem> {
    let (batches, told) = answer.all().await?;
    let mut rows = vec![];
    for batch in &batches {
        let lines = lines(batch).map_err(|e| arrow_error(&e))?;
        let parsed = serde_json::Deserializer::from_slice(&lines).into_iter();
        for row in parsed {
            rows.push(row.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
    }
    Ok((rows, told))
}

/// All rows of a statement.
pub(super) async fn whole(answer: Answer) -> Result<Rows, Problem> {
    let columns = columns(&answer.schema);
    let (rows, told) = objects(answer).await?;
    Ok(Rows { columns, rows, notices: told.notices, run: told.run, seed: None, error: None })
}

/// JSON as a response.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => Problem::from(Error::new(ErrorKind::Internal, error.to_string())).into_response(),
    }
}

/// How often those who follow something are told that it is still there.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};

    #[test]
    fn a_form_is_what_is_said_or_accepted() {
        let accepting = |kind: &str| HeaderMap::from_iter([(header::ACCEPT, kind.parse().unwrap())]);
        assert_eq!(accepted(None, &HeaderMap::new()), Format::Json);
        assert_eq!(accepted(None, &accepting("text/html, text/csv;q=0.9")), Format::Csv);
        assert_eq!(accepted(None, &accepting(ARROW)), Format::Arrow);
        assert_eq!(accepted(Some(Format::Ndjson), &accepting("text/csv")), Format::Ndjson);
    }

    #[test]
    fn lines_become_one_object() {
        let texts = Arc::new(StringArray::from(vec![Some("a\nb"), None])) as ArrayRef;
        let numbers = Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("t", texts), ("n", numbers)]).unwrap();
        assert_eq!(
            String::from_utf8(lines(&batch).unwrap()).unwrap(),
            "{\"t\":\"a\\nb\",\"n\":1}\n{\"t\":null,\"n\":2}\n"
        );
        assert_eq!(closing(serde_json::json!({ "notices": [], "run": null })), b"],\"notices\":[]}");
        assert_eq!(csv(&batch, true).unwrap(), b"t,n\n\"a\nb\",1\n,2\n");
    }
}
