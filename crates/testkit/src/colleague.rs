//! Somebody of the bank who calls its internal API, in plain HTTP on this machine.

use std::io;
use std::net::SocketAddr;

use http_body_util::Full;
use oyez_outbound::{HeaderMap, Method, header};
use oyez_web::internal::operators::{Operator, Role};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::http::Connection;
use crate::tpp::Response;

/// A person or a system of the bank.
#[derive(Debug, Clone)]
pub struct Colleague {
    address: SocketAddr,
    token: Option<String>,
}

impl Colleague {
    pub(crate) fn new(address: SocketAddr, role: Role) -> Self {
        Self::at(address, &token(role))
    }

    /// With a token that this bank gave out.
    pub fn at(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: Some(token.to_owned()),
        }
    }

    /// With another token, or none.
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// Where the internal API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it proves itself by.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// What it says of itself, if anything.
    pub fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, None).await
    }

    /// Acts, or publishes.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Anything, on a connection of its own.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let answer = self.try_send(method, path, body).await;
        answer.expect("the bank answers")
    }

    /// The same; what goes wrong below HTTP is an error.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> io::Result<Response> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, self.address.to_string().parse().unwrap());
        if let Some(value) = self.authorization() {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        if body.is_some() {
            let json = "application/json".parse().unwrap();
            headers.insert(header::CONTENT_TYPE, json);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = hyper::Request::new(Full::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        *request.headers_mut() = headers;
        let tcp = TcpStream::connect(self.address).await?;
        let mut connection = Connection::over(tcp).await?;
        connection.send(request).await
    }
}

/// One of each role.
pub(crate) fn staff() -> Vec<Operator> {
    let operator = |role: Role| Operator::new(role.name(), role, &token(role));
    Role::ALL.into_iter().map(operator).collect()
}

fn token(role: Role) -> String {
    format!("test-only-token-of-the-{}", role.name())
}
