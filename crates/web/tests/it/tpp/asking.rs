//! A request in the making: right until something is replaced or taken away.

use oyez_domain::fault::Code;
use oyez_domain::versions::VersionTable;
use oyez_testkit::tpp::{Caller, Signing};
use oyez_web::listener::ClientCertificate;
use serde_json::{Value, json};

use super::world::{Reply, World, certificate, good_token};

pub(crate) const VERSIONS: [&str; 2] = ["v3.1", "v4.0"];

pub(crate) struct Ask<'w> {
    world: &'w World,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    certificate: Option<ClientCertificate>,
    signature: Option<Signing>,
    body: Vec<u8>,
}

impl<'w> Ask<'w> {
    /// `path` follows `/open-banking/`, unless it begins with a slash.
    pub(crate) fn new(
        world: &'w World,
        caller: &Caller,
        method: &'static str,
        path: impl AsRef<str>,
    ) -> Self {
        let path = path.as_ref();
        let whole = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/open-banking/{path}")
        };
        let registers = matches!(method, "POST" | "PUT") && !whole.ends_with("/events");
        let ask = Self {
            world,
            method,
            path: whole,
            headers: Vec::new(),
            certificate: Some(certificate(caller.client_id())),
            signature: registers.then(|| caller.signing()),
            body: Vec::new(),
        };
        let token = good_token(caller.client_id());
        let ask = ask.header("authorization", &format!("Bearer {token}"));
        match method {
            "POST" | "PUT" => ask.header("content-type", "application/json"),
            _ => ask,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.also(name, value)
    }

    /// Besides one of that name.
    pub(crate) fn also(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(one, _)| one != name);
        self
    }

    pub(crate) fn token(self, text: &str) -> Self {
        self.header("authorization", &format!("Bearer {text}"))
    }

    pub(crate) fn certificate(mut self, certificate: Option<ClientCertificate>) -> Self {
        self.certificate = certificate;
        self
    }

    pub(crate) fn signed(mut self, signing: Signing) -> Self {
        self.signature = Some(signing);
        self
    }

    pub(crate) fn unsigned(mut self) -> Self {
        self.signature = None;
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    pub(crate) async fn send(self) -> Reply {
        let mut headers = self.headers;
        if let Some(signing) = &self.signature {
            headers.push(("x-jws-signature".to_owned(), signing.of(&self.body)));
        }
        let Self {
            world,
            method,
            path,
            certificate,
            body,
            ..
        } = self;
        world
            .call((method, &path), certificate, &headers, body)
            .await
    }
}

/// How a version calls an error.
pub(crate) fn called(version: &str, code: Code) -> String {
    let table = VersionTable::default();
    let row = table.row(version.parse().unwrap()).unwrap();
    row.errors.text(code).unwrap().to_owned()
}

/// What an error body should say: one error at this place.
pub(crate) fn one(version: &str, code: Code, path: Option<&str>) -> Vec<(String, Option<String>)> {
    vec![(called(version, code), path.map(str::to_owned))]
}

/// The `Version` that a TPP of this path writes.
pub(crate) fn release(version: &str) -> &'static str {
    match version {
        "v3.1" => "3.1.11",
        _ => "4.0",
    }
}

pub(crate) fn a_subscription(version: &str) -> Value {
    json!({ "Data": { "Version": release(version) } })
}

pub(crate) fn a_callback_url(version: &str) -> Value {
    let release = release(version);
    json!({ "Data": {
        "Url": format!("https://tpp.example/{version}/event-notifications"),
        "Version": release,
    } })
}
