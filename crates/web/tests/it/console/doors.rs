//! Who gets in, for how long, and by which forms.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use oyez_web::console::Transport;
use oyez_web::internal::operators::{Operator, Operators, Role};
use tower::ServiceExt;

use super::world::{Page, World, form, token};

// I-05
#[tokio::test]
async fn a_token_of_the_list_logs_in_and_leads_to_where_one_wanted_to_look() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = browser.open("/console/events?state=failed").await;
    assert_eq!(page.status, 303);
    let to = "/console/login?next=%2Fconsole%2Fevents%3Fstate%3Dfailed";
    assert_eq!(page.header("location"), to);
    let door = browser.open(to).await;
    door.says("value=\"/console/events?state=failed\"");
    let fields = [
        ("token", "token-of-the-viewer"),
        ("next", "/console/events?state=failed"),
    ];
    let page = browser.submit("/console/login", &fields).await;
    assert_eq!((page.status, page.header("location")), (303, fields[1].1));
    let set = page.header("set-cookie");
    assert!(
        set.contains("; Path=/console; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    assert!(
        !set.contains("token-of-the-viewer") && !set.contains("viewer"),
        "{set}"
    );
    assert_eq!(browser.open("/console").await.status, 200);
}

// I-05
#[tokio::test]
async fn over_tls_the_cookie_is_of_this_host_and_for_tls_alone() {
    let world = World::new().await;
    let router = world.other_node(Transport::Tls);
    let request = form("/console/login").header("sec-fetch-site", "same-origin");
    let body = Body::from("token=token-of-the-admin");
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    let set = response.headers()["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("__Host-oyez-console="), "{set}");
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{set}"
    );
}

// I-05
#[tokio::test]
async fn unknown_tokens_and_those_of_publishers_do_not_log_in() {
    let world = World::new().await;
    for (said, why) in [
        ("garbage", "This token is not known here."),
        ("", "This token is not known here."),
        (
            "token-of-the-publisher",
            "belongs to a system that publishes",
        ),
    ] {
        let mut browser = world.browser();
        let page = browser.log_in(said).await;
        assert_eq!(page.status, 403);
        page.says(why);
        assert!(browser.cookie.is_none());
        assert_eq!(browser.open("/console").await.status, 303);
    }
}

// I-05
#[tokio::test]
async fn a_login_leads_to_no_other_site() {
    let world = World::new().await;
    for next in [
        "https://attacker.example",
        "//attacker.example",
        "/\\attacker.example",
        "/v1/tpps",
    ] {
        let mut browser = world.browser();
        let fields = [("token", "token-of-the-admin"), ("next", next)];
        let page = browser.submit("/console/login", &fields).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, "/console"),
            "{next}"
        );
        let next = format!("/console/login?next={next}");
        let Ok(request) = Request::get(next).body(Body::empty()) else {
            continue;
        };
        assert_eq!(browser.send(request).await.header("location"), "/console");
    }
}

// I-05
#[tokio::test]
async fn a_session_is_new_with_each_login_and_over_with_its_logout() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Admin).await;
    let first = browser.cookie.clone();
    browser.log_in(&token(Role::Viewer)).await;
    assert_ne!(browser.cookie, first);
    let mut stolen = world.browser();
    stolen.cookie = first;
    assert_eq!(
        stolen.open("/console").await.status,
        303,
        "the first ended with the second"
    );
    stolen.cookie = browser.cookie.clone();
    assert_eq!(stolen.open("/console").await.status, 200);
    let token = browser.open("/console").await.form_token();
    let page = browser
        .submit("/console/logout", &[("form_token", &token)])
        .await;
    assert_eq!(page.status, 303);
    assert!(page.header("set-cookie").contains("Max-Age=0"));
    assert!(browser.cookie.is_none());
    assert_eq!(stolen.open("/console").await.status, 303);
}

// I-05
#[tokio::test]
async fn a_planted_cookie_is_nobody() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Admin).await;
    let good = browser.cookie.clone().unwrap();
    let mut changed = good.clone();
    changed.pop();
    for cookie in [
        "oyez-console=abc".to_owned(),
        "oyez-console=".to_owned(),
        changed,
        format!("{good}; {good}"),
    ] {
        browser.cookie = Some(cookie.clone());
        assert_eq!(browser.open("/console").await.status, 303, "{cookie}");
    }
    browser.cookie = Some(format!("other=1; {good}"));
    assert_eq!(browser.open("/console").await.status, 200);
}

