//! The transmitter that easyssf tests its receivers with, behind TLS. It has no sockets of its own: a request is handed to it as
//! its clients do it, at the paths that a bank of the standard has.

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use easyssf_receiver::http::{SsfHttpClient as _, SsfHttpRequest};
use easyssf_receiver::set::supported_algorithm;
use easyssf_test::{TestSigningKey, TestTransmitter, subjects};
use serde_json::{Map, Value, json};

use crate::tls::TlsListener;
use crate::{Outcome, say, text};

/// Signs what the file asks for, says each SET, offers it to polls, and serves until it is killed.
pub(crate) async fn run(wish: &Value) -> Outcome<()> {
    let transmitter = TestTransmitter::new();
    say(&json!({
        "issuer": transmitter.issuer(), "audience": TestTransmitter::AUDIENCE, "token": TestTransmitter::ACCESS_TOKEN,
    }));
    for one in wish["sets"].as_array().ok_or("the file lacks `sets`")? {
        let set = sign(&transmitter, one)?;
        transmitter.queue_set(&set);
        say(
            &json!({ "name": one["name"], "jti": TestTransmitter::claims_of(&set)["jti"], "set": set }),
        );
    }
    let router = Router::new().fallback(pass_on).with_state(transmitter);
    Ok(axum::serve(TlsListener::open(wish).await?, router).await?)
}

/// Its own event of CAEP, with the claims of the file over it.
fn sign(transmitter: &TestTransmitter, one: &Value) -> Outcome<String> {
    let subject = subjects::iss_sub(transmitter.issuer(), "alice");
    let mut claims = transmitter.set_claims("CaepSessionRevoked", Some(subject));
    claims.extend(one["claims"].as_object().cloned().unwrap_or_else(Map::new));
    let typ = one["typ"].as_str();
    let key = match one["kid"].as_str() {
        Some(kid) => transmitter.key().with_key_id(kid),
        None => TestSigningKey::clone(transmitter.key()),
    };
    match text(one, "algorithm")? {
        "none" => Ok(TestTransmitter::unsigned(&claims)),
        name => {
            let algorithm = supported_algorithm(name).ok_or("no such algorithm")?;
            Ok(TestTransmitter::sign_with(&key, algorithm, typ, &claims))
        }
    }
}

async fn pass_on(State(transmitter): State<TestTransmitter>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let url = match head.uri.path() {
        "/jwks" => transmitter.jwks_uri(),
        path if path.ends_with("/events") => transmitter.poll_uri(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut passed = SsfHttpRequest::of(head.method.as_str(), url.parse().expect("its own URL"));
    for (name, value) in &head.headers {
        passed = passed.with_header(name.as_str(), value.to_str().unwrap_or_default());
    }
    passed.body = Some(String::from_utf8_lossy(&body).into_owned());
    let answer = transmitter
        .execute(passed)
        .await
        .expect("it always answers");
    say(&json!({
        "acknowledged": transmitter.acknowledged_sets(),
        "refused": transmitter.reported_errors().into_iter().collect::<Map<_, _>>(),
    }));
    let status = StatusCode::from_u16(answer.status).expect("a status of HTTP");
    let json = [(CONTENT_TYPE, "application/json")];
    (status, json, Bytes::from(answer.body)).into_response()
}

/// Far more than a poll says.
const BODY_BYTES_MAX: usize = 1 << 20;
