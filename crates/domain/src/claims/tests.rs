mod building;
mod checking;
mod properties;

use serde_json::json;

use super::*;
use crate::catalogue::Catalogue;
use crate::event::{Family, Happening, Notice, Resource, Subject};
use crate::fault::Code;
use crate::ids::{ClientId, Jti, ResourceId, TransactionId};
use crate::rules::Rules;
use crate::version::ApiVersion;

const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
const LINKED: &str = "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";

fn happening(urn: &str) -> Happening {
    Happening {
        event_type: EventType(urn.to_owned()),
        reason: None,
        subject: None,
        payload: None,
    }
}

fn notice(types: &[&str]) -> Notice {
    Notice {
        client_id: ClientId::new("7umx5nTR33811QyQfi").unwrap(),
        resource: Resource {
            kind: "account-access-consent".to_owned(),
            id: ResourceId::new("aac-1234-007").unwrap(),
            version: None,
            family: Family::Aisp,
        },
        happenings: types.iter().map(|urn| happening(urn)).collect(),
        toe: Timestamp::from_unix_seconds(1_516_239_022),
        txn: Some(TransactionId::new("dfc51628-3479-4b81-ad60-210b43d02306").unwrap()),
        test: false,
        trace: None,
    }
}

fn built(notice: &Notice) -> Result<Vec<u8>, BuildError> {
    let base_url = "https://examplebank.com/api".parse().unwrap();
    let iat = Timestamp::from_unix_ms(1_516_239_022_999);
    let issue = Issue {
        iss: "https://examplebank.com/",
        jti: Jti::new(iat, [7; 10]),
        iat,
        base_url: &base_url,
    };
    build(&Rules::default(), &issue, notice)
}

fn faults(claims: &Value) -> Vec<(String, Code)> {
    let bytes = serde_json::to_vec(claims).unwrap();
    let faults = check(&Rules::default(), &bytes).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.path.unwrap_or_default(), fault.code))
        .collect()
}

/// The claims of a resource-update, as the standard's samples have them.
fn sample() -> Value {
    let address =
        "https://examplebank.com/api/open-banking/v4.0/aisp/account-access-consents/aac-1234-007";
    json!({
        "iss": "https://examplebank.com/", "iat": 1516239022, "jti": "b460a07c-4962-43d1-85ee-9dc10fbb8f6c",
        "sub": address, "aud": "7umx5nTR33811QyQfi",
        "events": {UPDATE: {"subject": subject("aac-1234-007", "account-access-consent", address)}},
        "txn": "dfc51628-3479-4b81-ad60-210b43d02306", "toe": 1516239022
    })
}

fn subject(rid: &str, rty: &str, link: &str) -> Value {
    json!({
        "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
        "http://openbanking.org.uk/rid": rid,
        "http://openbanking.org.uk/rty": rty,
        "http://openbanking.org.uk/rlk": [{"version": "v3.1", "link": link}]
    })
}
