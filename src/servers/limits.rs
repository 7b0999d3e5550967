//! What may be asked in a minute, and in all.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

use super::OpenCatalog;
use super::activity::CurrentRun;
use super::prices::Price;
use crate::catalog::{Account, Amount, Bounds, Catalog, Exhausted};

/// What a run may take; nothing is limited where it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    pub requests_per_minute: Option<NonZeroU32>,
    /// Of prompts and answers, as far as they can be told beforehand
    pub tokens_per_minute: Option<NonZeroU32>,
    pub calls: Option<u64>,
    pub tokens: Option<u64>,
    /// US dollars
    pub cost: Option<f64>,
    pub time: Option<Duration>,
}

impl Limits {
    /// What is bounded in all, in whichever process.
    pub fn bounds(&self) -> Bounds {
        Bounds { calls: self.calls, tokens: self.tokens, cost_usd: self.cost }
    }

    /// What is within both.
    pub fn within(self, other: Limits) -> Limits {
        fn least<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(if b < a { b } else { a }),
                (a, b) => a.or(b),
            }
        }
        Limits {
            requests_per_minute: least(self.requests_per_minute, other.requests_per_minute),
            tokens_per_minute: least(self.tokens_per_minute, other.tokens_per_minute),
            calls: least(self.calls, other.calls),
            tokens: least(self.tokens, other.tokens),
            cost: least(self.cost, other.cost),
            time: least(self.time, other.time),
        }
    }

    /// The same, with those bounds where it says none.
    pub fn or(self, bounds: Bounds) -> Limits {
        Limits {
            calls: self.calls.or(bounds.calls),
            tokens: self.tokens.or(bounds.tokens),
            cost: self.cost.or(bounds.cost_usd),
            ..self
        }
    }
}

/// Requests and tokens a minute.
#[derive(Debug)]
pub(crate) struct Pace {
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

impl Pace {
    pub fn new(limits: &Limits) -> Pace {
        // Spread evenly over the minute: a minute's worth at once is what servers turn away.
        let evenly = |n: NonZeroU32| {
            let burst = NonZeroU32::new(n.get().div_ceil(60)).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_minute(n).allow_burst(burst))
        };
        let minute = |n: NonZeroU32| (RateLimiter::direct(Quota::per_minute(n)), n);
        Pace { requests: limits.requests_per_minute.map(evenly), tokens: limits.tokens_per_minute.map(minute) }
    }

    /// Waits for the turn of a request of so many tokens.
    pub async fn turn(&self, tokens: u64) {
        if let Some(requests) = &self.requests {
            requests.until_ready().await;
        }
        if let Some((limiter, most)) = &self.tokens {
            // One that is larger than a minute's worth waits for a whole minute's.
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).clamp(1, most.get());
            if let Some(tokens) = NonZeroU32::new(tokens) {
                _ = limiter.until_n_ready(tokens).await;
            }
        }
    }
}

/// How long an answer of this process that may free what is reserved is waited for, until others are thought of.
const LOOK: Duration = Duration::from_secs(1);

/// Tokens of a request and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    pub prompt: u64,
    pub completion: u64,
    /// Whether the server did not tell all of it
    pub estimated: bool,
}

impl Usage {
    pub fn expected((prompt, completion): (u64, u64)) -> Usage {
        Usage { prompt, completion, estimated: true }
    }

    /// What the server tells of an answer of so many letters, or else what was expected.
    pub fn told(self, (prompt, completion): (Option<u64>, Option<u64>), letters: usize) -> Usage {
        Usage {
            prompt: prompt.unwrap_or(self.prompt),
            // A token is some four letters.
            completion: completion.unwrap_or(self.completion.max(letters as u64 / 4)),
            estimated: prompt.is_none() || completion.is_none(),
        }
    }

    pub fn plus(self, more: Usage) -> Usage {
        Usage {
            prompt: self.prompt + more.prompt,
            completion: self.completion + more.completion,
            estimated: self.estimated || more.estimated,
        }
    }

    pub fn amount(self, price: Option<Price>) -> Amount {
        let cost_usd = price.map_or(0.0, |p| p.of(self.prompt, self.completion));
        Amount { calls: 1, tokens: self.prompt + self.completion, cost_usd }
    }
}

/// What may be spent, and what has been, by the run that is at work; by the session where there is none.
#[derive(Clone)]
pub(crate) struct Budget {
    spending: Arc<Spending>,
    run: CurrentRun,
}

impl Deref for Budget {
    type Target = Spending;

    fn deref(&self) -> &Spending {
        &self.spending
    }
}

/// What the statements of a session share of what they may spend.
pub(crate) struct Spending {
    limits: Limits,
    /// Who pays for all that the session does, beside its own limits
    payer: Option<Account>,
    started: Instant,
    catalog: OpenCatalog,
    /// What is spent from where there is no run
    session: String,
    in_flight: AtomicU64,
    /// What answers took beside what was expected; nothing before the first
    margin: Mutex<Option<f64>>,
    /// Held by the one request that is sent before anything is known of what answers take
    first: Arc<AsyncMutex<()>>,
    freed: Notify,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget {{ limits: {:?} }}", self.limits)
    }
}

