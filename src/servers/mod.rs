//! Models behind OpenAI-compatible servers, as narrators and embedders ask them: where they are, how fast and how often
//! they are asked, what that may cost, and for whom.

mod activity;
mod endpoint;
mod gate;
mod health;
mod limits;
mod pool;
mod prices;
mod server;
mod tally;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Account, Catalog};

pub(crate) use activity::Activities;
pub use activity::Activity;
pub use endpoint::{Address, Endpoint};
pub use limits::Limits;
pub(crate) use limits::{Budget, Usage};
pub(crate) use pool::{Pool, as_told};
pub use prices::Price;
pub(crate) use server::{Answer, Failure, NEW_LIMIT, Server, clip, words_of};
pub use tally::Asked;

/// Opens the catalogue that answers are kept in, when the first is asked for.
pub type OpenCatalog = Arc<dyn Fn() -> Result<Arc<Catalog>, String> + Send + Sync>;

/// What embedders and rerankers behind a server need of the session that they are for: what narrators have of it.
#[derive(Clone)]
pub struct ModelContext {
    pub catalog: OpenCatalog,
    /// Of the session between statements
    pub session: Arc<Activity>,
    pub(crate) statements: Arc<Activities>,
    pub asking: RequestOptions,
}

impl fmt::Debug for ModelContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asking.fmt(f)
    }
}

/// How a model is asked; what asks none needs none of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestOptions {
    /// Requests in flight at once; 16 where it is not said
    pub concurrency: Option<usize>,
    /// Of one request
    pub timeout: Option<Duration>,
    /// The model's own where it is not said
    pub temperature: Option<f64>,
    /// Of one answer
    pub max_answer_tokens: Option<u32>,
    pub limits: Limits,
    /// Whether requests are handed to the provider in batches, where a run can wait for them
    pub batch: bool,
    /// A file with the servers that share the requests; `OPENAI_BASE_URL` is the one where it is not said
    pub servers: Option<PathBuf>,
    /// A file with the prices of models
    pub prices: Option<PathBuf>,
    /// What the calls are told apart by from all others, where answers that are known are not to count
    pub fresh: Option<String>,
    /// Who pays, beside the limits, for all that is asked. Batches are not for them
    pub payer: Option<Account>,
}
