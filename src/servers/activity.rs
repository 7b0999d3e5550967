//! What a statement does with models: the run that it writes for, what it asked, and what it may spend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::limits::Budget;
use super::tally::{Asked, Tally};
use crate::catalog::Call;

/// The run that a statement is at, for the calls that are made meanwhile.
pub type CurrentRun = Arc<Mutex<Option<String>>>;

/// A statement at work, or a session between statements. Calls to models are noted for its run and counted here, and
/// two statements at once do not bill each other.
#[derive(Debug)]
pub struct Activity {
    /// What functions are told of the statement by
    pub id: String,
    pub(crate) run: CurrentRun,
    /// The run that was the last, also after its end
    last: Mutex<Option<String>>,
    pub(crate) tally: Tally,
    pub(crate) budget: Arc<Budget>,
}

impl Activity {
    pub(crate) fn new(budget: &Budget) -> Arc<Activity> {
        let run = CurrentRun::default();
        let budget = Arc::new(budget.of(run.clone()));
        let id = uuid::Uuid::now_v7().simple().to_string();
        Arc::new(Activity { id, run, last: Mutex::default(), tally: Tally::new(), budget })
    }

    /// The run that calls are noted for, if there is one.
    pub fn run(&self) -> Option<String> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run that calls were noted for last, also where it has ended.
    pub fn last_run(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has calls noted for a run, or for none any more.
    pub fn set_run(&self, run: Option<String>) {
        if run.is_some() {
            self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&run);
        }
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// Counts what came of a call.
    pub(crate) fn count(&self, call: &Call) {
        self.tally.called(call);
    }

    /// What came of asking since this was last called.
    pub fn asked(&self) -> Asked {
        self.tally.take()
    }
}

/// The statements of a session that are at work, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Activities(Mutex<HashMap<String, Weak<Activity>>>);

impl Activities {
    pub fn begin(&self, budget: &Budget) -> Arc<Activity> {
        let activity = Activity::new(budget);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, activity| activity.strong_count() > 0);
        all.insert(activity.id.clone(), Arc::downgrade(&activity));
        activity
    }

    pub fn get(&self, id: &str) -> Option<Arc<Activity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).and_then(Weak::upgrade)
    }
}
