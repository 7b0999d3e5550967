//! `populace serve`: one database, opened to whoever has a token.
//!
//! It may touch the engine, runs, reports and recipes, each through a session of its own for each request; nothing but
//! the command line may touch it. What is asked over a network is bounded here: who may, how much, how long.

mod answers;
mod audit;
mod connections;
mod flight;
mod format;
mod http;
mod mcp;
mod metrics;
mod observed;
mod postgres;
mod principal;
mod requests;
mod statements;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Error, ErrorKind};
use crate::servers::RequestOptions;

pub use http::openapi;
pub use principal::{Issued, Wanted, issue};

use audit::Audit;
use connections::{Bounded, NoDelay};
use postgres::Postgres;
use statements::Host;

/// How a server works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where HTTP is listened for
    pub listen: SocketAddr,
    /// Where PostgreSQL's protocol is listened for, if anywhere
    pub postgres: Option<SocketAddr>,
    /// The certificates and the key of TLS, in PEM
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Names beside those of this machine that requests may be for
    pub hosts: Vec<String>,
    /// Whoever reaches it may do everything
    pub no_auth: bool,
    /// Where accesses are noted, a line of JSON each
    pub audit: PathBuf,
    /// How long statements may go on once the server is told to end
    pub grace: Duration,
    pub bounds: Bounds,
    /// How models are asked on behalf of anybody
    pub asking: RequestOptions,
}

/// What one request, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long a statement may take, from its planning to its last row
    pub statement: Duration,
    /// Rows of an answer
    pub rows: u64,
    /// Bytes of an answer
    pub bytes: u64,
    /// Statements at once, of all
    pub statements: usize,
    /// Statements at once, of one
    pub statements_each: usize,
    /// Bytes of memory that the statements of one may hold together; half of what all may without it, and all of that
    /// where there are no tokens
    pub memory_each: Option<u64>,
    /// How long a statement may wait for its turn
    pub wait: Duration,
    pub connections: usize,
}

/// The most bytes that a request may have.
const REQUEST: usize = 1 << 20;

/// How long a client may take to say what it wants.
const HEADER: Duration = Duration::from_secs(10);

/// How long statements that are ended may take to say so.
const TO_SAY_IT: Duration = Duration::from_secs(5);

/// A server that has its address, and has not begun to answer.
pub struct Server {
    listener: TcpListener,
    postgres: Option<Postgres>,
    host: Arc<Host>,
    tls: Option<RustlsConfig>,
    options: Options,
}

impl Server {
    /// Takes the address, and reads the certificates.
    ///
    /// `statements` is what statements run on: planning nests deep, and keeps a thread for long.
    ///
    /// # Errors
    /// If the address is taken, or is not of this machine alone and there is no TLS or no token; if certificates or the
    /// audit log cannot be opened.
    pub async fn bind(engine: Engine, statements: runtime::Handle, options: Options) -> Result<Server, Error> {
        let refused = |text: &str, hint: &str| Err(Error::new(ErrorKind::Permission, text).hint(hint));
        let io = |what: String| move |e: io::Error| Error::new(ErrorKind::Io, format!("{what}: {e}"));
        if [Some(options.listen), options.postgres].iter().flatten().any(|address| !address.ip().is_loopback()) {
            if options.no_auth {
                return refused("--no-auth would let everybody in", "listen on 127.0.0.1, or make tokens");
            }
            if options.tls.is_none() {
                return refused(
                    "tokens and people would go over the network in clear text",
                    "name certificates with --tls-cert and --tls-key, or listen on 127.0.0.1",
                );
            }
            let has_tokens = match engine.database().existing_catalog()? {
                Some(catalog) => catalog.has_tokens().map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?,
                None => false,
            };
            if !has_tokens {
                return refused("there is no token that anybody could come with", "`populace tokens add` makes one");
            }
        }
        // Where another part of the program has chosen already, it is the same.
        _ = rustls::crypto::ring::default_provider().install_default();
        let tls = match &options.tls {
            Some((certificates, key)) => {
                let shown = format!("{} and {}", certificates.display(), key.display());
                Some(RustlsConfig::from_pem_file(certificates, key).await.map_err(io(shown))?)
            }
            None => None,
        };
        let listener = TcpListener::bind(options.listen).map_err(io(options.listen.to_string()))?;
        listener.set_nonblocking(true).map_err(io(options.listen.to_string()))?;
        let address = listener.local_addr().map_err(io(options.listen.to_string()))?;
        let audit = Audit::open(&options.audit).map_err(io(options.audit.display().to_string()))?;
        let host = Arc::new(Host::new(engine, statements, &options, address, audit));
        let postgres = match options.postgres {
            Some(address) => {
                let bound = Postgres::bind(address, host.clone(), tls.clone(), options.bounds.connections);
                Some(bound.map_err(io(address.to_string()))?)
            }
            None => None,
        };
        Ok(Server { listener, postgres, host, tls, options })
    }

