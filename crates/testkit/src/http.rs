//! One HTTP/1.1 connection, whatever it runs over.

use std::io;

use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use oyez_outbound::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::TaskTracker;

use crate::tpp::Response;

/// A connection that carries one request after the other.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn over<S>(stream: S) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(io::Error::other)?;
        // It ends with its sender; what broke it, the sender tells.
        TaskTracker::new().spawn(async { drop(driver.await) });
        Ok(Self(sender))
    }

    pub(crate) async fn send(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> io::Result<Response> {
        self.0.ready().await.map_err(io::Error::other)?;
        let answer = self.0.send_request(request).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}
