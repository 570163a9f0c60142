//! Who calls, and may it? (A-01, A-03 … A-10, G-09)
//!
//! Within "certificate and token, scope, rate" of G-12 the order is: is there a token at all, is there a certificate, does
//! the token hold, does it name the certificate, is it the client's own; do its scopes open this; is the client known and
//! served, and may it have that scope; does it not come too often. The scopes stand before the look into the ledger because
//! they cost nothing, and so that a token that opens nothing registers nobody.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use oyez_domain::access::{self, NotAClient};
use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::tpp::{KeySource, Overrides, Profile, Standing, Tpp};
use oyez_domain::versions::{Opens, Row};

use super::api::Api;
use super::record::Record;
use super::refusal::{Challenge, Forbidden, Refusal};
use super::{Binding, Registration};
use crate::listener::{ClientCertificate, Peer};
use crate::metrics::TokenFound;
use crate::tokens::{AccessToken, TokenError};

/// A TPP that is known, served, and admitted to what it asks for.
pub(super) struct Caller {
    /// Who.
    pub(super) tpp: Tpp,
    /// The scopes that count.
    pub(super) scopes: Vec<String>,
    /// The subject of the certificate it showed.
    pub(super) subject: Option<String>,
}

impl Api {
    /// Finds out who calls.
    pub(super) async fn identify(
        &self,
        row: &Row,
        opens: Opens,
        head: &Parts,
        record: &mut Record,
    ) -> Result<Caller, Refusal> {
        let bearer = bearer(&head.headers).map_err(Refusal::Unauthenticated)?;
        let certificate = self.certificate(head)?;
        let token = self.validate(bearer).await?;
        self.check_binding(certificate, &token)?;
        let client_id = access::client(token.holder(), &self.options.subjects);
        let client_id = client_id.map_err(|reason| match reason {
            NotAClient::Unnamed => invalid("the access token names no client"),
            NotAClient::User => Refusal::Forbidden(Forbidden::User),
        })?;
        record.client_id = Some(client_id.clone());
        let scopes = token.scopes();
        check_scopes(row, opens, &scopes)?;
        let tpp = self.find_or_register(client_id, &token).await?;
        let scopes = self.granted(scopes, &tpp.profile.scopes);
        check_scopes(row, opens, &scopes)?;
        let per_second = tpp.profile.overrides.requests_per_second;
        let per_second = per_second.unwrap_or(self.options.requests_per_second);
        let now = self.bank.clock.now();
        let rate = self.share.of(per_second);
        let taken = self.rates.take(&tpp.client_id, rate, now);
        taken.map_err(|wait| Refusal::TooOften { wait })?;
        Ok(Caller {
            tpp,
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            subject: certificate.map(|certificate| certificate.subject.clone()),
        })
    }

    async fn validate(&self, bearer: &str) -> Result<AccessToken, Refusal> {
        let validated = self.tokens.validate(bearer).await;
        self.bank.metrics.token(match &validated {
            Ok(_) => TokenFound::Valid,
            Err(TokenError::Invalid(_)) => TokenFound::Invalid,
            Err(TokenError::Expired) => TokenFound::Expired,
            Err(TokenError::Unavailable(_)) => TokenFound::Unavailable,
        });
        validated.map_err(|error| match error {
            TokenError::Invalid(why) => invalid(why),
            TokenError::Expired => Refusal::Unauthenticated(Challenge::Expired),
            TokenError::Unavailable(_) => Refusal::Unavailable(error.to_string()),
        })
    }

