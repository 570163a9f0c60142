//! A bank whose console is visited without sockets, by browsers that keep their cookies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use http_body_util::BodyExt;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_testkit::bank::Bank;
use oyez_testkit::making;
use oyez_testkit::tpp::Caller;
use oyez_web::console::{self, Lifetimes, SealKey, Transport};
use oyez_web::internal::operators::{Operator, Operators, Role};
use oyez_web::internal::{Readiness, Setup, router};
use oyez_web::listener::Peer;
use oyez_web::metrics::Figures;
use oyez_web::pages::{Accent, Brand};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

pub(crate) struct World {
    pub(crate) bank: Bank,
    pub(crate) operators: watch::Sender<Arc<Operators>>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) router: Router,
}

/// Somebody at a screen.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let bank = Bank::start().await;
        let each = Role::ALL.map(|role| Operator::new(role.name(), role, &token(role)));
        let operators = watch::Sender::new(Arc::new(Operators::new(each.to_vec())));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = node(&bank, &operators, &stop, &tasks, Transport::Plain);
        Self {
            bank,
            operators,
            stop,
            tasks,
            router,
        }
    }

    /// Another node of the same bank, that shares the key.
    pub(crate) fn other_node(&self, transport: Transport) -> Router {
        node(
            &self.bank,
            &self.operators,
            &self.stop,
            &self.tasks,
            transport,
        )
    }

    pub(crate) const fn browser(&self) -> Browser<'_> {
        Browser {
            world: self,
            cookie: None,
        }
    }

    /// Somebody of this role who is logged in.
    pub(crate) async fn logged_in(&self, role: Role) -> Browser<'_> {
        let mut browser = self.browser();
        let page = browser.log_in(&token(role)).await;
        assert_eq!(page.status, 303, "{page:?}");
        browser
    }

    /// A TPP that has subscribed so.
    pub(crate) async fn subscriber(&self, client_id: &str, wish: SubscriptionWish) -> Caller {
        let caller = self.bank.tpp(client_id).await;
        let made = self.bank.store().create_registration(
            making::client(client_id),
            RegistrationId::new(format!("subscription-of-{client_id}")).unwrap(),
            Wish::Subscription(wish),
            ApiVersion::V4_0,
            self.bank.now(),
        );
        made.await.unwrap().unwrap();
        caller
    }

    /// Publishes something for a TPP, which is accepted.
    pub(crate) async fn accepted(&self, tpp: &str) -> String {
        let item = json!({
            "tpp": tpp,
            "resource": {"type": "account-access-consent", "id": "consent-1"},
            "events": [{"type": "UK.OBIE.Resource-Update"}],
            "txn": "transaction-1",
        });
        let outcome = self.api_post("/v1/events", &item).await["outcomes"][0].clone();
        assert_eq!(outcome["outcome"], "accepted", "{outcome}");
        outcome["jti"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn api(&self, path: &str) -> Value {
        let request = Request::get(path).header("authorization", bearer());
        self.api_send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn api_post(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path)
            .header("authorization", bearer())
            .header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.api_send(request).await
    }

    async fn api_send(&self, request: Request<Body>) -> Value {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {body:?}");
        serde_json::from_slice(&body).unwrap()
    }

    /// Sets an event aside as failed.
    pub(crate) async fn fail(&self, tpp: &Caller, jti: &str) {
        for _ in 0..10 {
            let said = json!({"err": "jwtHdr", "description": "<script>alert(1)</script>"});
            let errors =
                json!({"returnImmediately": true, "maxEvents": 0, "setErrs": {(jti): said}});
            let poll = tpp.post("/open-banking/v4.0/events").json(&errors);
            assert_eq!(poll.send().await.status, 200);
        }
    }
}

impl Browser<'_> {
    pub(crate) async fn log_in(&mut self, token: &str) -> Page {
        self.submit("/console/login", &[("token", token)]).await
    }

    pub(crate) async fn open(&mut self, path: &str) -> Page {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Opens a page and sends the form that leads there, with what is on it and this.
    pub(crate) async fn press(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.open(path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let token = page.form_token();
        let mut all = vec![("form_token", token.as_str())];
        all.extend_from_slice(fields);
        self.submit(path, &all).await
    }

    /// Sends a form as one of our own pages does.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = form(path).header("sec-fetch-site", "same-origin");
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Page {
        Page::of(self.answer(request).await).await
    }

    /// The answer as it comes.
    pub(crate) async fn answer(&mut self, mut request: Request<Body>) -> Response {
        if let Some(cookie) = &self.cookie {
            request
                .headers_mut()
                .insert("cookie", cookie.parse().unwrap());
        }
        let address: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        request.extensions_mut().insert(Peer {
            address,
            certificate: None,
        });
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        response
    }
}

impl Page {
    pub(crate) async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn says(&self, text: &str) {
        assert!(self.text.contains(text), "{text} is not in {}", self.text);
    }

    pub(crate) fn says_nothing_of(&self, text: &str) {
        assert!(!self.text.contains(text), "{text} is in {}", self.text);
    }

    pub(crate) fn form_token(&self) -> String {
        let (_, after) = self
            .text
            .split_once("name=\"form_token\" value=\"")
            .unwrap();
        after.split('"').next().unwrap().to_owned()
    }
}

/// A request as a browser sends a form, but for what it says of its origin.
pub(crate) fn form(path: &str) -> axum::http::request::Builder {
    Request::post(path)
        .header("host", "127.0.0.1:8081")
        .header("content-type", "application/x-www-form-urlencoded")
}

pub(crate) fn token(role: Role) -> String {
    format!("token-of-the-{}", role.name())
}

fn bearer() -> String {
    format!("Bearer {}", token(Role::Admin))
}

fn node(
    bank: &Bank,
    operators: &watch::Sender<Arc<Operators>>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
    transport: Transport,
) -> Router {
    router(Setup {
        bank: Arc::clone(bank.web()),
        operators: operators.subscribe(),
        readiness: Readiness::default(),
        figures: Figures::default(),
        options: bank.internal_options(),
        console: Some(console::Setup {
            key: SealKey::new(&[3; 32]),
            lifetimes: LIFETIMES,
            transport,
            brand: Brand {
                name: "Example Bank".to_owned(),
                logo: None,
                accent: Accent::default(),
            },
            stop: stop.clone(),
        }),
        tasks: tasks.clone(),
    })
}

pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_secs(1800),
    absolute: Duration::from_secs(4000),
};
