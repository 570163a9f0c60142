//! What the bank adds to the standard's event types and resources, and who operates it.

use std::path::PathBuf;

use oyez_domain::event::Family;
use oyez_domain::version::Version;

use super::form::{Choice, File, Text, parsed};
use super::section::{Secret, any_number, optional, required, secret, section};

section! {
    /// Event types of the bank's own, besides the standard's (T-02).
    EventTypes = "event_types" {
        /// One table per type.
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
        /// What it means, for the developer page.
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
        /// Which scope covers events about it: aisp accounts, pisp and vrp payments, cbpii fundsconfirmations.
        family: Family = required("\"aisp\"", Choice(&[
            ("aisp", Family::Aisp),
            ("pisp", Family::Pisp),
            ("cbpii", Family::Cbpii),
            ("vrp", Family::Vrp),
        ]));
        /// Its path below /open-banking/{version}/, with {id} where the id stands.
        path: String = required("\"aisp/loan-consents/{id}\"", Text);
        /// Its `http://openbanking.org.uk/rty`; its name if absent.
        rty: Option<String> = optional("\"loan-consent\"", Text);
    }
}

section! {
    /// The internal API: the bank's own systems and people (I-05).
    Internal = "internal" {
        /// Who may use it: a line per token with name, role (publisher, viewer, operator or admin) and the token's SHA-256
        /// in hexadecimal.
        tokens: Option<Secret> = secret("\"\"\"\\nalice admin 2c26…\\n\"\"\"", "\"tokens\"");
    }
}
