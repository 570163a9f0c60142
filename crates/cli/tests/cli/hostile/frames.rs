//! Frames of HTTP/2 in abundance, written by hand: no client would send them.

/// What is said on one connection, and for how long.
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Each is some megabytes at most.
pub(crate) fn all() -> Vec<Flood> {
    let begin = || [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let flood = |name, frames: Vec<u8>| Flood {
        name,
        bytes: [begin(), frames].concat(),
    };
    let streams = || (0..STREAMS).map(|n| n * 2 + 1);
    let resets = streams().flat_map(|id| {
        [
            frame(HEADERS, END_STREAM | END_HEADERS, id, GET),
            frame(RESET, 0, id, &[0, 0, 0, 8]),
        ]
    });
    let opened = streams().map(|id| frame(HEADERS, END_HEADERS, id, POST));
    let continued = (0..1_000).map(|_| frame(CONTINUATION, 0, 1, &[0; 16_000]));
    let fields = [0x40, 1, b'x', 0x7f, 0x80 | 0x50, 0x1e].to_vec();
    let bomb = [
        GET.to_vec(),
        fields,
        vec![b'a'; 4047],
        vec![0x80 | 62; 12_000],
    ]
    .concat();
    let bombs = streams().take(500).enumerate().map(|(n, id)| {
        let again = [GET.to_vec(), vec![0x80 | 62; 16_000]].concat();
        frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            id,
            if n == 0 { &bomb } else { &again },
        )
    });
    let empty = (0..100_000).map(|_| frame(DATA, 0, 1, &[]));
    vec![
        flood("resets", resets.flatten().collect()),
        flood("streams that never end", opened.flatten().collect()),
        flood(
            "a head without end",
            [vec![frame(HEADERS, 0, 1, GET)], continued.collect()]
                .concat()
                .concat(),
        ),
        flood("compressed heads", bombs.flatten().collect()),
        flood("pings", frame(PING, 0, 0, &[7; 8]).repeat(100_000)),
        flood(
            "settings",
            frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).repeat(50_000),
        ),
        flood(
            "empty data",
            [vec![frame(HEADERS, END_HEADERS, 1, POST)], empty.collect()]
                .concat()
                .concat(),
        ),
        flood(
            "priorities",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]).repeat(100_000),
        ),
        flood(
            "a frame that is too long",
            [
                &[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1],
                [0; 100_000].as_slice(),
            ]
            .concat(),
        ),
        flood(
            "a window that overflows",
            frame(WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(10),
        ),
        flood(
            "frames of no kind",
            frame(0xee, 0xff, 1, &[1; 1_000]).repeat(2_000),
        ),
    ]
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [head.as_slice(), &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method`, `:scheme https`, `:path /`, `:authority x`, by the static table.
const GET: &[u8] = &[0x82, 0x87, 0x84, 0x41, 1, b'x'];
const POST: &[u8] = &[0x83, 0x87, 0x84, 0x41, 1, b'x'];
const STREAMS: u32 = 5_000;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
