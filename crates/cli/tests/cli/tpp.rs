//! A TPP that has the real binary for everything: `oyez subscription`, `oyez listen`, `oyez poll`, against banks of the real
//! binary. Nothing of the library is called here but a client to push with by hand.

mod config;
mod examples;
pub(crate) mod interop;
mod kill;
mod listen;
mod poll;
mod subscription;
mod verify;

use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use oyez_testkit::endpoint::{Behaviour, Endpoint, Greeting, Manner};
use oyez_testkit::tpp::Caller;
use oyez_tpp::domain::time::Clock;
use oyez_tpp::{Bytes, HeaderMap, Limits, Method, Request, Response, Tls, Transport};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

use crate::bank::{Desk, Done};
use crate::house::{House, NOTIFICATIONS, item};

/// A TPP's directory, its banks' token endpoint, and the port that it receives at.
pub(crate) struct Firm {
    desk: Desk,
    authorisation: Endpoint,
    /// Bound and never listened at, so that the port is nobody else's while a listener is dead.
    port: TcpSocket,
    anchors: String,
    clock: Arc<dyn Clock>,
}

/// `oyez listen` or `oyez poll`. Dropped, it is killed.
pub(crate) struct Running(Child);

impl Firm {
    /// A customer of these banks, under this client_id at each. They must believe the first one's authority.
    pub(crate) async fn of(client_id: &str, banks: &[&House]) -> Self {
        let first = banks[0].site();
        let desk = Desk::empty();
        let authorisation = Endpoint::start(&first.authority.server(&[])).await;
        let mut callers = Vec::new();
        for bank in banks {
            callers.push(bank.tpp(client_id).await);
        }
        let certificate = callers[0].certificate().unwrap().clone();
        let anchors: String = banks.iter().map(|it| it.site().authority.pem()).collect();
        let server = first.authority.server(&[]);
        for (name, text) in [
            ("anchors.pem", anchors.clone()),
            ("transport.crt", certificate.pem()),
            ("transport.key", certificate.key_pem()),
            (
                "signing.key",
                callers[0].key().to_pkcs8_pem().unwrap().to_string(),
            ),
            ("server.crt", server.pem()),
            ("server.key", server.key_pem()),
        ] {
            desk.write(name, &text);
        }
        for (place, caller) in callers.into_iter().enumerate() {
            let caller = caller.with_certificate(Some(certificate.clone()));
            authorisation.behave(&token_path(place), tokens(caller));
        }
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let firm = Self {
            desk,
            authorisation,
            port,
            anchors,
            clock: Arc::clone(&first.clock) as Arc<dyn Clock>,
        };
        let sections = banks.iter().enumerate();
        let sections: String = sections
            .map(|(place, bank)| firm.bank_section(place, bank, client_id))
            .collect();
        firm.desk.write("banks.toml", &sections);
        firm.hand_over("to = \"stdout\"");
        firm
    }

    fn bank_section(&self, place: usize, bank: &House, client_id: &str) -> String {
        let (at, tokens) = (bank.site().address(), self.authorisation.address());
        format!(
            "
[[tpp.banks]]
name = \"bank-{place}\"
base_url = \"https://{at}\"
client_id = \"{client_id}\"
issuer = \"{}\"
org_id = \"DEVELOPMENT-ONLY-BANK\"
jwks = \"https://{at}/jwks\"
token_endpoint = \"https://{tokens}{}\"
poll_interval = \"100ms\"
",
            issuer(place),
            token_path(place)
        )
    }

    /// Writes its configuration: these lines are what it says of handing over.
    pub(crate) fn hand_over(&self, lines: &str) {
        let own = format!(
            "
[hand_over]
{lines}

[listen]
address = \"{}\"
certificate = \"server.crt\"
key = \"server.key\"
",
            self.port.local_addr().unwrap()
        );
        let head = format!("{HEAD}{}{own}", self.desk.read("banks.toml"));
        self.desk.write("tpp.toml", &head);
    }

    /// An application of its own, in the clear on this machine, that events are posted to; and what it is told of it.
    pub(crate) async fn application(&self) -> Endpoint {
        let nobodys = oyez_testkit::certificates::Authority::new("nobody").server(&[]);
        let application = Endpoint::start(&nobodys).await;
        application.greet(Greeting::Plain);
        application.behave(APPLICATION, Behaviour::status(204));
        let url = format!("http://{}{APPLICATION}", application.address());
        self.hand_over(&format!(
            "to = \"http\"\nurl = \"{url}\"\nsecret = \"{SECRET}\""
        ));
        application
    }

    /// Its CallbackUrl.
    pub(crate) fn callback_url(&self) -> String {
        format!("https://{}{NOTIFICATIONS}", self.port.local_addr().unwrap())
    }

    /// Subscribes to everything; pushed, or polled.
    pub(crate) fn subscribe(&self, options: &str) {
        let done = self
            .desk
            .run(&format!("subscription create --json {options}"));
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    }

