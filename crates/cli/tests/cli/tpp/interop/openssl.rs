//! Certificates that OpenSSL made, by the very lines of docs/certificates.md: a root, an authority below it, and what a bank and
//! a TPP show each other. OpenSSL is the other side of TLS too, as a client, as a host of key sets, and (in Python) as a front
//! that asks for the bank's certificate.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{Jwk, Jwks, LocalKey, Zeroizing};
use oyez_testkit::certificates::Authority;
use oyez_testkit::endpoint::{Behaviour, Endpoint, Manner};
use oyez_testkit::tpp::Caller;
use oyez_tpp::domain::time::Clock;
use oyez_tpp::{Bytes, HeaderMap, Limits, Method, Request, Tls, Transport, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::super::{
    Firm, PATIENCE, file_of, is_acknowledged, jtis, publish, quick_house, token_path, until_file,
};
use super::{Peer, installed, script};
use crate::bank::Desk;
use crate::house::{House, NOTIFICATIONS};

// R-01, R-02, R-04, A-05, D-13
#[tokio::test(flavor = "multi_thread")]
async fn a_bank_and_a_tpp_meet_with_certificates_of_openssl() {
    let (house, firm) = bank_and_firm().await;
    firm.subscribe("");
    let first = publish(&house, "tpp-1", "one").await;
    let polled = firm.run("poll --once");
    let polled: Value = serde_json::from_str(&polled.stdout).expect(&polled.stderr);
    assert_eq!(polled["jti"], first.as_str());
    until_file(&house, &first, is_acknowledged).await;

    // A listener that asks for nothing, as the standard has it.
    let _listening = firm.listen().await;
    move_to(&firm, &firm.callback_url());
    let second = publish(&house, "tpp-1", "two").await;
    until_file(&house, &second, is_acknowledged).await;
    assert_eq!(jtis(&firm.until_records("out", 1).await), [&*second]);

    // OpenSSL's own client believes both servers.
    for address in [house.site().address(), firm.port.local_addr().unwrap()] {
        let said = openssl(
            &firm.desk.path(""),
            &format!(
                "s_client -connect localhost:{} -CAfile root.crt -verify_return_error -brief \
                 -cert tpp-chain.crt -key tpp.key",
                address.port()
            ),
        );
        assert!(said.contains("Verification: OK"), "{said}");
    }
}

// R-01, D-13
#[tokio::test(flavor = "multi_thread")]
async fn a_front_may_ask_for_the_banks_certificate() {
    let (house, firm) = bank_and_firm().await;
    let _listening = firm.listen().await;
    let port = firm.port.local_addr().unwrap().port().to_string();
    let file = |name: &str| firm.desk.path(name).display().to_string();
    let words = [
        script("front.py").display().to_string(),
        file("listener-chain.crt"),
        file("listener.key"),
        file("root.crt"),
        port,
    ];
    let words = words.each_ref().map(String::as_str);
    let python = installed("OYEZ_TEST_PYTHON", "interop/venv/bin/python");
    let front = Peer::start(&python, &words, &[]);
    let at = front.until_said("listening", 1).await[0].clone();
    let url = format!("https://localhost:{at}{NOTIFICATIONS}");
    firm.subscribe(&format!("--callback-url {url}"));
    let jti = publish(&house, "tpp-1", "one").await;
    until_file(&house, &jti, is_acknowledged).await;
    assert_eq!(jtis(&firm.until_records("out", 1).await), [&*jti]);
    let shown = front.until_said("shown", 1).await;
    assert_eq!(shown[0], "api.hedgebank.test", "{shown:?}");

    // It turns away whoever shows none, and says so.
    let error = without_certificate(&firm, url).await;
    assert!(error.contains("CertificateRequired"), "{error}");
}

fn move_to(firm: &Firm, url: &str) {
    let done = firm.run(&format!("subscription update --callback-url {url}"));
    assert_eq!(done.code, 0, "{}", done.stderr);
}

/// Why there is no answer to whoever shows nothing.
async fn without_certificate(firm: &Firm, url: String) -> String {
    let tls = Tls {
        anchors: firm.anchors.as_bytes(),
        certificate: None,
    };
    let clock = Arc::clone(&firm.clock);
    let transport = Transport::new(tls, Limits::default(), clock).unwrap();
    let request = Request {
        method: Method::POST,
        url,
        headers: jwt(),
        body: Bytes::from_static(b"a.b.c"),
        total: PATIENCE,
    };
    format!("{:?}", transport.send(request).await.unwrap_err())
}

// R-01, R-02
#[tokio::test(flavor = "multi_thread")]
async fn keys_at_a_host_that_is_not_to_be_believed_are_refused_with_the_reason() {
    let (house, firm) = bank_and_firm().await;
    let desk = &firm.desk;
    firm.subscribe("");
    let jti = publish(&house, "tpp-1", "one").await;
    let keys = house.desk().run("keys jwks -c bank/oyez.toml").stdout;
    desk.write("jwks", &keys);
    let file = file_of_set(&house, &firm, &jti).await;
    let set = file["sets"][0]["set"].as_str().unwrap();
    desk.write("set.jwt", set);
    run_script(desk, OTHER_CERTIFICATES);

    let sound = desk.read("banks.toml");
    let fixed = format!("https://{}/jwks", house.site().address());
    assert!(sound.contains(&fixed), "{sound}");
    for (host, reason) in [
        ("bank-chain", None),
        ("expired-chain", Some("certificate expired")),
        ("elsewhere-chain", Some("certificate not valid for name")),
        ("foreign", Some("UnknownIssuer")),
        // The right certificate, without the authority between it and the root.
        ("bank", Some("UnknownIssuer")),
    ] {
        let server = KeyServer::start(desk, host).await;
        let moved = sound.replace(&fixed, &server.url);
        desk.write("banks.toml", &moved);
        firm.hand_over("to = \"stdout\"");
        let done = firm.run("verify set.jwt --bank bank-0");
        let Some(reason) = reason else {
            assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
            continue;
        };
        assert_eq!(done.code, 3, "{host}: {}", done.stdout);
        for said in ["the keys of `bank-0` cannot be had", &*server.url, reason] {
            assert!(done.stderr.contains(said), "{host}: {}", done.stderr);
        }
        // Who polls hands nothing over, and blames the bank for nothing: it will be offered again.
        let done = firm.run("poll --once");
        assert_eq!((done.code, &*done.stdout), (4, ""), "{}", done.stderr);
        assert!(done.stderr.contains(reason), "{host}: {}", done.stderr);
        // Who is pushed to cannot say now, which is no fault of the SET, and hands nothing over either.
        let listening = firm.listen().await;
        let answer = firm.push(NOTIFICATIONS, jwt(), set).await;
        assert_eq!(answer.status, 503, "{host}: {answer:?}");
        assert!(firm.text("log").contains(&server.url), "{host}");
        assert_eq!(firm.text("out"), "", "{host}");
        drop(listening);
        let file = file_of(&house, &jti).await;
        assert_eq!(
            (&file["event"]["state"], &file["errors"]),
            (&json!("outstanding"), &json!([])),
            "{host}"
        );
    }
    desk.write("banks.toml", &sound);
    firm.hand_over("to = \"stdout\"");
    assert_eq!(firm.run("poll --once").code, 0);
    until_file(&house, &jti, is_acknowledged).await;
}

fn jwt() -> HeaderMap {
    let kind = "application/jwt".parse().unwrap();
    HeaderMap::from_iter([(header::CONTENT_TYPE, kind)])
}

/// What the bank knows of an event once it is signed: it is handed out by the way.
async fn file_of_set(house: &House, firm: &Firm, jti: &str) -> Value {
    // Nobody takes what is handed over, so nothing is acknowledged.
    firm.hand_over("to = \"command\"\ncommand = \"exit 1\"");
    let done = firm.run("poll --once");
    assert_eq!(done.code, 4, "{}", done.stderr);
    until_file(house, jti, |file| !file["sets"][0].is_null()).await
}

/// A bank, and a firm that it knows by the certificates of the page. Both have them on the firm's desk.
async fn bank_and_firm() -> (House, Firm) {
    let desk = Desk::empty();
    run_script(&desk, &page());
    let at = |name: &str| desk.path(name).display().to_string();
    let (chain, key, root) = (at("bank-chain.crt"), at("bank.key"), at("root.crt"));
    let house = quick_house(&[
        ("OYEZ_LISTENER__CERTIFICATE", &chain),
        ("OYEZ_LISTENER__KEY", &key),
        ("OYEZ_LISTENER__CLIENT_ANCHORS", &root),
        ("OYEZ_PUSH__CERTIFICATE", &chain),
        ("OYEZ_PUSH__KEY", &key),
        ("OYEZ_OUTBOUND__TRUST_ANCHORS", &root),
    ]);
    register(&house, &desk).await;
    // The toy that gives tokens is none of OpenSSL's business.
    let toy = Authority::new("the authorisation server");
    let authorisation = Endpoint::start(&toy.server(&[])).await;
    authorisation.behave(&token_path(0), tokens(&house, &desk));
    for (name, from) in [
        ("transport.crt", "tpp-chain.crt"),
        ("transport.key", "tpp.key"),
        ("server.crt", "listener-chain.crt"),
        ("server.key", "listener.key"),
    ] {
        desk.write(name, &desk.read(from));
    }
    let anchors = desk.read("root.crt") + &toy.pem();
    desk.write("anchors.pem", &anchors);
    let port = TcpSocket::new_v4().unwrap();
    port.set_reuseaddr(true).unwrap();
    port.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let firm = Firm {
        desk,
        authorisation,
        port,
        anchors,
        clock: Arc::clone(&house.site().clock) as Arc<dyn Clock>,
    };
    let section = firm.bank_section(0, &house, "tpp-1");
    firm.desk.write("banks.toml", &section);
    firm.hand_over("to = \"stdout\"");
    (house, firm)
}

/// The bank learns who the TPP is, and the public half of OpenSSL's signing key.
async fn register(house: &House, desk: &Desk) {
    let key = Zeroizing::new(desk.read("signing.key").into_bytes());
    let key = LocalKey::read(key).unwrap();
    let public = Jwk::new(Caller::KID, key.public_key().clone());
    let jwks: Jwks = [public].into_iter().collect();
    let jwks: Value = serde_json::from_str(&jwks.to_json()).unwrap();
    let profile = json!({
        "client_id": "tpp-1", "name": "Acme Budgeting", "org_id": Caller::ORG_ID,
        "software_id": "software-of-tpp-1", "keys": { "jwks": jwks },
    });
    let admin = house.colleague("admin");
    let registered = admin.post("/v1/tpps", &profile).await;
    assert_eq!(registered.status, 201, "{registered:?}");
}

/// Tokens that are bound to OpenSSL's certificate of the TPP.
fn tokens(house: &House, desk: &Desk) -> Manner {
    let certificate = CertificateDer::from_pem_file(desk.path("tpp.crt")).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(oyez_jose::sha256(&certificate));
    let site = Arc::clone(house.site());
    Manner::by(move |_| {
        let server = &site.authorisation_server;
        let token = server.token("tpp-1", Some(&thumbprint), site.clock.now());
        let answer =
            json!({ "access_token": token.mint(), "token_type": "Bearer", "expires_in": 300 });
        Behaviour::json(answer.to_string())
    })
}

/// `openssl s_server`, which shows a certificate and serves the files beside it. Dropped, it is killed.
struct KeyServer {
    _running: Peer,
    url: String,
}

impl KeyServer {
    async fn start(desk: &Desk, name: &str) -> Self {
        let own = name.trim_end_matches("-chain");
        let file =
            |name: &str, end: &str| desk.path(&format!("{name}.{end}")).display().to_string();
        let (certificate, key) = (file(own, "crt"), file(own, "key"));
        let chain = file(name, "crt");
        let words = [
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-WWW",
            "-cert",
            &certificate,
            "-cert_chain",
            &chain,
            "-key",
            &key,
        ];
        let running = Peer::start(Path::new("openssl"), &words, &[("jwks", desk.read("jwks"))]);
        let port = running.until_told("ACCEPT 127.0.0.1:").await;
        let url = format!("https://localhost:{port}/jwks");
        Self {
            _running: running,
            url,
        }
    }
}

/// The shell's lines of the page.
fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/certificates.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|block| block.split_once("```").unwrap().0)
        .collect();
    assert_eq!(blocks.len(), 4, "{text}");
    blocks.concat()
}

