//! Each event type, with its place, its reasons and a sample.

use maud::{Markup, html};
use serde_json::Value;

use super::super::policy::EventTypeFacts;
use super::super::samples::Sample;
use super::{View, codes, fact, heading, table};
use crate::pages::{code, code_block, sentence};

pub(super) fn section(view: &View<'_>) -> Markup {
    let policy = view.policy;
    let resources = html! {
        @for resource in &policy.resource_types {
            tr {
                td { (code(&resource.rty)) }
                td { (code(&resource.path)) }
                td { (resource.family.to_uppercase()) }
                td { (resource.since) @if let Some(until) = &resource.until { " to " (until) } }
            }
        }
    };
    html! {
        section aria-labelledby="event-types" {
            (heading("event-types", "Event types"))
            p {
                "Ask for them in EventTypes by URN or code. A token says what happened to which resource, and where to read it; it never holds the resource. "
                "Each type has a sample, made and signed as real ones are: its jti begins with " (code(super::super::samples::JTI_PREFIX)) ", its txn is "
                (code("sample")) " and its audience is nobody."
            }
            ul {
                @for each in &policy.event_types { li { a href={ "#" (each.anchor) } { (each.code.as_deref().unwrap_or(&each.urn)) } ": " (each.description) } }
            }
            @for each in &policy.event_types {
                @let sample = view.samples.iter().find(|sample| sample.anchor == each.anchor);
                (of_type(each, sample))
            }
            h3 id="resource-types" { "What events are about" }
            (table("Resources, below the address of a version", &["rty", "Path", "Family", "In versions"], &resources))
        }
    }
}

fn of_type(each: &EventTypeFacts, sample: Option<&Sample>) -> Markup {
    let name = each.code.as_deref().unwrap_or(&each.urn);
    html! {
        h3 id=(each.anchor) {
            (name) " "
            @if each.defined_by == "bank" { span.tag { "this bank's own" } }
            a.anchor href={ "#" (each.anchor) } aria-label={ "Link to " (name) } { "#" }
        }
        p { (sentence(&each.description)) " " (each.sent) }
        dl.facts {
            (fact("In tokens", code(&each.urn)))
            @if let Some(code_) = &each.code { (fact("In EventTypes", html! { (code(code_)) " or the URN" })) }
            @else { (fact("In EventTypes", "by the URN: it has no code")) }
            @if !each.misspellings.is_empty() { (fact("Understood too", codes(&each.misspellings))) }
            (fact("Known since Version", code(&each.since)))
            (fact("Reason codes", html! {
                @if !each.gives_reasons { "none" }
                @else if each.reasons.is_empty() { "the bank's own, CC.Name.Reason, where it gives one" }
                @else { (codes(&each.reasons)) ", and the bank's own, CC.Name.Reason" }
            }))
            @if let Some(twin) = &each.twin {
                (fact("The same fact under another name", html! { (code(twin)) ": you are told under the name that you ask for" }))
            }
        }
        @if let Some(schema) = &each.payload_schema {
            details {
                summary { "Its payload, as a JSON Schema" }
                (code_block(&format!("JSON Schema of {name}"), &format!("{schema:#}")))
            }
        }
        @match sample {
            Some(sample) => { (of_sample(name, sample)) },
            None => p.quiet { "There is no sample: its schema has none among its examples." },
        }
    }
}

fn of_sample(name: &str, sample: &Sample) -> Markup {
    let claims: Value = serde_json::from_slice(&sample.claims).unwrap_or_default();
    let id = format!("sample-{}", sample.anchor);
    html! {
        details {
            summary { "Sample of " (name) }
            (code_block(&format!("Claims of the sample of {name}"), &format!("{claims:#}")))
            @match &sample.set {
                Some(set) => {
                    p { "Signed:" }
                    div.code {
                        pre.wrapped tabindex="0" role="group" aria-label={ "Signed sample of " (name) } { code id=(id) { (set) } }
                        button.copy type="button" hidden data-copy="" { "Copy" span.unseen { " the signed sample of " (name) } }
                    }
                    p.interactive { button.plain type="button" hidden data-sample=(id) { "Check this one" span.unseen { ": " (name) } } }
                },
                None => p { "No key of the bank may sign now, so it is not signed." },
            }
        }
    }
}