impl Budget {
    pub fn new(limits: Limits, payer: Option<Account>, catalog: OpenCatalog) -> Budget {
        let spending = Spending {
            limits,
            payer,
            started: Instant::now(),
            catalog,
            session: uuid::Uuid::now_v7().simple().to_string(),
            in_flight: AtomicU64::new(0),
            margin: Mutex::default(),
            first: Arc::default(),
            freed: Notify::new(),
        };
        Budget { spending: Arc::new(spending), run: CurrentRun::default() }
    }

    /// The same for whoever is at this run.
    pub fn of(&self, run: CurrentRun) -> Budget {
        Budget { spending: self.spending.clone(), run }
    }

    /// What is paid from: nothing where nobody asks what was spent.
    pub fn account(&self) -> Option<String> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).clone();
        run.or_else(|| self.limits.bounds().are_set().then(|| self.session.clone()))
    }

    /// All that pay for a request.
    fn accounts(&self) -> Vec<Account> {
        let own = self.account().map(|name| Account { name, bounds: self.limits.bounds(), whose: None });
        own.into_iter().chain(self.payer.clone()).collect()
    }

    /// Whether what answers take is bounded, rather than their number.
    fn bounds_answers(&self) -> bool {
        let of_payer = self.payer.as_ref().map(|payer| payer.bounds);
        [Some(self.limits.bounds()), of_payer].iter().flatten().any(|b| b.tokens.is_some() || b.cost_usd.is_some())
    }

    /// Reserves what a request is expected to take, and waits for answers on their way that may take less than is
    /// reserved for them. Where tokens or money are bounded, the first request goes alone: nobody knows yet how much a
    /// model makes of such prompts.
    ///
    /// # Errors
    /// If there is no room left; the message says which limit.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        expected: Usage,
        price: Option<Price>,
    ) -> Result<Reservation, String> {
        let is_known = || self.margin.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let mut first = None;
        if self.bounds_answers() && !is_known() {
            let alone = self.first.clone().lock_owned().await;
            first = Some(alone).filter(|_| !is_known());
        }
        loop {
            let freed = self.freed.notified();
            match self.reserve_now(expected, price).await? {
                Ok(reservation) => return Ok(Reservation { _first: first, ..reservation }),
                Err(exhausted) if exhausted.may_pass && self.in_flight.load(Ordering::Relaxed) > 0 => {
                    _ = tokio::time::timeout(LOOK, freed).await;
                }
                Err(exhausted) => return Err(exhausted.to_string()),
            }
        }
    }

    /// The same, without waiting for anything.
    ///
    /// # Errors
    /// If there is no time left, or the catalogue cannot be written.
    pub(crate) async fn reserve_now(
        self: &Arc<Self>,
        expected: Usage,
        price: Option<Price>,
    ) -> Result<Result<Reservation, Exhausted>, String> {
        self.in_time()?;
        let accounts = self.accounts();
        if accounts.is_empty() {
            let in_flight = InFlight::new(self.clone());
            let amount = Amount::default();
            return Ok(Ok(Reservation { in_flight, paid: None, amount, expected, price, _first: None }));
        }
        let catalog = (self.catalog)()?;
        let margin = self.margin.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(1.0);
        let Amount { calls, tokens, cost_usd } = expected.amount(price);
        let amount = Amount { calls, tokens: (tokens as f64 * margin) as u64, cost_usd: cost_usd * margin };
        let budget = self.clone();
        let reserved = move || InFlight::new(budget);
        let names = accounts.iter().map(|account| account.name.clone()).collect();
        let reserved = catalog.reserve(accounts, amount, reserved).await.map_err(|e| e.to_string())?;
        let paid = Some((catalog, names));
        Ok(reserved.map(|in_flight| Reservation { in_flight, paid, amount, expected, price, _first: None }))
    }

    /// Whether there is time left.
    ///
    /// # Errors
    /// If there is none.
    pub fn in_time(&self) -> Result<(), String> {
        match self.limits.time {
            Some(time) if self.started.elapsed() >= time => {
                Err(format!("the limit of {} seconds is reached", time.as_secs()))
            }
            _ => Ok(()),
        }
    }

    fn learn(&self, expected: Usage, taken: Usage) {
        let part = |taken: u64, expected: u64| taken as f64 / expected.max(1) as f64;
        let more = part(taken.completion, expected.completion).max(part(taken.prompt, expected.prompt));
        let mut margin = self.margin.lock().unwrap_or_else(PoisonError::into_inner);
        *margin = Some(margin.unwrap_or(1.0).max(more));
    }
}

/// A request for which something is set apart.
#[derive(Debug)]
struct InFlight(Arc<Budget>);

impl InFlight {
    fn new(budget: Arc<Budget>) -> InFlight {
        budget.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(budget)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_waiters();
    }
}

/// What is set apart for a request that is about to be sent. It stays spent where nobody learns what became of that.
#[derive(Debug)]
pub(crate) struct Reservation {
    in_flight: InFlight,
    /// The accounts that pay
    paid: Option<(Arc<Catalog>, Vec<String>)>,
    amount: Amount,
    expected: Usage,
    price: Option<Price>,
    _first: Option<OwnedMutexGuard<()>>,
}

