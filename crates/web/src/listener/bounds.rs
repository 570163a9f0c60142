//! How much and how long. The defaults are the constants; a deployment may choose otherwise.

use std::time::Duration;

/// What bounds the connections of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once; those beyond are closed as soon as they come.
    pub connections_max: usize,
    /// Connections at once from one address (IPv6: one /64 network). None: not counted. A gateway's are never counted.
    pub connections_per_address_max: Option<usize>,
    /// A TLS handshake takes no longer.
    pub handshake_timeout: Duration,
    /// From the first byte of an HTTP/1 request to the end of its head.
    pub head_timeout: Duration,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// After this a connection takes no further request; what is in flight is finished.
    pub age_max: Duration,
    /// A request's body arrives at least this fast.
    pub body_pace: Pace,
    /// An answer is taken at least this fast.
    pub answer_pace: Pace,
    /// Bytes of a request's head.
    pub head_bytes_max: u32,
    /// Header fields of an HTTP/1 request. On HTTP/2 the bytes bound them.
    pub headers_max: usize,
    /// HTTP/2 requests at once on one connection.
    pub streams_max: u32,
}

/// The least speed that is still progress: a grace, and then so many bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time for nothing at all.
    pub grace: Duration,
    /// The speed beyond it.
    pub bytes_per_second: u32,
}

impl Pace {
    /// How long so many bytes may take.
    pub fn allows(self, bytes: u64) -> Duration {
        let seconds = bytes / u64::from(self.bytes_per_second.max(1));
        self.grace.saturating_add(Duration::from_secs(seconds))
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: Some(CONNECTIONS_PER_ADDRESS_MAX),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            head_timeout: HEAD_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            age_max: AGE_MAX,
            body_pace: PACE,
            answer_pace: PACE,
            head_bytes_max: HEAD_BYTES_MAX,
            headers_max: HEADERS_MAX,
            streams_max: STREAMS_MAX,
        }
    }
}

/// Ten thousand waiting polls and as many again: about half a gigabyte at 25 KiB each.
const CONNECTIONS_MAX: usize = 20_000;

/// A TPP's machines behind one NAT need tens; a tenth of all is what one address may take from the others.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 2_000;

/// Two round trips and a signature; a second is much, and a lost packet or two are forgiven.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A head fits in a packet or two: this forgives losses, not drips.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the 60 s after which most client pools let go, so that they close and not we, under a request of theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a client may live off a handshake; also moves clients to new nodes behind a balancer.
const AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// 32 kbit/s after 20 s: slower than any line in use, and a 1 MiB body is through in five minutes.
const PACE: Pace = Pace {
    grace: Duration::from_secs(20),
    bytes_per_second: 4 * 1024,
};

/// A token (2 KiB), a detached signature (1 KiB), a forwarded certificate with its chain (10 KiB), and as much again.
const HEAD_BYTES_MAX: u32 = 32 * 1024;

/// A TPP sends about ten, gateways add as many.
const HEADERS_MAX: usize = 64;

/// What is common; a gateway that wants more opens another connection.
const STREAMS_MAX: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_grace_and_then_a_speed() {
        let pace = Pace {
            grace: Duration::from_secs(2),
            bytes_per_second: 100,
        };
        assert_eq!(pace.allows(99), Duration::from_secs(2));
        assert_eq!(pace.allows(1_000), Duration::from_secs(12));
    }
}
