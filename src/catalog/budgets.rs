//! What runs, sessions and tokens have spent: reserved before a request is sent, settled by what the answer took. It is
//! kept here so that a run that is resumed, another process at its side, and all that is asked with one token share what
//! may be spent.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Catalog, Error, explain};

/// Requests, tokens and money.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Amount {
    pub calls: u64,
    pub tokens: u64,
    /// US dollars
    pub cost_usd: f64,
}

/// What may be spent in all; nothing is bounded where it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
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

/// Who spends, and what they may spend in all.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// A run by its identifier, a session that has none, or a token (`token:ID`)
    pub name: String,
    pub bounds: Bounds,
    /// Whose bounds these are, where they are not those of a command
    pub whose: Option<String>,
}

/// A bound that leaves no room.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhausted {
    /// Whose bound it is, where it is not that of a command
    pub whose: Option<String>,
    /// Which it is, and how much: `15 calls`
    pub bound: String,
    /// What sets it in a command
    pub option: &'static str,
    /// Whether answers that are on their way may take less than is reserved for them
    pub may_pass: bool,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whose {
            Some(whose) => write!(
                f,
                "{whose} may spend {} in all, and has: `populace tokens add` makes one that may spend more",
                self.bound
            ),
            None => write!(f, "the limit of {} is reached: a larger {} lets it go on", self.bound, self.option),
        }
    }
}

impl Bounds {
    fn exhausted(&self, spent: Amount, more: Amount) -> Option<Exhausted> {
        let reached = |bound, option, may_pass| Exhausted { whose: None, bound, option, may_pass };
        if let Some(most) = self.calls.filter(|most| spent.calls + more.calls > *most) {
            return Some(reached(format!("{most} calls"), "--max-calls", false));
        }
        if let Some(most) = self.tokens.filter(|most| spent.tokens + more.tokens > *most) {
            return Some(reached(format!("{most} tokens"), "--max-tokens", true));
        }
        let most = self.cost_usd.filter(|most| spent.cost_usd >= *most || spent.cost_usd + more.cost_usd > *most)?;
        Some(reached(format!("{most} US dollars"), "--max-cost", true))
    }
}

impl Catalog {
    /// Adds to what accounts have spent, to all or none of them, if each stays within its bounds; `reserved` makes what
    /// stands for it, before anybody else can reserve.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn reserve<T: Send + 'static>(
        &self,
        accounts: Vec<Account>,
        more: Amount,
        reserved: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Exhausted>, Error> {
        // Who is bounded by nothing need not wait to be told so.
        if !accounts.iter().any(|account| account.bounds.are_set()) {
            self.post(move |connection| reserve(connection, &accounts, more).map(|_| ()));
            return Ok(Ok(reserved()));
        }
        self.write(move |connection| Ok(reserve(connection, &accounts, more)?.map(|()| reserved()))).await
    }

    /// What an account has spent.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn spent(&self, account: &str) -> Result<Amount, Error> {
        spent(&self.connection(), account).map_err(|e| explain(&self.path, &e))
    }

    /// Puts what was taken in the place of what was reserved.
    pub fn settle(&self, account: String, reserved: Amount, taken: Amount) {
        self.post(move |connection| settle(connection, &account, reserved, taken));
    }
}

fn reserve(connection: &Connection, accounts: &[Account], more: Amount) -> rusqlite::Result<Result<(), Exhausted>> {
    let mut all_spent = Vec::with_capacity(accounts.len());
    for Account { name, bounds, whose } in accounts {
        let spent = spent(connection, name)?;
        if let Some(exhausted) = bounds.exhausted(spent, more) {
            return Ok(Err(Exhausted { whose: whose.clone(), ..exhausted }));
        }
        all_spent.push(spent);
    }
    let sql = "INSERT OR REPLACE INTO budgets (account, calls, tokens, cost_usd) VALUES (?1, ?2, ?3, ?4)";
    for (account, spent) in accounts.iter().zip(all_spent) {
        let (calls, tokens) = (spent.calls + more.calls, spent.tokens + more.tokens);
        let values = params![account.name, calls as i64, tokens as i64, spent.cost_usd + more.cost_usd];
        connection.prepare_cached(sql)?.execute(values)?;
    }
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
        let account = |name: &str| Account { name: name.into(), bounds, whose: None };
        let reserve = async |catalog: &Catalog| catalog.reserve(vec![account("r")], some, || {}).await.unwrap();
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
        assert!(two.reserve(vec![account("other")], some, || {}).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn all_accounts_pay_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path()).unwrap();
        let account = |name: &str, calls, whose: Option<&str>| Account {
            name: name.into(),
            bounds: Bounds { calls, ..Bounds::default() },
            whose: whose.map(String::from),
        };
        let one = Amount { calls: 1, ..Amount::default() };
        let ask = async |run: &str| {
            let accounts = vec![account(run, None, None), account("token:t", Some(2), Some("the token analyst"))];
            catalog.reserve(accounts, one, || {}).await.unwrap()
        };
        assert!(ask("a").await.is_ok() && ask("b").await.is_ok());
        let full = ask("c").await.unwrap_err();
        assert_eq!(
            full.to_string(),
            "the token analyst may spend 2 calls in all, and has: `populace tokens add` makes one that may spend more"
        );
        assert_eq!((catalog.spent("c").unwrap().calls, catalog.spent("token:t").unwrap().calls), (0, 2));
    }
}
