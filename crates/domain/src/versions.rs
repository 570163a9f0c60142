//! What differs between versions and between markets, as data: one row per path version, and the code reads the rows.
//!
//! There is no `if version` anywhere in oyez. A bank chooses which rows it serves; another market that runs the same API
//! (Payments NZ, Bahrain OBF) is other rows. A row says what its path looks like, who may call it, how it words its errors,
//! which signatures it takes, and how long a text may be.

mod errors;
mod row;
mod standard;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use errors::{CodeText, ErrorModel, MemberOrder, MessageForm, StatusText};
pub use row::{
    B64Form, CallbackSuffix, Coverage, EventLimit, FinancialId, JoseForms, Lengths, Market, Opens,
    Paths, Release, Row, Scope, Successes,
};

use crate::version::{ApiVersion, Version};

/// The rows that a bank serves, oldest first. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Rows", into = "Rows")]
pub struct VersionTable {
    rows: Vec<Row>,
    retired: Vec<ApiVersion>,
}

/// A version table as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Served, in any order.
    pub served: Vec<Row>,
    /// Answered with 503 instead of 404 (G-01).
    #[serde(default)]
    pub retired: Vec<ApiVersion>,
}

/// Why rows make no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// There must be one to serve.
    #[error("no version is served")]
    Empty,
    /// Two rows, or a row and the retired ones, claim one path.
    #[error("{0} stands in the table twice")]
    Twice(ApiVersion),
    /// A row without releases would accept no `Version`.
    #[error("{0} has no releases")]
    NoReleases(ApiVersion),
    /// A TPP's `Version` must name one row.
    #[error("release {0} stands in the table twice")]
    ReleaseTwice(Version),
    /// A version was asked for that there is no row for.
    #[error("there is no row for {0}")]
    Unknown(ApiVersion),
    /// A row that cannot word an error that every version has.
    #[error("{0} has no text for the error {1}")]
    NoErrorText(ApiVersion, crate::fault::Code),
}

/// The standard's rows: v3.1 and v4.0.
impl Default for VersionTable {
    fn default() -> Self {
        Self {
            rows: standard::rows(),
            retired: Vec::new(),
        }
    }
}

impl VersionTable {
    /// A table of these rows.
    pub fn new(served: Vec<Row>, retired: Vec<ApiVersion>) -> Result<Self, TableError> {
        let mut rows = served;
        rows.sort_by_key(|row| row.api);
        check(&rows, &retired)?;
        Ok(Self { rows, retired })
    }

    /// The same table with only these versions served: what a bank configures (G-01). The others are not retired but unknown.
    pub fn serving(self, apis: &[ApiVersion]) -> Result<Self, TableError> {
        if let Some(unknown) = apis.iter().find(|api| self.row(**api).is_none()) {
            return Err(TableError::Unknown(*unknown));
        }
        let mut rows = self.rows;
        rows.retain(|row| apis.contains(&row.api));
        Self::new(rows, self.retired)
    }

    /// The same table where no push carries the bank's id (D-01).
    pub fn omitting_financial_id(mut self) -> Self {
        for row in &mut self.rows {
            row.financial_id = FinancialId::Omitted;
        }
        self
    }

    /// Whether pushes carry the bank's id: they do where any version that is served asks for it, for the others bear it (D-01).
    pub fn financial_id(&self) -> FinancialId {
        let sent = |row: &Row| row.financial_id == FinancialId::Sent;
        if self.rows.iter().any(sent) {
            FinancialId::Sent
        } else {
            FinancialId::Omitted
        }
    }

    /// The same table where every Version covers resources by this rule (S-06).
    pub fn covering(mut self, coverage: Coverage) -> Self {
        for row in &mut self.rows {
            row.coverage = coverage;
        }
        self
    }

    /// Every served row, oldest first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row served at this path.
    pub fn row(&self, api: ApiVersion) -> Option<&Row> {
        self.rows.iter().find(|row| row.api == api)
    }

    /// Paths that were served once.
    pub fn retired(&self) -> &[ApiVersion] {
        &self.retired
    }

    /// Was this path served once? (G-01: 503)
    pub fn is_retired(&self, api: ApiVersion) -> bool {
        self.retired.contains(&api)
    }

    /// The oldest served row: where a resource is looked for whose version the publisher did not say.
    pub fn oldest(&self) -> &Row {
        self.rows.first().expect("a table is never empty")
    }

    /// The newest served row.
    pub fn newest(&self) -> &Row {
        self.rows.last().expect("a table is never empty")
    }

    /// The version a resource counts as created in. Where nobody said, and where that one is served no more, it is the oldest
    /// served: there the resource is found now, and no TPP can register for an older one.
    pub fn created_in(&self, said: Option<ApiVersion>) -> ApiVersion {
        let oldest = self.oldest().api;
        said.map_or(oldest, |api| api.max(oldest))
    }

    /// Served rows at or above a version, oldest first (T-03).
    pub fn from(&self, api: ApiVersion) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.api >= api)
    }

    /// The row and release that a TPP's `Version` means; a bare `3.1` means the newest 3.1.z (S-08, S-10).
    pub fn release(&self, version: Version) -> Option<(&Row, &Release)> {
        let all = || {
            self.rows
                .iter()
                .flat_map(|row| row.releases.iter().map(move |each| (row, each)))
        };
        all()
            .find(|(_, release)| release.version == version)
            .or_else(|| {
                all()
                    .filter(|(_, release)| {
                        version.patch.is_none() && release.version.api == version.api
                    })
                    .max_by_key(|(_, release)| release.version)
            })
    }

    /// Whether a registration with this `Version` hears of resources created in that version (S-06). A Version that is no
    /// longer served goes on hearing what it heard.
    pub fn covers(&self, version: Version, created_in: ApiVersion) -> bool {
        match self.release(version) {
            Some((row, _)) => row.coverage.covers(row.api, created_in),
            None => created_in >= version.api,
        }
    }
}

impl TryFrom<Rows> for VersionTable {
    type Error = TableError;

    fn try_from(rows: Rows) -> Result<Self, TableError> {
        Self::new(rows.served, rows.retired)
    }
}

impl From<VersionTable> for Rows {
    fn from(table: VersionTable) -> Self {
        Self {
            served: table.rows,
            retired: table.retired,
        }
    }
}

fn check(rows: &[Row], retired: &[ApiVersion]) -> Result<(), TableError> {
    if rows.is_empty() {
        return Err(TableError::Empty);
    }
    let mut apis: BTreeSet<ApiVersion> = BTreeSet::new();
    for api in rows
        .iter()
        .map(|row| row.api)
        .chain(retired.iter().copied())
    {
        if !apis.insert(api) {
            return Err(TableError::Twice(api));
        }
    }
    let mut releases = BTreeSet::new();
    for row in rows {
        if row.releases.is_empty() {
            return Err(TableError::NoReleases(row.api));
        }
        for release in &row.releases {
            if !releases.insert(release.version) {
                return Err(TableError::ReleaseTwice(release.version));
            }
        }
        if let Some(code) = row.errors.missing_code() {
            return Err(TableError::NoErrorText(row.api, code));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
