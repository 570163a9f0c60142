//! The bank that is measured: a directory as `oyez init` makes it, with as many TPPs as the load needs, each subscribed to
//! everything. They share the development certificate; their tokens differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::history::{EventFilter, StateFilter};
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{KeySource, Overrides, Profile};
use oyez_domain::version::ApiVersion;
use oyez_jose::{KeyKind, LocalKey, UnixTime, Zeroizing, sha256};
use oyez_store::Store;
use oyez_web::internal::operators::hex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::home::{Home, Settings, Which};
use super::process::Cluster;
use super::{broken, drive_alone, unexpected};
use crate::args::{BenchCommon, Init};
use crate::commands::{Surroundings, init};
use crate::config::Backend;
use crate::development::TOKEN_ISSUER;
use crate::development::access_token::AccessToken;
use crate::failure::Failure;
use crate::key_directory::KeyDirectory;
use crate::ledger::Ledger;

/// A bank's directory, and its ledger. Dropped, they are removed, but for a ledger that was there before.
pub(super) struct Site {
    root: Root,
    home: Home,
    mark: Mark,
    now: UnixTime,
}

/// Random octets that tell a run from all others.
pub(super) type Mark = [u8; 4];

/// A directory that is removed when this is dropped.
struct Root(PathBuf);

impl Site {
    /// A bank that signs with a key of this kind and knows so many TPPs, which poll.
    pub(super) fn make(
        common: &BenchCommon,
        kind: KeyKind,
        tpps: u64,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let site = Self::found(common, kind, around)?;
        let pollers = (0..tpps).map(|tpp| (client_id(tpp), None));
        site.in_ledger(async |ledger, now| register(ledger, pollers, now).await)?;
        Ok(site)
    }

    /// The same before it knows any TPP.
    pub(super) fn found(
        common: &BenchCommon,
        kind: KeyKind,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        Self::with(common, kind, around, |bank, mark| {
            Home::of(common, bank, mark, around)
        })
    }

    /// A bank whose ledger is to be filled: it is made, under the name that was given, and stays if it is kept.
    pub(super) fn to_fill(common: &BenchCommon, around: &Surroundings) -> Result<Self, Failure> {
        Self::with(common, KeyKind::P256, around, |bank, _| {
            Home::to_fill(common, bank, around)
        })
    }

    fn with(
        common: &BenchCommon,
        kind: KeyKind,
        around: &Surroundings,
        home: impl FnOnce(&Path, &str) -> Result<Home, Failure>,
    ) -> Result<Self, Failure> {
        let mark = *(around.random)()?
            .first_chunk()
            .expect("more octets than a mark has");
        let name = hex(&mark);
        let root = common.directory.join(format!(".oyez-bench-{name}"));
        fs::create_dir(&root).map_err(|error| Failure::file("make", &root, &error))?;
        // From here on all is removed whatever happens.
        let root = Root(root);
        let directory = root.0.join("bank");
        init::run(
            &Init {
                directory: directory.clone(),
                backend: Backend::Sqlite,
            },
            around,
        )?;
        let site = Self {
            home: home(&directory, &name)?,
            root,
            mark,
            now: around.now,
        };
        if kind != KeyKind::Rsa2048 {
            site.sign_with(kind)?;
        }
        Ok(site)
    }

    /// Works on the bank's ledger, while no server does.
    pub(super) fn in_ledger(
        &self,
        work: impl AsyncFnOnce(&dyn Store, Timestamp) -> Result<(), oyez_store::Error>,
    ) -> Result<(), Failure> {
        drive_alone(async {
            let ledger = self.open(Which::Measured).await?;
            let done = work(&*ledger.store(), self.timestamp()).await;
            ledger.close().await?;
            done.map_err(|error| ledger.place().failure(&error))
        })
    }

    /// Opens a ledger of this bank's, as a server would.
    pub(super) async fn open(&self, which: Which) -> Result<Ledger, Failure> {
        self.home.open(&self.bank(), which).await
    }

    /// Where its ledger is.
    pub(super) fn home(&mut self) -> &mut Home {
        &mut self.home
    }

    /// What a server must be told of it.
    pub(super) fn settings(&self) -> Settings {
        self.home.settings(Which::Measured)
    }

    /// The database's processes, where they are seen.
    pub(super) fn cluster(&self) -> Option<Cluster> {
        self.home.cluster()
    }

    /// Where `oyez serve` runs.
    pub(super) fn bank(&self) -> PathBuf {
        self.root.0.join("bank")
    }

