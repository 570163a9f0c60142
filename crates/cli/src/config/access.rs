//! Whose word counts: the authorisation server's access tokens (A-01 … A-04), and which TPPs are known.

use std::path::PathBuf;
use std::time::Duration;

use oyez_domain::access::SubjectPattern;
use oyez_jose::access_token::{Algorithm, Types};
use oyez_web::tokens::introspection::REMEMBER;
use oyez_web::tokens::{LEEWAY, LEEWAY_MAX};
use oyez_web::tpp::Binding;

use super::form::{Choice, File, FileOrUrl, Place, Span, Text, parsed};
use super::list::List;
use super::section::{Secret, default, optional, secret, section};
use super::text::{HeaderText, HttpUrl, Uri};

section! {
    /// Access tokens of TPPs.
    Tokens = "tokens" {
        /// "jwt": they are signed (RFC 9068), and checked here; "introspection": their issuer is asked (RFC 7662).
        validation: Validation = default(Validation::Jwt,
            Choice(&[("jwt", Validation::Jwt), ("introspection", Validation::Introspection)]));
        /// `iss` of every token: the authorisation server. Must be set for "jwt".
        issuer: Option<Uri> = optional("\"https://auth.bank.example\"", parsed("an absolute URI"));
        /// A token must name one of these in `aud`. Must be set for "jwt".
        audiences: Vec<String> = default(vec![], List(Text));
        /// Where the authorisation server's public keys are: its JWKS URL, or a file that is read again when it changes.
        /// Must be set for "jwt". Unlike a TPP's, its address may be private.
        jwks: Option<Place> = optional("\"https://auth.bank.example/jwks\"", FileOrUrl);
        /// The algorithms that tokens may be signed with. RS256 is for authorisation servers that offer nothing better.
        algorithms: Vec<Algorithm> = default(vec![Algorithm::PS256, Algorithm::ES256], List(Choice(&[
            ("PS256", Algorithm::PS256),
            ("ES256", Algorithm::ES256),
            ("RS256", Algorithm::RS256),
        ])));
        /// "strict": `typ` is at+jwt (RFC 9068); "lenient": it may be JWT or absent, as older servers write it.
        typ: Types = default(Types::Strict, Choice(&[("strict", Types::Strict), ("lenient", Types::Lenient)]));
        /// How far the clock of the authorisation server may differ.
        leeway: Duration = default(LEEWAY, Span(Duration::ZERO..=LEEWAY_MAX));
        /// "required": a token holds only with the certificate that its `cnf` names (RFC 8705); "off" does not conform.
        binding: Binding = default(Binding::Required,
            Choice(&[("required", Binding::Required), ("off", Binding::Off)]));
        /// Whose tokens are a client's own: where `sub` is the client_id, or one of these. Others are users' and refused.
        /// An asterisk stands for any text.
        client_subjects: Vec<SubjectPattern> = default(vec![], List(parsed("a pattern such as \"service-account-*\"")));
        /// Where tokens are asked about, for "introspection". Unlike a TPP's, its address may be private, and on this
        /// machine plain http.
        introspection_url: Option<HttpUrl> = optional("\"https://auth.bank.example/introspect\"", parsed("an https URL"));
        /// Who oyez is to the authorisation server, for "introspection".
        client_id: Option<HeaderText> = optional("\"oyez\"", parsed("1 to 128 printable ASCII characters"));
        /// Its secret there, for "introspection"; without one it is known by its certificate (RFC 8705).
        client_secret: Option<Secret> = secret("\"…\"", "\"introspection.secret\"");
        /// How oyez proves itself in TLS to the authorisation server, if it asks for that: a certificate with its chain, in PEM.
        certificate: Option<PathBuf> = optional("\"oyez.crt\"", File("a certificate in PEM"));
        /// The certificate's private key, in PEM.
        key: Option<PathBuf> = optional("\"oyez.key\"", File("a private key in PEM"));
        /// For how long an answer to introspection is believed. That much later is a revocation noticed.
        cache_ttl: Duration = default(REMEMBER, Span(Duration::ZERO..=HOUR));
        /// "manual": a TPP is registered before its tokens open anything; "automatic": by its first valid token.
        registration: Registration = default(Registration::Manual,
            Choice(&[("manual", Registration::Manual), ("automatic", Registration::Automatic)]));
        /// The claim that says the TPP's organisation, for "automatic".
        org_id_claim: HeaderText = default(HeaderText::of("org_id"), parsed(CLAIM));
        /// The claim that says its software, for "automatic".
        software_id_claim: HeaderText = default(HeaderText::of("software_id"), parsed(CLAIM));
        /// The claim that says where its public keys are, for "automatic".
        jwks_url_claim: HeaderText = default(HeaderText::of("software_jwks_endpoint"), parsed(CLAIM));
    }
}

/// See [`Tokens::validation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validation {
    Jwt,
    Introspection,
}

/// See [`Tokens::registration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    Manual,
    Automatic,
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const CLAIM: &str = "the name of a claim";
