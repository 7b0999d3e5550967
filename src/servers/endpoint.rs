//! Where and how a model is asked.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::RequestOptions;
use super::limits::Limits;
use super::prices::{Price, price};

const DEFAULT_BASE: &str = "https://api.openai.com/v1";

/// A server, and the key that it wants.
#[derive(Clone, PartialEq)]
pub struct Address {
    /// What requests go to, secrets and all
    pub(crate) url: reqwest::Url,
    /// The same for people, tables and logs: no password, and no query
    pub shown: String,
    pub(crate) key: String,
    /// Its part of the requests, beside the other servers' weights
    pub weight: f64,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() { "none" } else { "[secret]" };
        write!(f, "Address {{ base: {:?}, key: {key}, weight: {} }}", self.shown, self.weight)
    }
}

/// Where and how to ask.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub model: String,
    /// One server at least
    pub addresses: Vec<Address>,
    /// Requests in flight at once
    pub concurrency: usize,
    /// Of one request, answer included
    pub timeout: Duration,
    /// Requests for one answer, the first included
    pub attempts: usize,
    /// The first wait before another attempt; each further one is twice as long
    pub backoff: Duration,
    pub temperature: Option<f64>,
    /// Of one answer: one that is longer is cut off, and asked for again
    pub max_answer_tokens: Option<u32>,
    pub limits: Limits,
    pub price: Option<Price>,
    /// How long a server that answered before may fail everyone until the run stops
    pub patience: Duration,
    /// Whether requests may be handed over in batches
    pub batch: bool,
    /// What its calls are told apart by from all others, where answers that are known are not to count
    pub fresh: Option<String>,
}

impl Endpoint {
    /// A model behind the servers of a file; else behind `OPENAI_BASE_URL`, by default OpenAI's own,
    /// with the key in `OPENAI_API_KEY`, or in the file that `OPENAI_API_KEY_FILE` names.
    ///
    /// # Errors
    /// If OpenAI's own server is meant and there is no key, or a key or an address cannot be one.
    pub fn open(model: &str, servers: Option<&Path>) -> Result<Endpoint, String> {
        if model.is_empty() {
            return Err("openai: names no model; write openai:MODEL".into());
        }
        if let Some(file) = servers {
            return Ok(Endpoint::new(model, servers_in(file)?));
        }
        let variable = |name| std::env::var(name).map(|v: String| v.trim().to_string()).unwrap_or_default();
        let base = match variable("OPENAI_BASE_URL").trim_end_matches('/') {
            "" => DEFAULT_BASE.to_string(),
            base => base.to_string(),
        };
        let key = match (variable("OPENAI_API_KEY"), variable("OPENAI_API_KEY_FILE")) {
            (key, file) if key.is_empty() && !file.is_empty() => {
                key_in(Path::new(&file)).map_err(|e| format!("OPENAI_API_KEY_FILE, {e}"))?
            }
            (key, _) => key,
        };
        Ok(Endpoint::new(model, vec![Address::new(&base, &key)?]))
    }

    /// The same, asked as it is said.
    ///
    /// # Errors
    /// As [`open`](Self::open); if the file of prices is at fault, or money is limited and the price is not known.
    pub fn of(model: &str, asking: &RequestOptions) -> Result<Endpoint, String> {
        let endpoint = Endpoint::open(model, asking.servers.as_deref())?;
        let price = price(asking.prices.as_deref(), model)?;
        if asking.limits.cost.is_some() && price.is_none() {
            return Err(format!(
                "--max-cost needs the price of {model}: write it into a file and name it with --prices"
            ));
        }
        Ok(Endpoint {
            concurrency: asking.concurrency.unwrap_or(endpoint.concurrency),
            timeout: asking.timeout.unwrap_or(endpoint.timeout),
            temperature: asking.temperature,
            max_answer_tokens: asking.max_answer_tokens,
            limits: asking.limits,
            batch: asking.batch,
            fresh: asking.fresh.clone(),
            price,
            ..endpoint
        })
    }