    /// A file of the bank's.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.bank().join(name)
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// When all this began.
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.now.seconds())
    }

    /// What a role says to the internal API.
    pub(super) fn operators_token(&self, role: &str) -> Result<String, Failure> {
        let text = read(&self.file("tokens.secret"))?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let token = lines.find_map(|(name, token)| (name == role).then(|| token.to_owned()));
        token.ok_or_else(|| unexpected(format!("oyez init made no token for a {role}")))
    }

    /// An access token of a TPP (RFC 9068), bound to the certificate.
    pub(super) fn access_tokens(&self, tpps: u64) -> Result<Vec<String>, Failure> {
        let pem = Zeroizing::new(read(&self.file("development/token-signing.key"))?.into_bytes());
        let key = LocalKey::read(pem).map_err(|error| broken("cannot make tokens", &error))?;
        let certificate = self.certificate()?;
        let thumbprint = URL_SAFE_NO_PAD.encode(sha256(&certificate));
        let of = |tpp| {
            let (client_id, jti) = (client_id(tpp), format!("at-{tpp}"));
            let token = AccessToken {
                issuer: TOKEN_ISSUER,
                audience: "https://localhost:8443",
                client_id: client_id.as_str(),
                scope: "accounts payments fundsconfirmations",
                thumbprint: &thumbprint,
                jti: jti.as_bytes(),
                issued_at: self.now,
                holds_for: TOKENS_HOLD_FOR,
            };
            let signed = token.sign(&key);
            signed.map_err(|error| broken("cannot make tokens", &error))
        };
        (0..tpps).map(of).collect()
    }

    /// The TPPs' certificate.
    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, Failure> {
        let path = self.file("development/tpp.crt");
        CertificateDer::from_pem_file(path).map_err(|error| broken("no certificate", &error))
    }

    fn sign_with(&self, kind: KeyKind) -> Result<(), Failure> {
        let path = self.file("keys");
        fs::remove_dir_all(&path).map_err(|error| Failure::file("replace", &path, &error))?;
        KeyDirectory::at(path).add(kind, None, self.now, |manifest, entry| {
            manifest.keys.push(entry);
            Ok(())
        })
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The n-th TPP.
pub(super) fn client_id(tpp: u64) -> ClientId {
    ClientId::new(format!("bench-{tpp}")).expect("letters and digits are a client_id")
}

/// The n-th TPP that is not measured: its events wait.
pub(super) fn waiting_client_id(tpp: u64) -> ClientId {
    ClientId::new(format!("waiting-{tpp}")).expect("letters and digits are a client_id")
}

/// TPPs that want everything, each at its address; without one, by polling. One that a former run knew has nothing outstanding
/// afterwards.
pub(super) async fn register(
    ledger: &dyn Store,
    tpps: impl Iterator<Item = (ClientId, Option<String>)>,
    now: Timestamp,
) -> Result<(), oyez_store::Error> {
    for (client_id, callback_url) in tpps {
        let wish = Wish::Subscription(SubscriptionWish {
            callback_url,
            version: "4.0".parse().expect("4.0 is a version"),
            event_types: None,
        });
        let id = RegistrationId::new(format!("s-{client_id}"));
        let id = id.expect("letters and digits are an id");
        let made = ledger
            .register_tpp(Actor::System, client_id.clone(), profile(&client_id), now)
            .await?;
        if made.is_some() {
            let registered = ledger.create_registration(client_id, id, wish, ApiVersion::V4_0, now);
            registered.await?.expect("a new TPP has no registration");
        } else {
            clear(ledger, &client_id, now).await?;
            let target = Target {
                kind: Kind::Subscription,
                id,
                api: ApiVersion::V4_0,
            };
            let replaced = ledger.replace_registration(client_id, target, wish, now);
            replaced.await?.expect("it was registered so");
        }
    }
    Ok(())
}

/// Takes back what a former run left outstanding.
async fn clear(
    ledger: &dyn Store,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<(), oyez_store::Error> {
    loop {
        let filter = EventFilter {
            client_id: Some(client_id.clone()),
            state: Some(StateFilter::Outstanding),
            ..EventFilter::default()
        };
        let found = ledger.list_events(filter, None, CLEARED_AT_ONCE).await?;
        if found.rows.is_empty() {
            return Ok(());
        }
        let jtis = found.rows.iter().map(|event| event.jti).collect();
        ledger
            .withdraw(Actor::System, client_id.clone(), jtis, now)
            .await?;
    }
}

fn profile(client_id: &ClientId) -> Profile {
    Profile {
        name: format!("Bench {client_id}"),
        org_id: "DEVELOPMENT-ONLY-TPP".to_owned(),
        software_id: format!("software-{client_id}"),
        keys: KeySource::JwksUrl("https://localhost/jwks".to_owned()),
        scopes: Vec::new(),
        overrides: Overrides::default(),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}

/// As many as a list has at most.
const CLEARED_AT_ONCE: u32 = 1_000;

/// Longer than any run.
const TOKENS_HOLD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
