//! Bodies that nobody means well with. Each is said to every operation that reads one, and is a plain 400, or 413.

/// A body, and what it is.
pub(crate) struct Body {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// All of them.
pub(crate) fn all() -> Vec<Body> {
    let short = |n: usize| format!("{n:x}");
    let members: Vec<String> = (0..MANY).map(|n| format!("\"{}\":0", short(n))).collect();
    let acks: Vec<String> = (0..MANY).map(|n| format!("\"{}\"", short(n))).collect();
    let errors: Vec<String> = (0..MANY).map(|n| format!("\"{}\":1", short(n))).collect();
    let texts = [
        ("members", format!("{{{}}}", members.join(","))),
        (
            "the same member",
            format!("{{{}\"a\":1}}", "\"a\":1,".repeat(MANY)),
        ),
        (
            "items that are nothing",
            format!("{{\"items\":[{}1]}}", "1,".repeat(MANY)),
        ),
        ("acks", format!("{{\"ack\":[{}]}}", acks.join(","))),
        (
            "acks that are nothing",
            format!("{{\"ack\":[{}1]}}", "1,".repeat(MANY)),
        ),
        (
            "setErrs",
            format!("{{\"setErrs\":{{{}}}}}", errors.join(",")),
        ),
        (
            "event types",
            format!("{{\"Data\":{{\"EventTypes\":[{}1]}}}}", "1,".repeat(MANY)),
        ),
        ("open brackets", "[".repeat(MANY)),
        ("nested lists", "[".repeat(MANY) + &"]".repeat(MANY)),
        (
            "nested objects",
            "{\"a\":".repeat(MANY) + "1" + &"}".repeat(MANY),
        ),
        (
            "a long number",
            format!("{{\"maxEvents\":{}}}", "9".repeat(MANY)),
        ),
        ("a large number", "{\"maxEvents\":1e999999999}".to_owned()),
        (
            "a long name",
            format!("{{\"{}\":1}}", "\\u0041".repeat(MANY)),
        ),
        (
            "a member twice",
            "{\"maxEvents\":1,\"maxEvents\":2}".to_owned(),
        ),
        (
            "a member twice, written otherwise",
            "{\"ack\":[],\"\\u0061ck\":[]}".to_owned(),
        ),
        ("half a surrogate", "{\"ack\":[\"\\ud800\"]}".to_owned()),
        ("NUL, written out", "{\"maxEvents\":\"\\u0000\"}".to_owned()),
        ("two documents", "{}{}".to_owned()),
        ("a mark of byte order", "\u{feff}{}".to_owned()),
        ("nothing", String::new()),
        ("too much", " ".repeat(9 << 20) + "{}"),
    ];
    let bytes: [(&str, &[u8]); 4] = [
        ("NUL", b"{\"ack\":[\"\0\"]}"),
        ("only NUL", &[0; 100_000]),
        ("bytes that are no UTF-8", b"{\"ack\":[\"\xff\xfe\"]}"),
        ("UTF-8 that is too long", b"{\"ack\":[\"\xc0\xaf\"]}"),
    ];
    let texts = texts.map(|(name, text)| (name, text.into_bytes()));
    let bytes = bytes.map(|(name, bytes)| (name, bytes.to_vec()));
    let all = texts.into_iter().chain(bytes);
    all.map(|(name, bytes)| Body { name, bytes }).collect()
}

const MANY: usize = 100_000;
