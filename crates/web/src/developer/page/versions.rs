//! What is served in which version, and what a registration may say.

use maud::{Markup, html};

use super::super::policy::{Policy, Release, VersionFacts};
use super::{codes, fact, heading, table};
use crate::pages::code;

pub(super) fn section(policy: &Policy) -> Markup {
    html! {
        section aria-labelledby="versions" {
            (heading("versions", "Versions and endpoints"))
            p {
                "Everything that stands here is served, and nothing else. "
                @if policy.malformed_headers == "ignored" { "Headers that mean nothing here, such as x-fapi-auth-date, are ignored when they are malformed." }
                @else { "Headers that mean nothing here, such as x-fapi-auth-date, are refused when they are malformed." }
            }
            @for version in policy.versions.iter().rev() { (of_version(version)) }
            @if !policy.retired_versions.is_empty() {
                p { "Served once, and answered with 503 now: " (codes(&policy.retired_versions)) "." }
            }
        }
    }
}

fn of_version(version: &VersionFacts) -> Markup {
    let caption = format!(
        "Endpoints of {}, below {}",
        version.version, version.base_url
    );
    let rows = html! {
        @for operation in &version.operations {
            tr {
                td { (code(&operation.method)) }
                td { (code(operation.url.strip_prefix(&version.base_url).unwrap_or(&operation.url))) }
                td { @if operation.request_signed { "by you" } @else { "no" } }
                td { @if operation.answer_signed { "by the bank" } @else { "no" } }
                td { (code(&operation.id)) }
            }
        }
    };
    let scopes = html! {
        @for scope in &version.scopes {
            tr {
                td { (codes(&scope.names)) }
                td { @if scope.opens == "everything" { "everything" } @else { "polling alone" } }
                td { (scope.families.join(", ").to_uppercase()) }
            }
        }
    };
    html! {
        h3 id=(version.version) { (version.version) }
        p { a href={ "developer/openapi/" (version.version) ".json" } { "OpenAPI of " (version.version) } }
        (table(&caption, &["Method", "Path", "Request signed", "Answer signed", "Operation"], &rows))
        (table(&format!("Scopes of {}", version.version), &["Scope", "Opens", "Events of"], &scopes))
        dl.facts {
            (fact("Forms of x-jws-signature", html! {
                (codes(&version.signature_forms)) "; answers to GET are " (code(version.signature_form_of_answers))
            }))
            @if let Some(end) = &version.callback_url_ends_in {
                (fact("A CallbackUrl ends in", html! {
                    (code(end.replace("{version}", &version.version))) ", with at most " (version.callback_url_characters_max) " characters"
                }))
            } @else {
                (fact("A CallbackUrl", html! { "has at most " (version.callback_url_characters_max) " characters" }))
            }
            (fact("Lists", html! {
                "at most " (version.event_types_max) " EventTypes, and " (version.acknowledgements_max) " acknowledgements in a poll"
            }))
        }
    }
}

pub(super) fn registrations(policy: &Policy) -> Markup {
    let fields = html! {
        @for field in &policy.fields {
            tr {
                td { (code(field.request)) }
                td { (code(field.name)) }
                td { (field.presence) }
                td.wraps { (field.meaning) }
            }
        }
    };
    let releases = policy.versions.iter().flat_map(|version| &version.releases);
    html! {
        section aria-labelledby="registrations" {
            (heading("registrations", "Registrations"))
            p {
                "A TPP has one registration. The recommended resource is " (code(policy.recommended_resource)) "; "
                "a second one, or one of the other kind, is answered with 409. What is registered in an older version is seen from a newer one, and not the other way round. "
                "A change counts from its answer on: what was accepted before goes where the registration says now."
            }
            (table("Fields that are optional or conditional", &["Request", "Field", "Here", "Meaning"], &fields))
            h3 id="version" { "What Version means" }
            p {
                @if policy.version_covers == "minimum" {
                    "It is a minimum: you are told of resources that were made in that version of the API or in a later one."
                } @else {
                    "It is exact: you are told of resources that were made in that version of the API, and of no others."
                }
                " It also says which event types you know. Without a patch number it stands for the newest that is served. It may not be newer than the version in the path."
            }
            (table("Values of Version", &["Version", "Is told of"], &html! { @for release in releases { (of_release(release)) } }))
        }
    }
}

fn of_release(release: &Release) -> Markup {
    html! {
        tr {
            td { (code(&release.version)) }
            td.wraps {
                @match &release.only {
                    Some(types) => { (codes(types)) " alone" },
                    None => "what EventTypes asks for",
                }
            }
        }
    }
}
