//! One request.

use std::io;

use http_body_util::Full;
use oyez_jose::detached::HTTP_HEADER;
use oyez_outbound::{Bytes, HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use super::{Caller, Response, Signing};
use crate::http::Connection;
use crate::tokens::Token;

/// A request in the making.
#[derive(Clone)]
#[must_use = "it is said when it is sent"]
pub struct Request {
    caller: Caller,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    authorization: Option<String>,
    signature: Signature,
}

#[derive(Clone)]
enum Signature {
    Absent,
    Made(Box<Signing>),
    Raw(String),
}

impl Request {
    pub(super) fn new(caller: Caller, method: Method, path: &str) -> Self {
        let writes = method == Method::POST || method == Method::PUT;
        let signature = if writes && !path.ends_with("/events") {
            Signature::Made(Box::new(caller.signing()))
        } else {
            Signature::Absent
        };
        Self {
            authorization: Some(bearer(&caller.token())),
            caller,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            signature,
        }
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// This token instead.
    pub fn token(mut self, token: &Token) -> Self {
        self.authorization = Some(bearer(token));
        self
    }

    /// This `Authorization` instead, or none.
    pub fn authorization(mut self, value: Option<&str>) -> Self {
        self.authorization = value.map(str::to_owned);
        self
    }

    /// This signature instead.
    pub fn signed(mut self, signing: Signing) -> Self {
        self.signature = Signature::Made(Box::new(signing));
        self
    }

    /// This text as `x-jws-signature`.
    pub fn signature(mut self, text: &str) -> Self {
        self.signature = Signature::Raw(text.to_owned());
        self
    }

    /// No signature.
    pub fn unsigned(mut self) -> Self {
        self.signature = Signature::Absent;
        self
    }

    /// One header more; twice the same name sends it twice.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(name, value);
        self
    }

    /// A JSON body with its media type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// These bytes, and no media type.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it on a connection of its own; what goes wrong below HTTP is an error.
    pub async fn try_send(self) -> io::Result<Response> {
        let mut connection = self.caller.keep_alive().await?;
        self.try_send_on(&mut connection).await
    }

    /// Sends it on a connection of its own.
    pub async fn send(self) -> Response {
        self.try_send().await.expect("the bank answers")
    }

    /// Sends it on this connection.
    pub async fn try_send_on(self, connection: &mut Connection) -> io::Result<Response> {
        connection.send(self.assemble()).await
    }

    fn assemble(mut self) -> hyper::Request<Full<Bytes>> {
        if let Some(authorization) = &self.authorization {
            let value = HeaderValue::from_bytes(authorization.as_bytes()).unwrap();
            self.headers.insert(header::AUTHORIZATION, value);
        }
        let signature = match &self.signature {
            Signature::Absent => None,
            Signature::Made(signing) => Some(signing.of(&self.body)),
            Signature::Raw(text) => Some(text.clone()),
        };
        if let Some(signature) = signature {
            self.headers.insert(HTTP_HEADER, signature.parse().unwrap());
        }
        self.headers
            .entry(header::HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        let mut request = hyper::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers;
        request
    }
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.mint())
}
