//! What may be asked of a server at once, in a minute, and in all.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

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

/// Bounds the requests in flight: one more after each round of answers, half as many when the server has too many.
///
/// This is the rule of Chiu and Jain (1989), additive increase and multiplicative decrease, which shares a server
/// fairly among clients that know nothing of each other.
#[derive(Debug)]
pub(super) struct Gate {
    slots: Semaphore,
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Slots that are to go when those who hold them leave
    debt: usize,
    answers: usize,
    cut: Option<Instant>,
}

/// A place among the requests in flight, until dropped.
pub(super) struct Slot<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    entered: Instant,
}

impl Gate {
    pub fn new(most: usize) -> Gate {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { limit: most, debt: 0, answers: 0, cut: None };
        Gate { slots: Semaphore::new(most), state: Mutex::new(state), most }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn enter(&self) -> Slot<'_> {
        // It is never closed.
        let permit = self.slots.acquire().await.ok();
        Slot { gate: self, permit, entered: Instant::now() }
    }

    #[cfg(test)]
    fn limit(&self) -> usize {
        self.state().limit
    }
}

impl Slot<'_> {
    /// The request was answered.
    pub fn answered(&self) {
        let mut state = self.gate.state();
        state.answers += 1;
        if state.answers >= state.limit && state.limit < self.gate.most {
            state.answers = 0;
            state.limit += 1;
            match state.debt {
                0 => self.gate.slots.add_permits(1),
                _ => state.debt -= 1,
            }
        }
    }

    /// The server has too much to do. Requests that went out before the last cut say nothing new.
    pub fn turned_away(&self) {
        let mut state = self.gate.state();
        if state.cut.is_some_and(|cut| cut >= self.entered) {
            return;
        }
        state.cut = Some(Instant::now());
        state.answers = 0;
        let limit = (state.limit / 2).max(1);
        let fewer = state.limit - limit;
        state.limit = limit;
        state.debt += fewer - self.gate.slots.forget_permits(fewer);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
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
pub(super) struct Budget {
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
        let Limits { calls, tokens, cost, time, .. } = self.limits;
        let spent = |what: &AtomicU64| what.load(Ordering::Relaxed);
        let over = if tokens.is_some_and(|t| spent(&self.tokens) >= t) {
            Some(format!("{} tokens", tokens.unwrap_or(0)))
        } else if cost.is_some_and(|c| spent(&self.cost) as f64 / 1e6 >= c) {
            Some(format!("{} US dollars", cost.unwrap_or(0.0)))
        } else if time.is_some_and(|t| self.started.elapsed() >= t) {
            Some(format!("{} seconds", time.unwrap_or_default().as_secs()))
        } else {
            let take = |n: u64| calls.is_none_or(|most| n < most).then_some(n + 1);
            match self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                Ok(_) => None,
                Err(_) => Some(format!("{} calls", calls.unwrap_or(0))),
            }
        };
        match over {
            Some(limit) => Err(format!("the limit of {limit} is reached")),
            None => Ok(()),
        }
    }

    pub fn spend(&self, tokens: u64, cost: Option<f64>) {
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.cost.fetch_add((cost.unwrap_or(0.0) * 1e6).round() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_has_too_much_to_do_is_asked_less() {
        let gate = Gate::new(8);
        let slots: Vec<Slot> = futures::future::join_all((0..8).map(|_| gate.enter())).await;
        slots[0].turned_away();
        slots[1].turned_away();
        assert_eq!(gate.limit(), 4);
        drop(slots);
        assert_eq!(gate.slots.available_permits(), 4);
        let slot = gate.enter().await;
        (0..4).for_each(|_| slot.answered());
        assert_eq!(gate.limit(), 5);
        (0..1000).for_each(|_| slot.answered());
        assert_eq!(gate.limit(), 8);
        drop(slot);
        assert_eq!(gate.slots.available_permits(), 8);
        for _ in 0..10 {
            gate.enter().await.turned_away();
        }
        assert_eq!((gate.limit(), gate.slots.available_permits()), (1, 1));
    }

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
