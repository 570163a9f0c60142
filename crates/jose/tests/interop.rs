//! T-08: tokens made here verify in independent libraries with the critical members registered, and tokens made there
//! verify here, for every profile, both algorithms, and both detached forms. Beside each token goes one that was
//! tampered with, which the library must refuse: otherwise its yes would mean nothing.
//!
//! Each library is one child process (`interop/*_peer.*`) that takes one JSON document on standard input and answers with
//! one on standard output. `interop/install DIR` installs them; a missing one fails the test, it is never skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::detached::{Forms, Policy, Signature};
use oyez_jose::open_banking::MEMBERS;
use oyez_jose::{
    Algorithm, Form, Header, HeaderProfile, HeaderTemplate, Jwk, Jwks, LocalKey, Signatory,
    UnixTime, Zeroizing,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const ISSUER: &str = "0015800001041RHAAY/HQuZPIt3ipkh33Uxytox1E";
const ANCHOR: &str = "openbanking.org.uk";
/// With dots, quotes and letters outside ASCII: what an unencoded payload could trip over.
const PAYLOAD: &str = r#"{"jti":"1","iss":"https://rs.bank.example/","note":"Zoë's “1.5”"}"#;

// T-08, T-07, M-03
#[test]
fn jwcrypto_and_oyez_read_each_other() {
    agree_with(&mut python("jwcrypto_peer.py"));
}

// T-08, T-07, M-03
#[test]
fn joserfc_and_oyez_read_each_other() {
    agree_with(&mut python("joserfc_peer.py"));
}

// T-08, T-07, M-03
#[test]
fn jose_for_node_and_oyez_read_each_other() {
    agree_with(&mut node("jose_peer.mjs"));
}

/// One kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Set(HeaderProfile),
    Detached(Form),
}

const KINDS: [Kind; 5] = [
    Kind::Set(HeaderProfile::OpenBanking),
    Kind::Set(HeaderProfile::Jwt),
    Kind::Set(HeaderProfile::Rfc8417),
    Kind::Detached(Form::Encoded),
    Kind::Detached(Form::Unencoded),
];