impl Reservation {
    /// Puts what the answer took in its place: what the server tells, or what was expected where it tells nothing.
    pub fn settle(self, told: (Option<u64>, Option<u64>), letters: usize) -> Usage {
        let usage = self.expected.told(told, letters);
        self.in_flight.0.learn(self.expected, usage);
        self.take(usage.amount(self.price));
        usage
    }

    /// The server did nothing for it.
    pub fn release(self) {
        self.take(Amount { calls: 1, ..Amount::default() });
    }

    fn take(&self, taken: Amount) {
        if let Some((catalog, accounts)) = &self.paid {
            accounts.iter().for_each(|account| catalog.settle(account.clone(), self.amount, taken));
        }
    }

    /// What is reserved, which somebody else settles.
    pub fn amount(&self) -> Amount {
        self.amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_minute_is_spread_evenly() {
        let limits = Limits { requests_per_minute: NonZeroU32::new(600), ..Limits::default() };
        let (pace, started) = (Pace::new(&limits), Instant::now());
        for _ in 0..15 {
            pace.turn(1).await;
        }
        // Ten at once, the others a tenth of a second apart.
        let taken = started.elapsed();
        assert!(taken > Duration::from_millis(400) && taken < Duration::from_secs(3), "{taken:?}");
    }

    fn budget(limits: Limits) -> (Arc<Budget>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(Catalog::open(folder.path()).unwrap());
        let open: OpenCatalog = Arc::new(move || Ok(catalog.clone()));
        (Arc::new(Budget::new(limits, None, open)), folder)
    }

    const EXPECTED: Usage = Usage { prompt: 60, completion: 40, estimated: true };

    #[tokio::test]
    async fn limits_are_kept_and_named() {
        let (two, _folder) = budget(Limits { calls: Some(2), ..Limits::default() });
        for _ in 0..2 {
            two.reserve(EXPECTED, None).await.unwrap().release();
        }
        assert_eq!(
            two.reserve(EXPECTED, None).await.unwrap_err(),
            "the limit of 2 calls is reached: a larger --max-calls lets it go on"
        );
        let (timed, _folder) = budget(Limits { time: Some(Duration::ZERO), ..Limits::default() });
        assert_eq!(timed.reserve(EXPECTED, None).await.unwrap_err(), "the limit of 0 seconds is reached");
        let price = Some(Price { prompt: 1000.0, completion: 1000.0, batch: 0.5 });
        let (dear, _folder) = budget(Limits { cost: Some(0.25), ..Limits::default() });
        for _ in 0..2 {
            dear.reserve(EXPECTED, price).await.unwrap().settle((Some(60), Some(40)), 0);
        }
        assert_eq!(
            dear.reserve(EXPECTED, price).await.unwrap_err(),
            "the limit of 0.25 US dollars is reached: a larger --max-cost lets it go on"
        );
    }

    #[tokio::test]
    async fn what_a_payer_has_left_binds_all_their_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(Catalog::open(folder.path()).unwrap());
        let open: OpenCatalog = Arc::new(move || Ok(catalog.clone()));
        let bounds = Bounds { tokens: Some(250), ..Bounds::default() };
        let payer = Account { name: "token:t".into(), bounds, whose: Some("the token analyst".into()) };
        let session = || Arc::new(Budget::new(Limits::default(), Some(payer.clone()), open.clone()));
        for _ in 0..2 {
            session().reserve(EXPECTED, None).await.unwrap().settle((Some(60), Some(40)), 0);
        }
        let told = session().reserve(EXPECTED, None).await.unwrap_err();
        assert_eq!(
            told,
            "the token analyst may spend 250 tokens in all, and has: `populace tokens add` makes one that may spend more"
        );
    }

    #[tokio::test]
    async fn what_answers_take_is_kept_where_nobody_tells_it() {
        let (silent, _folder) = budget(Limits { tokens: Some(1000), ..Limits::default() });
        let mut taken = 0;
        while let Ok(reservation) = silent.reserve(EXPECTED, None).await {
            let usage = reservation.settle((None, None), 400);
            assert_eq!(usage, Usage { prompt: 60, completion: 100, estimated: true });
            taken += usage.prompt + usage.completion;
        }
        assert!((500..=1000).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn many_at_once_spend_no_more_than_there_is() {
        let (many, _folder) = budget(Limits { tokens: Some(10_000), ..Limits::default() });
        // Each takes three times what is expected.
        let ask = || async {
            let reservation = many.reserve(EXPECTED, None).await.ok()?;
            tokio::task::yield_now().await;
            let Usage { prompt, completion, .. } = reservation.settle((Some(180), Some(120)), 0);
            Some(prompt + completion)
        };
        let taken = futures::future::join_all((0..256).map(|_| ask())).await;
        let taken: u64 = taken.into_iter().flatten().sum();
        assert!((9_000..=10_000).contains(&taken), "{taken}");
    }
}
