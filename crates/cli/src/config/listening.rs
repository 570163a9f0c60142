//! Where oyez listens and to whom it answers: the listener for TPPs, a gateway before it, the internal one, and how much
//! anybody may ask for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use oyez_domain::address::Network;
use oyez_web::listener::{Bounds, HeaderForm};
use oyez_web::polling::Options as Waiting;
use oyez_web::tpp::options::REQUESTS_PER_SECOND;

use super::form::{Choice, File, OrOff, parsed, whole};
use super::list::List;
use super::section::{Secret, default, optional, secret, section};
use super::text::HeaderName;

section! {
    /// The listener for TPPs: mutual TLS. The files are read again when they change, and on SIGHUP.
    Listener = "listener" {
        /// Its address and port. Port 0 takes a free one, which `oyez serve` prints.
        address: SocketAddr = default(loopback(8443), parsed("an address and port such as \"0.0.0.0:8443\""));
        /// The server's certificate and its chain, in PEM. Without certificate and key it is plain HTTP, which only a
        /// gateway may speak to.
        certificate: Option<PathBuf> = optional("\"server.crt\"", File("a certificate in PEM"));
        /// The certificate's private key, in PEM, readable by its owner alone.
        key: Option<PathBuf> = optional("\"server.key\"", File("a private key in PEM"));
        /// The authorities that issue TPPs' client certificates, in PEM. Without them no TPP is asked for one.
        client_anchors: Option<PathBuf> = optional("\"client-anchors.pem\"", File("certificates in PEM"));
        /// Connections at a time. Each may hold a waiting poll, 30 KiB at most; beyond, new ones are closed at once.
        connections_max: usize = default(Bounds::default().connections_max, whole(1..=1_000_000));
        /// Connections at a time from one address, gateways excepted.
        connections_per_address_max: Option<usize> = default(Bounds::default().connections_per_address_max,
            OrOff(whole(1..=1_000_000)));
    }
}

section! {
    /// A gateway or load balancer that ends TLS before oyez and says who the client is.
    Gateway = "gateway" {
        /// Its addresses. Only what comes from there is believed; the header is dropped from everybody else.
        networks: Vec<Network> = default(vec![], List(parsed(NETWORK)));
        /// The header in which it sends the client's certificate. It must remove what clients send by this name.
        certificate_header: Option<HeaderName> = optional("\"x-forwarded-client-cert\"", parsed("the name of a header"));
        /// How the certificate stands there: "xfcc" as Envoy writes it, "pem" as nginx does ($ssl_client_escaped_cert),
        /// "rfc9440" as Client-Cert.
        certificate_form: HeaderForm = default(HeaderForm::Xfcc, Choice(&[
            ("xfcc", HeaderForm::Xfcc),
            ("pem", HeaderForm::UrlEncodedPem),
            ("rfc9440", HeaderForm::Base64Der),
        ]));
    }
}

section! {
    /// How much a TPP, or all of them, may ask for (G-09).
    Limits = "limits" {
        /// How many requests per second a TPP may make; what it did not use of one second it may use in the next. Beyond,
        /// 429 with Retry-After (G-09).
        requests_per_second: NonZeroU32 = default(REQUESTS_PER_SECOND, whole(1..=100_000));
        /// How many polls of one TPP may wait at a time; beyond, its oldest is answered without events.
        waiting_per_tpp_max: usize = default(Waiting::default().per_tpp_max, whole(1..=1_000_000));
        /// How many polls may wait at a time in all; beyond, the oldest is answered without events.
        waiting_max: usize = default(Waiting::default().total_max, whole(1..=1_000_000));
    }
}

section! {
    /// The internal API: the bank's own systems and people (I-05).
    Internal = "internal" {
        /// Its address and port. Beyond this machine only with TLS.
        address: SocketAddr = default(loopback(8081), parsed("an address and port such as \"127.0.0.1:8081\""));
        /// Who may use it: a line per token with a name, a role (publisher, viewer, operator or admin) and the SHA-256 of the
        /// token in hexadecimal, or of a client certificate as certificate:SHA-256. A file is read again when it changes.
        tokens: Option<Secret> = secret("\"alice admin 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"",
            "\"tokens\"");
        /// The certificate and its chain, in PEM. Without certificate and key it is plain HTTP.
        certificate: Option<PathBuf> = optional("\"internal.crt\"", File("a certificate in PEM"));
        /// The certificate's private key, in PEM.
        key: Option<PathBuf> = optional("\"internal.key\"", File("a private key in PEM"));
        /// The authorities of callers that prove themselves by a client certificate instead of a token, in PEM.
        client_anchors: Option<PathBuf> = optional("\"internal-anchors.pem\"", File("certificates in PEM"));
        /// Connections at a time.
        connections_max: usize = default(INTERNAL_CONNECTIONS_MAX, whole(1..=1_000_000));
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// How networks are written.
pub(super) const NETWORK: &str = "a network such as \"10.0.0.0/8\"";

/// The bank's own systems, each with a pool.
const INTERNAL_CONNECTIONS_MAX: usize = 1_024;
