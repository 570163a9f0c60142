//! HTTP/1.1 by hand, so that it can be broken anywhere.

use std::sync::Arc;
use std::time::Duration;

use oyez_outbound::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::sleep;

use super::front::{Abort, Line};
use super::{Behaviour, Flaw, Seen, State};

/// Whether the conversation goes on after an answer.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

pub(super) async fn converse<S>(mut stream: S, line: Line, state: &Arc<State>)
where
    S: AsyncRead + AsyncWrite + Abort + Unpin,
{
    let mut unread = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut unread, line).await {
        let in_progress = state.in_progress();
        let behaviour = state.receive(seen).await;
        let then = act(&mut stream, behaviour).await;
        drop(in_progress);
        if then == Then::End {
            return;
        }
    }
}

async fn act<S>(stream: &mut S, behaviour: Behaviour) -> Then
where
    S: AsyncRead + AsyncWrite + Abort + Unpin,
{
    match behaviour {
        Behaviour::Accept(_) => unreachable!("the echo was put in"),
        Behaviour::Answer {
            status,
            headers,
            body,
        } => {
            let mut answer = format!(
                "HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                answer.push_str(&format!("{name}: {value}\r\n"));
            }
            answer.push_str("\r\n");
            return say(stream, &[answer.as_bytes(), &body].concat()).await;
        }
        Behaviour::Late(by, then) => {
            sleep(by).await;
            return Box::pin(act(stream, *then)).await;
        }
        Behaviour::AndClose(then) => {
            Box::pin(act(stream, *then)).await;
        }
        Behaviour::SlowHead(pause) => {
            let head = b"HTTP/1.1 202 Told\r\ncontent-length: 0\r\n\r\n";
            return drip(stream, head, pause).await;
        }
        Behaviour::EndlessHead => {
            say(stream, b"HTTP/1.1 202 Told\r\n").await;
            repeat(stream, b"x-more: and more and more\r\n").await;
        }
        Behaviour::BadBody(status, flaw) => bad_body(stream, status, flaw).await,
        Behaviour::Garbage(bytes) => {
            say(stream, &bytes).await;
        }
        Behaviour::Silence => until_closed(stream).await,
        Behaviour::HangUp => {}
        Behaviour::Reset => stream.abort(),
    }
    Then::End
}

async fn bad_body<S>(stream: &mut S, status: u16, flaw: Flaw)
where
    S: AsyncRead + AsyncWrite + Abort + Unpin,
{
    let chunked = format!("HTTP/1.1 {status} Told\r\ntransfer-encoding: chunked\r\n\r\n");
    let counted = format!("HTTP/1.1 {status} Told\r\ncontent-length: 100\r\n\r\nonly so much");
    match flaw {
        Flaw::Slow(pause) => {
            let mut then = say(stream, chunked.as_bytes()).await;
            while then == Then::GoOn {
                sleep(pause).await;
                then = say(stream, b"1\r\n \r\n").await;
            }
        }
        Flaw::Endless => {
            say(stream, chunked.as_bytes()).await;
            repeat(stream, b"8\r\n        \r\n").await;
        }
        Flaw::Short => {
            say(stream, counted.as_bytes()).await;
        }
        Flaw::Reset => {
            say(stream, counted.as_bytes()).await;
            // A reset overtakes what was not read yet: the half must arrive first.
            sleep(HALF_ARRIVES).await;
            stream.abort();
        }
    }
}

async fn repeat<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) {
    while say(stream, bytes).await == Then::GoOn {}
}

async fn drip<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], pause: Duration) -> Then {
    for byte in bytes {
        if say(stream, &[*byte]).await == Then::End {
            return Then::End;
        }
        sleep(pause).await;
    }
    Then::GoOn
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Then {
    if stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {
        Then::GoOn
    } else {
        Then::End
    }
}

async fn until_closed<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut bytes = [0; 64];
    while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
}

/// Head and body of a request, if there is one more. What was read of the next stays in `unread`.
async fn read_request<S>(stream: &mut S, unread: &mut Vec<u8>, line: Line) -> Option<Seen>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some(seen) = whole_request(unread, line) {
            return Some(seen);
        }
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
}

fn whole_request(unread: &mut Vec<u8>, line: Line) -> Option<Seen> {
    let end = unread.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    let mut words = head.split(' ').map(str::to_owned);
    let mut seen = Seen {
        method: words.next()?,
        path: words.next()?,
        body: Bytes::new(),
        came: line.came(),
        status: None,
        head,
    };
    let length = seen.header("content-length");
    let whole = end + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
    if unread.len() < whole {
        return None;
    }
    let rest = unread.split_off(whole);
    seen.body = Bytes::from(std::mem::replace(unread, rest)).slice(end + 4..);
    Some(seen)
}

/// On one machine, far longer than it takes.
const HALF_ARRIVES: Duration = Duration::from_millis(50);
