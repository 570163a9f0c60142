//! A bank in this process with one TPP that listens, and commands beside it that call its internal API.

use std::process::{Child, Command, Stdio};

use oyez_testkit::bank::Bank;
use oyez_testkit::tpp::Caller;
use oyez_web::internal::operators::Role;
use serde_json::{Value, json};

use super::bank::{Desk, Done};

/// Somebody at the bank who publishes and looks.
pub(crate) struct CoreSystem {
    pub(crate) bank: Bank,
    pub(crate) desk: Desk,
    pub(crate) tpp: Caller,
}

impl CoreSystem {
    /// The TPP is called acme-1 and has subscribed to everything.
    pub(crate) async fn open() -> Self {
        Self::of(Bank::start().await).await
    }

    /// The same at another bank.
    pub(crate) async fn of(bank: Bank) -> Self {
        let tpp = bank.tpp("acme-1").await;
        let wish = json!({"Data": {"Version": "4.0"}});
        let path = "/open-banking/v4.0/event-subscriptions";
        let subscribed = tpp.post(path).json(&wish).send().await;
        assert_eq!(subscribed.status, 201, "{subscribed:?}");
        Self {
            bank,
            desk: Desk::empty(),
            tpp,
        }
    }

    /// Runs a command as an administrator.
    pub(crate) fn run(&self, words: &str, stdin: &str) -> Done {
        self.run_in(&self.variables(Role::Admin), words, stdin)
    }

    /// Runs a command as somebody else.
    pub(crate) fn run_as(&self, role: Role, words: &str) -> Done {
        self.run_in(&self.variables(role), words, "")
    }

    fn run_in(&self, variables: &[(&'static str, String)], words: &str, stdin: &str) -> Done {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        tokio::task::block_in_place(|| self.desk.run_with(words, stdin, &variables))
    }

    /// The same, shown.
    pub(crate) fn shown(&self, words: &str, stdin: &str) -> String {
        self.desk.shown(words, &self.run(words, stdin))
    }

    /// Begins a command whose standard input stays open.
    pub(crate) fn begin(&self, words: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_oyez"))
            .args(words.split_whitespace())
            .env_clear()
            .envs(self.variables(Role::Admin))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Where the internal API is.
    pub(crate) fn url(&self) -> String {
        self.bank.colleague(Role::Admin).url()
    }

    /// Polls at once.
    pub(crate) async fn poll(&self, body: &Value) -> Value {
        let events = self.tpp.post("/open-banking/v4.0/events").json(body);
        let answer = events.send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    fn variables(&self, role: Role) -> [(&'static str, String); 2] {
        let colleague = self.bank.colleague(role);
        let token = colleague.token().unwrap().to_owned();
        [("OYEZ_URL", colleague.url()), ("OYEZ_TOKEN", token)]
    }
}

/// An item about a consent of its own.
pub(crate) fn item(tpp: &str, id: &str) -> Value {
    json!({
        "tpp": tpp,
        "resource": {"type": "account-access-consent", "id": id},
        "events": [{"type": "urn:uk:org:openbanking:events:resource-update"}],
    })
}

/// The same, with an idempotency key.
pub(crate) fn keyed(tpp: &str, id: &str, key: &str) -> Value {
    let mut item = item(tpp, id);
    item["idempotency_key"] = json!(key);
    item
}

/// A line each.
pub(crate) fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

/// As [`assert_session`], for what a server says: its times, ids and ports differ too.
///
/// [`assert_session`]: super::bank::assert_session
macro_rules! assert_calls {
    ($text:expr) => {
        insta::with_settings!({
            filters => vec![
                (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "YYYY-MM-DDThh:mm:ss.sssZ"),
                (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "uuuuuuuu-uuuu-uuuu-uuuu-uuuuuuuuuuuu"),
                (r"[A-Za-z0-9_-]{43}", "KID........................................"),
                (r"127\.0\.0\.1:[1-9]\d{4}\b", "127.0.0.1:PORT"),
            ],
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!($text);
        });
    };
}
pub(crate) use assert_calls;
