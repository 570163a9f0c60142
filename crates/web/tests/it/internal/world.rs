//! A bank whose internal API is called without sockets.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_testkit::bank::Bank;
use oyez_testkit::making;
use oyez_testkit::tpp::Caller;
use oyez_web::internal::operators::{Operator, Operators, Role};
use oyez_web::internal::{Readiness, Setup, router};
use oyez_web::metrics::Figures;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

pub(crate) struct World {
    pub(crate) bank: Bank,
    pub(crate) operators: watch::Sender<Arc<Operators>>,
    /// Runs what a test does beside itself, and what outlives its caller.
    pub(crate) tasks: TaskTracker,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Bank::start().await, Readiness::default())
    }

    pub(crate) fn of(bank: Bank, readiness: Readiness) -> Self {
        let each = Role::ALL.map(|role| Operator::new(role.name(), role, &token(role)));
        let operators = watch::Sender::new(Arc::new(Operators::new(each.to_vec())));
        let tasks = TaskTracker::new();
        let router = router(Setup {
            bank: Arc::clone(bank.web()),
            operators: operators.subscribe(),
            readiness,
            figures: Figures::default(),
            options: bank.internal_options(),
            console: None,
            tasks: tasks.clone(),
        });
        Self {
            bank,
            operators,
            tasks,
            router,
        }
    }

    /// Asks as an admin.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Role::Admin, Method::GET, path, None).await
    }

    /// Asks without a token, for something of this media type.
    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Reply {
        let request = Request::get(path).header("accept", accept);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Role::Admin, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.ask(Role::Admin, Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask(Role::Admin, Method::DELETE, path, None).await
    }

    pub(crate) async fn ask(
        &self,
        role: Role,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", token(role)));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// The outcomes of these items.
    pub(crate) async fn publish(&self, items: &[Value]) -> Vec<Value> {
        let reply = self.post("/v1/events", &json!({ "items": items })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["outcomes"].as_array().unwrap().clone()
    }

    /// Publishes one item, which is accepted.
    pub(crate) async fn accepted(&self, item: Value) -> String {
        let outcome = self.publish(&[item]).await.remove(0);
        assert_eq!(outcome["outcome"], "accepted", "{outcome}");
        outcome["jti"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// A TPP that has subscribed to everything.
    pub(crate) async fn subscriber(&self, client_id: &str) -> Caller {
        let caller = self.bank.tpp(client_id).await;
        let made = self.bank.store().create_registration(
            making::client(client_id),
            RegistrationId::new(format!("subscription-of-{client_id}")).unwrap(),
            Wish::Subscription(making::everything()),
            ApiVersion::V4_0,
            self.bank.now(),
        );
        made.await.unwrap().unwrap();
        caller
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The paths of all that is wrong.
    pub(crate) fn paths(&self) -> Vec<String> {
        let errors = self.json()["errors"].clone();
        let errors = errors.as_array().unwrap().iter();
        errors
            .map(|error| error["path"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

pub(crate) fn token(role: Role) -> String {
    format!("token-of-the-{}", role.name())
}

/// An update of a consent.
pub(crate) fn item(tpp: &str) -> Value {
    json!({
        "tpp": tpp,
        "resource": {"type": "account-access-consent", "id": "consent-1"},
        "events": [{"type": "UK.OBIE.Resource-Update"}],
    })
}

/// The same, under a key.
pub(crate) fn keyed(tpp: &str, key: &str) -> Value {
    let mut item = item(tpp);
    item["idempotency_key"] = key.into();
    item
}
