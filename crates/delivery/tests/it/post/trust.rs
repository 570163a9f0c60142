//! Who is believed, and who we are (D-13).

use std::sync::Arc;

use oyez_delivery::Addressee;
use oyez_testkit::certificates::{Authority, Certified};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::world::{World, believing};

fn with_anchors(acme: Addressee, pem: String) -> Addressee {
    Addressee {
        trust_anchors: Some(pem),
        ..acme
    }
}

/// An endpoint that asks for a certificate of this authority, and tells in its answer which one it saw.
async fn asking(certified: &Certified, clients: &Authority) -> String {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(clients.roots(), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certified.der().clone()], certified.key_der())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            // Who shows nothing is turned away here.
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
            let mut request = vec![0; 4_096];
            if stream.read(&mut request).await.is_ok() {
                let length = shown.len();
                let head = format!(
                    "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&shown).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    };
    tokio_util::task::TaskTracker::new().spawn(serving);
    format!("https://localhost:{port}/v4.0/event-notifications")
}

// D-13
#[tokio::test]
async fn an_endpoint_of_an_authority_that_is_not_believed_gets_nothing() {
    let world = World::new().await;
    let tls = believing(&Authority::new("somebody else"), None);
    world.believe(tls);
    let failure = world.failed(world.acme()).await;
    assert_eq!(failure.class, "tls");
    let told = "no secure connection: invalid peer certificate: ";
    assert!(failure.detail.starts_with(told), "{}", failure.detail);
    assert!(world.endpoint.seen().is_empty());
}

// D-13
#[tokio::test]
async fn a_tpps_own_anchors_are_believed_for_it_alone_and_instead_of_the_deployments() {
    let world = World::new().await;
    let tls = believing(&Authority::new("the directory"), None);
    world.believe(tls);
    let own = with_anchors(world.acme(), world.authority.pem());
    assert_eq!(world.answered(own).await.status, 202);
    assert_eq!(world.failed(world.tpp("other", "/")).await.class, "tls");

    let world = World::new().await;
    let own = with_anchors(world.acme(), Authority::new("Acme's").pem());
    assert_eq!(world.failed(own).await.class, "tls");
}

// D-13
#[tokio::test]
async fn anchors_that_changed_hold_from_the_next_letter_on() {
    let world = World::new().await;
    let before = with_anchors(world.acme(), world.authority.pem());
    world.answered(before.clone()).await;
    let both = world.authority.pem() + &Authority::new("Acme's next").pem();
    world.answered(with_anchors(world.acme(), both)).await;
    assert_eq!(world.endpoint.connections(), 2);
    let next = with_anchors(world.acme(), Authority::new("Acme's next").pem());
    assert_eq!(world.failed(next).await.class, "tls");
    world.answered(before).await;
}

// D-13
#[tokio::test]
async fn what_the_deployment_believes_can_be_replaced_while_letters_are_carried() {
    let world = World::new().await;
    world.answered(world.acme()).await;
    world.believe(believing(&world.authority, None));
    world.answered(world.acme()).await;
    // A kept connection was secured by what is believed no more.
    assert_eq!(world.endpoint.connections(), 2);
    let tls = believing(&Authority::new("somebody else"), None);
    world.believe(tls);
    assert_eq!(world.failed(world.acme()).await.class, "tls");
}

// D-13
#[tokio::test]
async fn anchors_that_cannot_be_used_are_a_failure_that_says_so() {
    let world = World::new().await;
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let pem = world.authority.pem() + broken;
    let failure = world.failed(with_anchors(world.acme(), pem)).await;
    assert_eq!(failure.class, "tls");
    let told = "certificate 2 cannot be a trust anchor: ";
    assert!(failure.detail.starts_with(told), "{}", failure.detail);
    assert_eq!(world.endpoint.connections(), 0);
}

// D-13
#[tokio::test]
async fn the_banks_certificate_is_shown_to_who_asks_whoevers_anchors_they_have() {
    let world = World::new().await;
    let banks = Authority::new("the bank's authority");
    let callback_url = asking(&world.authority.server(&[]), &banks).await;
    let acme = Addressee {
        callback_url,
        ..world.acme()
    };
    assert_eq!(world.failed(acme.clone()).await.class, "tls");

    let bank = banks.client("bank.example");
    let tls = believing(&world.authority, Some(&bank));
    world.believe(tls);
    let first_bytes = &bank.der()[..bank.der().len().min(512)];
    assert_eq!(world.answered(acme.clone()).await.body_head, first_bytes);
    let own = with_anchors(acme, world.authority.pem());
    assert_eq!(world.answered(own).await.body_head, first_bytes);
}
