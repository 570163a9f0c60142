//! The bank that is measured: a directory as `oyez init` makes it, with as many TPPs as the load needs, each subscribed to
//! everything. They share the development certificate; their tokens differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::actor::Actor;
use oyez_domain::ids::{ClientId, RegistrationId};
use oyez_domain::ledger::registering::Wish;
use oyez_domain::registration::SubscriptionWish;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{KeySource, Overrides, Profile};
use oyez_domain::version::ApiVersion;
use oyez_jose::{KeyKind, LocalKey, UnixTime, Zeroizing, sha256};
use oyez_store::Store as _;
use oyez_store::sqlite::Ledger;
use oyez_web::internal::operators::hex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{broken, unexpected};
use crate::args::{Backend, BenchCommon, Init};
use crate::commands::{Surroundings, init};
use crate::development::TOKEN_ISSUER;
use crate::development::access_token::AccessToken;
use crate::failure::Failure;
use crate::key_directory::KeyDirectory;
use crate::ledger;

/// A bank's directory. Dropped, it is removed.
pub(super) struct Site {
    root: PathBuf,
    now: UnixTime,
}

impl Site {
    /// A bank that signs with a key of this kind and knows so many TPPs, which poll.
    pub(super) fn make(
        common: &BenchCommon,
        kind: KeyKind,
        tpps: u64,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let site = Self::found(common, kind, around)?;
        site.in_ledger(async |ledger, now| register(ledger, (0..tpps).map(|_| None), now).await)?;
        Ok(site)
    }

    /// The same before it knows any TPP.
    pub(super) fn found(
        common: &BenchCommon,
        kind: KeyKind,
        around: &Surroundings,
    ) -> Result<Self, Failure> {
        let name = format!(".oyez-bench-{}", hex(&(around.random)()?[..4]));
        let root = common.directory.join(name);
        fs::create_dir(&root).map_err(|error| Failure::file("make", &root, &error))?;
        // From here on it is removed whatever happens.
        let site = Self {
            root,
            now: around.now,
        };
        let directory = site.bank();
        let args = Init {
            directory,
            backend: Backend::Sqlite,
        };
        init::run(&args, around)?;
        if kind != KeyKind::Rsa2048 {
            site.sign_with(kind)?;
        }
        Ok(site)
    }

    /// Works on the bank's ledger, while no server does.
    pub(super) fn in_ledger(
        &self,
        work: impl AsyncFnOnce(&Ledger, Timestamp) -> Result<(), oyez_store::Error>,
    ) -> Result<(), Failure> {
        let now = self.timestamp();
        ledger::work(&self.file("oyez.db"), Rules::default(), async |ledger| {
            work(ledger, now).await
        })
    }

    /// Where `oyez serve` runs.
    pub(super) fn bank(&self) -> PathBuf {
        self.root.join("bank")
    }

    /// A file of the bank's.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.bank().join(name)
    }

    /// The path of another ledger, which no server uses, on the same disk and with the same TPPs.
    pub(super) fn other_ledger(&self) -> PathBuf {
        self.root.join("alone.db")
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

impl Drop for Site {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).ok();
    }
}

/// The n-th TPP.
pub(super) fn client_id(tpp: u64) -> ClientId {
    ClientId::new(format!("bench-{tpp}")).expect("letters and digits are a client_id")
}

/// TPPs that want everything, each at its address; without one, by polling.
pub(super) async fn register(
    ledger: &Ledger,
    callback_urls: impl Iterator<Item = Option<String>>,
    now: Timestamp,
) -> Result<(), oyez_store::Error> {
    for (tpp, callback_url) in (0..).zip(callback_urls) {
        let profile = Profile {
            name: format!("Bench {tpp}"),
            org_id: "DEVELOPMENT-ONLY-TPP".to_owned(),
            software_id: format!("software-{tpp}"),
            keys: KeySource::JwksUrl("https://localhost/jwks".to_owned()),
            scopes: Vec::new(),
            overrides: Overrides::default(),
        };
        ledger
            .register_tpp(Actor::System, client_id(tpp), profile, now)
            .await?;
        let wish = Wish::Subscription(SubscriptionWish {
            callback_url,
            version: "4.0".parse().expect("4.0 is a version"),
            event_types: None,
        });
        let id = RegistrationId::new(format!("s-{tpp}")).expect("letters and digits are an id");
        let registered =
            ledger.create_registration(client_id(tpp), id, wish, ApiVersion::V4_0, now);
        registered.await?.expect("a new TPP has no registration");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}

/// Longer than any run.
const TOKENS_HOLD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
