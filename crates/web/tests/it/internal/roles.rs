//! Who may do what: every route of the list, for every role and for nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use oyez_jose::sha256;
use oyez_testkit::certificates::Authority;
use oyez_web::internal::operators::{self, Operators, Role, hex};
use oyez_web::internal::{Access, ROUTES, Route};
use oyez_web::listener::{ClientCertificate, Peer};

use super::world::{Reply, World, token};

fn request(route: &Route, authorization: Option<&str>) -> Request<Body> {
    let path = route.path.replace("{client_id}", "tpp-1");
    let path = path.replace("{jti}", "018bcfe5-6800-7000-8000-000000000001");
    let request = Request::builder().method(route.method.clone()).uri(path);
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    request.body(Body::empty()).unwrap()
}

fn is_turned_away(reply: &Reply) -> bool {
    matches!(reply.status, 401 | 403)
}

// I-05
#[tokio::test]
async fn without_a_known_token_no_route_does_anything_but_health_and_metrics() {
    let world = World::new().await;
    for route in &ROUTES {
        for authorization in [
            None,
            Some("Bearer garbage"),
            Some("Bearer"),
            Some("Bearer "),
            Some("token-of-the-admin"),
            Some("Basic dG9rZW4tb2YtdGhlLWFkbWlu"),
            Some("Bearer Token-Of-The-Admin"),
        ] {
            let reply = world.send(request(route, authorization)).await;
            let id = route.id;
            if route.access == Access::Anyone {
                assert_eq!(reply.status, 200, "{id} {authorization:?}");
                continue;
            }
            assert_eq!(reply.status, 401, "{id} {authorization:?}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"oyez\"");
            assert_eq!(reply.header("content-type"), "application/problem+json");
            let problem = reply.json();
            assert_eq!(problem["type"], "urn:oyez:problem:unauthenticated");
            assert_eq!(problem["status"], 401);
            assert_eq!(
                problem["request_id"].as_str(),
                Some(reply.header("x-fapi-interaction-id"))
            );
        }
    }
    assert_eq!(world.bank.store().asked("accept"), 0);
}

// I-05
#[tokio::test]
async fn each_route_is_open_to_its_roles_and_to_no_other() {
    let world = World::new().await;
    for route in &ROUTES {
        for role in Role::ALL {
            let authorization = format!("bearer {}", token(role));
            let reply = world.send(request(route, Some(&authorization))).await;
            let open = match (route.access, role) {
                (Access::Anyone, _) | (_, Role::Admin) => true,
                (Access::Publish, role) => role == Role::Publisher,
                (Access::View, role) => matches!(role, Role::Viewer | Role::Operator),
                (Access::Act, role) => role == Role::Operator,
                (Access::Administer, _) => false,
            };
            let what = format!("{} as {}: {reply:?}", route.id, role.name());
            assert_eq!(!is_turned_away(&reply), open, "{what}");
            if !open {
                assert_eq!(reply.status, 403, "{what}");
            }
        }
    }
}

// I-05
#[test]
fn every_route_has_a_name_of_its_own_and_looks_by_get_alone() {
    let mut ids: Vec<&str> = ROUTES.iter().map(|route| route.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ROUTES.len());
    for route in &ROUTES {
        let looks = matches!(route.access, Access::View | Access::Anyone);
        assert_eq!(route.method == Method::GET, looks, "{}", route.id);
    }
}

// I-05
#[tokio::test]
async fn a_certificate_lets_in_where_no_token_is_said_and_a_list_takes_effect_when_it_is_sent() {
    let world = World::new().await;
    let certified = Authority::new("core systems").client("ledger-system");
    let certificate = ClientCertificate::from_der(certified.der()).unwrap();
    let asked = |authorization: Option<&str>| {
        let route = ROUTES.iter().find(|route| route.id == "list_tpps").unwrap();
        let mut request = request(route, authorization);
        request.extensions_mut().insert(Peer {
            address: "127.0.0.1:4000".parse().unwrap(),
            certificate: Some(Arc::new(certificate.clone())),
        });
        request
    };
    assert_eq!(world.send(asked(None)).await.status, 401);
    let line = format!("mesh viewer certificate:{}", hex(&sha256(certified.der())));
    let list = Operators::new(operators::parse(&line).unwrap());
    world.operators.send_replace(Arc::new(list));
    assert_eq!(world.send(asked(None)).await.status, 200);
    let old = format!("Bearer {}", token(Role::Admin));
    assert_eq!(world.send(asked(Some(&old))).await.status, 401);
}

// A-05, I-05
#[tokio::test]
async fn a_certificate_lets_in_no_longer_than_it_holds() {
    let world = World::new().await;
    let certified = Authority::new("core systems").client("ledger-system");
    let certificate = ClientCertificate::from_der(certified.der()).unwrap();
    let line = format!("mesh viewer certificate:{}", hex(&certificate.sha256));
    let list = Operators::new(operators::parse(&line).unwrap());
    world.operators.send_replace(Arc::new(list));
    let asked = || {
        let mut request = Request::get("/v1/tpps").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer {
            address: "127.0.0.1:4000".parse().unwrap(),
            certificate: Some(Arc::new(certificate.clone())),
        });
        request
    };
    let left = certificate.not_after.since(world.bank.now());
    world.bank.clock().advance(left);
    assert_eq!(world.send(asked()).await.status, 200);
    world.bank.clock().advance(Duration::from_secs(1));
    let late = world.send(asked()).await;
    assert_eq!(late.status, 401);
    assert_eq!(
        late.json()["detail"],
        "the client certificate is not valid now"
    );
}

// I-05
#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused_wherever_it_stands() {
    let world = World::new().await;
    for route in &ROUTES {
        let mut request = request(route, Some(&format!("Bearer {}", token(Role::Admin))));
        *request.uri_mut() = format!("{}?limits=5", request.uri()).parse().unwrap();
        let reply = world.send(request).await;
        if route.access == Access::Anyone {
            assert_eq!(reply.status, 200, "{}", route.id);
        } else {
            assert_eq!(
                (reply.status, reply.paths()),
                (400, vec!["limits".to_owned()]),
                "{}",
                route.id
            );
        }
    }
}

// I-05
#[tokio::test]
async fn two_authorisations_are_refused() {
    let world = World::new().await;
    let value = format!("Bearer {}", token(Role::Admin));
    let request = Request::get("/v1/tpps")
        .header("authorization", &value)
        .header("authorization", &value);
    let reply = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 401);
}
