//! Who plays: two TPPs that the bank knows, and one that it does not.

/// Somebody with a client certificate, as the directory knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) client_id: &'static str,
    pub(super) org_id: &'static str,
    pub(super) software_id: &'static str,
    pub(super) method: Method,
}

/// How somebody proves to the token endpoint who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// By an assertion that they signed (RFC 7523).
    PrivateKeyJwt,
    /// By their certificate (RFC 8705).
    TlsClientAuth,
}

impl Method {
    /// As it is registered.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
        }
    }
}

impl Person {
    /// What the header of their signatures says: who, and with which software.
    pub(super) fn signatory(&self) -> String {
        format!("{}/{}", self.org_id, self.software_id)
    }
}

pub(super) const ACME: Person = Person {
    name: "Acme",
    client_id: "acme",
    org_id: "DEMO-ONLY-ACME",
    software_id: "DEMO-ONLY-BUDGETS",
    method: Method::PrivateKeyJwt,
};

pub(super) const BOLT: Person = Person {
    name: "Bolt",
    client_id: "bolt",
    org_id: "DEMO-ONLY-BOLT",
    software_id: "DEMO-ONLY-PAYMENTS",
    method: Method::TlsClientAuth,
};

/// The token endpoint knows them, the bank does not.
pub(super) const STRANGER: Person = Person {
    name: "Initech",
    client_id: "initech",
    org_id: "DEMO-ONLY-INITECH",
    software_id: "DEMO-ONLY-REPORTS",
    method: Method::TlsClientAuth,
};

pub(super) const EVERYBODY: [Person; 3] = [ACME, BOLT, STRANGER];

/// The id of the bank in the directory.
pub(super) const BANK_ORG_ID: &str = "DEMO-ONLY-BANK";
/// `iss` of the bank's SETs.
pub(super) const BANK_ISSUER: &str = "https://bank.example/DEMO-ONLY";
/// The trust anchor that all signatures name.
pub(super) const TRUST_ANCHOR: &str = "openbanking.org.uk";
/// What TPPs ask tokens for.
pub(super) const SCOPES: &str = "accounts payments fundsconfirmations";
