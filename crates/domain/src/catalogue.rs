//! What can be told: the standard's event types and the bank's own (T-02).
//!
//! A type has one URN, which stands in SETs, and mostly a code, which TPPs may write in `EventTypes` instead. Which types a
//! Version knows is the `since` of each; what a type's event may carry is its reasons, its role and its schema.

mod own;
mod schema;
mod standard;

use crate::event::EventType;
use crate::version::Version;

pub use own::Definition;
pub use schema::Schema;

/// Every type that this bank publishes.
#[derive(Debug, Clone)]
pub struct Catalogue {
    types: Vec<Type>,
    reserved: Vec<String>,
}

/// One type of event.
#[derive(Debug, Clone)]
pub struct Type {
    /// Its name in SETs.
    pub urn: EventType,
    /// Its name in `EventTypes`; one official type has none.
    pub code: Option<String>,
    /// Other spellings of the code that old versions of the standard printed (S-09).
    pub misspellings: Vec<String>,
    /// The first release that knows it; a registration that asks for no types in particular gets it from then on.
    pub since: Version,
    /// For the developer page.
    pub description: String,
    /// Its place on the developer page (W-03).
    pub anchor: String,
    /// What it says.
    pub role: Role,
    /// The other name of the same fact (T-02).
    pub twin: Option<EventType>,
    /// Which reasons it may give (T-04).
    pub reasons: Reasons,
    /// What its payload must look like; only the bank's own types have a payload.
    pub schema: Option<Schema>,
}

/// What a type says, as far as the rules treat types differently (T-05, T-09, C-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The resource changed: the one event of old clients and of callback-urls.
    ResourceUpdate,
    /// Access was revoked: it needs no subject beside a resource-update.
    Revocation,
    /// An account linked to a consent changed: it may have another subject.
    LinkedAccount,
    /// Whatever the bank says it is.
    Own,
}

/// Which reasons a type may give (T-04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reasons {
    /// None at all.
    Forbidden,
    /// These, and the bank's own namespaced codes.
    Known(Vec<String>),
}

/// The standard's types alone.
impl Default for Catalogue {
    fn default() -> Self {
        Self {
            types: standard::types(),
            reserved: standard::reserved_namespaces(),
        }
    }
}

impl Catalogue {
    /// The types of another market, and the namespaces in which only that market makes codes.
    pub fn of(types: Vec<Type>, reserved_namespaces: Vec<String>) -> Self {
        Self {
            types,
            reserved: reserved_namespaces,
        }
    }

    /// Every type, the standard's first.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// A type by its URN, its code or an old misspelling of that (S-09).
    pub fn find(&self, name: &str) -> Option<&Type> {
        self.types.iter().find(|each| each.is_called(name))
    }

    /// A type by its URN.
    pub fn by_urn(&self, urn: &EventType) -> Option<&Type> {
        self.types.iter().find(|each| each.urn == *urn)
    }

    /// The role of a type; what the catalogue does not know (any more) is the bank's own affair.
    pub fn role(&self, urn: &EventType) -> Role {
        self.by_urn(urn).map_or(Role::Own, |each| each.role)
    }

    /// Whether a type may give this reason (T-04): one of the standard's for it, or a code in the bank's own namespace.
    pub fn allows_reason(&self, of: &Type, reason: &str) -> bool {
        match &of.reasons {
            Reasons::Forbidden => false,
            Reasons::Known(known) => {
                known.iter().any(|each| each == reason)
                    || (is_namespaced(reason) && !self.is_reserved(reason))
            }
        }
    }

    /// Whether a code stands in a namespace that belongs to the market.
    fn is_reserved(&self, code: &str) -> bool {
        self.reserved
            .iter()
            .any(|namespace| code.starts_with(namespace.as_str()))
    }
}

impl Type {
    /// What people call it: its code, or its URN where it has none.
    pub fn name(&self) -> &str {
        self.code.as_deref().unwrap_or(&self.urn.0)
    }

    /// Whether this is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        self.urn.0 == name
            || self.code.as_deref() == Some(name)
            || self.misspellings.iter().any(|each| each == name)
    }
}

/// `CC.Name.Type`: a country, then at least two parts of letters, digits and hyphens.
fn is_namespaced(code: &str) -> bool {
    let mut parts = code.split('.');
    let country = parts.next().unwrap_or_default();
    let well_formed = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && parts.clone().count() >= 2
        && parts.all(well_formed)
}

#[cfg(test)]
mod tests;
