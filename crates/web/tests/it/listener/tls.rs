//! Handshakes.

use std::sync::Arc;

use oyez_domain::time::Timestamp;
use oyez_web::listener::{Bounds, ClientCertificate, Tls, TlsError};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self as primitives, cipher_suite};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificates::{Authority, Certified, In2030};
use super::world::{World, ask, ask_kept};

/// A client that trusts the authority.
pub(crate) struct Client<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) identity: Option<&'a Certified>,
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
    pub(crate) suites: Vec<SupportedCipherSuite>,
    pub(crate) alpn: &'a [u8],
}

/// Each alone.
const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

const TLS13_ONLY: &[&SupportedProtocolVersion] = &[&TLS13];

impl<'a> Client<'a> {
    pub(crate) fn new(authority: &'a Authority, identity: Option<&'a Certified>) -> Self {
        Self {
            authority,
            identity,
            versions: TLS13_ONLY,
            suites: primitives::ALL_CIPHER_SUITES.to_vec(),
            alpn: b"http/1.1",
        }
    }

    pub(crate) fn config(self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate()).unwrap();
        let provider = CryptoProvider {
            cipher_suites: self.suites,
            ..primitives::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.identity {
            Some(one) => builder
                .with_client_auth_cert(vec![one.certificate.clone()], one.key())
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        Arc::new(config)
    }
}

pub(crate) async fn handshake(
    world: &World,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    secured(world.connect().await, config).await
}

pub(crate) async fn secured(
    stream: TcpStream,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
}

/// What `/who` says, or nothing when the connection does not come about.
async fn who(world: &World, config: &Arc<ClientConfig>) -> String {
    match handshake(world, config).await {
        Ok(mut stream) => ask(&mut stream, "GET /who HTTP/1.1").await,
        Err(_) => String::new(),
    }
}

async fn world(authority: &Authority) -> World {
    let server = authority.certify_rsa("the bank");
    World::secure(authority.tls(&server), Bounds::default()).await
}

//
#[tokio::test]
async fn below_tls_1_3_only_ecdhe_rsa_with_aes_gcm_is_spoken() {
    let authority = Authority::new();
    let rsa = world(&authority).await;
    let ecdsa = World::secure(
        authority.tls(&authority.certify("the bank")),
        Bounds::default(),
    )
    .await;
    let allowed = [
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ];
    let tls12 = primitives::ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| suite.tls13().is_none());
    for suite in tls12 {
        for world in [&rsa, &ecdsa] {
            let client = Client {
                versions: &[&TLS12],
                suites: vec![*suite],
                ..Client::new(&authority, None)
            };
            let answered = who(world, &client.config()).await.contains("200 OK");
            let expected = allowed.contains(suite) && std::ptr::eq(world, &raw const rsa);
            assert_eq!(answered, expected, "{suite:?}");
        }
    }
}

//
#[tokio::test]
async fn all_of_tls_1_3_is_spoken() {
    let authority = Authority::new();
    let world = world(&authority).await;
    for suite in primitives::ALL_CIPHER_SUITES {
        if suite.tls13().is_some() {
            let client = Client {
                suites: vec![*suite],
                ..Client::new(&authority, None)
            };
            assert!(who(&world, &client.config()).await.contains("200 OK"));
        }
    }
}

//
#[tokio::test]
async fn a_client_certificate_is_asked_for_and_not_required() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let tpp = authority.certify("a TPP");
    for versions in BOTH {
        let anonymous = Client {
            versions,
            ..Client::new(&authority, None)
        };
        let answer = who(&world, &anonymous.config()).await;
        assert!(answer.contains("nobody at 127.0.0.1"), "{answer}");
        let known = Client {
            versions,
            ..Client::new(&authority, Some(&tpp))
        };
        let answer = who(&world, &known.config()).await;
        assert!(answer.contains(&tpp.thumbprint()), "{answer}");
    }
}

//
#[tokio::test]
async fn a_client_certificate_that_does_not_verify_ends_the_handshake() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let strangers = Authority::new().certify("a stranger");
    let expired = authority.certify_until_2029("of yesterday");
    for identity in [&strangers, &expired] {
        for versions in BOTH {
            let client = Client {
                versions,
                ..Client::new(&authority, Some(identity))
            };
            assert_eq!(who(&world, &client.config()).await, "");
        }
    }
    world.serves_nobody_less(&authority).await;
}

