//! What went wrong, as RFC 9457 has it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Error, ErrorKind};

/// What went wrong: problem details as RFC 9457 has them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:populace:` and the kind
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The kind in words
    pub title: &'static str,
    pub status: u16,
    /// What was wrong, and where
    pub detail: String,
    /// One of syntax, usage, not-found, exists, conflict, permission, limit, unavailable, interrupted, io, unsupported,
    /// execution, internal
    pub kind: &'static str,
    /// What to do
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the text of the statement
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Place>,
}

/// A place in a statement.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Place {
    /// From 1
    pub line: u32,
    /// From 1, in characters
    pub column: u32,
}

impl Problem {
    /// Without a token that is good.
    pub fn unauthorized() -> Problem {
        let hint = "send `authorization: Bearer TOKEN`; `populace tokens add` makes one";
        let error = Error::new(ErrorKind::Permission, "a token that is good is wanted").hint(hint);
        Problem { status: 401, ..Problem::from(error) }
    }

    pub fn not_found(what: impl Into<String>) -> Problem {
        Error::new(ErrorKind::NotFound, what).into()
    }

    pub fn usage(what: impl Into<String>) -> Problem {
        Error::new(ErrorKind::Usage, what).into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (status, type_, title) = told(error.kind);
        // What the command line is told of its options is of no use here.
        let hint = match error.hint {
            Some(hint) if hint.contains("--allow-files") => Some("a server lets nobody reach files".into()),
            Some(hint) if hint.contains("--allow-models") => {
                Some("a token may be given models: `populace tokens add NAME --models …`".into())
            }
            Some(hint) if hint.contains("--statement-timeout") => Some("what it has committed stays".into()),
            None if error.kind == ErrorKind::Permission => Some(
                "a token of another role, or for other tables, may: `populace tokens add NAME --role … --tables …`"
                    .into(),
            ),
            hint => hint,
        };
        let short = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let position = error.position.map(|place| Place { line: short(place.line), column: short(place.column) });
        let kind = error.kind.name();
        Problem { type_, title, status, detail: error.message, kind, hint, position }
    }
}

impl From<datafusion::common::DataFusionError> for Problem {
    fn from(error: datafusion::common::DataFusionError) -> Problem {
        Error::from(&error).into()
    }
}

impl From<crate::catalog::Error> for Problem {
    fn from(error: crate::catalog::Error) -> Problem {
        let kind = match &error {
            crate::catalog::Error::Locked(_) => ErrorKind::Unavailable,
            crate::catalog::Error::AtWork(..) => ErrorKind::Conflict,
            _ => ErrorKind::Io,
        };
        Error::new(kind, error.to_string()).into()
    }
}

/// The status, the type and the title of a kind.
fn told(kind: ErrorKind) -> (u16, &'static str, &'static str) {
    match kind {
        ErrorKind::Syntax => (400, "urn:populace:syntax", "The statement cannot be read"),
        ErrorKind::Usage => (400, "urn:populace:usage", "The request makes no sense"),
        ErrorKind::NotFound => (404, "urn:populace:not-found", "There is no such thing"),
        ErrorKind::Exists => (409, "urn:populace:exists", "It is there already"),
        ErrorKind::Conflict => (409, "urn:populace:conflict", "Somebody else changed it"),
        ErrorKind::Permission => (403, "urn:populace:permission", "This is not allowed"),
        ErrorKind::Limit => (429, "urn:populace:limit", "A limit is reached"),
        ErrorKind::Unavailable => (503, "urn:populace:unavailable", "Not now"),
        ErrorKind::Interrupted => (503, "urn:populace:interrupted", "It was ended"),
        ErrorKind::Io => (500, "urn:populace:io", "A file or disk failed"),
        ErrorKind::Unsupported => (501, "urn:populace:unsupported", "This is not supported"),
        ErrorKind::Execution => (422, "urn:populace:execution", "It failed by its data"),
        ErrorKind::Internal => (500, "urn:populace:internal", "A fault of the program's own"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, serde_json::to_vec(&self).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic realm=\"populace\""));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Position;

    #[test]
    fn a_type_is_of_its_kind() {
        for kind in
            [ErrorKind::Syntax, ErrorKind::NotFound, ErrorKind::Limit, ErrorKind::Interrupted, ErrorKind::Internal]
        {
            assert_eq!(told(kind).1, format!("urn:populace:{}", kind.name()));
        }
    }

    #[test]
    fn a_problem_says_what_to_do_and_where() {
        let error = Error::new(ErrorKind::NotFound, "no column `agee`").hint("there is `age`");
        let position = Some(Position { line: 1, column: 8 });
        let problem = Problem::from(Error { position, ..error });
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], "urn:populace:not-found");
        assert_eq!((json["status"].as_u64(), json["position"]["column"].as_u64()), (Some(404), Some(8)));
        assert_eq!(json["hint"], "there is `age`");
        let refused = Problem::from(Error::new(ErrorKind::Permission, "x").hint("start with --allow-models x"));
        assert!(refused.hint.unwrap().contains("tokens add"));
    }
}
