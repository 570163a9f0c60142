//! A client in a world where names mean what a test says.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_outbound::{
    Addresses, Bytes, Client, Error, HeaderMap, Limits, Method, PlainHttp, Request, Resolve,
    Response, Setup, Target,
};
use tokio_util::task::TaskTracker;

use crate::certificates::Authority;
use crate::server::Server;

/// The name that all servers here have.
pub(crate) const NAME: &str = "tpp.example";

/// Long enough for a busy machine to answer at once, short enough to wait for.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Gives its answers one after the other, the last for ever, to whatever name.
#[derive(Debug)]
pub(crate) struct FakeResolver {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl FakeResolver {
    pub(crate) fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for FakeResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(name.to_owned());
            let mut answers = self.answers.lock().unwrap();
            let answer = answers.front().cloned().unwrap_or_default();
            if answers.len() > 1 {
                answers.pop_front();
            }
            Ok(answer)
        })
    }
}

/// Believes the authority, may dial this machine, and is in no hurry.
pub(crate) fn setup(authority: &Authority) -> Setup {
    let loopback = Policy {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
    };
    Setup {
        tls: authority.tls(None),
        addresses: loopback,
        plain_http: PlainHttp::Refused,
        proxy: None,
        limits: Limits {
            connect: Duration::from_secs(20),
            total: Duration::from_secs(20),
            ..Limits::default()
        },
    }
}

/// For whom every name is this machine.
pub(crate) fn client(setup: Setup) -> Client {
    let resolver = FakeResolver::answering(&[&[&Ipv4Addr::LOCALHOST.to_string()]]);
    Client::new(setup, resolver, TaskTracker::new())
}

pub(crate) fn target(server: &Server, path: &str) -> Target {
    let port = server.address.port();
    Target::parse(&format!("https://{NAME}:{port}{path}")).unwrap()
}

pub(crate) fn post(target: Target) -> Request {
    Request {
        method: Method::POST,
        target,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"a SET"),
    }
}

pub(crate) async fn send(client: &Client, server: &Server) -> Result<Response, Error> {
    client.send(&post(target(server, "/events"))).await
}
