//! Who may do what: every route of the list, for every role and for nobody.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use oyez_web::console::{Route, routes};
use oyez_web::internal::Access;
use oyez_web::internal::operators::Role;

use super::world::{Browser, Page, World};

const JTI: &str = "018bcfe5-6800-7000-8000-000000000001";

fn path(route: &Route) -> String {
    let path = route.path.replace("{client_id}", "tpp-1");
    let path = path.replace("{jti}", JTI).replace("{file}", "nothing.css");
    path.replace("{*rest}", "nothing/at/all")
}

async fn ask(browser: &mut Browser<'_>, route: &Route, form_token: &str) -> Page {
    if route.method == Method::POST {
        browser
            .submit(&path(route), &[("form_token", form_token)])
            .await
    } else {
        let request = Request::get(path(route)).body(Body::empty()).unwrap();
        let response = browser.answer(request).await;
        if route.id == "console_watch" {
            // It goes on: what counts is that it began.
            return Page {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                text: String::new(),
            };
        }
        Page::of(response).await
    }
}

// I-05
#[tokio::test]
async fn nobody_sees_or_does_anything_but_the_way_in() {
    let world = World::new().await;
    for route in routes() {
        let page = ask(&mut world.browser(), &route, "").await;
        if route.access == Access::Anyone {
            assert_ne!(page.status, 303, "{}", route.id);
        } else {
            assert_eq!(page.status, 303, "{}", route.id);
            assert!(
                page.header("location").starts_with("/console/login"),
                "{}",
                route.id
            );
        }
    }
}

// I-05
#[tokio::test]
async fn each_route_is_open_to_its_roles_and_to_no_other() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        for route in routes() {
            let mut browser = world.logged_in(role).await;
            let form_token = browser.open("/console").await.form_token();
            if route.id == "console_log_in" {
                continue;
            }
            let page = ask(&mut browser, &route, &form_token).await;
            let open = match route.access {
                Access::Anyone | Access::View => true,
                Access::Act => role != Role::Viewer,
                Access::Publish | Access::Administer => role == Role::Admin,
            };
            let what = format!("{} as {}: {page:?}", route.id, role.name());
            assert_eq!(page.status != 403, open, "{what}");
            if !open {
                page.says("Ask somebody whose role is operator or admin");
            }
        }
    }
}

// I-05
#[tokio::test]
async fn a_viewer_sees_nothing_to_press() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let mut viewer = world.logged_in(Role::Viewer).await;
    let mut operator = world.logged_in(Role::Operator).await;
    let path = "/console/tpps/tpp-1";
    operator.open(path).await.says("Send a test event…");
    let page = viewer.open(path).await;
    page.says_nothing_of("Send a test event…");
    page.says_nothing_of("What can be done");
    assert_eq!(
        page.text.matches("<form").count(),
        2,
        "the search and the logout"
    );
}

// I-05
#[test]
fn every_route_has_a_name_of_its_own_and_looks_by_get_alone() {
    let all = routes();
    let ids: BTreeSet<_> = all.iter().map(|route| route.id).collect();
    assert_eq!(ids.len(), all.len());
    assert!(
        all.iter()
            .all(|route| matches!(route.method, Method::GET | Method::POST))
    );
}
