//! What may be asked in a minute, and in all.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

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

/// Requests and tokens a minute.
#[derive(Debug)]
pub(super) struct Pace {
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

/// What has been spent.
#[derive(Debug)]
pub(in crate::narrators) struct Budget {
    limits: Limits,
    started: Instant,
    calls: AtomicU64,
    tokens: AtomicU64,
    /// In millionths of a dollar
    cost: AtomicU64,
}

impl Budget {
    pub fn new(limits: Limits) -> Budget {
        let [calls, tokens, cost] = std::array::from_fn(|_| AtomicU64::new(0));
        Budget { limits, started: Instant::now(), calls, tokens, cost }
    }

    /// Takes one call out of the budget.
    ///
    /// # Errors
    /// If there is none left; the message says which limit.
    pub fn take(&self) -> Result<(), String> {
        self.room(0, 0.0)?;
        let most = self.limits.calls;
        let take = |n: u64| most.is_none_or(|most| n < most).then_some(n + 1);
        let taken = self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| ()).map_err(|_| reached(&format!("{} calls", most.unwrap_or(0))))
    }

    /// Whether there is room for calls that are promised so much, on top of what is spent.
    ///
    /// # Errors
    /// If there is not; the message says which limit.
    pub fn room(&self, tokens: u64, cost: f64) -> Result<(), String> {
        let spent = |what: &AtomicU64| what.load(Ordering::Relaxed);
        let over = |spent: f64, more: f64, most: f64| spent >= most || spent + more > most;
        match (self.limits.tokens, self.limits.cost) {
            (Some(most), _) if over(spent(&self.tokens) as f64, tokens as f64, most as f64) => {
                Err(reached(&format!("{most} tokens")))
            }
            (_, Some(most)) if over(spent(&self.cost) as f64 / 1e6, cost, most) => {
                Err(reached(&format!("{most} US dollars")))
            }
            _ => self.in_time(),
        }
    }

    /// Whether there is time left.
    ///
    /// # Errors
    /// If there is none.
    pub fn in_time(&self) -> Result<(), String> {
        match self.limits.time {
            Some(time) if self.started.elapsed() >= time => Err(reached(&format!("{} seconds", time.as_secs()))),
            _ => Ok(()),
        }
    }

    pub fn spend(&self, tokens: u64, cost: Option<f64>) {
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.cost.fetch_add((cost.unwrap_or(0.0) * 1e6).round() as u64, Ordering::Relaxed);
    }
}

fn reached(limit: &str) -> String {
    format!("the limit of {limit} is reached")
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

    #[test]
    fn limits_are_kept_and_named() {
        let limits = Limits { calls: Some(2), ..Limits::default() };
        let budget = Budget::new(limits);
        assert!(budget.take().is_ok() && budget.take().is_ok());
        assert_eq!(budget.take().unwrap_err(), "the limit of 2 calls is reached");
        let budget = Budget::new(Limits { cost: Some(0.5), tokens: Some(1000), ..Limits::default() });
        budget.spend(900, Some(0.49));
        assert!(budget.take().is_ok());
        budget.spend(0, Some(0.01));
        assert_eq!(budget.take().unwrap_err(), "the limit of 0.5 US dollars is reached");
        budget.spend(100, None);
        assert_eq!(budget.take().unwrap_err(), "the limit of 1000 tokens is reached");
        let budget = Budget::new(Limits { time: Some(Duration::ZERO), ..Limits::default() });
        assert_eq!(budget.take().unwrap_err(), "the limit of 0 seconds is reached");
    }
}