/// One token to verify, or, without `token`, to sign.
#[derive(Serialize)]
struct Case {
    form: &'static str,
    key: &'static str,
    header: Value,
    payload: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    verified: Vec<Outcome<()>>,
    signed: Vec<Outcome<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<T> {
    Ok(T),
    Error(String),
}

fn agree_with(peer: &mut Command) {
    let keys = [("rsa", key("rsa")), ("p256", key("p256"))];
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    let mut expected = Vec::new();
    for (kid, key) in &keys {
        for kind in KINDS {
            let token = sign(kind, kid, key);
            let header = header_of(kind, &token);
            let case = |token| Case {
                form: form(kind),
                key: kid,
                header: header.clone(),
                payload: PAYLOAD,
                token,
            };
            ours.push(case(Some(tampered(&token))));
            ours.push(case(Some(token)));
            theirs.push(case(None));
            expected.push((kind, *kid, header));
        }
    }
    let request = json!({
        "keys": {"rsa": private_jwk("rsa"), "p256": private_jwk("p256")},
        "critical": MEMBERS,
        "verify": ours,
        "sign": theirs,
    });
    let answer: Answer = serde_json::from_str(&ask(peer, &request.to_string())).unwrap();

    assert_eq!(
        (answer.verified.len(), answer.signed.len()),
        (ours.len(), theirs.len())
    );
    for (pair, what) in answer.verified.chunks(2).zip(&expected) {
        assert!(
            matches!(pair[0], Outcome::Error(_)),
            "{what:?}: a tampered token passed"
        );
        if let Outcome::Error(error) = &pair[1] {
            panic!("{what:?}: {error}");
        }
    }
    let keys: Jwks = keys
        .iter()
        .map(|(kid, key)| Jwk::new(*kid, key.public_key().clone()))
        .collect();
    for (token, (kind, kid, header)) in answer.signed.into_iter().zip(expected) {
        let token = match token {
            Outcome::Ok(token) => token,
            Outcome::Error(error) => panic!("{kind:?} {kid}: {error}"),
        };
        assert_eq!(verify(kind, &token, &keys), Ok(header), "{kind:?} {kid}");
        assert!(
            verify(kind, &tampered(&token), &keys).is_err(),
            "{kind:?} {kid}"
        );
    }
}

fn sign(kind: Kind, kid: &str, key: &LocalKey) -> String {
    let signatory = Signatory {
        issuer: ISSUER.to_owned(),
        trust_anchor: ANCHOR.to_owned(),
    };
    let public = key.public_key();
    let template = match kind {
        Kind::Set(profile) => HeaderTemplate::set(profile, kid, public, &signatory),
        Kind::Detached(form) => HeaderTemplate::detached(form, kid, public, &signatory),
    };
    template
        .signing_input(PAYLOAD.as_bytes(), NOW)
        .sign_now(key)
        .unwrap()
}

/// The header of a token that verifies and, when it is compact, has the right payload.
fn verify(kind: Kind, token: &str, keys: &Jwks) -> Result<Value, String> {
    match kind {
        Kind::Set(_) => {
            let verifier = Verifier::sets().issuers([ISSUER]).trust_anchors([ANCHOR]);
            let parsed = Compact::parse(token).map_err(|error| error.to_string())?;
            let verified = verifier
                .verify(parsed, keys, NOW)
                .map_err(|error| error.to_string())?;
            assert_eq!(verified.payload, PAYLOAD.as_bytes());
        }
        Kind::Detached(form) => {
            let mut policy = Policy::standard([ISSUER], [ANCHOR], Forms::Both);
            policy.algorithms = vec![Algorithm::PS256, Algorithm::ES256];
            let checked = Signature::parse(Some(token))
                .and_then(|signature| signature.check(&policy, NOW))
                .map_err(|error| error.to_string())?;
            assert_eq!(checked.form(), form);
            checked
                .verify(PAYLOAD.as_bytes(), keys, NOW)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(header_of(kind, token))
}

fn header_of(kind: Kind, token: &str) -> Value {
    let members = |header: &Header| Value::Object(header.members().clone());
    match kind {
        Kind::Set(_) => members(Compact::parse(token).unwrap().header()),
        Kind::Detached(_) => members(Signature::parse(Some(token)).unwrap().header()),
    }
}

fn form(kind: Kind) -> &'static str {
    match kind {
        Kind::Set(_) => "compact",
        Kind::Detached(Form::Encoded) => "encoded",
        Kind::Detached(Form::Unencoded) => "unencoded",
    }
}

/// The same token with one letter of its signature changed.
fn tampered(token: &str) -> String {
    let at = token.rfind('.').unwrap() + 10;
    let letter = if token.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    [&token[..at], letter, &token[at + 1..]].concat()
}

fn key(name: &str) -> LocalKey {
    LocalKey::read(Zeroizing::new(private_jwk(name).to_string().into_bytes())).unwrap()
}

fn private_jwk(name: &str) -> Value {
    let path = tests().join(format!("data/keys/{name}.jwk.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn ask(peer: &mut Command, request: &str) -> String {
    let mut child = peer
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(request.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{peer:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn python(script: &str) -> Command {
    let python = installed("OYEZ_TEST_PYTHON", "venv/bin/python");
    let mut command = Command::new(python);
    command.arg(tests().join("interop").join(script));
    command
}

fn node(script: &str) -> Command {
    let modules = installed("OYEZ_TEST_NODE_MODULES", "node_modules");
    let mut command = Command::new("node");
    command
        .arg(tests().join("interop").join(script))
        .arg(modules);
    command
}

/// Where `variable` says, else below `<target>/interop`.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where its tools are"
)]
fn installed(variable: &str, default: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let default = target.join("interop").join(default);
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: run ./test, or crates/jose/tests/interop/install {}",
        path.display(),
        target.join("interop").display(),
    );
    path
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}
