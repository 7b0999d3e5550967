//! Work that is given up when nobody waits for it any more.
//!
//! An exact answer, a fit or a completion keeps its thread for up to seconds, and no future is dropped while it is at
//! work. Between its steps it asks whether it is to go on. What it is asked by belongs to the thread, so that none of the
//! functions in between need hand it on; work that moves to another thread takes it along with [`Interrupt::within`].

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};

thread_local! {
    static CURRENT: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

/// Whether some work is to be given up. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    set: AtomicBool,
    /// It is set from then on
    at: Option<Instant>,
    /// The work that this one is a part of
    whole: Option<Interrupt>,
}

/// Sets an interrupt when it is dropped: whoever waits for the work holds it.
#[derive(Debug)]
pub struct Waiting(Interrupt);

impl Interrupt {
    /// Of work that is a part of what this thread is at, and is given up with it.
    pub fn of_part() -> Interrupt {
        CURRENT.with_borrow(|whole| Interrupt::new(whole.clone(), None))
    }

    /// The same, of work that is to be done by then.
    pub fn of_part_until(at: Instant) -> Interrupt {
        CURRENT.with_borrow(|whole| Interrupt::new(whole.clone(), Some(at)))
    }

    /// Of work that is a part of what this one is of.
    pub fn part(&self) -> Interrupt {
        Interrupt::new(Some(self.clone()), None)
    }

    fn new(whole: Option<Interrupt>, at: Option<Instant>) -> Interrupt {
        Interrupt(Arc::new(State { set: AtomicBool::new(false), at, whole }))
    }

    /// Has the work given up.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to be given up.
    pub fn is_set(&self) -> bool {
        let State { set, at, whole } = &*self.0;
        set.load(Ordering::Relaxed)
            || at.is_some_and(|at| Instant::now() >= at)
            || whole.as_ref().is_some_and(Interrupt::is_set)
    }

    /// What sets it when it is dropped.
    pub fn waiting(&self) -> Waiting {
        Waiting(self.clone())
    }

    /// Does some work on this thread that is given up when this one is set.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        /// What the thread was at before, panic or not.
        struct Before(Option<Interrupt>);
        impl Drop for Before {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _before = Before(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// A future whose work is given up when this one is set, on whichever threads it is polled.
    pub async fn around<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| self.within(|| work.as_mut().poll(context))).await
    }

    /// Asks whether to go on.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_set() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Asks whether this thread is to go on with what it is at.
///
/// # Errors
/// [`Error::Interrupted`] if it is not.
pub(crate) fn check() -> Result<()> {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), Interrupt::check))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_given_up_with_the_whole_and_not_the_other_way_round() {
        let whole = Interrupt::default();
        let (part, other) = whole.within(|| (Interrupt::of_part(), Interrupt::of_part()));
        part.set();
        assert!(part.is_set() && !other.is_set() && !whole.is_set());
        drop(whole.waiting());
        assert!(other.is_set() && part.part().is_set());
        assert!(Interrupt::of_part_until(Instant::now()).is_set());
        assert!(!Interrupt::of_part().is_set());
    }

    #[test]
    fn a_thread_is_at_what_it_was_at_before_also_after_a_panic() {
        let set = Interrupt::default();
        set.set();
        let panics = std::panic::AssertUnwindSafe(|| set.within(|| panic!("by intention")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(check().is_ok());
        assert!(set.within(|| Interrupt::default().within(check)).is_ok());
        assert!(matches!(set.within(check), Err(Error::Interrupted)));
    }
}
