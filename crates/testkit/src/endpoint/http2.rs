//! HTTP/2 by hyper. What cannot be said in it resets the request's stream, and only that.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oyez_outbound::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::front::Line;
use super::{Behaviour, Seen, State};

/// What it is called in the handshake.
pub(super) const NAME: &[u8] = b"h2";

pub(super) async fn converse<S>(stream: S, line: Line, state: &Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(request, line, Arc::clone(state)));
    let connection =
        Builder::new(Tasks(TaskTracker::new())).serve_connection(TokioIo::new(stream), service);
    // It ends as its client ends it.
    drop(connection.await);
}

async fn answer(
    request: hyper::Request<Incoming>,
    line: Line,
    state: Arc<State>,
) -> io::Result<hyper::Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let _in_progress = state.in_progress();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let mut head = format!("{} {path} HTTP/2", parts.method);
    for (name, value) in &parts.headers {
        head.push_str(&format!("\r\n{name}: {}", value.to_str().unwrap()));
    }
    let seen = Seen {
        method: parts.method.to_string(),
        path: path.to_owned(),
        head,
        body,
        came: line.came(),
        status: None,
    };
    say(state.receive(seen).await).await
}

async fn say(mut behaviour: Behaviour) -> io::Result<hyper::Response<Full<Bytes>>> {
    while let Behaviour::Late(by, then) = behaviour {
        sleep(by).await;
        behaviour = *then;
    }
    match behaviour {
        Behaviour::Answer {
            status,
            headers,
            body,
        } => {
            let mut answer = hyper::Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            Ok(answer.body(Full::new(body)).unwrap())
        }
        Behaviour::Silence => std::future::pending().await,
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        drop(self.0.spawn(task));
    }
}
