//! Every route, called by everybody who may not.
//!
//! [`walk`] goes through a list of routes and, for each, through every way of not being allowed; it answers what was not as the
//! rules say. A route that has no entry here is an offender too, so none is forgotten.

mod cases;
mod routes;

use oyez_domain::ids::Jti;
use oyez_domain::versions::Opens;
use oyez_outbound::Method;
use oyez_web::tpp::{Operation, Route};
use serde_json::json;

use crate::bank::Bank;
use crate::tpp::{Caller, Request, Response};

/// What a refusal must look like.
struct Expected {
    status: u16,
    challenge: Challenge,
    tells_expiry: bool,
}

/// What `WWW-Authenticate` says (RFC 6750).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    Absent,
    WithoutError,
    InvalidToken,
    InsufficientScope,
}

/// The request in one of the ways.
type Spoiled = Box<dyn Fn(&World<'_>, &Route) -> Request + Send + Sync>;

/// A way of not being allowed.
struct Case {
    name: &'static str,
    /// Whether it means anything to such a route.
    applies: fn(Operation) -> bool,
    /// The request in this way.
    request: Spoiled,
    expected: Expected,
}

/// A bank with something in it that could be harmed.
struct World<'b> {
    bank: &'b Bank,
    /// It has both kinds of registration and an outstanding event.
    victim: Caller,
    /// Known, and in good standing.
    neighbour: Caller,
    disabled: Caller,
    unknown: Caller,
    subscription_id: String,
    callback_url_id: String,
    jti: Jti,
    /// Something that the developer page is made with.
    asset: String,
}

/// Walks these routes, and answers each offence in a line. The bank must be fresh: TPPs are made here.
pub async fn walk(bank: &Bank, routes: &[Route]) -> Vec<String> {
    let world = World::new(bank).await;
    let before = world.picture().await;
    let mut offences = Vec::new();
    for route in routes {
        if !routes::has_entry(route) {
            offences.push(format!("{route:?} has no entry"));
            continue;
        }
        for case in cases::all().filter(|case| (case.applies)(route.operation)) {
            let request = (case.request)(&world, route).header(INTERACTION_ID, INTERACTION);
            let response = request.send().await;
            let found = offences_of(bank, route, &case, &response);
            let place = format!("{} {:?} of {}", route.operation.id(), route.api, case.name);
            offences.extend(found.map(|offence| format!("{place}: {offence}: {response:?}")));
            if world.picture().await != before {
                offences.push(format!("{place}: the ledger changed"));
                return offences;
            }
        }
    }
    offences
}

fn offences_of<'a>(
    bank: &'a Bank,
    route: &'a Route,
    case: &'a Case,
    response: &'a Response,
) -> impl Iterator<Item = &'static str> {
    let open = route.operation.opens().is_none();
    let (status, challenge) = match open {
        true => (200, Challenge::Absent),
        false => (case.expected.status, case.expected.challenge),
    };
    let tells_expiry = !open && case.expected.tells_expiry && routes::tells_expiry(route);
    let body = match (open, tells_expiry) {
        (true, _) => !response.body.is_empty(),
        (false, true) => response.error_codes() == ["TKXP"],
        (false, false) => response.body.is_empty(),
    };
    let signed =
        !tells_expiry || !route.operation.gives_signatures() || bank.verify(response).is_ok();
    let checks = [
        (response.status == status, "the status"),
        (challenge.is_of(response), "the challenge"),
        (body, "the body"),
        (signed, "the signature"),
        (
            response.header(INTERACTION_ID) == Some(INTERACTION),
            "the interaction id",
        ),
    ];
    checks
        .into_iter()
        .filter(|(fine, _)| !fine)
        .map(|(_, what)| what)
}

impl Challenge {
    fn is_of(self, response: &Response) -> bool {
        let Some(text) = response.header("www-authenticate") else {
            return self == Self::Absent;
        };
        let error = text.split_once("error=\"").map(|(_, rest)| rest);
        let code = error.and_then(|rest| rest.split('"').next());
        text.starts_with("Bearer ")
            && match self {
                Self::Absent => false,
                Self::WithoutError => code.is_none(),
                Self::InvalidToken => code == Some("invalid_token"),
                Self::InsufficientScope => code == Some("insufficient_scope"),
            }
    }
}

impl<'b> World<'b> {
    async fn new(bank: &'b Bank) -> Self {
        let victim = bank.tpp("tpp-1").await;
        let create = async |resource: &str, id: &str, body| {
            let path = format!("/open-banking/v3.1/{resource}");
            let created = victim.post(&path).json(&body).send().await;
            assert_eq!(created.status, 201, "{created:?}");
            created.json()["Data"][id].as_str().unwrap().to_owned()
        };
        let body = json!({ "Data": { "Version": "3.1" } });
        let subscription_id = create("event-subscriptions", "EventSubscriptionId", body).await;
        let url = "https://victim.example/v3.1/event-notifications";
        let body = json!({ "Data": { "Url": url, "Version": "3.1" } });
        let callback_url_id = create("callback-urls", "CallbackUrlId", body).await;
        let jti = bank.tell(&victim, 1).await[0];
        let page = victim.get("/developer").send().await;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let asset = page.split("developer/assets/").nth(1).unwrap();
        let asset = asset.split('"').next().unwrap().to_owned();
        let disabled = bank.tpp("tpp-disabled").await;
        bank.disable(&disabled).await;
        Self {
            neighbour: bank.tpp("tpp-2").await,
            unknown: bank.stranger("tpp-unknown"),
            bank,
            victim,
            disabled,
            subscription_id,
            callback_url_id,
            jti,
            asset,
        }
    }

    /// All that must not change.
    async fn picture(&self) -> String {
        use oyez_store::Store as _;
        let store = self.bank.store();
        let tpps = store.list_tpps(None, 100).await.unwrap();
        let audit = store.list_audit(None, None, 100).await.unwrap();
        let event = self.bank.event(self.jti).await;
        let mut registrations = Vec::new();
        for tpp in [&self.victim, &self.neighbour, &self.disabled, &self.unknown] {
            registrations.push(self.bank.registrations(tpp).await);
        }
        format!("{tpps:?} {audit:?} {event:?} {registrations:?}")
    }
}

fn everything(_: Operation) -> bool {
    true
}

fn what_names_a_registration(operation: Operation) -> bool {
    let method = operation.method();
    method == Method::PUT || method == Method::DELETE
}

fn what_polling_does_not_open(operation: Operation) -> bool {
    operation.opens() == Some(Opens::Everything)
}

const INTERACTION_ID: &str = "x-fapi-interaction-id";
const INTERACTION: &str = "93bac548-d2de-4546-b106-880a5018460d";
