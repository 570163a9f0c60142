//! The header of tokens that we make, encoded once for each key and profile. Only `http://openbanking.org.uk/iat` changes
//! from one signature to the next; it stands last, so all before it is encoded in advance.

use std::io::Write as _;

use oyez_domain::tpp::HeaderProfile;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::open_banking::{IAT, ISS, MEMBERS, TAN};
use crate::public_key::PublicKey;
use crate::signatory::{Form, Signatory};
use crate::signing_input::SigningInput;
use crate::unix_time::UnixTime;

/// A header of one key, ready to be put before payloads.
#[derive(Clone, Debug)]
pub struct HeaderTemplate {
    /// base64url of the header, up to the last whole group of three bytes before `iat`'s value.
    pub(crate) encoded: Vec<u8>,
    /// What is left before the value of `iat`, up to two bytes; `None` when the header has no `iat`.
    tail: Option<Vec<u8>>,
    pub(crate) layout: Layout,
    pub(crate) algorithm: Algorithm,
    pub(crate) signature_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Compact,
    Detached(Form),
}

impl HeaderTemplate {
    /// The header of SETs.
    pub fn set(profile: HeaderProfile, kid: &str, key: &PublicKey, signatory: &Signatory) -> Self {
        let text = Text::start(key, kid);
        let text = match profile {
            HeaderProfile::OpenBanking => text.string("typ", "JOSE").private(&MEMBERS, signatory),
            HeaderProfile::Jwt => text.string("typ", "JWT").end(),
            HeaderProfile::Rfc8417 => text.string("typ", "secevent+jwt").end(),
        };
        Self::encode(&text, Layout::Compact, key)
    }

    /// The header of a detached signature over a JSON body.
    pub fn detached(form: Form, kid: &str, key: &PublicKey, signatory: &Signatory) -> Self {
        let text = Text::start(key, kid)
            .string("typ", "JOSE")
            .string("cty", "application/json");
        let text = match form {
            Form::Encoded => text.private(&MEMBERS, signatory),
            Form::Unencoded => {
                let [iat, iss, tan] = MEMBERS;
                text.value("b64", &json!(false))
                    .private(&["b64", iat, iss, tan], signatory)
            }
        };
        Self::encode(&text, Layout::Detached(form), key)
    }

    /// Header and payload in one buffer, with room for the signature; sign it to get the token. Profiles without
    /// `http://openbanking.org.uk/iat` take no notice of `iat`.
    pub fn signing_input(&self, payload: &[u8], iat: UnixTime) -> SigningInput {
        SigningInput::assemble(self, payload, iat)
    }

    /// Appends the encoded header.
    pub(crate) fn write(&self, iat: UnixTime, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encoded);
        if let Some(tail) = &self.tail {
            let mut rest = Vec::with_capacity(IAT_BYTES_MAX);
            rest.extend_from_slice(tail);
            write!(rest, "{iat}}}").expect("a vector takes all bytes");
            base64url::append(out, &rest);
        }
    }

    /// Upper bound of the encoded header's length.
    pub(crate) fn len_max(&self) -> usize {
        self.encoded.len() + base64url::encoded_len(IAT_BYTES_MAX)
    }

    fn encode(text: &Text, layout: Layout, key: &PublicKey) -> Self {
        let fixed = match text.end {
            End::Closed => text.json.len(),
            End::BeforeIat => text.json.len() / 3 * 3,
        };
        let (fixed, tail) = text.json.as_bytes().split_at(fixed);
        let mut encoded = Vec::new();
        base64url::append(&mut encoded, fixed);
        Self {
            encoded,
            tail: (text.end == End::BeforeIat).then(|| tail.to_vec()),
            layout,
            algorithm: key.algorithm(),
            signature_len: key.signature_len(),
        }
    }
}

/// A header in the making, members in the order in which they are added.
struct Text {
    json: String,
    end: End,
}

#[derive(PartialEq, Eq)]
enum End {
    Closed,
    BeforeIat,
}

impl Text {
    fn start(key: &PublicKey, kid: &str) -> Self {
        let json = format!(r#"{{"alg":"{}""#, key.algorithm());
        Self {
            json,
            end: End::Closed,
        }
        .string("kid", kid)
    }

    fn string(self, name: &str, value: &str) -> Self {
        self.value(name, &json!(value))
    }

    fn value(mut self, name: &str, value: &Value) -> Self {
        self.json.push_str(&format!(",{}:{value}", json!(name)));
        self
    }

    /// The private members and `crit`, up to the value of `iat`.
    fn private(self, critical: &[&str], signatory: &Signatory) -> Self {
        let mut text = self
            .string(ISS, &signatory.issuer)
            .string(TAN, &signatory.trust_anchor)
            .value("crit", &json!(critical));
        text.json.push_str(&format!(r#","{IAT}":"#));
        Self {
            end: End::BeforeIat,
            ..text
        }
    }

    fn end(mut self) -> Self {
        self.json.push('}');
        self
    }
}

/// Up to two bytes before it, an `i64` and the closing brace.
const IAT_BYTES_MAX: usize = 2 + 20 + 1;
