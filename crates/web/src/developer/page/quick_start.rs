//! From nothing to the first event, with addresses that can be called.

use maud::{Markup, html};

use super::super::policy::{Policy, VersionFacts};
use super::{codes, fact, heading};
use crate::pages::{code, code_block};

pub(super) fn section(policy: &Policy) -> Markup {
    let Some(newest) = policy.versions.last() else {
        return html! {};
    };
    let token_url = policy.access.token_url.as_deref();
    html! {
        section aria-labelledby="quick-start" {
            (heading("quick-start", "Quick start"))
            (who(policy))
            h3 { "1. Become known" }
            (known(policy))
            h3 { "2. Get an access token" }
            p {
                "By client credentials; the token is "
                @if policy.access.certificate_binding == "required" { "bound to the client certificate that it was asked with (RFC 8705), so call the API with the same one." }
                @else { "not bound to a client certificate." }
                " Scopes are below, under " a href="#versions" { "versions" } "."
            }
            (code_block("Command: get an access token", &token_command(token_url, newest)))
            h3 { "3. Register" }
            p {
                "One " (code(policy.recommended_resource)) " per TPP. "
                @if policy.recommended_resource == "event-subscriptions" {
                    "Prefer it over the older callback-urls, which tell of resource-update alone. "
                }
                @if policy.signatures.policy == "required" { "The request is signed: " (code("x-jws-signature")) " is a detached JWS over the bytes of the body." }
            }
            (code_block("Command: register", &register_command(policy, newest)))
            @if policy.polling.is_some() {
                h3 { "4. Receive by polling" }
                p { "Acknowledge what you have, and get what is new, in one request." }
                (code_block("Command: poll", &poll_command(newest)))
            }
            h3 { "Or let oyez do it" }
            p {
                (code("oyez")) " is the TPP's side too: it gets tokens, signs, verifies, acknowledges and remembers. With this "
                (code("tpp.toml")) ", " (code("oyez subscription create")) " registers, " (code("oyez poll")) " polls, and "
                (code("oyez listen")) " is pushed to."
            }
            (code_block("tpp.toml for this bank", &tpp_toml(policy, newest)))
        }
    }
}

/// What must match in what you verify.
fn who(policy: &Policy) -> Markup {
    let bank = &policy.bank;
    html! {
        dl.facts {
            (fact("API", code(&bank.base_url)))
            (fact("Issuer of events (iss)", code(&bank.issuer)))
            (fact("Signatory", code(&bank.org_id)))
            (fact("Trust anchor (tan)", code(&bank.trust_anchor)))
            (fact("Keys", html! { a href="jwks" { (policy.sets.jwks_url) } }))
            @if let Some(url) = &policy.access.token_url { (fact("Tokens", code(url))) }
            @if let Some(issuer) = &policy.access.issuer { (fact("Issuer of tokens", code(issuer))) }
            @if !policy.access.audiences.is_empty() { (fact("Audience of tokens", codes(&policy.access.audiences))) }
            @if let Some(contact) = &bank.contact { (fact("Contact", html! { a href=(contact) { (contact.trim_start_matches("mailto:")) } })) }
        }
    }
}

fn known(policy: &Policy) -> Markup {
    let access = &policy.access;
    html! {
        @if access.registration == "automatic" {
            p {
                "Your first valid access token makes you known. It must have the claims " (codes(&access.registration_claims))
                ": your organisation, your software, and where your public keys are."
            }
        } @else {
            p {
                "The bank's people register you: tell them your client_id, your organisation and software statement, and the address of your key set (JWKS). "
                @if let Some(contact) = &policy.bank.contact { "Write to " a href=(contact) { (contact.trim_start_matches("mailto:")) } "." }
            }
        }
        p {
            "You need a client certificate for TLS (OBWAC or OBTransport), and a signing key (OBSeal or OBSigning) whose public half is in your key set, for PS256 or ES256."
        }
    }
}

fn token_command(token_url: Option<&str>, newest: &VersionFacts) -> String {
    let scopes = newest
        .scopes
        .iter()
        .filter(|scope| scope.opens == "everything");
    let names: Vec<_> = scopes
        .filter_map(|scope| scope.names.first())
        .map(String::as_str)
        .collect();
    let token_url = token_url.unwrap_or("https://the-authorisation-server/token");
    format!(
        "TOKEN=$(curl -s --cert obwac.pem --key obwac.key \\\n  -d grant_type=client_credentials -d client_id=YOUR-CLIENT-ID \\\n  -d \"scope={}\" {token_url} | jq -r .access_token)",
        names.join(" ")
    )
}

fn register_command(policy: &Policy, newest: &VersionFacts) -> String {
    let resource = policy.recommended_resource;
    let version = newest
        .releases
        .last()
        .map_or("4.0", |release| release.version.as_str());
    let callback = newest.callback_url_ends_in.as_deref().unwrap_or("/events");
    let callback = callback.replace("{version}", &newest.version);
    let url = format!("https://tpp.example/open-banking{callback}");
    let body = match (resource, policy.push.is_some()) {
        ("callback-urls", _) => format!(r#"{{"Data":{{"Url":"{url}","Version":"{version}"}}}}"#),
        (_, true) => format!(r#"{{"Data":{{"CallbackUrl":"{url}","Version":"{version}"}}}}"#),
        (_, false) => format!(r#"{{"Data":{{"Version":"{version}"}}}}"#),
    };
    let signature = if policy.signatures.policy == "required" {
        "\\\n  -H \"x-jws-signature: $SIGNATURE\" "
    } else {
        ""
    };
    format!(
        "curl --cert obwac.pem --key obwac.key -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"Content-Type: application/json\" {signature}\\\n  -d '{body}' \\\n  {}/{resource}",
        newest.base_url
    )
}

fn poll_command(newest: &VersionFacts) -> String {
    format!(
        "curl --cert obwac.pem --key obwac.key -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{\"maxEvents\":10,\"returnImmediately\":true}}' \\\n  {}/events",
        newest.base_url
    )
}

fn tpp_toml(policy: &Policy, newest: &VersionFacts) -> String {
    let bank = &policy.bank;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let (jwks, base) = (text(&policy.sets.jwks_url), text(&bank.base_url));
    let token_url = policy.access.token_url.as_deref().map_or_else(
        || "discovery = \"https://the-authorisation-server\"".to_owned(),
        |url| format!("token_endpoint = {}", text(url)),
    );
    format!(
        "[tpp]\nsignatory = \"ORG-ID/SOFTWARE-ID\"\nsigning_key = \"obseal.key\"\nsigning_kid = \"your-kid\"\ncertificate = \"obwac.pem\"\nkey = \"obwac.key\"\n\n\
         [[tpp.banks]]\nname = \"bank\"\nbase_url = {base}\nversion = {}\nclient_id = \"YOUR-CLIENT-ID\"\nissuer = {}\norg_id = {}\ntrust_anchors = [{}]\njwks = {jwks}\n{token_url}\n\n\
         [hand_over]\nto = \"stdout\"\n\n[listen]\naddress = \"0.0.0.0:8446\"\ncertificate = \"server.crt\"\nkey = \"server.key\"",
        text(&newest.version),
        text(&bank.issuer),
        text(&bank.org_id),
        text(&bank.trust_anchor),
    )
}
