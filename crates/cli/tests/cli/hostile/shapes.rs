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
    [lengths(), chunks(), heads()]
        .into_iter()
        .flatten()
        .collect()
}

fn lengths() -> Vec<Shape> {
    let refused =
        |name, length: &str| shape(name, &format!("Content-Length: {length}"), "{} ", REFUSED);
    vec![
        refused("two lengths", "2\r\nContent-Length: 3"),
        refused("a list of lengths", "2, 3"),
        refused("a length with a sign", "+2"),
        refused("a negative length", "-2"),
        refused("a length without end", "99999999999999999999999"),
        refused("a length that is none", "two"),
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
    ]
}

fn chunks() -> Vec<Shape> {
    let refused = |name, body: &str| shape(name, CHUNKED, body, REFUSED);
    let smuggling = |name, head: &str| {
        let smuggled = "0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
        shape(name, head, smuggled, REFUSED)
    };
    let coded = |name, codings: &str| {
        let head = format!("Transfer-Encoding: {codings}");
        shape(name, &head, "2\r\n{}\r\n0\r\n\r\n", REFUSED)
    };
    let long = "x".repeat(1 << 20);
    let many = "X: 1\r\n".repeat(100_000);
    let of_a_byte = "1\r\n \r\n".repeat(1 << 17) + "0\r\n\r\n";
    vec![
        smuggling(
            "a length and chunks",
            &format!("Content-Length: 5\r\n{CHUNKED}"),
        ),
        smuggling(
            "chunks and a length",
            &format!("{CHUNKED}\r\nContent-Length: 5"),
        ),
        coded("chunks, and something after", "chunked, identity"),
        coded("chunks by another name", "xchunked"),
        cut(
            "chunks of half the memory",
            CHUNKED,
            "7fffffffffffffff\r\n{}",
        ),
        cut(
            "chunks of all the memory",
            CHUNKED,
            "ffffffffffffffff\r\n{}",
        ),
        refused("chunks of more than that", "fffffffffffffffff\r\n{}"),
        refused("a negative chunk", "-2\r\n{}\r\n0\r\n\r\n"),
        cut("chunks that end nowhere", CHUNKED, "2\r\n{}"),
        refused("a long word in a chunk's line", &format!("2;{long}")),
        refused(
            "a long trailer",
            &format!("2\r\n{{}}\r\n0\r\nX: {long}\r\n\r\n"),
        ),
        refused("many trailers", &format!("2\r\n{{}}\r\n0\r\n{many}\r\n")),
        shape(
            "chunks of a byte",
            &format!("Connection: close\r\n{CHUNKED}"),
            &of_a_byte,
            &[400],
        ),
    ]
}

fn heads() -> Vec<Shape> {
    let refused = |name, head: &str| shape(name, head, "", REFUSED);
    vec![
        shape(
            "a long header",
            &format!("X: {}", "x".repeat(1 << 20)),
            "",
            &[431],
        ),
        shape("many headers", &"X: 1\r\n".repeat(10_000), "", &[431]),
        refused("NUL in a header", "X: a\0b"),
        refused("a header on two lines", "X: a\r\n b"),
        refused("a blank before the colon", "X : a"),
        refused("a line that is no header", "nonsense"),
        refused("a lonely return", "X: a\rY: b"),
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

fn shape(name: &'static str, head: &str, body: &str, answers: &'static [u16]) -> Shape {
    Shape {
        name,
        head: head.to_owned(),
        body: body.as_bytes().to_vec(),
        answers,
        then: Then::Listens,
    }
}

/// What breaks off.
fn cut(name: &'static str, head: &str, body: &str) -> Shape {
    Shape {
        then: Then::Leaves,
        ..shape(name, head, body, REFUSED)
    }
}

const CHUNKED: &str = "Transfer-Encoding: chunked";
/// A request that cannot be read, or breaks off: all that is seen of it here is a bad request, or nothing.
const REFUSED: &[u16] = &[0, 400];
