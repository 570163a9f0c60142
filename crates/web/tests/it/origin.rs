//! A server on loopback that counts what it is asked and answers what a test says, and a client that may ask it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_outbound::{
    Anchors, Client, DefaultTimeProvider, Limits, PlainHttp, Setup, SystemResolver, Tls,
};
use oyez_testkit::certificates::Authority;
use oyez_testkit::clock::{DAWN, ManualClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// What a request is answered with.
#[derive(Clone)]
pub(crate) enum Act {
    /// This status and body, as JSON.
    Answer(u16, String),
    /// The same with another head.
    AnswerWith(u16, &'static str, String),
    /// Nothing, for ever.
    Hang,
    /// The connection is closed.
    Close,
}

pub(crate) struct Origin {
    address: SocketAddr,
    acts: Arc<Mutex<VecDeque<Act>>>,
    requests: watch::Receiver<Vec<String>>,
    gate: watch::Sender<Gate>,
}

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Open,
    Shut,
}

impl Origin {
    /// Acts one after the other, the last for ever.
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acts = Arc::new(Mutex::new(acts.into_iter().collect()));
        let (seen, requests) = watch::channel(Vec::new());
        let (gate, gated) = watch::channel(Gate::Open);
        let tracker = TaskTracker::new();
        let script = Arc::clone(&acts);
        tracker.clone().spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (script, seen, gated) = (Arc::clone(&script), seen.clone(), gated.clone());
                tracker.spawn(converse(tcp, script, seen, gated));
            }
        });
        Self {
            address,
            acts,
            requests,
            gate,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it does this.
    pub(crate) fn now_acts(&self, acts: impl IntoIterator<Item = Act>) {
        *self.acts.lock().unwrap() = acts.into_iter().collect();
    }

    /// From now on requests are read and not answered.
    pub(crate) fn hold(&self) {
        self.gate.send_replace(Gate::Shut);
    }

    /// All that are held are answered.
    pub(crate) fn release(&self) {
        self.gate.send_replace(Gate::Open);
    }

    /// Whole requests, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    pub(crate) fn asked(&self) -> usize {
        self.requests.borrow().len()
    }

    pub(crate) async fn until_asked(&self, times: usize) {
        let mut requests = self.requests.clone();
        requests
            .wait_for(|requests| requests.len() >= times)
            .await
            .unwrap();
    }
}

async fn converse(
    mut tcp: TcpStream,
    acts: Arc<Mutex<VecDeque<Act>>>,
    seen: watch::Sender<Vec<String>>,
    mut gate: watch::Receiver<Gate>,
) {
    let Some(request) = read_request(&mut tcp).await else {
        return;
    };
    let act = {
        let mut acts = acts.lock().unwrap();
        let act = acts.front().cloned().unwrap();
        if acts.len() > 1 {
            acts.pop_front();
        }
        act
    };
    seen.send_modify(|requests| requests.push(request));
    if gate.wait_for(|gate| *gate == Gate::Open).await.is_err() {
        return;
    }
    let (status, head, body) = match act {
        Act::Answer(status, body) => (status, "content-type: application/json", body),
        Act::AnswerWith(status, head, body) => (status, head, body),
        Act::Hang => return std::future::pending().await,
        Act::Close => return,
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} It\r\n{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    // A client that had enough before the end is what some tests are about.
    drop(tcp.write_all(head.as_bytes()).await);
    drop(tcp.write_all(body.as_bytes()).await);
}

async fn read_request(tcp: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if tcp.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
    }
}

/// For key sets: may dial this machine, and is in no hurry.
pub(crate) fn client() -> Arc<Client> {
    client_within(IN_NO_HURRY, oyez_web::remote_keys::limits())
}

/// The same for any purpose, with a limit of time for tests in which nobody answers.
pub(crate) fn client_within(total: Duration, limits: Limits) -> Arc<Client> {
    let nobody = Authority::new("nobody").pem();
    let anchors = Anchors::from_pem(nobody.as_bytes()).unwrap();
    let setup = Setup {
        tls: Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).unwrap(),
        addresses: Policy::default(),
        plain_http: PlainHttp::OnLoopback,
        proxy: None,
        limits: Limits { total, ..limits },
    };
    Arc::new(Client::new(
        setup,
        Arc::new(SystemResolver),
        TaskTracker::new(),
    ))
}

/// Where tests begin, and stay until they say otherwise.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::still(DAWN))
}

/// The same, as claims have it.
pub(crate) const NOW: i64 = DAWN.unix_seconds();

/// A busy machine answers long before.
pub(crate) const IN_NO_HURRY: Duration = Duration::from_secs(20);
