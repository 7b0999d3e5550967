//! What runs and sessions have spent: reserved before a request is sent, settled by what the answer took. It is kept
//! here so that a run that is resumed, and another process at its side, share what it may spend.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalog, Error};

/// Requests, tokens and money.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Amount {
    pub calls: u64,
    pub tokens: u64,
    /// US dollars
    pub cost_usd: f64,
}

/// What may be spent in all; nothing is bounded where it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    pub calls: Option<u64>,
    pub tokens: Option<u64>,
    /// US dollars
    pub cost_usd: Option<f64>,
}

impl Bounds {
    pub fn are_set(&self) -> bool {
        *self != Bounds::default()
    }
}

/// A bound that leaves no room.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhausted {
    /// Which it is, and how much: `15 calls`
    pub bound: String,
    /// What sets it in a command
    pub option: &'static str,
    /// Whether answers that are on their way may take less than is reserved for them
    pub may_pass: bool,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit of {} is reached: a larger {} lets it go on", self.bound, self.option)
    }
}

impl Bounds {
    fn exhausted(&self, spent: Amount, more: Amount) -> Option<Exhausted> {
        if let Some(most) = self.calls.filter(|most| spent.calls + more.calls > *most) {
            return Some(Exhausted { bound: format!("{most} calls"), option: "--max-calls", may_pass: false });
        }
        if let Some(most) = self.tokens.filter(|most| spent.tokens + more.tokens > *most) {
            return Some(Exhausted { bound: format!("{most} tokens"), option: "--max-tokens", may_pass: true });
        }
        let most = self.cost_usd.filter(|most| spent.cost_usd >= *most || spent.cost_usd + more.cost_usd > *most)?;
        Some(Exhausted { bound: format!("{most} US dollars"), option: "--max-cost", may_pass: true })
    }
}

impl Catalog {
    /// Adds to what an account has spent, if that stays within bounds; `reserved` makes what stands for it, before
    /// anybody else can reserve. An account is a run by its identifier, or a session that has none.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn reserve<T: Send + 'static>(
        &self,
        account: String,
        more: Amount,
        bounds: Bounds,
        reserved: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Exhausted>, Error> {
        // Who is bounded by nothing need not wait to be told so.
        if !bounds.are_set() {
            self.post(move |connection| reserve(connection, &account, more, bounds).map(|_| ()));
            return Ok(Ok(reserved()));
        }
        self.write(move |connection| Ok(reserve(connection, &account, more, bounds)?.map(|()| reserved()))).await
    }

    /// Puts what was taken in the place of what was reserved.
    pub fn settle(&self, account: String, reserved: Amount, taken: Amount) {
        self.post(move |connection| settle(connection, &account, reserved, taken));
    }
}

fn reserve(
    connection: &Connection,
    account: &str,
    more: Amount,
    bounds: Bounds,
) -> rusqlite::Result<Result<(), Exhausted>> {
    let spent = spent(connection, account)?;
    if let Some(exhausted) = bounds.exhausted(spent, more) {
        return Ok(Err(exhausted));
    }
    let (calls, tokens) = (spent.calls + more.calls, spent.tokens + more.tokens);
    let sql = "INSERT OR REPLACE INTO budgets (account, calls, tokens, cost_usd) VALUES (?1, ?2, ?3, ?4)";
    let values = params![account, calls as i64, tokens as i64, spent.cost_usd + more.cost_usd];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(Ok(()))
}

/// What an account has spent, by the calls of the run where nothing is noted yet.
fn spent(connection: &Connection, account: &str) -> rusqlite::Result<Amount> {
    let amount = |r: &rusqlite::Row| {
        let count = |i| Ok::<_, rusqlite::Error>(r.get::<_, f64>(i)? as u64);
        Ok(Amount { calls: count(0)?, tokens: count(1)?, cost_usd: r.get(2)? })
    };
    let sql = "SELECT CAST(calls AS REAL), CAST(tokens AS REAL), cost_usd FROM budgets WHERE account = ?1";
    if let Some(noted) = connection.prepare_cached(sql)?.query_row([account], amount).optional()? {
        return Ok(noted);
    }
    let sql = "SELECT total(attempts), total(prompt_tokens) + total(completion_tokens), total(cost_usd) FROM calls
               WHERE run = ?1";
    connection.prepare_cached(sql)?.query_row([account], amount)
}

pub(super) fn settle(connection: &Connection, account: &str, reserved: Amount, taken: Amount) -> rusqlite::Result<()> {
    let sql = "UPDATE budgets SET calls = max(0, calls + ?2), tokens = max(0, tokens + ?3),
               cost_usd = max(0.0, cost_usd + ?4) WHERE account = ?1";
    let difference = |taken: u64, reserved: u64| taken as i64 - reserved as i64;
    connection.prepare_cached(sql)?.execute(params![
        account,
        difference(taken.calls, reserved.calls),
        difference(taken.tokens, reserved.tokens),
        taken.cost_usd - reserved.cost_usd
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_is_shared_by_all_who_know_it() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [Catalog::open(folder.path()).unwrap(), Catalog::open(folder.path()).unwrap()];
        let bounds = Bounds { calls: Some(3), cost_usd: Some(0.5), ..Bounds::default() };
        let some = Amount { calls: 1, tokens: 100, cost_usd: 0.2 };
        let reserve = async |catalog: &Catalog| catalog.reserve("r".into(), some, bounds, || {}).await.unwrap();
        assert!(reserve(&one).await.is_ok() && reserve(&two).await.is_ok());
        let full = reserve(&one).await.unwrap_err();
        assert_eq!(
            (full.to_string().as_str(), full.may_pass),
            ("the limit of 0.5 US dollars is reached: a larger --max-cost lets it go on", true)
        );
        // What was not taken is there for others.
        one.settle("r".into(), some, Amount { calls: 1, tokens: 10, cost_usd: 0.1 });
        one.write(|_| Ok(())).await.unwrap();
        assert!(reserve(&two).await.is_ok());
        let full = reserve(&two).await.unwrap_err();
        assert_eq!(
            (full.to_string().as_str(), full.may_pass),
            ("the limit of 3 calls is reached: a larger --max-calls lets it go on", false)
        );
        assert!(two.reserve("other".into(), some, bounds, || {}).await.unwrap().is_ok());
    }
}
