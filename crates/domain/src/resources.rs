//! Which resources events are about, and where each is found (T-06). Publishers say type and id; addresses are made here.

mod standard;

use serde::{Deserialize, Serialize};

use crate::base_url::BaseUrl;
use crate::event::Family;
use crate::fault::{Code, Fault};
use crate::ids::ResourceId;
use crate::version::ApiVersion;
use crate::versions::Row;

/// Every resource type that events can be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceTable {
    rows: Vec<ResourceType>,
}

/// One type of resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceType {
    /// Its name for publishers: `account-access-consent`.
    pub name: String,
    /// Where it is found under a version, with `{id}` as one segment: `aisp/account-access-consents/{id}`.
    pub path: String,
    /// Which scopes cover events about it.
    pub family: Family,
    /// What `rty` says of it in SETs made here.
    pub rty: String,
    /// What `rty` may say besides: the other of singular and plural.
    #[serde(default)]
    pub rty_besides: Vec<String>,
    /// The first path version that has it.
    pub since: ApiVersion,
    /// The last path version that has it, if it is gone.
    #[serde(default)]
    pub until: Option<ApiVersion>,
}

/// The standard's consents, orders and accounts.
impl Default for ResourceTable {
    fn default() -> Self {
        Self {
            rows: standard::rows(),
        }
    }
}

impl ResourceTable {
    /// Every row.
    pub fn rows(&self) -> &[ResourceType] {
        &self.rows
    }

    /// A row by its name or by any form of its `rty`.
    pub fn find(&self, name: &str) -> Option<&ResourceType> {
        self.rows.iter().find(|row| row.is_called(name))
    }

    /// This table with rows added, or replaced where the name is there already; or everything that is wrong with them.
    pub fn with(mut self, rows: Vec<ResourceType>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            let fault = |member: &str, message: &str| {
                Fault::new(Code::FieldInvalid, message).at(format!("[{index}].{member}"))
            };
            let before = faults.len();
            if !is_path(&row.path) {
                faults.push(fault(
                    "path",
                    "a path has segments without escapes, one of them {id}",
                ));
            }
            if row.name.is_empty() || row.rty.is_empty() {
                faults.push(fault("name", "a resource type has a name and an rty"));
            }
            let others = || self.rows.iter().filter(|other| other.name != row.name);
            if row
                .names()
                .any(|name| others().any(|other| other.is_called(name)))
            {
                faults.push(fault(
                    "name",
                    "another resource type has one of these names",
                ));
            }
            if faults.len() == before {
                self.rows.retain(|other| other.name != row.name);
                self.rows.push(row);
            }
        }
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(faults)
        }
    }
}

impl ResourceType {
    /// Its address under one version.
    pub fn address(&self, base: &BaseUrl, row: &Row, id: &ResourceId) -> String {
        base.under(row, &self.path.replace(ID, &segment(id.as_str())))
    }

    /// Whether a path version has it.
    pub fn is_in(&self, api: ApiVersion) -> bool {
        self.since <= api && self.until.is_none_or(|until| api <= until)
    }

    /// Whether this is its name or a form of its `rty`.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|each| each == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [self.name.as_str(), self.rty.as_str()]
            .into_iter()
            .chain(self.rty_besides.iter().map(String::as_str))
    }
}

/// An id as one segment of a path: everything but RFC 3986's unreserved characters is escaped.
fn segment(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn is_path(path: &str) -> bool {
    let plain = |segment: &str| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    path.split('/').filter(|segment| *segment == ID).count() == 1
        && path
            .split('/')
            .all(|segment| segment == ID || plain(segment))
}

/// Where the id goes.
const ID: &str = "{id}";

#[cfg(test)]
mod tests;
