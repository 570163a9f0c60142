//! Every error, by its name in each version.

use maud::{Markup, html};

use super::super::policy::Policy;
use super::{heading, table};
use crate::pages::code;

pub(super) fn section(policy: &Policy) -> Markup {
    let versions: Vec<&str> = policy
        .versions
        .iter()
        .map(|version| version.version.as_str())
        .collect();
    let heads: Vec<&str> = versions
        .iter()
        .copied()
        .chain(["Status", "What is wrong", "What to do"])
        .collect();
    let rows = html! {
        @for error in &policy.errors {
            tr id=(error.anchor) {
                @for version in &versions {
                    td {
                        @match error.codes.get(*version) {
                            Some(text) => { a href={ "#" (error.anchor) } { (code(text)) } },
                            None => "no body",
                        }
                    }
                }
                td.number { (error.status) }
                td.wraps { (error.meaning) }
                td.wraps { (error.mend) }
            }
        }
    };
    html! {
        section aria-labelledby="errors" {
            (heading("errors", "Errors"))
            p {
                "A body names all faults of a request at once: " (code("ErrorCode")) ", " (code("Path")) " and " (code("Message")) " of each, with a "
                (code("Url")) " that leads here. Say " (code("Id")) " and the " (code("x-fapi-interaction-id")) " when you ask the bank. "
                "401, 403, 404, 405, 406, 413, 415 and 429 have headers instead of a body, unless it stands here."
            }
            (table("Error codes", &heads, &rows))
        }
    }
}
