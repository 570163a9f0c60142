//! Whom easyssf believes, and how strictly: its own options, by the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use easyssf_core::SubjectCompatibilityMode;
use easyssf_receiver::BoxError;
use easyssf_receiver::event::SsfEventContext;
use easyssf_receiver::http::ReqwestSsfHttpClient;
use easyssf_receiver::set::{
    HttpSsfJwkSetSource, InMemorySsfJtiDedupStore, JwtSsfSetVerifier, SsfJwkSetSource,
    SsfSetProcessor, SsfSetVerifierOptions, supported_algorithm,
};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Outcome, say, text};

/// Its client: believes the anchors of the file, and shows its certificate if there is one.
pub(crate) fn client(wish: &Value) -> Outcome<ReqwestSsfHttpClient> {
    let anchors = Certificate::from_pem_bundle(&std::fs::read(text(wish, "anchors")?)?)?;
    let mut builder = Client::builder().tls_certs_only(anchors);
    if let Some(identity) = wish["identity"].as_str() {
        builder = builder.identity(Identity::from_pem(&std::fs::read(identity)?)?);
    }
    Ok(ReqwestSsfHttpClient::from_client(
        builder.build()?,
        PATIENCE,
    ))
}

/// Its verifier. What the file does not say is as easyssf has it.
pub(crate) fn verifier(wish: &Value, keys: impl SsfJwkSetSource) -> Outcome<JwtSsfSetVerifier> {
    let mut options = SsfSetVerifierOptions {
        expected_audiences: vec![text(wish, "audience")?.to_owned()],
        ..SsfSetVerifierOptions::default()
    };
    if let Some(names) = wish["algorithms"].as_array() {
        let names = names.iter().filter_map(Value::as_str);
        options.accepted_algorithms = names.filter_map(supported_algorithm).collect();
    }
    if wish["typ"] == "optional" {
        options.require_type_header = false;
    }
    if wish["sub_id"] == "optional" {
        options.subject_compatibility = SubjectCompatibilityMode::Legacy;
    }
    Ok(JwtSsfSetVerifier::new(text(wish, "issuer")?, keys, options))
}

/// Its processor: verifies, passes over what it had, and hands the rest to an application that says what it got and counts it.
/// The application fails for the first ones, if the file says so.
pub(crate) fn processor(wish: &Value, handled: watch::Sender<u64>) -> Outcome<SsfSetProcessor> {
    let url = text(wish, "jwks")?
        .parse()
        .map_err(|_| "`jwks` is no URL")?;
    let verifier = verifier(wish, HttpSsfJwkSetSource::new(client(wish)?, url))?;
    let failing = Arc::new(AtomicU64::new(wish["fails_first"].as_u64().unwrap_or(0)));
    let application = move |context: SsfEventContext| {
        let (failing, handled) = (Arc::clone(&failing), handled.clone());
        async move { take(&context, &failing, &handled) }
    };
    Ok(
        SsfSetProcessor::new(verifier, InMemorySsfJtiDedupStore::new(REMEMBERED))
            .handler(application),
    )
}

fn take(
    context: &SsfEventContext,
    failing: &AtomicU64,
    handled: &watch::Sender<u64>,
) -> Result<(), BoxError> {
    let token = context.event_token();
    let count_down = |left: u64| left.checked_sub(1);
    if failing
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down)
        .is_ok()
    {
        say(&json!({ "failed": token.jti() }));
        return Err("as the file says".into());
    }
    say(&json!({ "handled": token.claims() }));
    handled.send_modify(|count| *count += 1);
    Ok(())
}

/// For a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any test sends.
const REMEMBERED: usize = 10_000;
