//! Keys that do as they are told: wait behind a gate, panic, refuse, or never answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use oyez_jose::compact::Compact;
use oyez_jose::{KeyKind, LocalKey, PublicKey, Sign, SignError, SigningFuture};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

/// A key outside of this process, behind a gate that lets signatures through one by one or all.
pub(crate) struct Gated {
    key: LocalKey,
    gate: Semaphore,
    asked: Mutex<Vec<Value>>,
    asked_times: watch::Sender<usize>,
}

impl Gated {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            key: LocalKey::generate(KeyKind::P256).unwrap(),
            gate: Semaphore::new(0),
            asked: Mutex::default(),
            asked_times: watch::Sender::new(0),
        })
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    /// Lets so many signatures through.
    pub(crate) fn let_through(&self, signatures: usize) {
        self.gate.add_permits(signatures);
    }

    /// Waits until it was asked for so many signatures.
    pub(crate) async fn is_asked(&self, times: usize) {
        let mut asked = self.asked_times.subscribe();
        asked.wait_for(|asked| *asked >= times).await.unwrap();
    }

    /// How many signatures it was asked for.
    pub(crate) fn asked_times(&self) -> usize {
        *self.asked_times.borrow()
    }

    /// For whom it was asked to sign, in order.
    pub(crate) fn audiences(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let audience = |claims: &Value| claims["aud"].as_str().unwrap().to_owned();
        asked.iter().map(audience).collect()
    }

    fn note(&self, input: &[u8]) {
        let token = format!("{}.AAAA", std::str::from_utf8(input).unwrap());
        let claims = Compact::parse(&token).unwrap();
        let claims = serde_json::from_slice(claims.unverified_payload()).unwrap();
        self.asked.lock().unwrap().push(claims);
        self.asked_times.send_modify(|asked| *asked += 1);
    }
}

impl Sign for Gated {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a> {
        Box::pin(async move {
            self.note(input);
            self.gate.acquire().await.unwrap().forget();
            self.key.sign_now(input)
        })
    }
}

/// A key whose first signature goes wrong.
pub(crate) struct Faulty {
    key: LocalKey,
    fault: Fault,
    happened: AtomicBool,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The signing thread panics.
    PanicsInMemory,
    /// The future panics.
    PanicsOutside,
    /// The device says no.
    Refuses,
    /// The device never answers.
    Hangs,
}

impl Faulty {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            key: LocalKey::generate(KeyKind::P256).unwrap(),
            fault,
            happened: AtomicBool::new(false),
        })
    }
}

impl Sign for Faulty {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a> {
        Box::pin(async move {
            if self.happened.swap(true, Ordering::SeqCst) {
                return self.key.sign_now(input);
            }
            match self.fault {
                Fault::PanicsInMemory | Fault::PanicsOutside => panic!("as the test wants it"),
                Fault::Refuses => Err(SignError::Device("session closed".into())),
                Fault::Hangs => std::future::pending().await,
            }
        })
    }

    fn local(&self) -> Option<&LocalKey> {
        if self.fault != Fault::PanicsInMemory {
            return None;
        }
        assert!(
            self.happened.swap(true, Ordering::SeqCst),
            "as the test wants it"
        );
        Some(&self.key)
    }
}
