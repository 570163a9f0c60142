//! The directory of the world: certificates, keys, tokens, and the bank's configuration, all made anew, and all gone when
//! the world ends. Keys of RSA take a moment each, so they are made side by side; what TLS needs is of P-256.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use oyez_jose::{Jwk, Jwks, KeyKind, LocalKey};
use oyez_web::internal::operators::{Operator, Role, hex};

use super::cast::{BANK_ISSUER, BANK_ORG_ID, EVERYBODY, Person, SCOPES, STRANGER, TRUST_ANCHOR};
use crate::commands::Surroundings;
use crate::config;
use crate::development::{Authority, Identity, Keys};
use crate::durable::{write_public, write_secret};
use crate::failure::Failure;
use crate::key_directory::KeyDirectory;

/// Everything that lies in the directory.
pub(super) struct Premises {
    pub(super) directory: Directory,
    /// The authority's certificate, in PEM.
    pub(super) authority: String,
    /// The server's certificate and key; the toy has the same.
    pub(super) server: Identity,
    /// By client_id.
    pub(super) lockers: BTreeMap<&'static str, Locker>,
    /// Of the bank's own people, by role.
    tokens: Vec<(Role, String)>,
}

/// What a person owns.
pub(super) struct Locker {
    pub(super) certificate: Identity,
    pub(super) signing: Arc<LocalKey>,
}

/// Removed with everything in it when dropped.
pub(super) struct Directory(PathBuf);

/// Where everybody is to be reached.
pub(super) struct Addresses {
    pub(super) tpp: SocketAddr,
    pub(super) internal: SocketAddr,
    pub(super) toy: SocketAddr,
    pub(super) inbox: SocketAddr,
}

impl Premises {
    /// Makes everything but the configuration.
    pub(super) fn make(around: &Surroundings) -> Result<Self, Failure> {
        let directory = Directory::make(around)?;
        let authority = Authority::new(Keys::P256, around.now).map_err(|error| no_key(&error))?;
        let bank = directory.path().join("bank");
        fs::create_dir(&bank).map_err(|error| Failure::file("make", &bank, &error))?;
        let keys = KeyDirectory::at(bank.join("keys"));
        let draw = |person: Person| LocalKey::generate(kind_of(person));
        let (bank_key, signing) = thread::scope(|scope| {
            let signing = EVERYBODY.map(|person| (person, scope.spawn(move || draw(person))));
            let bank_key = keys.add(KeyKind::Rsa2048, None, around.now, |manifest, entry| {
                manifest.keys.push(entry);
                Ok(())
            });
            let signing = signing.map(|(person, key)| {
                let key = key.join().expect("making a key does not panic");
                (person, key)
            });
            (bank_key, signing)
        });
        bank_key?;
        let mut lockers = BTreeMap::new();
        for (person, key) in signing {
            let locker = Locker {
                certificate: authority
                    .client(person.client_id)
                    .map_err(|error| no_key(&error))?,
                signing: Arc::new(key.map_err(|error| no_key(&error))?),
            };
            lockers.insert(person.client_id, locker);
        }
        let tokens: Result<_, Failure> = Role::ALL
            .into_iter()
            .map(|role| Ok((role, format!("oyez_{}", hex(&(around.random)()?)))))
            .collect();
        let premises = Self {
            directory,
            authority: authority.identity().certificate,
            server: authority.server().map_err(|error| no_key(&error))?,
            lockers,
            tokens: tokens?,
        };
        premises.write()?;
        Ok(premises)
    }

    /// Where something lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A token for the internal API.
    pub(super) fn token(&self, role: Role) -> &str {
        let mut tokens = self.tokens.iter();
        let token = tokens.find(|(of, _)| *of == role);
        &token.expect("every role has one").1
    }

    /// The public keys of a person, as the bank and the toy know them.
    pub(super) fn keys_of(&self, person: Person) -> Jwks {
        let key = self.locker(person).signing.public_key();
        std::iter::once(Jwk::new(key.thumbprint(), key.clone())).collect()
    }

    pub(super) fn locker(&self, person: Person) -> &Locker {
        let locker = self.lockers.get(person.client_id);
        locker.expect("everybody has one")
    }

