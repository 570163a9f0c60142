//! The way to one TPP: its client, and all of a request that is the same for each letter.

use std::sync::Arc;

use oyez_domain::tpp::HeaderProfile;
use oyez_outbound::{
    Anchors, Bytes, Class, Client, Error, HeaderMap, HeaderName, HeaderValue, Method, Peer,
    Request, Response, Target, Tls, TlsError, header,
};

use super::{Postman, answer};
use crate::ports::{Addressee, Failure, Letter};

/// See the top of this file.
pub(super) struct Route {
    addressee: Arc<Addressee>,
    /// The deployment's; the client's may have other anchors.
    tls: Tls,
    client: Arc<Client>,
    target: Target,
    headers: HeaderMap,
}

impl Route {
    /// To this addressee, with the client of the way before where that still serves.
    pub(super) fn new(
        postman: &Postman,
        addressee: &Arc<Addressee>,
        tls: Tls,
        before: Option<&Self>,
    ) -> Result<Self, Failure> {
        let target = Target::parse(&addressee.callback_url)
            .map_err(|error| unable(Class::RefusedUrl, answer::detail(&error)))?;
        let same_trust = |before: &&Self| {
            before.tls == tls && before.addressee.trust_anchors == addressee.trust_anchors
        };
        let client = match before.filter(same_trust) {
            Some(before) => Arc::clone(&before.client),
            None => {
                let believed = believed(&tls, addressee.trust_anchors.as_deref());
                let believed =
                    believed.map_err(|error| unable(Class::Tls, answer::detail(&error)))?;
                let (resolver, tracker) = (&postman.parts.resolver, &postman.parts.tracker);
                let setup = postman.setup(believed);
                Arc::new(Client::new(setup, Arc::clone(resolver), tracker.clone()))
            }
        };
        Ok(Self {
            addressee: Arc::clone(addressee),
            tls,
            client,
            target,
            headers: headers(postman, addressee.profile),
        })
    }

    /// Whether nothing has changed since it was made.
    pub(super) fn leads_to(&self, addressee: &Arc<Addressee>, tls: &Tls) -> bool {
        let same = Arc::ptr_eq(&self.addressee, addressee) || self.addressee == *addressee;
        same && self.tls == *tls
    }

    pub(super) async fn send(&self, letter: Letter) -> Result<Response, Error> {
        let mut headers = self.headers.clone();
        let id = HeaderValue::from_bytes(letter.interaction_id.as_str().as_bytes());
        let id = id.expect("an id has no control characters");
        headers.insert(INTERACTION_ID, id);
        if let Some(parent) = letter.traceparent {
            let parent = HeaderValue::try_from(parent);
            headers.insert(TRACE_PARENT, parent.expect("hexadecimal digits and dashes"));
        }
        let request = Request {
            method: Method::POST,
            target: self.target.clone(),
            headers,
            body: Bytes::from(letter.set),
        };
        self.client.send(&request).await
    }
}

/// Its own anchors, or the deployment's.
fn believed(tls: &Tls, own: Option<&str>) -> Result<Tls, TlsError> {
    match own {
        Some(pem) => tls.believing(&Anchors::from_pem(pem.as_bytes())?),
        None => Ok(tls.clone()),
    }
}

/// Those of D-01 that all letters have.
fn headers(postman: &Postman, profile: HeaderProfile) -> HeaderMap {
    let media_type = match profile {
        HeaderProfile::OpenBanking | HeaderProfile::Jwt => "application/jwt",
        HeaderProfile::Rfc8417 => "application/secevent+jwt",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let accepted = HeaderValue::from_static("application/json");
    headers.insert(header::ACCEPT, accepted);
    headers.insert(header::USER_AGENT, postman.options.user_agent.clone());
    if let Some(id) = &postman.options.financial_id {
        headers.insert(FINANCIAL_ID, id.clone());
    }
    headers
}

/// Nothing was sent, for there is no way.
fn unable(class: Class, detail: String) -> Failure {
    Failure {
        class: class.as_str(),
        detail,
        peer: Peer::default(),
    }
}

pub(super) const INTERACTION_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const FINANCIAL_ID: HeaderName = HeaderName::from_static("x-fapi-financial-id");