/// Runs these lines on a desk, each of which must go well.
fn run_script(desk: &Desk, lines: &str) {
    let done = Command::new("sh")
        .args(["-euc", lines])
        .current_dir(desk.path(""))
        .output();
    let done = done.unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{lines}\n{errors}");
}

/// What `openssl` says when it is called and told nothing more.
fn openssl(place: &PathBuf, words: &str) -> String {
    let done = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(place)
        .stdin(Stdio::null())
        .output();
    let done = done.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    format!("{said}{}", String::from_utf8_lossy(&done.stderr))
}

/// One that is over, one of another name, and one whose authority nobody knows.
const OTHER_CERTIFICATES: &str = r#"
cat > register.cnf <<'END'
[ca]
default_ca = register
[register]
database = register.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
END
: > register.txt
openssl req -new -newkey rsa:2048 -nodes -subj "/O=Hedgebank/CN=expired" -keyout expired.key -out expired.csr
openssl ca -batch -notext -config register.cnf -cert issuing.crt -keyfile issuing.key -in expired.csr \
  -startdate 20200101000000Z -enddate 20210101000000Z -extfile extensions.cnf -extensions bank -out expired.crt
cat expired.crt issuing.crt > expired-chain.crt

sed 's/DNS:localhost, IP:127.0.0.1/DNS:elsewhere.test/' extensions.cnf > elsewhere.cnf
openssl req -new -newkey rsa:2048 -nodes -subj "/O=Hedgebank/CN=localhost" -keyout elsewhere.key -out elsewhere.csr
openssl x509 -req -in elsewhere.csr -CA issuing.crt -CAkey issuing.key -CAcreateserial -days 365 \
  -extfile elsewhere.cnf -extensions bank -out elsewhere.crt
cat elsewhere.crt issuing.crt > elsewhere-chain.crt

openssl req -new -newkey rsa:2048 -nodes -subj "/O=Nobody/CN=localhost" -keyout foreign.key -out foreign.csr
openssl x509 -req -in foreign.csr -key foreign.key -days 365 -extfile extensions.cnf -extensions bank -out foreign.crt
"#;
