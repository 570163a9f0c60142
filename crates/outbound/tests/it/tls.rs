//! Who is believed.

use oyez_domain::error_chain::chain;
use oyez_outbound::{Anchors, Class, Identity, Sent, StatusCode, TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Authority, Certified};
use crate::server::{Act, Server};
use crate::world::{NAME, client, send, setup};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// What becomes of a request to a server with this certificate.
async fn refusal(authority: &Authority, certified: &Certified) -> String {
    let server = Server::start(certified, &[Act::Say(ACCEPTED)]).await;
    let error = send(&client(setup(authority)), &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Tls, Sent::Nothing));
    assert_eq!(error.peer.address, Some(server.address));
    assert!(server.requests().is_empty());
    chain(&error)
}

// D-13
#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let told = refusal(&authority, &authority.certify("other.example")).await;
    assert!(told.contains("not valid for name"), "{told}");
}

// D-13
#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let told = refusal(&authority, &authority.certify_until_2029(NAME)).await;
    assert!(told.contains("expired"), "{told}");
}

// D-13
#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_believed_is_refused() {
    let told = refusal(&Authority::new(), &Authority::new().certify(NAME)).await;
    assert!(told.contains("invalid peer certificate"), "{told}");
}

// D-13
#[tokio::test]
async fn tls_1_2_is_spoken() {
    let authority = Authority::new();
    let certified = authority.certify_rsa(NAME);
    let server = Server::start_tls_1_2(&certified, &[Act::Say(ACCEPTED)]).await;
    let response = send(&client(setup(&authority)), &server).await.unwrap();
    assert_eq!(response.peer.tls_version.as_deref(), Some("TLSv1.2"));
}

// D-13
#[tokio::test]
async fn below_tls_1_3_only_rsa_is_spoken() {
    let authority = Authority::new();
    let certified = authority.certify(NAME);
    let server = Server::start_tls_1_2(&certified, &[Act::Say(ACCEPTED)]).await;
    let error = send(&client(setup(&authority)), &server).await.unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Tls, Sent::Nothing));
}

// D-13
#[tokio::test]
async fn tls_1_1_is_refused() {
    // A ServerHello that chooses TLS 1.1: version 3.2, 32 random bytes, no session, ECDHE-RSA-AES128-SHA, no compression.
    let body = [&[3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let hello = [&[22, 3, 2, 0, length + 4, 2, 0, 0, length][..], &body].concat();
    let server = Server::serve(move |mut tcp, _| {
        let hello = hello.clone();
        async move {
            tcp.read_u8().await.unwrap();
            tcp.write_all(&hello).await.unwrap();
            // The client's alert, and its farewell; it may be rude about it.
            drop(tcp.read_to_end(&mut Vec::new()).await);
        }
    })
    .await;
    let error = send(&client(setup(&Authority::new())), &server)
        .await
        .unwrap_err();
    assert_eq!((error.class, error.sent), (Class::Tls, Sent::Nothing));
    let told = chain(&error);
    assert!(told.contains("peer is incompatible"), "{told}");
}

// D-13
#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let authority = Authority::new();
    let certified = authority.certify(NAME);
    let server = Server::start_mutual(&certified, &authority, &[Act::Say(ACCEPTED)]).await;
    let mut known = setup(&authority);
    known.tls = authority.tls(Some(authority.certify("bank.example").identity()));
    let response = send(&client(known), &server).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);

    // TLS 1.3 says no only after the handshake: the request may be on its way by then.
    let error = send(&client(setup(&authority)), &server).await.unwrap_err();
    assert_eq!(error.class, Class::Tls, "{}", chain(&error));
    assert_eq!(server.requests().len(), 1);
}

// D-13
#[test]
fn anchors_and_identities_that_cannot_be_used_are_refused() {
    let authority = Authority::new();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bundle = authority.pem() + broken;
    assert!(matches!(
        Anchors::from_pem(b"no PEM"),
        Err(TlsError::Pem(_))
    ));
    assert!(matches!(
        Anchors::from_pem(bundle.as_bytes()),
        Err(TlsError::Anchor { number: 2, .. })
    ));
    assert!(matches!(
        Identity::from_pem(authority.pem().as_bytes(), b""),
        Err(TlsError::Pem(_))
    ));
}
