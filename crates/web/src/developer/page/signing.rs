//! Tokens, keys and signatures, and a box to check a token in.

use maud::{Markup, html};

use super::super::policy::Policy;
use super::super::samples::JTI_PREFIX;
use super::{View, codes, fact, heading};
use crate::pages::code;

pub(super) fn section(policy: &Policy) -> Markup {
    let (sets, signatures) = (&policy.sets, &policy.signatures);
    html! {
        section aria-labelledby="tokens" {
            (heading("tokens", "Tokens and keys"))
            p {
                "Events are security event tokens (RFC 8417), as compact JWS. The header is the same in all versions. "
                "Verify the signature by the key that " (code("kid")) " names, then iss and aud, then that you have not had the jti."
            }
            dl.facts {
                (fact("Key set", html! { a href="jwks" { (sets.jwks_url) } }))
                (fact("A copy of it may be kept for", sets.jwks_max_age_seconds.to_string()))
                (fact("Look again", "when a kid is not in your copy. A new key is published before it signs, for twice that time"))
                (fact("A retired key stays for", html! { (sets.retired_keys_stay_seconds.to_string()) " after nothing that it signed is outstanding" }))
                (fact("Algorithms", html! {
                    @if sets.algorithms.is_empty() { "no key is published now" } @else { (codes(&sets.algorithms)) }
                }))
                (fact("Header", html! {
                    (code(sets.header_profile)) ": typ " (code(sets.typ))
                    @if sets.crit.is_empty() { ", nothing critical" } @else { ", critical " (codes(&sets.crit)) }
                    ". Another can be agreed: openbanking, jwt or rfc8417"
                }))
                (fact("tan", html! { (code(&policy.bank.trust_anchor)) ", the trust anchor that hosts the bank's keys" }))
                (fact("exp", html! { (sets.exp) ": an event does not become untrue" }))
                (fact("A jti is used again", html! { (sets.jti_reuse) ". The same jti is the same event, handed out again" }))
            }
            h3 id="signatures" { "Signed requests and answers" }
            dl.facts {
                (fact("POST and PUT of registrations", match signatures.policy {
                    "required" => "must carry x-jws-signature",
                    "if_present" => "may carry x-jws-signature, which must be right then",
                    _ => "need no signature: none is looked at",
                }))
                (fact("tan that you may name", codes(&signatures.trust_anchors)))
                (fact("Members that the standard does not name", html! { "are " (signatures.unknown_members) }))
                (fact("Answers", "of registrations carry the bank's x-jws-signature, errors too; polls carry tokens, which are signed themselves"))
            }
        }
    }
}

pub(super) fn paste_box(view: &View<'_>) -> Markup {
    let (policy, bank) = (view.policy, &view.policy.bank);
    html! {
        section aria-labelledby="check" {
            (heading("check", "Check a token"))
            p {
                "Paste a token that you got. It is checked in your browser by its own cryptography; nothing leaves this page but a request for the bank's public keys. "
                "On the command line, " (code("oyez verify")) " does the same."
            }
            noscript { p.note { "This box needs JavaScript." } }
            div.card.interactive id="check-box" hidden {
                form id="check-form" data-jwks="jwks" data-iss=(bank.issuer) data-org=(bank.org_id) data-tan=(bank.trust_anchor)
                    data-profile=(policy.sets.header_profile) data-sample=(JTI_PREFIX) {
                    label for="check-set" { "Token" span.hint { "Three parts with dots between" } }
                    textarea id="check-set" name="set" spellcheck="false" autocomplete="off" required {}
                    label for="check-aud" { "Your client_id" span.hint { "If you want aud to be compared" } }
                    input id="check-aud" name="aud" type="text" spellcheck="false" autocomplete="off";
                    div.actions {
                        button type="submit" { "Check" }
                        @if let Some(sample) = view.samples.iter().find(|sample| sample.set.is_some()) {
                            button.plain type="button" hidden data-sample={ "sample-" (sample.anchor) } { "Take a sample" }
                        }
                    }
                }
                div id="check-result" aria-live="polite" {}
            }
        }
    }
}
