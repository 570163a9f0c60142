//! SETs of the fake bank.

use oyez_tpp::jose::{HeaderProfile, HeaderTemplate, LocalKey, Signatory, UnixTime};
use serde_json::{Value, json};

use crate::fake_bank::KID;
use crate::world::{ANCHOR, CLIENT, NOW, ORG_ID, SET_ISSUER, World};

pub(crate) const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";

pub(crate) fn claims(jti: &str) -> Value {
    let link = "https://bank.example/open-banking/v4.0/aisp/account-access-consents/aac-1";
    json!({
        "iss": SET_ISSUER, "iat": NOW, "jti": jti, "sub": link, "aud": CLIENT, "txn": "t-1", "toe": NOW,
        "events": {UPDATE: {"subject": {
            "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
            "http://openbanking.org.uk/rid": "aac-1",
            "http://openbanking.org.uk/rty": "account-access-consent",
            "http://openbanking.org.uk/rlk": [{"version": "v4.0", "link": link}],
        }}},
    })
}

pub(crate) fn changed(jti: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims(jti);
    change(&mut claims);
    claims
}

pub(crate) fn sign(profile: HeaderProfile, key: &LocalKey, issuer: &str, claims: &Value) -> String {
    let by = Signatory {
        issuer: issuer.to_owned(),
        trust_anchor: ANCHOR.to_owned(),
    };
    let header = HeaderTemplate::set(profile, KID, key.public_key(), &by);
    let input = header.signing_input(claims.to_string().as_bytes(), UnixTime::from_seconds(NOW));
    input.sign_now(key).unwrap()
}

pub(crate) fn signed(world: &World, claims: &Value) -> String {
    sign(HeaderProfile::OpenBanking, &world.bank.key, ORG_ID, claims)
}
