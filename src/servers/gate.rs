//! How many requests a server is sent at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Answers that take so many times the shortest hint at a queue before the server.
const QUEUE: f64 = 2.0;

/// The part of the requests that a trial leaves, and of the answers in a second that it may cost.
const FEWER: f64 = 0.75;
const AS_MANY: f64 = 0.88;

/// Rounds of answers after a trial that failed, before the next.
const REST: u32 = 10;

/// Bounds the requests in flight: one more after each round of answers, half as many when the server has too many.
///
/// This is the rule of Chiu and Jain (1989), additive increase and multiplicative decrease, which shares a server
/// fairly among clients that know nothing of each other.
///
/// A server that turns nobody away may let requests queue. Where answers take much longer than the quickest did, the
/// gate tries fewer requests for a round, and stays with them if as many answers came in a second: then those that it
/// left out only stood in the queue.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Semaphore,
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Slots that are to go when those who hold them leave
    debt: usize,
    cut: Option<Instant>,
    round: Round,
    /// What an answer takes that need not wait, in seconds
    shortest: Option<f64>,
    trial: Trial,
}

/// As many answers as there may be requests in flight.
#[derive(Debug)]
struct Round {
    answers: usize,
    seconds: f64,
    since: Instant,
}

/// Whether fewer requests are being tried, instead of so many that brought so many answers in a second.
#[derive(Debug, Clone, Copy)]
enum Trial {
    /// None; nor for so many rounds
    None(u32),
    /// Answers to requests of before are still coming
    Begun {
        from: usize,
        rate: f64,
    },
    Measured {
        from: usize,
        rate: f64,
    },
}

impl Round {
    fn new(since: Instant) -> Round {
        Round { answers: 0, seconds: 0.0, since }
    }
}

/// A place among the requests in flight, until dropped.
pub(crate) struct Slot<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    entered: Instant,
}

impl Gate {
    pub fn new(most: usize) -> Gate {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let state = State {
            limit: most,
            debt: 0,
            cut: None,
            round: Round::new(Instant::now()),
            shortest: None,
            trial: Trial::None(0),
        };
        Gate { slots: Semaphore::new(most), state: Mutex::new(state), most }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn enter(&self) -> Slot<'_> {
        // It is never closed.
        let permit = self.slots.acquire().await.ok();
        self.slot(permit, Instant::now())
    }

    fn slot<'a>(&'a self, permit: Option<SemaphorePermit<'a>>, entered: Instant) -> Slot<'a> {
        Slot { gate: self, permit, entered }
    }

    fn limit_to(&self, state: &mut State, limit: usize, now: Instant) {
        let limit = limit.clamp(1, self.most);
        if limit > state.limit {
            let more = limit - state.limit;
            let paid = more.min(state.debt);
            state.debt -= paid;
            self.slots.add_permits(more - paid);
        } else {
            let fewer = state.limit - limit;
            state.debt += fewer - self.slots.forget_permits(fewer);
        }
        state.limit = limit;
        state.round = Round::new(now);
    }

    /// What follows from a round of answers.
    fn rounded(&self, state: &mut State, now: Instant) {
        let Round { answers, seconds, since } = &state.round;
        let rate = *answers as f64 / (now - *since).as_secs_f64().max(1e-6);
        let queued = seconds / *answers as f64 > QUEUE * state.shortest.unwrap_or(f64::MAX);
        let limit = state.limit;
        let (next, trial) = match state.trial {
            Trial::None(0) if queued && limit > 1 => {
                ((limit as f64 * FEWER) as usize, Trial::Begun { from: limit, rate })
            }
            Trial::None(rest) => (limit + usize::from(!queued), Trial::None(rest.saturating_sub(1))),
            Trial::Begun { from, rate } => (limit, Trial::Measured { from, rate }),
            Trial::Measured { rate: before, .. } if rate >= AS_MANY * before => (limit, Trial::None(0)),
            Trial::Measured { from, .. } => (from, Trial::None(REST)),
        };
        state.trial = trial;
        self.limit_to(state, next, now);
    }

    #[cfg(test)]
    fn limit(&self) -> usize {
        self.state().limit
    }
}

impl Slot<'_> {
    /// The request was answered.
    pub fn answered(&self) {
        self.answered_at(Instant::now());
    }

    fn answered_at(&self, now: Instant) {
        let mut state = self.gate.state();
        let seconds = (now - self.entered).as_secs_f64();
        state.shortest = Some(match state.shortest {
            Some(shortest) if seconds < shortest => 0.7 * shortest + 0.3 * seconds,
            Some(shortest) => shortest,
            None => seconds,
        });
        state.round.answers += 1;
        state.round.seconds += seconds;
        if state.round.answers >= state.limit {
            self.gate.rounded(&mut state, now);
        }
    }

    /// The server has too much to do. Requests that went out before the last cut say nothing new.
    pub fn turned_away(&self) {
        let mut state = self.gate.state();
        if state.cut.is_some_and(|cut| cut >= self.entered) {
            return;
        }
        let now = Instant::now();
        state.cut = Some(now);
        state.trial = Trial::None(0);
        let limit = (state.limit / 2).max(1);
        self.gate.limit_to(&mut state, limit, now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::time::Duration;

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
        let soon = slot.entered + Duration::from_millis(10);
        (0..4).for_each(|_| slot.answered_at(soon));
        assert_eq!(gate.limit(), 5);
        (0..1000).for_each(|_| slot.answered_at(soon));
        assert_eq!(gate.limit(), 8);
        drop(slot);
        assert_eq!(gate.slots.available_permits(), 8);
        for _ in 0..10 {
            gate.enter().await.turned_away();
        }
        assert_eq!((gate.limit(), gate.slots.available_permits()), (1, 1));
    }

    /// Sends requests through a gate of 48 to a server that works at so many at once, for 4 ms each, in an order of its
    /// own making of time; the limit at the end, and the answers in a second.
    fn settled(at_work: usize, requests: usize) -> (usize, f64) {
        let gate = Gate::new(48);
        let start = Instant::now();
        let mut free = VecDeque::from(vec![start; at_work]);
        let mut sent: VecDeque<(Instant, Slot)> = VecDeque::new();
        let mut now = start;
        for _ in 0..requests {
            while let Ok(permit) = gate.slots.try_acquire() {
                let done = free.pop_front().map_or(now, |f| f.max(now)) + Duration::from_millis(4);
                free.push_back(done);
                sent.push_back((done, gate.slot(Some(permit), now)));
            }
            let Some((done, slot)) = sent.pop_front() else { break };
            now = done;
            slot.answered_at(now);
        }
        (gate.limit(), requests as f64 / (now - start).as_secs_f64())
    }

    #[test]
    fn a_server_that_lets_requests_queue_is_not_sent_more_than_it_works_at() {
        let (limit, rate) = settled(6, 3000);
        assert!((6..=16).contains(&limit) && rate > 0.97 * 1500.0, "{limit}, {rate}");
        let (limit, rate) = settled(1000, 3000);
        assert!(limit == 48 && rate > 0.97 * 12_000.0, "{limit}, {rate}");
    }
}