    fn certificate<'h>(&self, head: &'h Parts) -> Result<Option<&'h ClientCertificate>, Refusal> {
        let peer = head.extensions.get::<Peer>();
        let certificate = peer.and_then(|peer| peer.certificate.as_deref());
        let now = self.bank.clock.now();
        match (self.options.binding, certificate) {
            (Binding::Off, _) => Ok(certificate),
            (Binding::Required, None) => Err(invalid("a client certificate is required")),
            (Binding::Required, Some(shown)) if shown.is_valid_at(now) => Ok(certificate),
            (Binding::Required, Some(_)) => Err(invalid("the client certificate is not valid now")),
        }
    }

    /// The token names the certificate that came with it (RFC 8705).
    fn check_binding(
        &self,
        certificate: Option<&ClientCertificate>,
        token: &AccessToken,
    ) -> Result<(), Refusal> {
        let presented = certificate.map(|certificate| certificate.thumbprint.as_str());
        match (self.options.binding, token.bound_to()) {
            (Binding::Off, _) => Ok(()),
            (Binding::Required, None) => {
                Err(invalid("the access token is not bound to a certificate"))
            }
            (Binding::Required, Some(bound)) if presented == Some(bound) => Ok(()),
            (Binding::Required, Some(_)) => {
                Err(invalid("the access token is bound to another certificate"))
            }
        }
    }

    /// Of a token's scopes those that the bank grants the TPP, whichever spelling is listed. An empty list grants all.
    fn granted<'t>(&self, mut scopes: Vec<&'t str>, listed: &[String]) -> Vec<&'t str> {
        let all = self.bank.rules.versions.rows().iter();
        let all: Vec<_> = all.flat_map(|row| &row.scopes).collect();
        scopes.retain(|scope| {
            let is = |spelling: &String| spelling == scope;
            let alike = |one: &String| {
                one == scope
                    || all.iter().any(|known| {
                        known.spellings.iter().any(is) && known.spellings.contains(one)
                    })
            };
            listed.is_empty() || listed.iter().any(alike)
        });
        scopes
    }

    async fn find_or_register(
        &self,
        client_id: ClientId,
        token: &AccessToken,
    ) -> Result<Tpp, Refusal> {
        let store = &self.bank.store;
        let known = match store.find_tpp(client_id.clone()).await? {
            Some(tpp) => Some(tpp),
            None => {
                let profile = self.profile_by_token(&client_id, token)?;
                let now = self.bank.clock.now();
                let registering =
                    store.register_tpp(Actor::System, client_id.clone(), profile, now);
                match registering.await? {
                    Some(tpp) => Some(tpp),
                    // Another request of it was quicker.
                    None => store.find_tpp(client_id).await?,
                }
            }
        };
        let tpp = known.ok_or(Refusal::Forbidden(Forbidden::Unknown))?;
        match tpp.standing {
            Standing::Active => Ok(tpp),
            Standing::Disabled { .. } => Err(Refusal::Forbidden(Forbidden::Disabled)),
        }
    }

    /// What the authorisation server says of a client that nobody registered.
    fn profile_by_token(
        &self,
        client_id: &ClientId,
        token: &AccessToken,
    ) -> Result<Profile, Refusal> {
        let Registration::Automatic {
            org_id,
            software_id,
            jwks_url,
        } = &self.options.registration
        else {
            return Err(Refusal::Forbidden(Forbidden::Unknown));
        };
        let claim = |name: &str| {
            let text = token.claim(name).filter(|text| !text.is_empty());
            text.ok_or_else(|| Refusal::Forbidden(Forbidden::Incomplete(name.to_owned())))
        };
        let url = claim(jwks_url)?;
        if !url.starts_with("https://") {
            return Err(Refusal::Forbidden(Forbidden::Incomplete(jwks_url.clone())));
        }
        Ok(Profile {
            name: client_id.to_string(),
            org_id: claim(org_id)?.to_owned(),
            software_id: claim(software_id)?.to_owned(),
            keys: KeySource::JwksUrl(url.to_owned()),
            scopes: Vec::new(),
            overrides: Overrides::default(),
        })
    }
}

/// Any one scope that opens it will do.
fn check_scopes(row: &Row, opens: Opens, scopes: &[&str]) -> Result<(), Refusal> {
    if row.admits(scopes, opens) {
        return Ok(());
    }
    let opening = row
        .scopes
        .iter()
        .filter(|scope| scope.opens == Opens::Everything || scope.opens == opens)
        .filter_map(|scope| scope.spellings.first().map(String::as_str));
    let names: Vec<&str> = opening.collect();
    Err(Refusal::Forbidden(Forbidden::Scope(names.join(" "))))
}

/// The token in `Authorization`. Another scheme is no token; two headers, or what cannot be a token, is a broken one.
fn bearer(headers: &HeaderMap) -> Result<&str, Challenge> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Challenge::NoToken)?;
    let malformed = Challenge::Invalid("the access token is malformed");
    if values.next().is_some() {
        return Err(malformed);
    }
    let value = value.to_str().map_err(|_| malformed)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Challenge::NoToken);
    }
    let token = token.trim_start();
    let of_a_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(of_a_token) {
        return Err(malformed);
    }
    Ok(token)
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::Unauthenticated(Challenge::Invalid(why))
}

/// Longer than any token in the field, some of which carry whole consents.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
