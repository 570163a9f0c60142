//! One request and its answer.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::{HeaderMap, Method, StatusCode, Version, header};
use oyez_domain::ledger::push::Peer;

use crate::error::{Error, Fault};
use crate::target::Target;

/// What to send. It has no `Debug`: headers carry credentials.
#[derive(Clone)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Where to.
    pub target: Target,
    /// All headers but `Host` and `Content-Length`, which follow from the rest.
    pub headers: HeaderMap,
    /// Sent in one piece.
    pub body: Bytes,
}

/// What came back. As soon as a status was read there is an answer, whatever became of its body.
#[derive(Debug)]
pub struct Response {
    /// Of whatever kind: a redirect is an answer.
    pub status: StatusCode,
    /// As they were sent.
    pub headers: HeaderMap,
    /// As far as it was read.
    pub body: Body,
    /// The other side.
    pub peer: Peer,
}

/// The bytes of an answer, as they were sent: nothing is unpacked.
#[derive(Debug)]
pub struct Body {
    /// No more than the limit.
    pub bytes: Vec<u8>,
    /// Whether that is all.
    pub ending: Ending,
}

/// How a body ended.
#[derive(Debug)]
pub enum Ending {
    /// It was read to its end.
    Complete,
    /// There was more than the limit.
    TooLong,
    /// It broke off, or took too long.
    Broken(Error),
}

/// A request as hyper takes it.
pub(crate) type Message = hyper::Request<Full<Bytes>>;

impl Request {
    pub(crate) fn message(&self, version: Version) -> Message {
        let mut message = hyper::Request::new(Full::new(self.body.clone()));
        *message.method_mut() = self.method.clone();
        *message.headers_mut() = self.headers.clone();
        if version == Version::HTTP_2 {
            message.headers_mut().remove(header::HOST);
            *message.uri_mut() = self.target.whole().clone();
        } else {
            let authority = self.target.authority().clone();
            message.headers_mut().insert(header::HOST, authority);
            *message.uri_mut() = self.target.path().clone();
        }
        *message.version_mut() = version;
        message
    }
}

/// Why a body was left before its end.
pub(crate) enum Left {
    TooLong,
    Broken(Fault),
}

/// Reads a body into `bytes`, which keeps what was read if the reading is cut off.
pub(crate) async fn read(
    mut body: Incoming,
    bytes: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), Left> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Left::Broken(Fault::of_exchange(error)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = bytes_max - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Err(Left::TooLong);
        }
    }
    Ok(())
}
