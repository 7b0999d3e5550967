//! What every request passes: for whom it is, where it comes from, and who sends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::problem::Problem;
use crate::engine::{Error, ErrorKind};
use crate::serve::principal::{Principal, Who, is_local};
use crate::serve::statements::Host;
use crate::serve::{flight, metrics};

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, Problem> {
        parts.extensions.get::<Who>().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// What anybody may ask who reaches the server: nothing of what is in it. The page is the same for everybody, and asks for
/// a token itself.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/openapi.json", "/", "/assets/{file}"];

pub(super) async fn guard(State(host): State<Arc<Host>>, mut request: Request, next: Next) -> Response {
    let since = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_string();
    let is_grpc = is_grpc(request.headers());
    let mut noted = None;
    // What a body is of cannot be looked at from two threads: what is looked at is taken out of the request first.
    let asked = is_welcome(&host, &request).map(|()| {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
        (token(request.headers()), address.is_some_and(is_local))
    });
    let admitted = match asked {
        Ok(_) if OPEN.contains(&route.as_str()) => Ok(None),
        Ok((token, is_local)) => known(&host, token, is_local).await.map(Some),
        Err(problem) => Err(problem),
    };
    let response = match admitted {
        Ok(who) => {
            if let Some(who) = who {
                noted = Some((who.name.clone(), who.role.name()));
                request.extensions_mut().insert(Who(who));
            }
            next.run(request).await
        }
        Err(problem) => {
            if problem.status != 404 {
                noted = Some(("-".into(), "-"));
            }
            if is_grpc { flight::refused(&problem) } else { problem.into_response() }
        }
    };
    let status = response.status().as_u16();
    if let Some((name, role)) = &noted {
        let outcome = if status < 400 { "ok".into() } else { status.to_string() };
        let action = format!("{method} {route}");
        host.note((name, role), ("http", &action), &outcome, (0, since.elapsed()));
    }
    host.metrics.requests.get_or_create(&metrics::Request { method: metrics::Method(method), route, status }).inc();
    with_headers(response)
}

/// Whether a client of gRPC asks, which looks for what went wrong in a place of its own.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// That a request is for this server, and from no page elsewhere.
fn is_welcome(host: &Host, request: &Request) -> Result<(), Problem> {
    let refused = |text: &str| Problem::from(Error::new(ErrorKind::Permission, text));
    if !is_for_us(host, request.uri(), request.headers()) {
        // A page elsewhere may have this address under a name of its own.
        let hint = Some("--allow-host NAME lets the server be called so".into());
        return Err(Problem { hint, ..refused("the request is for another host") });
    }
    if is_cross_site(request.method(), request.uri(), request.headers()) {
        return Err(Problem { hint: None, ..refused("the request comes from a page elsewhere") });
    }
    Ok(())
}

/// Whose a request is.
async fn known(host: &Arc<Host>, token: Option<String>, is_local: bool) -> Result<Arc<Principal>, Problem> {
    let asked = host.clone();
    // The catalogue is a file.
    let known = tokio::task::spawn_blocking(move || asked.principal(token.as_deref(), is_local)).await;
    match known.map_err(|_| Problem::from(Error::new(ErrorKind::Internal, "nobody could be known")))?? {
        Some(who) => Ok(Arc::new(who)),
        None => Err(Problem::unauthorized()),
    }
}

/// Whether a request is for a name of the server.
fn is_for_us(host: &Host, uri: &Uri, headers: &HeaderMap) -> bool {
    let named = uri.authority().map(|a| a.as_str()).or_else(|| headers.get(header::HOST)?.to_str().ok());
    let Some(named) = named else { return false };
    let Ok(authority) = named.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().to_lowercase();
    host.hosts.contains(&name)
}

/// Whether a page of another site has a browser send this.
fn is_cross_site(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = uri.authority().map(|a| a.as_str()).or_else(|| text("host"));
        let of = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        return of.is_none() || of != host;
    }
    // Whoever follows a link may read.
    !matches!(*method, Method::GET | Method::HEAD)
        && text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// The token of a request.
fn token(headers: &HeaderMap) -> Option<String> {
    token_of(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// The token that a client names: `Bearer TOKEN`, or the password of `Basic`.
pub(in crate::serve) fn token_of(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().into());
    }
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| base64(rest.trim()))?;
    // What is no token is nobody's, not no token at all.
    let password = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    Some(password.and_then(|text| Some(text.split_once(':')?.1.to_string())).unwrap_or_default())
}

/// Bytes in base 64, with padding or without, as some clients leave it out.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut say = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    say(header::CACHE_CONTROL, "no-store");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_elsewhere_are_told_by_their_origin() {
        let of = |method: &str, headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
            }
            is_cross_site(&method.parse().unwrap(), &"/v1/sql".parse().unwrap(), &map)
        };
        let host = ("host", "localhost:7878");
        assert!(!of("POST", &[host]));
        assert!(!of("POST", &[host, ("origin", "http://localhost:7878")]));
        assert!(of("POST", &[host, ("origin", "http://evil.example")]));
        assert!(of("GET", &[host, ("origin", "http://localhost:9999")]));
        assert!(of("GET", &[host, ("origin", "null")]));
        assert!(of("POST", &[host, ("sec-fetch-site", "cross-site")]));
        assert!(of("POST", &[host, ("sec-fetch-site", "same-site")]));
        assert!(!of("GET", &[host, ("sec-fetch-site", "cross-site")]));
        assert!(!of("POST", &[host, ("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn tokens_come_as_bearer_or_as_a_password() {
        let of = |value: &str| token(&HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]));
        assert_eq!(of("Bearer pop_a_b").as_deref(), Some("pop_a_b"));
        assert_eq!(of("bearer  pop_a_b").as_deref(), Some("pop_a_b"));
        // x:pop_a_b
        assert_eq!(of("Basic eDpwb3BfYV9i").as_deref(), Some("pop_a_b"));
        // x:pop_a, with padding and without.
        assert_eq!(of("Basic eDpwb3BfYQ==").as_deref(), Some("pop_a"));
        assert_eq!(of("Basic eDpwb3BfYQ").as_deref(), Some("pop_a"));
        assert_eq!(of("Basic ???").as_deref(), Some(""));
        assert_eq!(of("Digest x"), None);
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
