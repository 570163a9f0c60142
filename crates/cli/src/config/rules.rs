//! The rules of `oyez_domain` as this configuration makes them.

use oyez_domain::address::Policy as Addresses;
use oyez_domain::catalogue::{Catalogue, Definition};
use oyez_domain::fault::Fault;
use oyez_domain::resources::{ResourceTable, ResourceType};
use oyez_domain::retry::Policy;
use oyez_domain::rules::{Rules, Switches};
use oyez_domain::versions::{Rows, TableError, VersionTable};
use serde_json::Value;

use super::Config;
use super::catalogue::{OwnEventType, OwnResource};
use super::delivery::Retry;
use super::identity::Versions;

impl Config {
    /// The rules, given the schemas of the bank's own event types in their order. Refused are the members of those types, as
    /// `[0].schema`: everything else was judged when the configuration was read.
    pub(crate) fn rules(&self, schemas: Vec<Option<Value>>) -> Result<Rules, Vec<Fault>> {
        let mut versions =
            version_table(&self.versions).expect("reading refused what makes no table");
        if !self.push.financial_id {
            versions = versions.omitting_financial_id();
        }
        let catalogue = catalogue(&self.event_types.own, schemas, &versions)?;
        let resources =
            resource_table(&self.resources.own).expect("reading refused what makes no table");
        let switches = Switches {
            push: self.features.push,
            polling_requires_subscription: self.polling.requires_subscription,
            polling_with_callback_url: self.polling.with_callback_url,
            order: self.push.order,
        };
        Ok(Rules {
            versions,
            catalogue,
            resources,
            addresses: Addresses {
                allowed: self.outbound.allowed_networks.clone(),
            },
            switches,
        })
    }
}

pub(super) fn version_table(versions: &Versions) -> Result<VersionTable, TableError> {
    let serving = VersionTable::default()
        .serving(&versions.served)?
        .covering(versions.coverage);
    Rows {
        served: serving.rows().to_vec(),
        retired: versions.retired.clone(),
    }
    .try_into()
}

pub(super) fn catalogue(
    own: &[OwnEventType],
    schemas: Vec<Option<Value>>,
    versions: &VersionTable,
) -> Result<Catalogue, Vec<Fault>> {
    let definition = |(own, schema): (&OwnEventType, Option<Value>)| Definition {
        urn: own.urn.clone(),
        code: own.code.clone(),
        description: own.description.clone(),
        since: own.since.to_string(),
        schema,
    };
    Catalogue::default().with_own(own.iter().zip(schemas).map(definition).collect(), versions)
}

pub(super) fn resource_table(own: &[OwnResource]) -> Result<ResourceTable, Vec<Fault>> {
    let row = |own: &OwnResource| ResourceType {
        name: own.name.clone(),
        path: own.path.clone(),
        family: own.family,
        rty: own.rty.clone().unwrap_or_else(|| own.name.clone()),
        rty_besides: own.rty_besides.clone(),
        since: own.since,
        until: own.until,
    };
    ResourceTable::default().with(own.iter().map(row).collect())
}

impl Retry {
    /// The policy of `oyez_domain`.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            base: self.base,
            factor: self.factor,
            ceiling: self.ceiling,
            retries_max: self.retries_max,
            window: self.window,
        }
    }
}
