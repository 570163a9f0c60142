//! Requests of HTTP/1 that are not what they say, byte by byte.

/// What is said before the end of the head, and after it.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// What may be answered; 0 is a connection that is closed without a word.
    pub(crate) answers: &'static [u16],
    pub(crate) then: Then,
}

/// What a client does when it has said what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It waits until the server closes the connection.
    Listens,
    /// It closes its half.
    Leaves,
}

/// All of them, to an operation that reads a body of JSON. `{}` is a good one there.
pub(crate) fn all() -> Vec<Shape> {
    let chunked = "Transfer-Encoding: chunked";
    let smuggled = "0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let shape = |name, head: &str, body: &str, answers| Shape {
        name,
        head: head.to_owned(),
        body: body.as_bytes().to_vec(),
        answers,
        then: Then::Listens,
    };
    let cut = |name, head: &str, body: &str| Shape {
        then: Then::Leaves,
        ..shape(name, head, body, REFUSED)
    };
    vec![
        shape(
            "a length and chunks",
            &format!("Content-Length: 5\r\n{chunked}"),
            smuggled,
            REFUSED,
        ),
        shape(
            "chunks and a length",
            &format!("{chunked}\r\nContent-Length: 5"),
            smuggled,
            REFUSED,
        ),
        shape(
            "two lengths",
            "Content-Length: 2\r\nContent-Length: 3",
            "{} ",
            REFUSED,
        ),
        shape("a list of lengths", "Content-Length: 2, 3", "{} ", REFUSED),
        shape("a length with a sign", "Content-Length: +2", "{}", REFUSED),
        shape("a negative length", "Content-Length: -2", "{}", REFUSED),
        shape(
            "a length without end",
            "Content-Length: 99999999999999999999999",
            "{}",
            REFUSED,
        ),
        shape(
            "a length that is none",
            "Content-Length: two",
            "{}",
            REFUSED,
        ),
        shape(
            "more than is allowed",
            "Content-Length: 9000000000",
            "{}",
            &[413],
        ),
        cut("more than comes", "Content-Length: 100", "{}"),
        shape(
            "less than comes",
            "Connection: close\r\nContent-Length: 2",
            "{}\0\x01\x02 garbage\r\n\r\n",
            &[200],
        ),
        shape(
            "chunks, and something after",
            "Transfer-Encoding: chunked, identity",
            "2\r\n{}\r\n0\r\n\r\n",
            REFUSED,
        ),
        shape(
            "chunks by another name",
            "Transfer-Encoding: xchunked",
            "2\r\n{}\r\n0\r\n\r\n",
            REFUSED,
        ),
        cut(
            "chunks of half the memory",
            chunked,
            "7fffffffffffffff\r\n{}",
        ),
        cut(
            "chunks of all the memory",
            chunked,
            "ffffffffffffffff\r\n{}",
        ),
        shape(
            "chunks of more than that",
            chunked,
            "fffffffffffffffff\r\n{}",
            REFUSED,
        ),
        shape(
            "a negative chunk",
            chunked,
            "-2\r\n{}\r\n0\r\n\r\n",
            REFUSED,
        ),
        cut("chunks that end nowhere", chunked, "2\r\n{}"),
        shape(
            "a long word in a chunk's line",
            chunked,
            &format!("2;{}", "x".repeat(1 << 20)),
            REFUSED,
        ),
        shape(
            "a long trailer",
            chunked,
            &format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)),
            REFUSED,
        ),
        shape(
            "many trailers",
            chunked,
            &format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: 1\r\n".repeat(100_000)),
            REFUSED,
        ),
        shape(
            "chunks of a byte",
            &format!("Connection: close\r\n{chunked}"),
            &("1\r\n \r\n".repeat(1 << 17) + "0\r\n\r\n"),
            &[400],
        ),
        shape(
            "a long header",
            &format!("X: {}", "x".repeat(1 << 20)),
            "",
            &[431],
        ),
        shape("many headers", &"X: 1\r\n".repeat(10_000), "", &[431]),
        shape("NUL in a header", "X: a\0b", "", REFUSED),
        shape("a header on two lines", "X: a\r\n b", "", REFUSED),
        shape("a blank before the colon", "X : a", "", REFUSED),
        shape("a line that is no header", "nonsense", "", REFUSED),
        shape("a lonely return", "X: a\rY: b", "", REFUSED),
    ]
}

/// Lines that begin no request of ours.
pub(crate) fn beginnings() -> Vec<Vec<u8>> {
    vec![
        b"GET /\r\n\r\n".to_vec(),
        b"GET / HTTP/3.0\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(10),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all".to_vec(),
        vec![0; 100_000],
        vec![0xff; 100_000],
        [b"GET /".as_slice(), &vec![b'a'; 1 << 20]].concat(),
        vec![b'\n'; 1 << 20],
        b"DELETE /open-banking/v4.0/events/../../v1/tpps HTTP/1.1\r\n\r\n".to_vec(),
    ]
}

/// A request that cannot be read, or breaks off.
const REFUSED: &[u16] = &[0, 400, 408, 413, 431];
