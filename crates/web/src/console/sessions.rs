//! Who is logged in (I-05).
//!
//! A session lives in its browser's cookie, sealed: nodes that share the key share all sessions, so a balancer needs no
//! affinity and a restart logs nobody out, and nothing grows here with those who log in. What ends a session early is looked
//! up where it is decided: an operator who is taken from the list is out with the next request, on every node, and has the
//! role that the list says now. A logout takes the cookie away, and the node that heard of it refuses a copy; that a copy
//! stolen before works on another node until it was idle for too long is the price.
//!
//! The id is 256 random bits, new with each login, and goes nowhere but into the cookie: what stands in forms against
//! forgery is a hash of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use oyez_domain::time::Timestamp;
use oyez_jose::sha256;
use serde::{Deserialize, Serialize};

use super::seal::SealKey;
use crate::Random;
use crate::internal::operators::{Operator, Operators, hex, unhex};
use crate::recent::Recent;

/// For how long a login is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without a request.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
}

/// How browsers reach the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By TLS, ours or a proxy's.
    Tls,
    /// In the clear, on this machine.
    Plain,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) operator: Arc<Operator>,
    ticket: Ticket,
}

/// What the cookie holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ticket {
    /// 256 random bits, in hexadecimal.
    id: String,
    /// The SHA-256 of the operator's token.
    token: String,
    began: i64,
    seen: i64,
}

/// All of them, as far as they need be known.
pub(super) struct Sessions {
    key: SealKey,
    lifetimes: Lifetimes,
    transport: Transport,
    random: Random,
    /// Those that were ended here, by the hash of their id.
    ended: Mutex<Recent<[u8; 32], ()>>,
}

impl Sessions {
    pub(super) fn new(
        key: SealKey,
        lifetimes: Lifetimes,
        transport: Transport,
        random: Random,
    ) -> Self {
        Self {
            key,
            lifetimes,
            transport,
            random,
            ended: Mutex::new(Recent::new(ENDED_MAX)),
        }
    }

    /// A new session for whoever has this token, with its cookie.
    pub(super) fn begin(
        &self,
        operator: &Arc<Operator>,
        token: &str,
        now: Timestamp,
    ) -> (Session, HeaderValue) {
        let id = [self.random.bytes(), self.random.bytes()].concat();
        let ticket = Ticket {
            id: hex(&id),
            token: hex(&sha256(token.as_bytes())),
            began: now.unix_ms(),
            seen: now.unix_ms(),
        };
        let cookie = self.cookie(&ticket);
        let operator = Arc::clone(operator);
        (Session { operator, ticket }, cookie)
    }

    /// Whose request this is, if its session holds.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        operators: &Operators,
        now: Timestamp,
    ) -> Option<Session> {
        let sealed = self.sealed(headers)?;
        let text = self.key.open(PURPOSE, sealed)?;
        let ticket: Ticket = serde_json::from_slice(&text).ok()?;
        let operator = operators.by_token_hash(unhex(&ticket.token)?)?;
        let session = Session {
            operator: Arc::clone(operator),
            ticket,
        };
        self.holds(&session, operators, now).then_some(session)
    }

    /// Whether a session that was found still holds.
    pub(super) fn holds(&self, session: &Session, operators: &Operators, now: Timestamp) -> bool {
        let ticket = &session.ticket;
        let since = |moment| now.since(Timestamp::from_unix_ms(moment));
        let hash = unhex(&ticket.token);
        since(ticket.began) < self.lifetimes.absolute
            && since(ticket.seen) < self.lifetimes.idle
            && !self.has_ended(ticket)
            && hash.is_some_and(|hash| operators.by_token_hash(hash).is_some())
    }

    /// The cookie that says that the session was used, if the last one is some time old.
    pub(super) fn renewed(&self, session: &Session, now: Timestamp) -> Option<HeaderValue> {
        let seen = Timestamp::from_unix_ms(session.ticket.seen);
        (now.since(seen) >= RENEWED_AFTER).then(|| {
            self.cookie(&Ticket {
                seen: now.unix_ms(),
                ..session.ticket.clone()
            })
        })
    }

    /// Ends a session, with the cookie that takes it from the browser.
    pub(super) fn end(&self, session: &Session) -> HeaderValue {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(sha256(session.ticket.id.as_bytes()), ());
        self.header(&format!("{}=; Max-Age=0", self.name()))
    }

    fn has_ended(&self, ticket: &Ticket) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get(&sha256(ticket.id.as_bytes())).is_some()
    }

    fn sealed<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let said = headers.get_all(COOKIE).iter();
        let mut cookies = said
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|one| one.trim().split_once('='))
            .filter(|(name, _)| *name == self.name());
        // Two of one name: somebody planted one.
        let (_, sealed) = cookies.next()?;
        cookies.next().is_none().then_some(sealed)
    }

    fn cookie(&self, ticket: &Ticket) -> HeaderValue {
        let text = serde_json::to_vec(ticket).expect("texts and numbers are JSON");
        let sealed = self.key.seal(PURPOSE, text);
        self.header(&format!("{}={sealed}", self.name()))
    }

    /// Lax: a link in a chat or a ticket leads to the page, and a form of another site to nothing.
    fn header(&self, value: &str) -> HeaderValue {
        let rest = match self.transport {
            Transport::Tls => "Path=/; HttpOnly; SameSite=Lax; Secure",
            Transport::Plain => "Path=/console; HttpOnly; SameSite=Lax",
        };
        let whole = HeaderValue::try_from(format!("{value}; {rest}"));
        whole.expect("names, base64url and attributes are ASCII")
    }

    /// With the prefix a browser takes the cookie from this host alone, by TLS alone, for no other path.
    const fn name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-oyez-console",
            Transport::Plain => "oyez-console",
        }
    }
}

impl Session {
    /// What each form of this session carries.
    pub(super) fn form_token(&self) -> String {
        hex(&sha256(format!("form {}", self.ticket.id).as_bytes()))
    }

    /// Whether a form is one of this session's. Hashes are compared, so that the time it takes tells nothing.
    pub(super) fn gave(&self, form_token: &str) -> bool {
        sha256(form_token.as_bytes()) == sha256(self.form_token().as_bytes())
    }
}

const PURPOSE: &str = "console session";
/// So often a cookie is written anew; an idle time is measured as exactly.
const RENEWED_AFTER: Duration = Duration::from_secs(60);
/// More logouts than a bank has within the absolute lifetime.
const ENDED_MAX: usize = 10_000;

/// A break, and not a lunch.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// A shift.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: IDLE,
            absolute: ABSOLUTE,
        }
    }
}
