//! `oyez serve`: the real binary, started, called, reloaded and stopped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{LocalKey, sha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::bank::Desk;

type Secured = StreamOwned<ClientConnection, TcpStream>;
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A server of the bank on the desk. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    addresses: Value,
    log: Receiver<String>,
}

impl Server {
    pub(crate) fn start(desk: &Desk) -> Self {
        Self::start_with(desk, &[])
    }

    /// With more words, each by itself.
    fn start_with(desk: &Desk, words: &[&str]) -> Self {
        Self::start_at(desk, words, "127.0.0.1:0")
    }

    /// With the internal API at this address.
    pub(crate) fn start_at(desk: &Desk, words: &[&str], internal: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oyez"))
            .args(["serve", "-c", "oyez.toml"])
            .args(words)
            .current_dir(desk.path("bank"))
            .env_clear()
            .env("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0")
            .env("OYEZ_INTERNAL__ADDRESS", internal)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines(child.stderr.take().unwrap());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Vec<_> = log.try_iter().collect();
        let addresses = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{said:#?}"));
        Self {
            child,
            addresses,
            log,
        }
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let url = self.addresses[name].as_str().unwrap();
        url.split_once("://").unwrap().1.parse().unwrap()
    }

    fn internal(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address("internal")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Who answers in TLS, by the authority in this file.
    fn tpp(&self, authority: &str) -> Secured {
        self.secured(authority, None)
    }

    /// The same, called by the TPP of a fresh bank, with its certificate.
    pub(crate) fn tpp_as_itself(&self, desk: &Desk) -> Secured {
        let file = |name: &str| desk.read(&format!("bank/development/{name}"));
        let certificate = CertificateDer::from_pem_slice(file("tpp.crt").as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(file("tpp.key").as_bytes()).unwrap();
        self.secured(&file("ca.crt"), Some((certificate, key)))
    }

    fn secured(&self, authority: &str, identity: Option<Identity>) -> Secured {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some((certificate, key)) => config
                .with_client_auth_cert(vec![certificate], key)
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(self.address("tpp")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(tls, stream)
    }

    /// Asks with one header more, or with several that are joined.
    pub(crate) fn ask(
        &self,
        stream: &mut (impl Read + Write),
        line: &str,
        header: &str,
        body: &str,
    ) -> (u16, String) {
        ask_with(stream, line, header, body)
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until the log says this, and answers what it said before.
    fn until_it_says(&self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return before,
                Ok(line) => before.push(line),
                Err(_) => panic!("the log never said {text:?}: {before:#?}"),
            }
        }
    }

    pub(crate) fn exit_code(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap();
        (code, self.log.iter().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The lines of a stream, read as they come, so that the writer never waits.
fn lines(stream: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// One request on an open connection, and its answer: status, and body by its length.
fn ask(stream: &mut (impl Read + Write), line: &str, body: &str) -> (u16, String) {
    ask_with(stream, line, "X-Nothing: 0", body)
}

/// The same, with one header more.
fn ask_with(
    stream: &mut (impl Read + Write),
    line: &str,
    header: &str,
    body: &str,
) -> (u16, String) {
    send(stream, line, header, body);
    answer(stream)
}

fn send(stream: &mut impl Write, line: &str, header: &str, body: &str) {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
}

fn answer(stream: &mut impl Read) -> (u16, String) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

#[test]
fn a_fresh_bank_is_served_as_it_is_and_stops_when_it_is_told() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let (status, ready) = ask(&mut server.internal(), "GET /health/ready", "");
    assert_eq!(status, 200, "{ready}");
    let mut tpp = server.tpp(&desk.read("bank/development/ca.crt"));
    let (status, keys) = ask(&mut tpp, "GET /jwks", "");
    assert_eq!(status, 200);
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let manifest: Value = serde_json::from_str(&desk.read("bank/keys/manifest.json")).unwrap();
    assert_eq!(keys["keys"][0]["kid"], manifest["keys"][0]["kid"]);
    server.signal("TERM");
    let (code, log) = server.exit_code();
    assert_eq!(code, 0, "{log}");
    assert!(
        desk.run("check -c bank/oyez.toml")
            .stdout
            .contains("not in use")
    );
}

// I-01, I-05
#[test]
fn an_event_is_published_with_a_token_and_never_without() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let tokens = desk.read("bank/tokens.secret");
    let token = tokens
        .lines()
        .find_map(|line| line.strip_prefix("publisher "))
        .unwrap();
    let event = r#"{"tpp": "development-tpp", "resource": {"type": "account-access-consent", "id": "1"},
        "events": [{"type": "urn:uk:org:openbanking:events:consent-authorization-revoked"}]}"#;
    let mut stream = server.internal();
    let (status, _) = ask(&mut stream, "POST /v1/events", event);
    assert_eq!(status, 401);
    let header = format!("Authorization: Bearer {token}");
    let (status, outcome) = ask_with(&mut stream, "POST /v1/events", &header, event);
    assert_eq!(status, 200, "{outcome}");
    assert!(outcome.contains("no-subscription"), "{outcome}");
}

#[test]
fn what_is_asked_for_is_served_and_nothing_else() {
    let desk = Desk::with_bank();
    for roles in ["internal", "internal,delivery"] {
        let server = Server::start_with(&desk, &["--roles", roles]);
        assert!(server.addresses["tpp"].is_null(), "{roles}");
        assert_eq!(ask(&mut server.internal(), "GET /health/ready", "").0, 200);
    }
}

#[test]
fn a_second_server_on_the_same_ledger_is_refused_with_the_mend() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let free = [
        ("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0"),
        ("OYEZ_INTERNAL__ADDRESS", "127.0.0.1:0"),
    ];
    let second = desk.run_with("serve -c bank/oyez.toml", "", &free);
    assert_eq!((second.code, second.stdout.as_str()), (3, ""));
    assert!(
        second.stderr.contains("is used by another process"),
        "{}",
        second.stderr
    );
    assert!(
        second.stderr.contains("mend: stop the server"),
        "{}",
        second.stderr
    );
    assert_eq!(ask(&mut server.internal(), "GET /health/live", "").0, 200);
}

// A-06
#[test]
fn a_new_certificate_is_shown_without_a_connection_being_dropped() {
    let desk = Desk::with_bank();
    assert_eq!(desk.run("init other").code, 0);
    let server = Server::start(&desk);
    let authority = desk.read("bank/development/ca.crt");
    let mut before = server.tpp(&authority);
    assert_eq!(ask(&mut before, "GET /jwks", "").0, 200);
    for name in ["server.crt", "server.key"] {
        let new = desk.path(&format!("other/development/{name}"));
        fs::copy(new, desk.path(&format!("bank/development/{name}"))).unwrap();
    }
    server.signal("HUP");
    server.until_it_says("certificate and anchors of [listener] read again");
    assert_eq!(ask(&mut before, "GET /jwks", "").0, 200);
    let mut after = server.tpp(&desk.read("other/development/ca.crt"));
    assert_eq!(ask(&mut after, "GET /jwks", "").0, 200);
}

// M-06
#[test]
fn a_new_signing_key_is_published_without_being_told_and_a_damaged_manifest_changes_nothing() {
    let desk = Desk::with_bank();
    desk.age_keys(60);
    let server = Server::start(&desk);
    let mut tpp = server.tpp(&desk.read("bank/development/ca.crt"));
    assert_eq!(desk.run("keys new -c bank/oyez.toml --kid second").code, 0);
    server.until_it_says("signing keys read again");
    assert!(ask(&mut tpp, "GET /jwks", "").1.contains("\"second\""));
    desk.write("bank/keys/manifest.json", "{");
    server.until_it_says("signing keys not read again");
    assert!(ask(&mut tpp, "GET /jwks", "").1.contains("\"second\""));
}

// A-05
#[test]
fn behind_a_gateway_the_listener_for_tpps_is_plain_http() {
    let desk = Desk::with_bank();
    for line in [
        "certificate = \"development/server.crt\"",
        "key = \"development/server.key\"",
        "client_anchors = \"development/ca.crt\"",
    ] {
        desk.configure(line, "");
    }
    desk.configure("# networks = []", "networks = [\"127.0.0.0/8\"]");
    desk.configure("# certificate_header =", "certificate_header =");
    let server = Server::start(&desk);
    let mut tpp = TcpStream::connect(server.address("tpp")).unwrap();
    assert_eq!(ask(&mut tpp, "GET /jwks", "").0, 200);
}

/// A token for the TPP of a fresh bank, as the toy authorisation server signs it: bound to its certificate.
#[expect(
    clippy::disallowed_methods,
    reason = "the server goes by the real clock"
)]
fn token(desk: &Desk) -> String {
    let file = |name: &str| desk.read(&format!("bank/development/{name}"));
    let key = LocalKey::read(file("token-signing.key").into_bytes().into()).unwrap();
    let certificate = CertificateDer::from_pem_slice(file("tpp.crt").as_bytes()).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(sha256(&certificate));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let header = json!({"alg": "PS256", "typ": "at+jwt", "kid": key.public_key().thumbprint()});
    let claims = json!({
        "iss": "https://localhost/DEVELOPMENT-ONLY", "aud": "https://localhost:8443",
        "client_id": "development-tpp", "sub": "development-tpp", "scope": "accounts",
        "iat": now, "exp": now + 300, "jti": "1", "cnf": {"x5t#S256": thumbprint},
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = key.sign_now(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

// A-02, A-05, P-07
#[test]
#[expect(clippy::disallowed_types, reason = "the server goes by the real clock")]
fn a_poll_that_waits_is_answered_when_the_server_stops() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let mut tpp = server.tpp_as_itself(&desk);
    let bearer = format!("Authorization: Bearer {}", token(&desk));
    let path = "POST /open-banking/v4.0/events";
    let (status, body) = ask_with(&mut tpp, path, &bearer, r#"{"returnImmediately": true}"#);
    assert_eq!(status, 200, "{body}");
    let mut stranger = server.tpp(&desk.read("bank/development/ca.crt"));
    assert_eq!(ask_with(&mut stranger, path, &bearer, "{}").0, 401);
    send(&mut tpp, path, &bearer, r#"{"returnImmediately": false}"#);
    let waiting = || ask(&mut server.internal(), "GET /metrics", "").1;
    let began = std::time::Instant::now();
    while !waiting().contains("oyez_polls_waiting 1\n") {
        assert!(began.elapsed() < PATIENCE, "{}", waiting());
    }
    server.signal("TERM");
    let (status, body) = answer(&mut tpp);
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"moreAvailable":false,"sets":{}}"#)
    );
    assert_eq!(server.exit_code().0, 0);
}

#[test]
fn what_is_under_way_is_finished_before_the_server_stops() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let mut stream = server.internal();
    let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"{").unwrap();
    // Another connection, so that the first one's bytes are surely read.
    assert_eq!(ask(&mut server.internal(), "GET /health/live", "").0, 200);
    server.signal("TERM");
    server.until_it_says("stopping");
    stream.write_all(b"}").unwrap();
    assert_eq!(answer(&mut stream).0, 401);
    assert_eq!(server.exit_code().0, 0);
}

// I-01
#[test]
fn no_publisher_is_cut_off_because_a_tpp_is_slow() {
    let desk = Desk::with_bank();
    desk.configure("# deadline = \"25s\"", "deadline = \"4s\"");
    let mut server = Server::start(&desk);
    let mut slow = server.tpp(&desk.read("bank/development/ca.crt"));
    let head = b"POST /open-banking/v4.0/events HTTP/1.1\r\nHost: localhost\r\nContent-Le";
    slow.write_all(head).unwrap();
    slow.flush().unwrap();
    server.signal("TERM");
    server.until_it_says("stopping");
    let (mut answered, mut torn) = (0, 0);
    while let Ok(mut stream) = TcpStream::connect(server.address("internal")) {
        let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        let sent = stream.write_all(request);
        match sent.and_then(|()| stream.read_to_string(&mut answer)) {
            Ok(_) if answer.starts_with("HTTP/1.1 200") => answered += 1,
            _ => torn += 1,
        }
    }
    // Between the last look into the kernel's queue and the end of the socket lies less than a microsecond.
    assert!(answered > 0 && torn <= 1, "{answered} {torn}");
    // Refused, while the TPP is still waited for.
    assert!(server.child.try_wait().unwrap().is_none());
    assert_eq!(server.exit_code().0, 4);
}

#[test]
fn a_second_signal_or_the_deadline_cuts_the_server_off_with_code_4() {
    for (deadline, why) in [("1h", "a second time"), ("1s", "its deadline")] {
        let desk = Desk::with_bank();
        desk.configure(
            "# deadline = \"25s\"",
            &format!("deadline = \"{deadline}\""),
        );
        let server = Server::start(&desk);
        let mut stream = server.tpp(&desk.read("bank/development/ca.crt"));
        let head = "POST /open-banking/v4.0/events HTTP/1.1\r\nHost: localhost\r\nContent-Le";
        stream.write_all(head.as_bytes()).unwrap();
        stream.flush().unwrap();
        assert_eq!(ask(&mut server.internal(), "GET /health/live", "").0, 200);
        server.signal("TERM");
        server.until_it_says("stopping");
        if deadline == "1h" {
            server.signal("INT");
        }
        let (code, log) = server.exit_code();
        assert_eq!(code, 4, "{log}");
        assert!(log.contains(why), "{log}");
    }
}

/// Only a real failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