// I-05
#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_after_its_time_in_any_case() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let mut used = Duration::ZERO;
    let step = Duration::from_secs(1799);
    for _ in 0..2 {
        world.bank.clock().advance(step);
        used += step;
        assert_eq!(browser.open("/console").await.status, 200, "{used:?}");
    }
    world.bank.clock().advance(Duration::from_secs(500));
    assert_eq!(
        browser.open("/console").await.status,
        303,
        "the absolute limit"
    );
    let mut browser = world.logged_in(Role::Viewer).await;
    world.bank.clock().advance(Duration::from_secs(1800));
    assert_eq!(browser.open("/console").await.status, 303, "the idle limit");
}

// I-05
#[tokio::test]
async fn who_is_taken_from_the_list_is_out_at_once_and_another_role_counts_at_once() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Admin).await;
    world.bank.tpp("tpp-1").await;
    browser
        .open("/console/tpps/tpp-1")
        .await
        .says("/console/tpps/tpp-1/disable");
    let lesser = Operator::new("admin", Role::Viewer, &token(Role::Admin));
    world
        .operators
        .send_replace(Arc::new(Operators::new(vec![lesser])));
    browser
        .open("/console/tpps/tpp-1")
        .await
        .says_nothing_of("/console/tpps/tpp-1/disable");
    world.operators.send_replace(Arc::default());
    assert_eq!(browser.open("/console").await.status, 303);
}

// I-05
#[tokio::test]
async fn nodes_that_share_the_key_share_sessions() {
    let world = World::new().await;
    let browser = world.logged_in(Role::Viewer).await;
    let request = Request::get("/console").header("cookie", browser.cookie.clone().unwrap());
    let request = request.body(Body::empty()).unwrap();
    let response = world
        .other_node(Transport::Plain)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

// I-05
#[tokio::test]
async fn logins_that_fail_are_throttled() {
    let world = World::new().await;
    let mut browser = world.browser();
    for _ in 0..10 {
        assert_eq!(browser.log_in("garbage").await.status, 403);
    }
    let page = browser.log_in(&token(Role::Admin)).await;
    assert_eq!(page.status, 429);
    assert_eq!(page.header("retry-after"), "61");
    world.bank.clock().advance(Duration::from_secs(60));
    assert_eq!(browser.log_in(&token(Role::Admin)).await.status, 303);
}

// I-05
#[tokio::test]
async fn a_form_of_another_site_or_session_does_nothing() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let mut browser = world.logged_in(Role::Operator).await;
    let other = world
        .logged_in(Role::Operator)
        .await
        .open("/console")
        .await
        .form_token();
    let own = browser.open("/console").await.form_token();
    let path = "/console/tpps/tpp-1/pause";
    for said in ["", "form_token=", &format!("form_token={other}")] {
        let request = form(path).header("sec-fetch-site", "same-origin");
        let page = browser
            .send(request.body(Body::from(said.to_owned())).unwrap())
            .await;
        assert_eq!(page.status, 403, "{said}");
        page.says("Nothing was done");
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://attacker.example"),
        ("origin", "null"),
        ("x-nothing", "said"),
    ] {
        let request = form(path).header(name, value);
        let request = request
            .body(Body::from(format!("form_token={own}")))
            .unwrap();
        assert_eq!(browser.send(request).await.status, 403, "{name}: {value}");
        let request = form("/console/login").header(name, value);
        let request = request
            .body(Body::from("token=token-of-the-admin"))
            .unwrap();
        assert_eq!(
            world.browser().send(request).await.status,
            403,
            "login, {name}: {value}"
        );
    }
    assert_eq!(world.bank.store().asked("pause_endpoint"), 0);
    let request = form(path).header("origin", "http://127.0.0.1:8081");
    let request = request
        .body(Body::from(format!("form_token={own}")))
        .unwrap();
    assert_eq!(browser.send(request).await.status, 303);
    assert_eq!(world.bank.store().asked("pause_endpoint"), 1);
}

// I-05
#[tokio::test]
async fn every_page_says_that_nothing_frames_it_and_nothing_foreign_runs_in_it() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let door = world.browser().open("/console/login").await;
    for page in [
        door,
        browser.open("/console").await,
        browser.open("/console/nothing").await,
    ] {
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        // Stricter, and browsers would not say where our own forms come from.
        assert_eq!(page.header("referrer-policy"), "same-origin");
        page.says_nothing_of("style=");
        page.says_nothing_of("onclick");
    }
}

// I-05
#[tokio::test]
async fn a_form_is_bounded_and_is_a_form() {
    let world = World::new().await;
    let long = format!("token={}", "x".repeat(17 * 1024));
    let request = form("/console/login").header("sec-fetch-site", "same-origin");
    let page = world
        .browser()
        .send(request.body(Body::from(long)).unwrap())
        .await;
    assert_eq!(page.status, 400);
    let request = Request::post("/console/login")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/json");
    let request = request
        .body(Body::from("{\"token\": \"token-of-the-admin\"}"))
        .unwrap();
    let answer = world.browser().answer(request).await;
    assert_eq!(Page::of(answer).await.status, 400);
}
