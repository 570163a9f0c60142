//! Somebody of the bank who calls its internal API, in plain HTTP on this machine.

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
        Self {
            address,
            token: Some(token(role)),
        }
    }

    /// With another token, or none.
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
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
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, self.address.to_string().parse().unwrap());
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse().unwrap();
            headers.insert(header::AUTHORIZATION, value);
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
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let mut connection = Connection::over(tcp).await.unwrap();
        connection.send(request).await.expect("the bank answers")
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
