//! What the program says of its work, where it is asked to: on standard error, and to a collector of OpenTelemetry.

use std::io;
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

#[cfg(feature = "otlp")]
use super::otlp;

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

/// What has to be kept while something is to be said, and says the rest when it is let go.
#[derive(Default)]
pub(super) struct Log {
    #[cfg(feature = "otlp")]
    _exporter: Option<otlp::Exporter>,
}

/// Begins to write what is said; nothing if something else writes it already.
///
/// # Errors
/// If there is to be a collector that cannot be reached by what is said of it.
pub(super) fn start(filter: Option<&Filter>) -> Result<Log, String> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![];
    if let Some(Filter(targets)) = filter {
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
        layers.push(lines.with_span_events(FmtSpan::CLOSE).with_filter(targets.clone()).boxed());
    }
    #[cfg(feature = "otlp")]
    let exporter = otlp::open()?.map(|(layer, exporter)| {
        layers.push(layer);
        exporter
    });
    if !layers.is_empty() {
        _ = tracing_subscriber::registry().with(layers).try_init();
    }
    Ok(Log {
        #[cfg(feature = "otlp")]
        _exporter: exporter,
    })
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
