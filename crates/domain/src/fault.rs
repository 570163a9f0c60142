//! What is wrong with a request, in the standard's terms (G-06): one fault per error, all of them at once.

mod render;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use render::{FAULTS_MAX, render};

/// The standard's errors that this API can answer. How each is called in a version is a matter of the version table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A member that another one asks for is absent.
    FieldExpected,
    /// A member's value is not one that may stand there.
    FieldInvalid,
    /// A date is not one that may stand there.
    FieldInvalidDate,
    /// A mandatory member is absent.
    FieldMissing,
    /// A member stands where none is expected.
    FieldUnexpected,
    /// A header's value is not one that may stand there.
    HeaderInvalid,
    /// A mandatory header is absent.
    HeaderMissing,
    /// The body cannot be read as what it should be.
    ResourceInvalidFormat,
    /// There is no resource by that id.
    ResourceNotFound,
    /// The signature does not fit the body.
    SignatureInvalid,
    /// A member of the signature's header has a wrong value.
    SignatureInvalidClaim,
    /// A mandatory member of the signature's header is absent.
    SignatureMissingClaim,
    /// The signature cannot be parsed.
    SignatureMalformed,
    /// There is no signature.
    SignatureMissing,
    /// There is a signature where none is expected.
    SignatureUnexpected,
    /// The bank has no such event type.
    UnsupportedEventType,
    /// There is a registration already (409).
    ResourceAlreadyExists,
    /// The bank cannot answer (5xx).
    UnexpectedError,
    /// The access token has expired (401; v4.0 and later).
    TokenExpired,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which error.
    pub code: Code,
    /// What is wrong, for people; never a secret and never more of the input than its names.
    pub message: String,
    /// Where: `Data.EventTypes[2]`, or a header's or claim's name.
    pub path: Option<String>,
    /// Where to read on.
    pub url: Option<String>,
}

impl Fault {
    /// A fault of the body, or of no place in particular.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: None,
            url: None,
        }
    }

    /// The same fault, at a place.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same fault, with a page to read on.
    pub fn see(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

impl Code {
    /// Every error.
    pub const ALL: [Self; 19] = [
        Self::FieldExpected,
        Self::FieldInvalid,
        Self::FieldInvalidDate,
        Self::FieldMissing,
        Self::FieldUnexpected,
        Self::HeaderInvalid,
        Self::HeaderMissing,
        Self::ResourceInvalidFormat,
        Self::ResourceNotFound,
        Self::SignatureInvalid,
        Self::SignatureInvalidClaim,
        Self::SignatureMissingClaim,
        Self::SignatureMalformed,
        Self::SignatureMissing,
        Self::SignatureUnexpected,
        Self::UnsupportedEventType,
        Self::ResourceAlreadyExists,
        Self::UnexpectedError,
        Self::TokenExpired,
    ];

    /// Its long name without the market's prefix: `Field.Missing`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FieldExpected => "Field.Expected",
            Self::FieldInvalid => "Field.Invalid",
            Self::FieldInvalidDate => "Field.InvalidDate",
            Self::FieldMissing => "Field.Missing",
            Self::FieldUnexpected => "Field.Unexpected",
            Self::HeaderInvalid => "Header.Invalid",
            Self::HeaderMissing => "Header.Missing",
            Self::ResourceInvalidFormat => "Resource.InvalidFormat",
            Self::ResourceNotFound => "Resource.NotFound",
            Self::SignatureInvalid => "Signature.Invalid",
            Self::SignatureInvalidClaim => "Signature.InvalidClaim",
            Self::SignatureMissingClaim => "Signature.MissingClaim",
            Self::SignatureMalformed => "Signature.Malformed",
            Self::SignatureMissing => "Signature.Missing",
            Self::SignatureUnexpected => "Signature.Unexpected",
            Self::UnsupportedEventType => "Unsupported.EventType",
            Self::ResourceAlreadyExists => "Rules.ResourceAlreadyExists",
            Self::UnexpectedError => "UnexpectedError",
            Self::TokenExpired => "Token.Expired",
        }
    }

    /// The status it is answered with; a 5xx may as well be a 503.
    pub const fn status(self) -> u16 {
        match self {
            Self::FieldExpected
            | Self::FieldInvalid
            | Self::FieldInvalidDate
            | Self::FieldMissing
            | Self::FieldUnexpected
            | Self::HeaderInvalid
            | Self::HeaderMissing
            | Self::ResourceInvalidFormat
            | Self::ResourceNotFound
            | Self::SignatureInvalid
            | Self::SignatureInvalidClaim
            | Self::SignatureMissingClaim
            | Self::SignatureMalformed
            | Self::SignatureMissing
            | Self::SignatureUnexpected
            | Self::UnsupportedEventType => 400,
            Self::ResourceAlreadyExists => 409,
            Self::UnexpectedError => 500,
            Self::TokenExpired => 401,
        }
    }

    /// Whether every version can answer it, and it has a long name of the standard's. An expired token has a body in some
    /// versions only (G-06).
    pub const fn is_universal(self) -> bool {
        !matches!(self, Self::TokenExpired)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)
    }
}