    /// Where it speaks PostgreSQL's protocol: `postgres://127.0.0.1:5433/populace`.
    pub fn postgres_url(&self) -> Option<String> {
        let address = self.postgres.as_ref()?.address().ok()?;
        Some(format!("postgres://{address}/populace"))
    }

    /// Where it listens: `http://127.0.0.1:7878`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = self.listener.local_addr().unwrap_or(self.options.listen);
        format!("{scheme}://{address}")
    }

    /// Answers until `stop` is cancelled; then takes no more requests, gives those that are being answered their grace,
    /// and ends what is left of them. Certificates are read again each time that `reload` says so.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn run(self, stop: CancellationToken, mut reload: impl AsyncFnMut()) -> io::Result<()> {
        let Server { listener, postgres, host, tls, options } = self;
        let handle = Handle::new();
        let flight = flight::service(host.clone()).map_err(io::Error::other)?;
        let app = http::router(host.clone(), flight).into_make_service_with_connect_info::<SocketAddr>();
        let bounded = Bounded::new(options.bounds.connections);
        let plain = axum_server::from_tcp(listener)?.handle(handle.clone());
        let serve = async {
            match &tls {
                Some(config) => {
                    let acceptor = |_| bounded.over(RustlsAcceptor::new(config.clone()).acceptor(NoDelay));
                    let mut server = plain.map(acceptor);
                    patient(server.http_builder());
                    server.serve(app).await
                }
                None => {
                    let mut server = plain.map(|_| bounded.over(NoDelay));
                    patient(server.http_builder());
                    server.serve(app).await
                }
            }
        };
        let ending = async {
            stop.cancelled().await;
            host.end();
            // Connections that wait for a next request end at once, the others with their answers: also with those that
            // say that they were ended.
            handle.graceful_shutdown(Some(options.grace + TO_SAY_IT));
            if tokio::time::timeout(options.grace, host.ended()).await.is_err() {
                host.cancel();
                _ = tokio::time::timeout(TO_SAY_IT, host.ended()).await;
            }
        };
        let reloading = async {
            loop {
                reload().await;
                if let (Some(config), Some((certificates, key))) = (&tls, &options.tls)
                    && let Err(error) = config.reload_from_pem_file(certificates, key).await
                {
                    tracing::error!(%error, "the certificates stay as they were");
                }
            }
        };
        let serve = async {
            let served = serve.await;
            // It may have failed, and nobody told it to end.
            stop.cancel();
            served
        };
        let postgres = async {
            let Some(postgres) = postgres else { return };
            let mut at_work = std::pin::pin!(postgres.run());
            tokio::select! {
                () = &mut at_work => return,
                () = host.ending() => {}
            }
            _ = tokio::time::timeout(options.grace + 2 * TO_SAY_IT, at_work).await;
        };
        tokio::select! {
            served = async { tokio::join!(serve, ending, postgres).0 } => served,
            never = reloading => never,
        }
    }
}

/// A client that says nothing is not waited for.
fn patient(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADER);
    builder
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .keep_alive_interval(HEADER)
        .keep_alive_timeout(HEADER)
        .max_concurrent_streams(64);
}

/// Answers one client of the Model Context Protocol on standard input and output, as somebody who may read.
///
/// # Errors
/// If the audit log cannot be opened, or the client does not speak the protocol.
pub async fn mcp_on_stdio(engine: Engine, statements: runtime::Handle, options: Options) -> Result<(), Error> {
    use rmcp::ServiceExt;
    let io = |what: String| move |e: io::Error| Error::new(ErrorKind::Io, format!("{what}: {e}"));
    let audit = Audit::open(&options.audit).map_err(io(options.audit.display().to_string()))?;
    let host = Arc::new(Host::new(engine, statements, &options, options.listen, audit));
    let who = Arc::new(host.reader()?);
    let failed = |text: String| Error::new(ErrorKind::Io, text);
    let service = mcp::Mcp::new(host, Some(who)).serve(rmcp::transport::stdio()).await;
    service.map_err(|e| failed(e.to_string()))?.waiting().await.map_err(|e| failed(e.to_string())).map(|_| ())
}
