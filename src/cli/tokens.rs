//! `populace tokens`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{DatabaseArguments, Failure, dollars};
use crate::catalog::{Amount, Bounds, Role, Token, TokenLimits};
use crate::serve::{Issued, Wanted, issue};

#[derive(Debug, Args)]
pub(super) struct TokensArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token, which is shown once: the database keeps a hash of it
    Add(Box<AddArguments>),
    /// The tokens, without their secrets
    List,
    /// End a token: from the next request on nobody is let in by it
    Remove { name: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// Queries, and nothing else
    Reader,
    /// Rows and tables too, and runs
    Writer,
    /// Settings too
    Admin,
}

#[derive(Debug, Args)]
struct AddArguments {
    /// What it is called: whose it is, or what for
    name: String,
    #[arg(long, value_enum, default_value_t = RoleName::Reader)]
    role: RoleName,
    /// The tables that it may name, parted by commas; all without this
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Option<Vec<String>>,
    /// The models that it may spend on: openai:MODEL, or openai for every model of the server; none without this
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// Days after which it is no longer good
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Seconds that a statement may take
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    statement_timeout: Option<u64>,
    /// Rows that an answer may have
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,
    /// How large an answer may be
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Statements at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_statements: Option<u32>,
    /// Memory that its statements may hold together
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    max_memory: Option<u64>,
    /// Requests to models, of a statement or run
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
    /// Tokens of models, of a statement or run
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// US dollars, of a statement or run
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost: Option<f64>,
    /// Requests to models, of all statements and runs together
    #[arg(long, value_name = "N")]
    total_calls: Option<u64>,
    /// Tokens of models, of all statements and runs together
    #[arg(long, value_name = "N")]
    total_tokens: Option<u64>,
    /// US dollars, of all statements and runs together
    #[arg(long, value_name = "USD", value_parser = dollars)]
    total_cost: Option<f64>,
}

pub(super) fn run(arguments: TokensArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let database = database.open()?;
    let out = &mut io::stdout().lock();
    match arguments.command {
        Command::Add(wanted) => {
            let Issued { token, expires } = issue(&*database.catalog()?, wanted.wanted())?;
            writeln!(out, "{token}")?;
            let until = expires.map_or(String::new(), |expires| format!(", and is good until {expires}"));
            writeln!(io::stderr(), "it is shown this once{until}")?;
        }
        Command::List => {
            let Some(catalog) = database.existing_catalog()? else { return Ok(()) };
            for token in catalog.tokens()? {
                let spent = catalog.spent(&token.account().name)?;
                line(out, &token, spent)?;
            }
        }
        Command::Remove { name } => {
            let removed = match database.existing_catalog()? {
                Some(catalog) => catalog.remove_token(&name)?,
                None => false,
            };
            if !removed {
                return Err(Failure(format!("there is no token {name}; `populace tokens list` tells them")));
            }
            writeln!(out, "{name} is no token any more")?;
        }
    }
    Ok(())
}

impl AddArguments {
    fn wanted(self) -> Wanted {
        let role = match self.role {
            RoleName::Reader => Role::Reader,
            RoleName::Writer => Role::Writer,
            RoleName::Admin => Role::Admin,
        };
        let limits = TokenLimits {
            seconds: self.statement_timeout,
            rows: self.max_rows,
            bytes: self.max_bytes,
            statements: self.max_statements,
            memory: self.max_memory,
            calls: self.max_calls,
            tokens: self.max_tokens,
            cost_usd: self.max_cost,
            in_all: Bounds { calls: self.total_calls, tokens: self.total_tokens, cost_usd: self.total_cost },
        };
        let lasts = self.days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60));
        Wanted { name: self.name, role, tables: self.tables, models: self.models, limits, lasts }
    }
}

fn line(out: &mut impl Write, token: &Token, spent: Amount) -> io::Result<()> {
    let Token { name, role, tables, models, limits, expires, added, .. } = token;
    write!(out, "{name:20} {:6}  since {added}", role.name())?;
    if let Some(expires) = expires {
        write!(out, ", until {expires}")?;
    }
    match tables {
        Some(tables) => write!(out, ", tables {}", tables.join(" "))?,
        None => write!(out, ", all tables")?,
    }
    if !models.is_empty() {
        write!(out, ", models {}", models.join(" "))?;
    }
    let TokenLimits { seconds, rows, bytes, statements, memory, calls, tokens, cost_usd, in_all } = limits;
    let bounds = [
        seconds.map(|n| format!("{n} s")),
        rows.map(|n| format!("{n} rows")),
        bytes.map(|n| format!("{n} bytes")),
        statements.map(|n| format!("{n} statements at once")),
        memory.map(|n| format!("{n} bytes of memory")),
        calls.map(|n| format!("{n} calls")),
        tokens.map(|n| format!("{n} tokens of models")),
        cost_usd.map(|n| format!("{n} US dollars")),
        in_all.calls.map(|n| format!("{n} calls in all ({} made)", spent.calls)),
        in_all.tokens.map(|n| format!("{n} tokens in all ({} taken)", spent.tokens)),
        in_all.cost_usd.map(|n| format!("{n} US dollars in all ({:.4} spent)", spent.cost_usd)),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    writeln!(out, "{}{}", if bounds.is_empty() { "" } else { ", at most " }, bounds.join(", "))
}