//
#[tokio::test]
async fn a_resumed_session_keeps_the_client_certificate() {
    let authority = Authority::new();
    let world = world(&authority).await;
    let tpp = authority.certify("a TPP");
    for versions in BOTH {
        let client = Client {
            versions,
            ..Client::new(&authority, Some(&tpp))
        };
        let config = client.config();
        assert!(who(&world, &config).await.contains(&tpp.thumbprint()));
        let mut again = handshake(&world, &config).await.unwrap();
        assert_eq!(
            again.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Resumed)
        );
        let answer = ask(&mut again, "GET /who HTTP/1.1").await;
        assert!(answer.contains(&tpp.thumbprint()), "{answer}");
    }
}

//
#[tokio::test]
async fn a_reload_is_for_new_connections_and_drops_none() {
    let authority = Authority::new();
    let first = authority.certify("first");
    let world = World::secure(authority.tls(&first), Bounds::default()).await;
    let config = Client::new(&authority, None).config();
    let mut old = handshake(&world, &config).await.unwrap();
    assert!(
        ask_kept(&mut old, "GET /who HTTP/1.1")
            .await
            .contains("nobody")
    );

    let second = authority.certify("second");
    world.tls.send_replace(authority.tls(&second));
    let new = handshake(&world, &config).await.unwrap();
    assert_eq!(
        new.get_ref().1.peer_certificates().unwrap().first(),
        Some(&second.certificate)
    );
    assert!(
        ask_kept(&mut old, "GET /who HTTP/1.1")
            .await
            .contains("nobody")
    );
}

//
#[tokio::test]
async fn a_session_of_an_authority_that_was_taken_off_is_not_resumed() {
    let authority = Authority::new();
    let server = authority.certify_rsa("the bank");
    let world = World::secure(authority.tls(&server), Bounds::default()).await;
    let tpp = authority.certify("a TPP");
    for versions in BOTH {
        world.tls.send_replace(authority.tls(&server));
        let client = Client {
            versions,
            ..Client::new(&authority, Some(&tpp))
        };
        let config = client.config();
        assert!(who(&world, &config).await.contains(&tpp.thumbprint()));
        world.tls.send_replace(Authority::new().tls(&server));
        assert_eq!(who(&world, &config).await, "");
    }
}

//
#[tokio::test]
async fn without_anchors_nobody_is_asked_for_a_certificate() {
    let authority = Authority::new();
    let server = authority.certify("the bank");
    let key = server.key_pem();
    let tls = Tls::from_pem(
        server.pem.as_bytes(),
        key.as_bytes(),
        None,
        Arc::new(In2030),
    );
    let world = World::secure(Arc::new(tls.unwrap()), Bounds::default()).await;
    let tpp = authority.certify("a TPP");
    let config = Client::new(&authority, Some(&tpp)).config();
    assert!(who(&world, &config).await.contains("nobody"));
}

//
#[test]
fn what_cannot_be_used_is_named_with_its_mend() {
    let authority = Authority::new();
    let (server, other) = (authority.certify("one"), authority.certify("other"));
    let (chain, key, anchors) = (&server.pem, &server.key_pem(), &authority.pem());
    let broken_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let from = |chain: &str, key: &str, anchors: &str| {
        Tls::from_pem(
            chain.as_bytes(),
            key.as_bytes(),
            Some(anchors.as_bytes()),
            Arc::new(In2030),
        )
        .unwrap_err()
    };
    assert!(matches!(from("", key, anchors), TlsError::Chain(_)));
    assert!(matches!(
        from(&format!("{chain}{broken_pem}"), key, anchors),
        TlsError::Certificate { number: 2 }
    ));
    assert!(matches!(from(chain, "", anchors), TlsError::Key(_)));
    assert!(matches!(
        from(chain, &other.key_pem(), anchors),
        TlsError::Pair(_)
    ));
    assert!(matches!(from(chain, key, ""), TlsError::Anchors(_)));
    assert!(matches!(
        from(chain, key, broken_pem),
        TlsError::Anchor { number: 1, .. }
    ));
}

//
#[test]
fn a_certificate_holds_from_its_first_second_to_its_last() {
    let authority = Authority::new();
    let one = authority.certify_until_2029("a TPP");
    let one = ClientCertificate::from_der(&one.certificate).unwrap();
    assert!(one.subject.contains("CN=a TPP"), "{}", one.subject);
    let at = |ms: i64| one.is_valid_at(Timestamp::from_unix_ms(ms));
    let (first, last) = (one.not_before.unix_ms(), one.not_after.unix_ms());
    assert!(!at(first - 1) && at(first) && at(last + 999) && !at(last + 1_000));
}

impl World {
    async fn serves_nobody_less(&self, authority: &Authority) {
        let config = Client::new(authority, None).config();
        assert!(who(self, &config).await.contains("nobody"));
    }
}
