//! The rules of `oyez_domain` as this configuration makes them, and what the domain has against it.

use oyez_domain::catalogue::{Catalogue, Definition};
use oyez_domain::fault::Fault;
use oyez_domain::resources::{ResourceTable, ResourceType};
use oyez_domain::rules::{Rules, Switches};
use oyez_domain::retry::Policy;
use oyez_domain::versions::{TableError, VersionTable};
use serde_json::Value;

use super::catalogue::{OwnEventType, OwnResource};
use super::delivery::Retry;
use super::identity::Versions;
use super::{Config, Draft, Sink};

impl Config {
    /// The rules, with the schemas of the bank's own event types in their order; or the members that are wrong, as
    /// `[0].schema`.
    pub(crate) fn rules(&self, schemas: Vec<Option<Value>>) -> Result<Rules, Vec<Fault>> {
        let versions = version_table(&self.versions)
            .map_err(|error| vec![Fault::new(oyez_domain::fault::Code::FieldInvalid, error.to_string())])?;
        let own = self.event_types.own.iter().zip(schemas);
        let definitions = own.map(|(own, schema)| definition(own, schema)).collect();
        Ok(Rules {
            catalogue: Catalogue::default().with_own(definitions, &versions)?,
            resources: ResourceTable::default().with(self.resources.own.iter().map(row).collect())?,
            versions,
            switches: Switches {
                push: self.features.push,
                polling_requires_subscription: self.polling.requires_subscription,
                polling_with_callback_url: self.polling.with_callback_url,
            },
        })
    }
}
