//! Our kinds of errors as gRPC's codes.

use axum::body::Body;
use http::Response;
use tonic::{Code, Status};

use crate::engine::{Error, ErrorKind};
use crate::serve::http::Problem;

fn code(kind: &str) -> Code {
    match kind {
        "syntax" | "usage" => Code::InvalidArgument,
        "not-found" => Code::NotFound,
        "exists" => Code::AlreadyExists,
        "conflict" => Code::Aborted,
        "permission" => Code::PermissionDenied,
        "limit" => Code::ResourceExhausted,
        "unavailable" => Code::Unavailable,
        "interrupted" => Code::Cancelled,
        "unsupported" => Code::Unimplemented,
        "execution" => Code::FailedPrecondition,
        _ => Code::Internal,
    }
}

/// A problem as gRPC tells of it: what was wrong, where, and what to do.
pub(super) fn of_problem(problem: &Problem) -> Status {
    let place = problem.position.map(|place| format!(" (line {}, column {})", place.line, place.column));
    let hint = problem.hint.as_ref().map(|hint| format!("; {hint}"));
    let text = format!("{}{}{}", problem.detail, place.unwrap_or_default(), hint.unwrap_or_default());
    let code = if problem.status == 401 { Code::Unauthenticated } else { code(problem.kind) };
    Status::new(code, text)
}

pub(super) fn status(error: Error) -> Status {
    of_problem(&Problem::from(error))
}

/// A problem as a response to a call of gRPC, which is told in what follows an answer.
pub(in crate::serve) fn refused(problem: &Problem) -> Response<Body> {
    of_problem(problem).into_http()
}

/// What only a fault of ours or of the machine is.
pub(super) fn internal(error: impl std::fmt::Display) -> Status {
    status(Error::new(ErrorKind::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_codes_and_say_what_to_do() {
        let told = status(Error::new(ErrorKind::NotFound, "there is no table usaa").hint("there is usa"));
        assert_eq!((told.code(), told.message()), (Code::NotFound, "there is no table usaa; there is usa"));
        assert_eq!(of_problem(&Problem::unauthorized()).code(), Code::Unauthenticated);
        assert_eq!(status(Error::new(ErrorKind::Limit, "odd")).code(), Code::ResourceExhausted);
        assert_eq!(internal("odd").code(), Code::Internal);
    }
}
