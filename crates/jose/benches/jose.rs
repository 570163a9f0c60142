//! Our JWS beside the bare primitive, in one process and in turns, so that the machine's moods hit both alike. Medians;
//! the last line is JSON with the ratios that count.
//!
//! `cargo bench -p oyez-jose`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::{
    Algorithm, HeaderProfile, HeaderTemplate, Jwk, Jwks, KeyKind, LocalKey, Signatory, UnixTime,
    Zeroizing,
};

/// One algorithm: our key, and the same key bare.
struct Subject {
    algorithm: Algorithm,
    key: LocalKey,
    bare_sign: BareSign,
    bare_verify: ParsedPublicKey,
    rounds: usize,
}

type BareSign = Box<dyn Fn(&[u8])>;

/// Medians in microseconds.
struct Figures {
    sign: [f64; 2],
    verify: [f64; 2],
    assemble: f64,
}

fn main() {
    println!(
        "{:<8}{:<12}{:>12}{:>12}{:>10}",
        "", "", "bare µs", "ours µs", "ratio"
    );
    let mut json = serde_json::Map::new();
    for subject in [Subject::ps256(), Subject::es256()] {
        let name = subject.algorithm.name();
        let figures = measure(&subject);
        for (what, [bare, ours]) in [("sign", figures.sign), ("verify", figures.verify)] {
            println!(
                "{name:<8}{what:<12}{bare:>12.2}{ours:>12.2}{:>10.4}",
                ours / bare
            );
            json.insert(
                format!("{name}_{what}_ratio").to_lowercase(),
                (ours / bare).into(),
            );
        }
        println!(
            "{name:<8}{:<12}{:>12}{:>12.2}",
            "assembly", "", figures.assemble
        );
        json.insert(
            format!("{name}_assembly_us").to_lowercase(),
            figures.assemble.into(),
        );
    }
    println!("{}", serde_json::Value::Object(json));
}

fn measure(subject: &Subject) -> Figures {
    let signatory = Signatory {
        issuer: "0015800001041RHAAY".into(),
        trust_anchor: "openbanking.org.uk".into(),
    };
    let public = subject.key.public_key();
    let template = HeaderTemplate::set(
        HeaderProfile::OpenBanking,
        &public.thumbprint(),
        public,
        &signatory,
    );
    let keys: Jwks = [Jwk::new(public.thumbprint(), public.clone())]
        .into_iter()
        .collect();
    let now = UnixTime::from_seconds(1_700_000_000);
    let payload = claims();
    let input = template.signing_input(&payload, now);
    let token = template
        .signing_input(&payload, now)
        .sign_now(&subject.key)
        .unwrap();
    let signature = subject.key.sign_now(input.as_bytes()).unwrap();
    let verifier = Verifier::sets();
    let [bare_sign, our_sign, bare_verify, our_verify, assemble] = interleaved(
        subject.rounds,
        [
            &|| (subject.bare_sign)(input.as_bytes()),
            &|| {
                let input = template.signing_input(black_box(&payload), now);
                black_box(input.sign_now(&subject.key).unwrap());
            },
            &|| {
                let verified = subject.bare_verify.verify_sig(input.as_bytes(), &signature);
                black_box(verified).unwrap();
            },
            &|| {
                let parsed = Compact::parse(black_box(&token)).unwrap();
                black_box(verifier.verify(parsed, &keys, now).unwrap());
            },
            &|| {
                black_box(template.signing_input(black_box(&payload), now));
            },
        ],
    );
    Figures {
        sign: [bare_sign, our_sign],
        verify: [bare_verify, our_verify],
        assemble,
    }
}

/// Calls each of `works` in every round and returns the median time of each, in microseconds.
fn interleaved<const N: usize>(rounds: usize, works: [&dyn Fn(); N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..rounds + WARM_UP {
        for (work, times) in works.iter().zip(&mut times) {
            let elapsed = time(*work);
            if round >= WARM_UP {
                times.push(elapsed);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

#[expect(
    clippy::disallowed_types,
    reason = "a benchmark measures the real time"
)]
fn time(work: &dyn Fn()) -> f64 {
    let start = std::time::Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6
}

impl Subject {
    fn ps256() -> Self {
        let key = LocalKey::generate(KeyKind::Rsa2048).unwrap();
        let pair = RsaKeyPair::from_pkcs8(&pkcs8(&key)).unwrap();
        let bare_verify =
            ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref()).unwrap();
        let bare_sign = Box::new(move |input: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), input, &mut signature)
                .unwrap();
            black_box(signature);
        });
        Self {
            algorithm: Algorithm::PS256,
            key,
            bare_sign,
            bare_verify,
            rounds: 4_000,
        }
    }

    fn es256() -> Self {
        let key = LocalKey::generate(KeyKind::P256).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(&key)).unwrap();
        let bare_verify =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).unwrap();
        let bare_sign = Box::new(move |input: &[u8]| {
            black_box(pair.sign(&SystemRandom::new(), input).unwrap());
        });
        Self {
            algorithm: Algorithm::ES256,
            key,
            bare_sign,
            bare_verify,
            rounds: 20_000,
        }
    }
}

fn pkcs8(key: &LocalKey) -> Zeroizing<Vec<u8>> {
    let pem = key.to_pkcs8_pem().unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Zeroizing::new(STANDARD.decode(body).unwrap())
}

/// About 900 bytes, as the claims of a resource update with links for three versions have.
fn claims() -> Vec<u8> {
    let links: Vec<String> = ["v3.1", "v4.0", "v4.1"]
        .iter()
        .map(|version| {
            let path = "domestic-payment-consents/0b9b1f0a-9e4e-4f0e-8d6b-5a3c4e1f2a3b";
            format!(r#"{{"version":"{version}","link":"https://rs.bank.example/open-banking/{version}/pisp/{path}"}}"#)
        })
        .collect();
    let event = "urn:uk:org:openbanking:events:resource-update";
    let claims = format!(
        r#"{{"iss":"https://rs.bank.example/","iat":1700000000,"jti":"018bcfe5-6800-7000-8000-000000000000","sub":"https://rs.bank.example/open-banking/v3.1/pisp/domestic-payment-consents/0b9b1f0a-9e4e-4f0e-8d6b-5a3c4e1f2a3b","aud":"7umx5nTR33811QyQfi","txn":"dfc51628-3479-4b81-ad60-210b43d02306","toe":1700000000,"events":{{"{event}":{{"subject":{{"subject_type":"http://openbanking.org.uk/rid_http://openbanking.org.uk/rty","http://openbanking.org.uk/rid":"0b9b1f0a-9e4e-4f0e-8d6b-5a3c4e1f2a3b","http://openbanking.org.uk/rty":"domestic-payment-consent","http://openbanking.org.uk/rlk":[{}]}}}}}}}}"#,
        links.join(",")
    );
    claims.into_bytes()
}

const WARM_UP: usize = 200;
