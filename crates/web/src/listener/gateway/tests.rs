//! Headers of all kinds.

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};

use super::*;

struct Leaf {
    /// URL-encoded as Envoy does it.
    pem: String,
    base64: String,
    hash: String,
    thumbprint: String,
}

fn leaf() -> Leaf {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["tpp.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let der = certificate.der();
    let base64 = STANDARD.encode(der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    let encoded = pem.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    Leaf {
        pem: encoded.collect(),
        base64,
        hash: oyez_jose::sha256(der)
            .map(|byte| format!("{byte:02x}"))
            .concat(),
        thumbprint: ClientCertificate::from_der(der).unwrap().thumbprint,
    }
}

/// The thumbprint of the certificate that the header lines name.
fn named(form: HeaderForm, lines: &[&str]) -> Result<Option<String>, Unreadable> {
    let gateway = Gateway {
        networks: Vec::new(),
        header: HeaderName::from_static("x-cert"),
        form,
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-cert", HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    let certificate = gateway.certificate(&headers)?;
    Ok(certificate.map(|certificate| certificate.thumbprint))
}

fn xfcc(line: &str) -> Result<Option<String>, Unreadable> {
    named(HeaderForm::Xfcc, &[line])
}

//
#[test]
fn xfcc_names_the_certificate_of_its_last_element() {
    let (
        Leaf {
            pem,
            hash,
            thumbprint,
            ..
        },
        other,
    ) = (leaf(), leaf().pem);
    for line in [
        format!("Cert=\"{pem}\""),
        format!("Cert={pem}"),
        format!("cert=\"{pem}\""),
        format!(
            "Hash={hash};Cert=\"{pem}\";Subject=\"CN=x,O=\\\"y; z\\\"\";URI=spiffe://a/b;DNS=a;DNS=b"
        ),
        format!("Hash={};Cert=\"{pem}\"", hash.to_uppercase()),
        format!("By=a;Cert=\"{other}\",By=b;Cert=\"{pem}\""),
        format!("By=a;Hash=0,By=b;Cert=\"{pem}\""),
        format!("Subject=\"\";Chain=\"{pem}{other}\""),
        format!("Cert=\"{pem}\";Chain=\"{other}\""),
        format!("By=;URI=,Cert=\"{pem}\""),
    ] {
        assert_eq!(xfcc(&line), Ok(Some(thumbprint.clone())), "{line}");
    }
    let lines = [format!("Cert=\"{other}\""), format!("Cert=\"{pem}\"")];
    let lines = lines.each_ref().map(String::as_str);
    assert_eq!(named(HeaderForm::Xfcc, &lines), Ok(Some(thumbprint)));
}

//
#[test]
fn xfcc_that_cannot_be_read_names_nobody() {
    let (Leaf { pem, .. }, other) = (leaf(), leaf());
    for (line, why) in [
        (String::new(), Unreadable::Elements),
        ("Cert".to_owned(), Unreadable::Elements),
        (format!("Cert=\"{pem}"), Unreadable::Elements),
        (format!("Cert=\"{pem}\"x"), Unreadable::Elements),
        (format!("Cert=\"{pem}\","), Unreadable::Elements),
        (format!("Cert=\"{pem}\";"), Unreadable::Elements),
        (format!("By=a\"b;Cert=\"{pem}\""), Unreadable::Elements),
        ("By=a\\".to_owned(), Unreadable::NoCertificate),
        ("By=\"a\\".to_owned(), Unreadable::Elements),
        // A quote left open by a client spoils what a proxy appends, and moves nothing.
        (format!("By=\",Cert=\"{pem}\""), Unreadable::Elements),
        (format!("Cert=\"{pem}\",Hash=00"), Unreadable::NoCertificate),
        ("Cert=\"\"".to_owned(), Unreadable::NoCertificate),
        (
            format!("Cert=\"{pem}\";Cert=\"{pem}\""),
            Unreadable::Repeated,
        ),
        (
            format!("Hash={};Cert=\"{pem}\"", other.hash),
            Unreadable::Hash,
        ),
        (
            format!("Hash={}0;Cert=\"{pem}\"", leaf().hash),
            Unreadable::Hash,
        ),
        ("Cert=\"%2\"".to_owned(), Unreadable::UrlEncoding),
        ("Cert=\"%zz\"".to_owned(), Unreadable::UrlEncoding),
        ("Cert=\"abc\"".to_owned(), Unreadable::Pem),
        (
            "Cert=\"-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----\""
                .to_owned(),
            Unreadable::Certificate,
        ),
    ] {
        assert_eq!(xfcc(&line), Err(why), "{line}");
    }
}

//
#[test]
fn plain_forms_name_one_certificate() {
    let Leaf {
        pem,
        base64,
        thumbprint,
        ..
    } = leaf();
    let (pem, base64) = (pem.as_str(), base64.as_str());
    let between_colons = format!(":{base64}:");
    for (form, value) in [
        (HeaderForm::UrlEncodedPem, pem),
        (HeaderForm::Base64Der, base64),
        (HeaderForm::Base64Der, between_colons.as_str()),
    ] {
        assert_eq!(named(form, &[value]), Ok(Some(thumbprint.clone())));
        assert_eq!(named(form, &[value, value]), Err(Unreadable::Repeated));
        assert_eq!(named(form, &[]), Ok(None));
    }
    assert_eq!(
        named(HeaderForm::UrlEncodedPem, &[base64]),
        Err(Unreadable::Pem)
    );
    assert_eq!(
        named(HeaderForm::Base64Der, &[pem]),
        Err(Unreadable::Base64)
    );
    assert_eq!(
        named(HeaderForm::Base64Der, &["::"]),
        Err(Unreadable::Certificate)
    );
    assert_eq!(named(HeaderForm::Base64Der, &["é"]), Err(Unreadable::Text));
}

proptest! {
    //
    #[test]
    fn no_header_makes_the_listener_stumble(
        value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "((By|Cert|Chain|Hash|x)=(\"?[%a-f0-9\\\\;,=-]{0,9}\"?)[;,]?){0,6}".prop_map(String::into_bytes),
        ],
    ) {
        let Ok(value) = HeaderValue::from_bytes(&value) else {
            return Ok(());
        };
        for form in [HeaderForm::Xfcc, HeaderForm::UrlEncodedPem, HeaderForm::Base64Der] {
            let gateway = Gateway {
                networks: Vec::new(),
                header: HeaderName::from_static("x-cert"),
                form,
            };
            let headers = HeaderMap::from_iter([(gateway.header.clone(), value.clone())]);
            prop_assert!(gateway.certificate(&headers).is_err());
        }
    }
}
