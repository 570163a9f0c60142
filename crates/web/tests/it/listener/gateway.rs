//! Certificates in a header.

use oyez_web::listener::{Bounds, Gateway, HeaderForm};

use super::certificates::{Authority, Certified};
use super::tls::{Client, handshake};
use super::world::{Setup, World, ask};

const HERE: &str = "127.0.0.1/32";
const ELSEWHERE: &str = "10.0.0.0/8";

async fn world(network: &str, form: HeaderForm, authority: &Authority) -> World {
    let server = authority.certify("the bank");
    World::new(Setup {
        tls: Some(authority.tls(&server)),
        gateway: Some(Gateway {
            networks: vec![network.parse().unwrap()],
            header: "x-cert".parse().unwrap(),
            form,
        }),
        bounds: Bounds::default(),
    })
    .await
}

/// What `/who` says to a request with these headers.
async fn who(
    world: &World,
    authority: &Authority,
    identity: Option<&Certified>,
    headers: &str,
) -> String {
    let config = Client::new(authority, identity).config();
    let mut stream = handshake(world, &config).await.unwrap();
    let answer = ask(&mut stream, &format!("GET /who HTTP/1.1{headers}")).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

fn escaped(pem: &str) -> String {
    pem.replace('\n', "%0A")
        .replace('+', "%2B")
        .replace(' ', "%20")
}

//
#[tokio::test]
async fn a_gateways_header_names_the_client() {
    let authority = Authority::new();
    let tpp = authority.certify("a TPP");
    let pem = escaped(&tpp.pem);
    let base64: String = tpp
        .pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let expected = format!("{} at 127.0.0.1 header false", tpp.thumbprint());
    for (form, value) in [
        (HeaderForm::UrlEncodedPem, pem.clone()),
        (HeaderForm::Base64Der, format!(":{base64}:")),
        (HeaderForm::Xfcc, format!("By=spiffe://bank;Cert=\"{pem}\"")),
    ] {
        let world = world(HERE, form, &authority).await;
        let headers = format!("\r\nX-Cert: {value}");
        assert_eq!(who(&world, &authority, None, &headers).await, expected);
    }
}

//
#[tokio::test]
async fn the_header_of_anybody_else_is_dropped() {
    let authority = Authority::new();
    let (tpp, other) = (authority.certify("a TPP"), authority.certify("another"));
    let world = world(ELSEWHERE, HeaderForm::UrlEncodedPem, &authority).await;
    let headers = format!("\r\nX-Cert: {}", escaped(&other.pem));
    let anonymous = who(&world, &authority, None, &headers).await;
    assert_eq!(anonymous, "nobody at 127.0.0.1 header false");
    let known = who(&world, &authority, Some(&tpp), &headers).await;
    assert!(known.starts_with(&tpp.thumbprint()), "{known}");
    assert!(known.ends_with("header false"), "{known}");
}

//
#[tokio::test]
async fn a_gateways_own_certificate_is_never_its_clients() {
    let authority = Authority::new();
    let gateway = authority.certify("the gateway");
    let world = world(HERE, HeaderForm::UrlEncodedPem, &authority).await;
    for headers in [
        "",
        "\r\nX-Cert: -",
        "\r\nX-Cert: a\r\nX-Cert: b",
        "\r\nX-Cert: \u{e9}",
    ] {
        let answer = who(&world, &authority, Some(&gateway), headers).await;
        assert_eq!(answer, "nobody at 127.0.0.1 header false");
    }
}
