//! `populace serve`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use tokio_util::sync::CancellationToken;

use super::{AskingArguments, DatabaseArguments, Failure, STACK, signals, size};
use crate::engine::{Access, Engine, Error, Models, Options};
use crate::serve::{self, Bounds, Server, openapi};

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Where it listens; off this machine it wants TLS and tokens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    listen: SocketAddr,
    /// Where it speaks PostgreSQL's protocol too, for psql, notebooks and BI tools: 127.0.0.1:5433
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<SocketAddr>,
    /// The certificates of TLS, in PEM; read again on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of TLS, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name that requests may be for, beside those of this machine: populace.example.org
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Let everybody on this machine do everything, without a token: models may be asked too
    #[arg(long)]
    no_auth: bool,
    /// Where accesses are noted, a line of JSON each; audit.jsonl in the database without it
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Seconds that statements may go on once the server is told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u64,
    /// Seconds that a statement may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    statement_timeout: u64,
    /// Rows that an answer may have
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    max_rows: u64,
    /// How large an answer may be
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = size)]
    max_answer: u64,
    /// Statements at once, of all
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    max_statements: u16,
    /// Statements at once, of one token
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    max_statements_each: u16,
    /// Memory that the statements of one token may hold together; half of what all may hold (--memory-limit) without it
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory_each: Option<u64>,
    /// Seconds that a statement may wait for its turn
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    max_wait: u64,
    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    max_connections: u16,
    /// Print what may be asked over HTTP, as OpenAPI, and end
    #[arg(long)]
    print_openapi: bool,
    #[command(flatten)]
    asking: AskingArguments,
}

pub(super) fn run(arguments: ServeArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    if arguments.print_openapi {
        return Ok(io::stdout().lock().write_all(openapi().as_bytes())?);
    }
    let (engine, options) = prepared(arguments, database)?;
    let statements = statement_runtime()?;
    let network =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().thread_name("network").build()?;
    let handle = statements.handle().clone();
    let served = network.block_on(async {
        let stop = CancellationToken::new();
        let server = Server::bind(engine, handle, options).await?;
        let (mut out, url) = (io::stdout(), server.url());
        // Nobody may be reading.
        _ = writeln!(out, "{url}").and_then(|()| out.flush());
        if let Some(url) = server.postgres_url() {
            _ = writeln!(out, "{url}").and_then(|()| out.flush());
        }
        let stopping = stop.clone();
        let ended = tokio::spawn(async move {
            signals::signal().await;
            stopping.cancel();
            // A second one ends it wherever it is.
            signals::signal().await;
            std::process::exit(130);
        });
        let served = server.run(stop, reload()).await.map_err(|e| Failure(e.to_string()));
        ended.abort();
        served
    });
    statements.shutdown_timeout(Duration::from_secs(1));
    served
}

/// The session that others are made of, and how the server works.
fn prepared(arguments: ServeArguments, database: &DatabaseArguments) -> Result<(Engine, serve::Options), Failure> {
    let database = database.open()?;
    let audit = match arguments.audit {
        Some(audit) => audit,
        None => {
            // What is noted lies in the database, which may not be there yet.
            database.create()?;
            database.root().join("audit.jsonl")
        }
    };
    let bounds = Bounds {
        statement: Duration::from_secs(arguments.statement_timeout),
        rows: arguments.max_rows,
        bytes: arguments.max_answer,
        statements: arguments.max_statements.into(),
        statements_each: arguments.max_statements_each.into(),
        memory_each: arguments.max_memory_each,
        wait: Duration::from_secs(arguments.max_wait),
        connections: arguments.max_connections.into(),
    };
    let options = serve::Options {
        listen: arguments.listen,
        postgres: arguments.postgres,
        tls: arguments.tls_cert.zip(arguments.tls_key),
        hosts: arguments.allow_host,
        no_auth: arguments.no_auth,
        audit,
        grace: Duration::from_secs(arguments.grace),
        bounds,
        asking: arguments.asking.asking(),
    };
    // Nobody's own session: what each may is asked of each.
    let access = Access { models: Models::None, ..Access::read() };
    Ok((Engine::new(database, Options { access, ..Options::default() })?, options))
}

/// What statements run on: they plan deep and keep threads busy; who waits for an answer, or wants to cancel, is heard
/// beside them.
fn statement_runtime() -> io::Result<tokio::runtime::Runtime> {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK).thread_name("statements").max_blocking_threads(64).build()
}

/// One client of the Model Context Protocol, on standard input and output: it may read.
pub(super) fn mcp(database: &DatabaseArguments) -> Result<(), Failure> {
    // As a server that nobody else reaches.
    let Alone { arguments } = Alone::try_parse_from(["populace"]).map_err(|e| Failure(e.to_string()))?;
    let (engine, options) = prepared(arguments, database)?;
    let statements = statement_runtime()?;
    let network = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let handle = statements.handle().clone();
    let served = network.block_on(async {
        tokio::select! {
            served = serve::mcp_on_stdio(engine, handle, options) => Ok(served?),
            _ = signals::signal() => Ok(()),
        }
    });
    statements.shutdown_timeout(Duration::from_secs(1));
    // Standard input may have a thread that waits for a line which never comes.
    network.shutdown_background();
    served
}

/// The arguments by themselves, to be parsed as those of a command line.
#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    arguments: ServeArguments,
}

/// Waits for SIGHUP, each time that it is asked.
fn reload() -> impl AsyncFnMut() {
    #[cfg(unix)]
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    async move || {
        #[cfg(unix)]
        if let Some(hangup) = &mut hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error.to_string())
    }
}