    /// The bank's configuration: what `oyez init` writes, with the addresses of this world. It is written down, and
    /// returned with where it lies.
    pub(super) fn configure(&self, at: &Addresses) -> Result<(PathBuf, String), Failure> {
        let base = format!("\"https://{}\"", at.tpp);
        let text = |text: &str| format!("\"{text}\"");
        let set = [
            ("bank.issuer", text(BANK_ISSUER)),
            ("bank.org_id", text(BANK_ORG_ID)),
            ("bank.base_url", base.clone()),
            ("listener.address", text(&at.tpp.to_string())),
            ("listener.certificate", text("../server.crt")),
            ("listener.key", text("../server.key")),
            ("listener.client_anchors", text("../ca.crt")),
            ("tokens.issuer", format!("\"https://{}\"", at.toy)),
            ("tokens.audiences", format!("[{base}]")),
            ("tokens.jwks", format!("\"https://{}/jwks\"", at.toy)),
            ("outbound.trust_anchors", text("../ca.crt")),
            ("developer.name", text("The demonstration's bank")),
            (
                "developer.token_url",
                format!("\"https://{}/token\"", at.toy),
            ),
            // CallbackUrls of this world lead to this machine.
            ("outbound.allowed_networks", "[\"127.0.0.0/8\"]".to_owned()),
            ("polling.redelivery_delay", text(REDELIVERY_DELAY)),
            ("limits.requests_per_second", "1000".to_owned()),
            ("internal.address", text(&at.internal.to_string())),
            ("internal.tokens_file", text("tokens")),
        ];
        let set = set.iter().map(|(key, value)| (*key, value.as_str()));
        let text = config::render(&set.collect());
        let path = self.path("bank/oyez.toml");
        write_public(&path, text.as_bytes())?;
        Ok((path, text))
    }

    /// What `oyez listen`, `oyez poll` and `oyez subscription` need to be this person.
    pub(super) fn configure_tpp(&self, person: Person, at: &Addresses) -> Result<(), Failure> {
        let Person {
            client_id, method, ..
        } = person;
        let (signatory, method) = (person.signatory(), method.name());
        let Addresses { tpp, toy, .. } = at;
        let text = format!(
            "\
# {client_id} as a TPP: oyez poll -c {client_id}.toml

[tpp]
signatory = \"{signatory}\"
trust_anchor = \"{TRUST_ANCHOR}\"
signing_key = \"{client_id}-signing.key\"
certificate = \"{client_id}.crt\"
key = \"{client_id}.key\"
trust_anchors = \"ca.crt\"
state = \"{client_id}.db\"

[[tpp.banks]]
name = \"demo\"
base_url = \"https://{tpp}\"
client_id = \"{client_id}\"
issuer = \"{BANK_ISSUER}\"
org_id = \"{BANK_ORG_ID}\"
trust_anchors = [\"{TRUST_ANCHOR}\"]
jwks = \"https://{tpp}/jwks\"
token_endpoint = \"https://{toy}/token\"
token_method = \"{method}\"
scope = \"{SCOPES}\"

[hand_over]
to = \"stdout\"

[listen]
certificate = \"server.crt\"
key = \"server.key\"
"
        );
        write_public(&self.path(&format!("{client_id}.toml")), text.as_bytes())
    }

    fn write(&self) -> Result<(), Failure> {
        write_public(&self.path("ca.crt"), self.authority.as_bytes())?;
        self.write_identity("server", &self.server)?;
        for person in EVERYBODY {
            let locker = self.locker(person);
            self.write_identity(person.client_id, &locker.certificate)?;
            let pem = locker
                .signing
                .to_pkcs8_pem()
                .map_err(|error| no_key(&error))?;
            let name = format!("{}-signing.key", person.client_id);
            write_secret(&self.path(&name), pem.as_bytes())?;
        }
        let mut hashes = String::from("# name role SHA-256-of-the-token\n");
        for (role, token) in &self.tokens {
            hashes.push_str(&format!("{}\n", Operator::new(role.name(), *role, token)));
            let name = format!("{}.token", role.name());
            write_secret(&self.path(&name), token.as_bytes())?;
        }
        write_secret(&self.path("bank/tokens"), hashes.as_bytes())
    }

    fn write_identity(&self, name: &str, identity: &Identity) -> Result<(), Failure> {
        write_public(
            &self.path(&format!("{name}.crt")),
            identity.certificate.as_bytes(),
        )?;
        write_secret(&self.path(&format!("{name}.key")), identity.key.as_bytes())
    }
}

impl Directory {
    fn make(around: &Surroundings) -> Result<Self, Failure> {
        let name = format!("oyez-demo-{}", hex(&(around.random)()?[..4]));
        let path = around.temporary.join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::file("make", &path, &error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// TPPs sign with PS256, as the standard says; whoever signs nothing here needs no costly key.
fn kind_of(person: Person) -> KeyKind {
    if person == STRANGER {
        KeyKind::P256
    } else {
        KeyKind::Rsa2048
    }
}

fn no_key(error: &dyn std::error::Error) -> Failure {
    Failure::environment("cannot make a key or certificate", "try again").because(error)
}

/// The shortest there is, so that the story need not wait for long.
pub(super) const REDELIVERY_DELAY: &str = "1s";