    pub(crate) fn run(&self, words: &str) -> Done {
        self.desk.run(words)
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Starts `oyez` with these words; what it says goes to `out` and `log`.
    pub(crate) fn start(&self, words: &str) -> Running {
        let file = |name: &str| {
            let mut options = File::options();
            let options = options.create(true).append(true);
            options.open(self.desk.path(name)).unwrap()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_oyez"))
            .args(words.split_whitespace())
            .current_dir(self.desk.path(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn();
        Running(child.unwrap())
    }

    /// Starts `oyez listen`, and waits until it listens.
    pub(crate) async fn listen(&self) -> Running {
        let said = |log: &str| log.matches("\"listening\"").count();
        let before = said(&self.text("log"));
        let running = self.start("listen --json");
        let listens = || said(&self.text("log")) > before;
        self.until("it listens", || listens().then_some(())).await;
        running
    }

    /// What is in a file of its directory by now.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.desk.path(name)).unwrap_or_default()
    }

    /// The whole lines of a file, of JSON all of them; or nothing where one was torn.
    pub(crate) fn records(&self, name: &str) -> Vec<Value> {
        let text = self.text(name);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    }

    /// The records of a file, once there are so many.
    pub(crate) async fn until_records(&self, name: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} events in {name}");
        let enough = |records: &Vec<Value>| records.len() >= count;
        self.until(&what, || Some(self.records(name)).filter(enough))
            .await
    }

    /// Waits until there is something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let log = self.text("log");
            assert!(Instant::now() < deadline, "not so: {what}\n{log}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Pushes to its listener by hand.
    pub(crate) async fn push(&self, path: &str, headers: HeaderMap, body: &str) -> Response {
        let tls = Tls {
            anchors: self.anchors.as_bytes(),
            certificate: None,
        };
        let clock = Arc::clone(&self.clock);
        let transport = Transport::new(tls, Limits::default(), clock).unwrap();
        let request = Request {
            method: Method::POST,
            url: format!("https://{}{path}", self.port.local_addr().unwrap()),
            headers,
            body: Bytes::from(body.to_owned()),
            total: PATIENCE,
        };
        transport.send(request).await.unwrap()
    }
}

impl Running {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Stops it in good order.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A bank whose pushes and polls do not wait for long.
pub(crate) fn quick_house(variables: &[(&str, &str)]) -> House {
    let own = [
        ("OYEZ_RETRY__BASE", "100ms"),
        ("OYEZ_RETRY__CEILING", "1s"),
        ("OYEZ_RETRY__RETRIES_MAX", "100000"),
        ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
    ];
    let variables: Vec<_> = own.iter().chain(variables).copied().collect();
    let mut house = House::new(&variables);
    house.start();
    house
}

/// Hands an event over to a bank; its jti.
pub(crate) async fn publish(house: &House, client_id: &str, key: &str) -> String {
    let event = item(client_id, &format!("r-{key}"), key);
    let publisher = house.colleague("publisher");
    let answer = publisher.post("/v1/events", &event).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    answer["outcomes"][0]["jti"].as_str().unwrap().to_owned()
}

/// All that a bank knows of an event.
pub(crate) async fn file_of(house: &House, jti: &str) -> Value {
    let path = format!("/v1/events/{jti}");
    house.colleague("viewer").get(&path).await.json()
}

/// Waits until a bank says this of an event.
pub(crate) async fn until_file(house: &House, jti: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let file = file_of(house, jti).await;
        if is_so(&file) {
            return file;
        }
        assert!(Instant::now() < deadline, "{file:#}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn is_acknowledged(file: &Value) -> bool {
    file["event"]["state"] == "acknowledged"
}

/// `iss` of the bank in this place.
pub(crate) fn issuer(place: usize) -> &'static str {
    ["https://localhost:8443", "https://other.example"][place]
}

pub(crate) fn jtis(records: &[Value]) -> Vec<&str> {
    let jtis = records.iter().map(|it| it["jti"].as_str().unwrap());
    jtis.collect()
}

/// Answers every request for a token with a fresh one of this client's.
fn tokens(caller: Caller) -> Manner {
    Manner::by(move |seen| {
        let asked = String::from_utf8_lossy(&seen.body);
        if !asked.contains("grant_type=client_credentials") {
            return Behaviour::status(400);
        }
        let token = json!({
            "access_token": caller.token().mint(), "token_type": "Bearer", "expires_in": 300,
        });
        Behaviour::json(token.to_string())
    })
}

fn token_path(place: usize) -> String {
    format!("/token/{place}")
}

const HEAD: &str = "\
[tpp]
signatory = \"0015800001041RbAAI/software-of-tpp-1\"
signing_key = \"signing.key\"
signing_kid = \"tpp-signing\"
certificate = \"transport.crt\"
key = \"transport.key\"
trust_anchors = \"anchors.pem\"
";
/// Where the application takes events.
pub(crate) const APPLICATION: &str = "/events";
/// Of Standard Webhooks: 32 bytes.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// For what comes within a second, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