    pub(crate) fn new(model: &str, addresses: Vec<Address>) -> Endpoint {
        Endpoint {
            model: model.into(),
            addresses,
            concurrency: 16,
            timeout: Duration::from_secs(120),
            attempts: 5,
            backoff: Duration::from_millis(500),
            temperature: None,
            max_answer_tokens: None,
            limits: Limits::default(),
            price: None,
            patience: Duration::from_secs(180),
            batch: false,
            fresh: None,
        }
    }

    /// Whose answers they are, beside the model's name, for which anybody can be asked: those of a public host are its
    /// alone. Machines of one's own (this one, private addresses, names without a domain) are taken for one provider,
    /// whatever the port: they come and go, and run what one has put there.
    pub(crate) fn provider(&self) -> String {
        let hosts: BTreeSet<String> = self.addresses.iter().filter_map(Address::public_host).collect();
        hosts.into_iter().collect::<Vec<_>>().join(" ")
    }
}

/// The variable that lets a key be sent to another machine as everyone on the way can read it.
const IN_CLEAR: &str = "POPULACE_KEY_IN_CLEAR";

impl Address {
    pub(crate) fn new(base: &str, key: &str) -> Result<Address, String> {
        let url = match reqwest::Url::parse(base) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            _ => {
                // It may be an address all the same, with a password in it.
                let said = base.rsplit('@').next().unwrap_or_default().split('?').next().unwrap_or_default();
                return Err(format!(
                    "OPENAI_BASE_URL is no address of a server: {said}; as in http://localhost:8000/v1"
                ));
            }
        };
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        // Both are possible for an address with a host.
        _ = bare.set_username("");
        _ = bare.set_password(None);
        let shown = bare.as_str().trim_end_matches('/').to_string();
        if key.is_empty() && base == DEFAULT_BASE {
            return Err(format!(
                "{base} needs a key: set OPENAI_API_KEY, or set OPENAI_BASE_URL to a server that needs none"
            ));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("OPENAI_API_KEY holds spaces or other characters that no key has".into());
        }
        let address = Address { url, shown, key: key.into(), weight: 1.0 };
        let is_secret = address.secrets().next().is_some();
        let in_clear = address.url.scheme() == "http" && !address.is_loopback() && is_secret;
        if in_clear && std::env::var_os(IN_CLEAR).is_none() {
            return Err(format!(
                "the key would go to {} as everyone on the way can read it: take https, or set {IN_CLEAR}=1 where the \
                 network is yours",
                address.shown
            ));
        }
        Ok(address)
    }

    /// Where something of the server is.
    pub(crate) fn at(&self, path: &str) -> reqwest::Url {
        let (path, asked) = path.split_once('?').unwrap_or((path, ""));
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_string();
        url.set_path(&format!("{base}/{path}"));
        let query: Vec<&str> =
            [asked, self.url.query().unwrap_or_default()].into_iter().filter(|q| !q.is_empty()).collect();
        url.set_query(Some(query.join("&")).as_deref().filter(|q| !q.is_empty()));
        url
    }

    fn is_loopback(&self) -> bool {
        match self.url.host_str().map(|h| h.trim_matches(['[', ']'])) {
            Some(host) => {
                host == "localhost"
                    || host.ends_with(".localhost")
                    || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            None => false,
        }
    }

    /// The host, where it is nobody's own.
    fn public_host(&self) -> Option<String> {
        let host = self.url.host_str()?.trim_matches(['[', ']']).trim_end_matches('.').to_lowercase();
        let own = match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
            }
            Err(_) => {
                !host.contains('.')
                    || [".localhost", ".local", ".internal", ".lan", ".home.arpa"].iter().any(|e| host.ends_with(e))
            }
        };
        (!own).then_some(host)
    }

    /// What nobody but the server is to read.
    fn secrets(&self) -> impl Iterator<Item = String> {
        let decoded = self.url.query_pairs().map(|(_, value)| value.into_owned());
        let raw = self.url.query().unwrap_or_default().split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
        let password = self.url.password().unwrap_or_default();
        let user = if password.is_empty() { self.url.username() } else { "" };
        let written = [self.key.as_str(), password, user].into_iter().chain(raw).map(String::from);
        written.chain(decoded).filter(|secret| !secret.is_empty())
    }

    /// A text without what servers repeat of it: before it is cut, so that no part of a secret is left.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let mut secrets: Vec<String> = self.secrets().collect();
        // The longest first: one may be in another.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        // Words as short as `v1` or `true` are no secrets, and stand everywhere.
        let secrets = secrets.iter().filter(|s| s.len() >= 5 || **s == self.key);
        secrets.fold(text.to_string(), |text, secret| text.replace(secret.as_str(), "[key]"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Servers {
    server: Vec<ServerEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerEntry {
    base: String,
    weight: Option<f64>,
    key_variable: Option<String>,
    key_file: Option<PathBuf>,
}

/// The servers in a file, which share the requests by their weights; keys are elsewhere.
///
/// ```toml
/// [[server]]
/// base = "http://one:8000/v1"
/// weight = 2                     # twice as many requests as a server of weight 1
/// [[server]]
/// base = "https://two.example/v1"
/// key_variable = "TWO_KEY"       # the variable of the environment that holds its key; or key_file
/// ```
///
/// # Errors
/// If the file is not of this form, or a key that it names is missing.
fn servers_in(file: &Path) -> Result<Vec<Address>, String> {
    let wrong = |what: String| format!("the servers {}: {what}", file.display());
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let Servers { server } = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let address = |ServerEntry { base: url, weight, key_variable, key_file }: ServerEntry| {
        // What is said of it has no secrets in it.
        let base = url.rsplit('@').next().unwrap_or_default().split('?').next().unwrap_or_default();
        let key = match (key_variable, key_file) {
            (Some(name), None) => {
                std::env::var(&name).map_err(|_| format!("the variable {name} with the key of {base} is not set"))?
            }
            (None, Some(file)) => key_in(&file).map_err(|e| format!("key_file of {base}, {e}"))?,
            (None, None) => String::new(),
            (Some(_), Some(_)) => return Err(format!("{base} has a key_variable and a key_file: one of them")),
        };
        let weight = weight.unwrap_or(1.0);
        if !(weight > 0.0 && weight.is_finite()) {
            return Err(format!("the weight of {base} is not above 0"));
        }
        let said = |e: String| e.replace("OPENAI_BASE_URL", "base").replace("OPENAI_API_KEY", "the key");
        Ok(Address { weight, ..Address::new(url.trim_end_matches('/'), key.trim()).map_err(said)? })
    };
    let addresses = server.into_iter().map(address).collect::<Result<Vec<_>, String>>().map_err(wrong)?;
    if addresses.is_empty() { Err(wrong("it names no server".into())) } else { Ok(addresses) }
}

/// The key in a file that nobody but its owner may read.
fn key_in(file: &Path) -> Result<String, String> {
    let wrong = |what: String| format!("{}: {what}", file.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others may read it; chmod 600 it first".into()));
        }
    }
    let key = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    Ok(key.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_checked_before_it_is_asked() {
        let message = |base, key| Address::new(base, key).unwrap_err();
        assert!(message(DEFAULT_BASE, "").contains("set OPENAI_API_KEY"));
        assert!(message("localhost:8000", "").contains("http://localhost:8000/v1"));
        assert!(message("http://localhost/v1", "two words").contains("no key has"));
        let address = Address::new("http://localhost/v1", "sk-very-secret").unwrap();
        // A key is not sent where anyone may read it.
        assert!(message("http://models.example/v1", "sk-very-secret").contains("https"));
        assert!(message("http://alice:hunter2@models.example/v1", "").contains("https"));
        assert!(["http://127.0.0.1/v1", "http://[::1]:80/v1"].iter().all(|b| Address::new(b, "sk-secret").is_ok()));
        assert!(!message("alice:hunter2@models.example", "").contains("hunter2"));
        assert!(Endpoint::open("", None).unwrap_err().contains("openai:MODEL"));
        assert!(!format!("{:?}", Endpoint::new("m", vec![address])).contains("very-secret"));
    }

    #[test]
    fn an_address_keeps_its_secrets() {
        let base = "https://alice:hunter2@models.example:8443/v1/?api-key=qs-secret-77&a=1";
        let address = Address::new(base, "sk-very-secret").unwrap();
        assert_eq!(address.shown, "https://models.example:8443/v1");
        let at = |path| address.at(path).to_string();
        let end = "models.example:8443/v1/batches?limit=100&api-key=qs-secret-77&a=1";
        assert!(at("batches?limit=100").ends_with(end), "{}", at("batches?limit=100"));
        let said = address.without_secrets("no sk-very-secret, hunter2 nor qs-secret-77 at v1");
        assert_eq!(said, "no [key], [key] nor [key] at v1");
        let told = format!("{address:?}");
        assert!(["very-secret", "qs-secret", "hunter2"].iter().all(|secret| !told.contains(secret)), "{told}");
    }

    #[test]
    fn answers_belong_to_public_hosts_and_to_ones_own_machines() {
        let provider = |bases: &[&str]| {
            let addresses = bases.iter().map(|b| Address::new(b, "").unwrap()).collect();
            Endpoint::new("m", addresses).provider()
        };
        for own in ["http://localhost:8000/v1", "http://10.1.2.3/v1", "http://gpu:1/v1", "http://[fd00::1]/v1"] {
            assert_eq!(provider(&[own, "http://127.0.0.1:9/v1"]), "", "{own}");
        }
        assert_eq!(provider(&["https://API.one.example:443/v1"]), "api.one.example");
        let both = provider(&["https://two.example/v1", "https://one.example/v1", "https://two.example/"]);
        assert_eq!(both, "one.example two.example");
    }

    #[test]
    #[cfg(unix)]
    fn a_key_in_a_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert!(key_in(&file).unwrap_err().contains("key: "));
        std::fs::write(&file, "sk-very-secret\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        let error = key_in(&file).unwrap_err();
        assert!(error.contains("chmod 600") && !error.contains("very-secret"), "{error}");
        mode(0o600);
        assert_eq!(key_in(&file).unwrap(), "sk-very-secret");
        // As the key of one of several servers.
        let servers = folder.path().join("servers.toml");
        let text = format!(
            "[[server]]\nbase = \"http://one/v1/\"\nweight = 2\n[[server]]\nbase = \"https://two/v1\"\nkey_file = {file:?}\n"
        );
        std::fs::write(&servers, text).unwrap();
        let found = servers_in(&servers).unwrap();
        assert_eq!((found[0].shown.as_str(), found[0].weight, found[1].weight), ("http://one/v1", 2.0, 1.0));
        assert_eq!(found[1].key, "sk-very-secret");
        for (wrong, says) in [
            ("", "missing field `server`"),
            ("server = []", "names no server"),
            ("[[server]]\nbase = \"two\"", "base is no address"),
            ("[[server]]\nbase = \"http://two\"\nweight = 0", "not above 0"),
            ("[[server]]\nbase = \"http://two\"\nkey = \"sk\"", "unknown field `key`"),
            ("[[server]]\nbase = \"http://two\"\nkey_variable = \"NO_SUCH_KEY\"", "NO_SUCH_KEY"),
        ] {
            std::fs::write(&servers, wrong).unwrap();
            let error = servers_in(&servers).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
