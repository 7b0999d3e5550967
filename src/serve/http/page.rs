//! The page: files that the binary carries, as `web/build.mjs` makes them.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::body::Path;
use super::problem::Problem;

static DIST: Dir = include_dir!("$CARGO_MANIFEST_DIR/web/dist");

/// The files by their names: whoever asks for another name asks for nothing, wherever it may point.
static FILES: LazyLock<BTreeMap<&'static str, Kept>> = LazyLock::new(|| {
    let named = DIST.files().filter_map(|file| Some((file.path().to_str()?, file.contents())));
    named.map(|(name, bytes)| (name, Kept::new(kind(name), bytes))).collect()
});

/// What the page may do: run its own scripts, use the styles that come with it, ask this server. Nothing is loaded from
/// elsewhere, nothing is framed, and no text becomes a script or a style.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let index = FILES.get("index.html").map(|kept| kept.bytes).unwrap_or_default();
    let hash = BASE64_STANDARD.encode(Sha256::digest(style(&String::from_utf8_lossy(index))));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'sha256-{hash}'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// The styles that a page has within it.
fn style(page: &str) -> &str {
    let rest = page.split_once("<style>").map_or("", |(_, rest)| rest);
    rest.split_once("</style>").map_or("", |(style, _)| style)
}

/// What never changes under its name, since the name is made from it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What is to be asked for again, and not sent where it is the same.
const ASK_AGAIN: &str = "no-cache";

/// Something that stays as it is as long as the server runs, with its compressed form, which is made once.
pub(super) struct Kept {
    kind: &'static str,
    bytes: &'static [u8],
    packed: OnceLock<Vec<u8>>,
    tag: OnceLock<String>,
}

impl Kept {
    pub const fn new(kind: &'static str, bytes: &'static [u8]) -> Kept {
        Kept { kind, bytes, packed: OnceLock::new(), tag: OnceLock::new() }
    }

    fn packed(&self) -> &[u8] {
        self.packed.get_or_init(|| {
            let mut encoder = GzEncoder::new(vec![], Compression::best());
            // A vector takes whatever is written to it.
            let written = encoder.write_all(self.bytes).and_then(|()| encoder.finish());
            written.unwrap_or_default()
        })
    }

    fn tag(&self, is_packed: bool) -> String {
        let hash = self.tag.get_or_init(|| blake3::hash(self.bytes).to_hex()[..20].to_string());
        format!("\"{hash}{}\"", if is_packed { "-gz" } else { "" })
    }

    /// What is sent to a client with these headers.
    pub fn response(&'static self, headers: &HeaderMap, caching: &'static str) -> Response {
        let is_packed = takes_gzip(headers);
        let tag = self.tag(is_packed);
        let mut response = if has(headers, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let bytes: &'static [u8] = if is_packed { self.packed() } else { self.bytes };
            let mut response = bytes.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
            if is_packed {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        };
        let headers = response.headers_mut();
        if let Ok(tag) = tag.parse() {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a client takes gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let is_none = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0));
        is_it && !parts.any(is_none)
    })
}

/// Whether a client has what is of this tag.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

/// The page itself.
pub(super) async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers)
}

/// A file that the page is made of.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    file(&name, &headers)
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(kept) = FILES.get(name) else {
        return Problem::not_found("there is no such file of the page").into_response();
    };
    // Scripts have a hash of what is in them in their names.
    let caching = if name.ends_with(".js") { FOR_EVER } else { ASK_AGAIN };
    let mut response = kept.response(headers, caching);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    let same = HeaderValue::from_static("same-origin");
    headers.insert("cross-origin-opener-policy", same.clone());
    headers.insert("cross-origin-resource-policy", same);
    response
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_page_is_whole_and_asks_nobody_else() {
        let text = |name: &str| std::str::from_utf8(FILES[name].bytes).unwrap();
        let index = text("index.html");
        let parts = index.split("assets/").skip(1).map(|rest| rest.split('"').next().unwrap());
        assert!(parts.clone().count() >= 3 && parts.clone().all(|name| FILES.contains_key(name)), "{index}");
        assert!(!index.contains("style=") && !index.contains("http") && !index.contains("url("), "{index}");
        // One style, which the policy knows by its hash; the browser's own test says whether it is the right one.
        assert!(index.matches("<style").count() == 1 && style(index).len() > 1000, "{index}");
        for (name, kept) in FILES.iter() {
            assert_ne!(kept.kind, "application/octet-stream", "{name}");
            if name.ends_with(".js") {
                assert!(!text(name).contains("eval("), "{name}");
            }
        }
    }

    #[test]
    fn what_is_shown_first_is_small() {
        let index = std::str::from_utf8(FILES["index.html"].bytes).unwrap();
        let parts = index.split("assets/").skip(1).map(|rest| rest.split('"').next().unwrap());
        let bytes: usize =
            parts.map(|name| FILES[name].packed().len()).sum::<usize>() + FILES["index.html"].packed().len();
        assert!(bytes < 100_000, "{bytes}");
    }

    #[test]
    fn what_is_packed_is_the_same() {
        let kept = &FILES["index.html"];
        let mut text = vec![];
        flate2::read::GzDecoder::new(kept.packed()).read_to_end(&mut text).unwrap();
        assert_eq!(text, kept.bytes);
        assert_ne!(kept.tag(true), kept.tag(false));
    }

    #[test]
    fn clients_say_what_they_take_and_have() {
        assert!(takes_gzip(&with(header::ACCEPT_ENCODING, "br, GZIP;q=0.5")));
        assert!(!takes_gzip(&with(header::ACCEPT_ENCODING, "br, gzip;q=0")));
        assert!(!takes_gzip(&HeaderMap::new()));
        assert!(has(&with(header::IF_NONE_MATCH, "\"b\", W/\"a\""), "\"a\""));
        assert!(!has(&with(header::IF_NONE_MATCH, "\"b\""), "\"a\""));
    }
}
