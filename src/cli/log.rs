//! What the program says of its work on standard error, where it is asked to.

use std::io;
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Of which parts what is said: a level for the program's own, and others by part.
#[derive(Debug, Clone)]
pub(super) struct Filter(Targets);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        let of = "a level (error, warn, info, debug, trace), or parts with theirs, as in info,lance=warn";
        let mut targets = Targets::new().with_default(LevelFilter::from_level(Level::WARN));
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            targets = match part.split_once('=') {
                Some((part, level)) => targets.with_target(part, level.parse::<LevelFilter>().map_err(|_| of)?),
                // Of the program itself: what Lance and DataFusion have to say is told by their names.
                None => targets.with_target("populace", part.parse::<LevelFilter>().map_err(|_| of)?),
            };
        }
        Ok(Filter(targets))
    }
}

/// Begins to write what is said; nothing if something else writes it already.
pub(super) fn start(filter: &Filter) {
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_span_events(FmtSpan::CLOSE);
    _ = tracing_subscriber::registry().with(lines).with(filter.0.clone()).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_of_the_program_or_of_a_part() {
        let Filter(targets) = "debug,lance=error".parse().unwrap();
        assert!(targets.would_enable("populace::engine", &Level::DEBUG));
        assert!(!targets.would_enable("lance::io", &Level::WARN));
        assert!(!targets.would_enable("hyper", &Level::INFO));
        assert!("loud".parse::<Filter>().is_err());
        assert!("lance=loud".parse::<Filter>().is_err());
    }
}
