//! What the bank adds to the standard's event types and resources.

use std::path::PathBuf;

use oyez_domain::event::Family;
use oyez_domain::version::{ApiVersion, Version};

use super::form::{Choice, File, Text, parsed};
use super::list::List;
use super::section::{any_number, default, optional, required, section};
use super::text::ResourcePath;

section! {
    /// Event types of the bank's own, besides the standard's (T-02).
    EventTypes = "event_types" {
        /// One table per event type.
        own: Vec<OwnEventType> = any_number();
    }
}

section! {
    /// An event type of the bank's own.
    OwnEventType = "event_types.own" {
        /// Its name in tokens.
        urn: String = required("\"urn:example:events:loan-arrears\"", Text);
        /// Its name in EventTypes: CC.Name.Type, never UK.OBIE.
        code: String = required("\"GB.Example.Loan-Arrears\"", Text);
        /// What it means, for people.
        description: String = required("\"A loan is in arrears.\"", Text);
        /// The first Version that knows it.
        since: Version = required("\"4.0\"", parsed("a version such as \"3.1\" or \"4.0.1\""));
        /// A JSON Schema that the payload of its events must satisfy.
        schema: Option<PathBuf> = optional("\"loan-arrears.schema.json\"", File("a JSON Schema"));
    }
}

section! {
    /// Resources that the standard's table lacks, or that live elsewhere at this bank (T-06).
    Resources = "resources" {
        /// One table per resource type; a name of the standard's table replaces its row.
        own: Vec<OwnResource> = any_number();
    }
}

section! {
    /// A resource type.
    OwnResource = "resources.own" {
        /// What publishers call it.
        name: String = required("\"loan-consent\"", Text);
        /// Its path below /open-banking/{version}/, with {id} where the id stands.
        path: String = required("\"aisp/loan-consents/{id}\"", Text);
        /// Which scope covers events about it: aisp accounts, pisp and vrp payments, cbpii fundsconfirmations.
        family: Family = required("\"aisp\"", Choice(&[
            ("aisp", Family::Aisp),
            ("pisp", Family::Pisp),
            ("cbpii", Family::Cbpii),
            ("vrp", Family::Vrp),
        ]));
        /// What `http://openbanking.org.uk/rty` says of it; its name if absent.
        rty: Option<String> = optional("\"loan-consent\"", Text);
        /// What `rty` may say besides.
        rty_besides: Vec<String> = default(vec![], List(Text));
        /// The first path version that has it.
        since: ApiVersion = required("\"v4.0\"", parsed("a path version such as \"v4.0\""));
        /// The last path version that has it, if it is gone.
        until: Option<ApiVersion> = optional("\"v4.0\"", parsed("a path version such as \"v4.0\""));
    }
}

section! {
    /// Test events, by which an operator tries the way to a TPP: `oyez publish --test-event` (I-04).
    TestEvent = "test_event" {
        /// What they are about: a resource that harms nobody who looks it up. Without this key none can be sent.
        resource: Option<ResourcePath> = optional("\"domestic-payment/test\"", parsed("a resource as TYPE/ID"));
    }
}
