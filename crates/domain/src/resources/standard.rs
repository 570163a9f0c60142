//! The standard's consents, orders, and the accounts that linked-account events speak of.
//!
//! Left out: what has no address of its own with one id (statements, files, payment details) and what only answers a
//! question (funds confirmations). `rty` is as the standard's samples have it; those without a sample are singular, like the
//! one form that the text makes a must (account-access-consent).

use super::ResourceType;
use crate::event::Family;
use crate::version::ApiVersion;

/// Every row of the standard.
pub(super) fn rows() -> Vec<ResourceType> {
    let consents_and_orders = ORDERS.iter().flat_map(|order| {
        let consent = format!("{order}-consent");
        [
            row(&consent, "pisp", Family::Pisp),
            row(order, "pisp", Family::Pisp),
        ]
    });
    [
        row("account-access-consent", "aisp", Family::Aisp),
        plural(row("account", "aisp", Family::Aisp)),
        plural(row("funds-confirmation-consent", "cbpii", Family::Cbpii)),
        plural(row("domestic-vrp-consent", "pisp", Family::Vrp)),
        row("domestic-vrp", "pisp", Family::Vrp),
    ]
    .into_iter()
    .chain(consents_and_orders)
    .collect()
}

/// A row whose path is the plural of its name, and whose `rty` is its name.
fn row(name: &str, under: &str, family: Family) -> ResourceType {
    ResourceType {
        name: name.to_owned(),
        path: format!("{under}/{name}s/{{id}}"),
        family,
        rty: name.to_owned(),
        rty_besides: vec![format!("{name}s")],
        since: ApiVersion::V3_1,
        until: None,
    }
}

/// The same row, with the plural in `rty`.
fn plural(row: ResourceType) -> ResourceType {
    ResourceType {
        rty: format!("{}s", row.name),
        rty_besides: vec![row.name.clone()],
        ..row
    }
}

/// Each has a consent of its name.
const ORDERS: [&str; 7] = [
    "domestic-payment",
    "domestic-scheduled-payment",
    "domestic-standing-order",
    "file-payment",
    "international-payment",
    "international-scheduled-payment",
    "international-standing-order",
];
