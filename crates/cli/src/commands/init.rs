//! `oyez init`: a directory to start from. It is built beside its place and moved there when it is whole, so that a failure
//! leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use oyez_domain::actor::Actor;
use oyez_domain::ids::ClientId;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{KeySource, Overrides, Profile};
use oyez_jose::{Jwk, Jwks, KeyKind, LocalKey};
use oyez_store::Store as _;
use oyez_web::internal::operators::{Operator, Role, hex};
use serde_json::json;

use super::Surroundings;
use crate::args::Init;
use crate::config::{self, Backend};
use crate::development::{
    Authority, CLIENT_ID, Identity, Keys, TOKEN_ISSUER, TOKEN_KEY, TPP_KEY, TPP_ORG_ID,
    TPP_SOFTWARE_ID,
};
use crate::durable::{sync_directory_of, write_public, write_secret};
use crate::failure::Failure;
use crate::key_directory::KeyDirectory;
use crate::ledger;
use crate::output::{Reply, Table};
use crate::shell_word::shell_word;

/// Makes the directory.
pub(crate) fn run(args: &Init, around: &Surroundings) -> Result<Reply, Failure> {
    let target = &args.directory;
    refuse_occupied(target)?;
    let site = Site::beside(target, &hex(&(around.random)()?[..4]))?;
    site.write_config(args.backend)?;
    site.write_bank_key(around)?;
    site.write_tokens(around)?;
    let tpp_keys = site.write_development_identities(around)?;
    let ledger = match args.backend {
        Backend::Sqlite => {
            site.write_ledger(&tpp_keys, around)?;
            LEDGER
        }
        Backend::Postgres => {
            site.write_database(around)?;
            DATABASE
        }
    };
    site.move_to(target)?;
    let all: Vec<_> = MADE.iter().chain(ledger).collect();
    let mut table = Table::new(&["MADE", "WHAT IT IS"]);
    for (name, what) in &all {
        table.row(vec![
            target.join(name).display().to_string(),
            (*what).to_owned(),
        ]);
    }
    let made: Vec<_> = all.iter().map(|(name, _)| target.join(name)).collect();
    let config = target.join(CONFIG);
    let reply = Reply::new(
        table.render(),
        json!({ "config": config, "client_id": CLIENT_ID, "made": made }),
    )
    .remark("Everything here is for development only: keys and tokens lie open in one directory.")
    .remark(format!(
        "Hand out {} and delete it: only hashes are kept.",
        target.join(TOKENS_SHOWN).display()
    ));
    let named = shell_word(&config);
    let serve = format!("oyez check -c {named} && oyez serve -c {named}");
    Ok(match args.backend {
        Backend::Sqlite => reply.remark(format!("Next: {serve}")),
        Backend::Postgres => reply
            .remark(format!(
                "Next, as a superuser of the database: psql -f {}",
                shell_word(&target.join(STATEMENTS))
            ))
            .remark(format!(
                "Then: oyez migrate -c {named} && {serve}"
            ))
            .remark(format!(
                "Then make the TPP known: oyez tpps register {CLIENT_ID} --name 'DEVELOPMENT ONLY' --org-id {TPP_ORG_ID} \
                 --software-id {TPP_SOFTWARE_ID} --jwks {} -c {named}, with the operator's token in OYEZ_TOKEN",
                shell_word(&target.join("development/tpp.jwks"))
            )),
    })
}

/// Only a place that is free is built on.
fn refuse_occupied(target: &Path) -> Result<(), Failure> {
    let mend = "name a directory that does not exist yet";
    let occupied = |what: &str| {
        Err(Failure::environment(
            format!("{} {what}", target.display()),
            mend,
        ))
    };
    if target.file_name().is_none() {
        return occupied("is no name for a new directory");
    }
    match fs::read_dir(target).map(Iterator::count) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("look into", target, &error)),
        Ok(1..) => occupied("is not empty"),
        Ok(_) if is_current(target) => occupied("is the directory you are in"),
        Ok(_) => Ok(()),
    }
}

/// The current directory cannot be replaced under the shell that stands in it.
fn is_current(target: &Path) -> bool {
    let here = fs::canonicalize(".");
    here.is_ok_and(|here| fs::canonicalize(target).is_ok_and(|target| target == here))
}

/// The directory while it is built. Dropped before it was moved, it is removed.
struct Site {
    path: PathBuf,
}

impl Site {
    fn beside(target: &Path, unique: &str) -> Result<Self, Failure> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{unique}"));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::file("make", target, &error))?;
        Ok(Self { path })
    }

    fn write_config(&self, backend: Backend) -> Result<(), Failure> {
        let token_issuer = format!("\"{TOKEN_ISSUER}\"");
        let mut set = BTreeMap::from([
            ("bank.issuer", "\"https://localhost:8443\""),
            ("bank.org_id", "\"DEVELOPMENT-ONLY-BANK\""),
            ("bank.base_url", "\"https://localhost:8443\""),
            ("listener.certificate", "\"development/server.crt\""),
            ("listener.key", "\"development/server.key\""),
            ("listener.client_anchors", "\"development/ca.crt\""),
            ("tokens.issuer", token_issuer.as_str()),
            ("tokens.audiences", "[\"https://localhost:8443\"]"),
            ("tokens.jwks", "\"development/tokens.jwks\""),
            ("internal.tokens_file", "\"tokens\""),
        ]);
        if backend == Backend::Postgres {
            set.extend([
                ("store.backend", "\"postgres\""),
                ("store.url", "\"postgresql://oyez@localhost/oyez\""),
                ("store.password_file", "\"store.password\""),
                // To another machine it is asked for.
                ("store.tls", "\"off\""),
            ]);
        }
        write_public(&self.path.join(CONFIG), config::render(&set).as_bytes())
    }

    /// A password for the database's user, and the statements that make both.
    fn write_database(&self, around: &Surroundings) -> Result<(), Failure> {
        let password = hex(&(around.random)()?);
        write_secret(
            &self.path.join("store.password"),
            format!("{password}\n").as_bytes(),
        )?;
        let statements = format!(
            "-- Once, as a superuser of the database. The password stands in store.password, too.\n\
             CREATE ROLE oyez LOGIN PASSWORD '{password}';\n\
             CREATE DATABASE oyez OWNER oyez ENCODING 'UTF8' TEMPLATE template0;\n"
        );
        write_secret(&self.path.join(STATEMENTS), statements.as_bytes())
    }

    fn write_bank_key(&self, around: &Surroundings) -> Result<(), Failure> {
        let keys = KeyDirectory::at(self.path.join("keys"));
        keys.add(KeyKind::Rsa2048, None, around.now, |manifest, entry| {
            manifest.keys.push(entry);
            Ok(())
        })
    }

    /// A token per role: shown in one file, kept as hashes in the other.
    fn write_tokens(&self, around: &Surroundings) -> Result<(), Failure> {
        let mut shown = String::from(
            "# Hand these out, then delete this file: oyez keeps only their hashes.\n",
        );
        let mut kept = String::from("# name role SHA-256-of-the-token\n");
        for role in Role::ALL {
            let token = format!("oyez_{}", hex(&(around.random)()?));
            shown.push_str(&format!("{} {token}\n", role.name()));
            kept.push_str(&format!("{}\n", Operator::new(role.name(), role, &token)));
        }
        write_secret(&self.path.join(TOKENS_SHOWN), shown.as_bytes())?;
        write_secret(&self.path.join("tokens"), kept.as_bytes())
    }

    /// Certificates for this machine, and the TPP's signing key; its public half is returned.
    fn write_development_identities(&self, around: &Surroundings) -> Result<Jwks, Failure> {
        let directory = self.path.join("development");
        let made = fs::create_dir(&directory);
        made.map_err(|error| Failure::file("make", &directory, &error))?;
        let identities = || {
            let authority = Authority::new(Keys::Rsa, around.now)?;
            let (server, client) = (authority.server()?, authority.client(CLIENT_ID)?);
            Ok([
                ("ca", authority.identity()),
                ("server", server),
                ("tpp", client),
            ])
        };
        let identities: [(&str, Identity); 3] =
            identities().map_err(|error: rcgen::Error| no_key(&error))?;
        for (name, identity) in identities {
            write_public(
                &directory.join(format!("{name}.crt")),
                identity.certificate.as_bytes(),
            )?;
            write_secret(
                &directory.join(format!("{name}.key")),
                identity.key.as_bytes(),
            )?;
        }
        write_key_pair(&directory, TOKEN_KEY, "tokens.jwks")?;
        write_key_pair(&directory, TPP_KEY, "tpp.jwks")
    }

    /// A fresh ledger that knows the TPP.
    fn write_ledger(&self, keys: &Jwks, around: &Surroundings) -> Result<(), Failure> {
        let profile = Profile {
            name: "DEVELOPMENT ONLY".to_owned(),
            org_id: TPP_ORG_ID.to_owned(),
            software_id: TPP_SOFTWARE_ID.to_owned(),
            keys: KeySource::Jwks(keys.to_json()),
            scopes: Vec::new(),
            overrides: Overrides::default(),
        };
        let client_id = ClientId::new(CLIENT_ID).expect("a short text of letters is a client_id");
        let now = Timestamp::from_unix_seconds(around.now.seconds());
        let actor = Actor::Operator("oyez init".to_owned());
        ledger::work(
            &self.path.join("oyez.db"),
            Rules::default(),
            async |ledger| ledger.register_tpp(actor, client_id, profile, now).await,
        )?;
        Ok(())
    }

    fn move_to(self, target: &Path) -> Result<(), Failure> {
        let moved = fs::rename(&self.path, target).and_then(|()| sync_directory_of(target));
        moved.map_err(|error| Failure::file("move the finished directory to", target, &error))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // After the move there is nothing by that name.
        fs::remove_dir_all(&self.path).ok();
    }
}

/// A signing key, and its public half as a set.
fn write_key_pair(directory: &Path, private: &str, public: &str) -> Result<Jwks, Failure> {
    let signing = LocalKey::generate(KeyKind::Rsa2048).map_err(|error| no_key(&error))?;
    let pem = signing.to_pkcs8_pem().map_err(|error| no_key(&error))?;
    write_secret(&directory.join(private), pem.as_bytes())?;
    let key = signing.public_key();
    let jwks: Jwks = std::iter::once(Jwk::new(key.thumbprint(), key.clone())).collect();
    write_public(&directory.join(public), jwks.to_json().as_bytes())?;
    Ok(jwks)
}

fn no_key(error: &dyn std::error::Error) -> Failure {
    Failure::environment("cannot make a key or certificate", "try again").because(error)
}

const CONFIG: &str = "oyez.toml";
const TOKENS_SHOWN: &str = "tokens.secret";
const STATEMENTS: &str = "database.sql";

/// What stands in the directory afterwards.
const MADE: [(&str, &str); 14] = [
    (CONFIG, "the configuration: every key, with what it means"),
    ("keys", "the bank's signing key and its manifest"),
    (
        TOKENS_SHOWN,
        "tokens for the internal API, one per role, shown this once",
    ),
    ("tokens", "their hashes"),
    (
        "development/ca.crt",
        "an authority that only this machine should trust",
    ),
    ("development/ca.key", "its key"),
    (
        "development/server.crt",
        "a server's certificate for localhost",
    ),
    ("development/server.key", "its key"),
    ("development/tpp.crt", "the TPP's client certificate"),
    ("development/tpp.key", "its key"),
    (
        "development/tpp-signing.key",
        "what the TPP signs its requests with",
    ),
    ("development/tpp.jwks", "its public key set"),
    (
        "development/token-signing.key",
        "what a toy authorisation server signs access tokens with",
    ),
    (
        "development/tokens.jwks",
        "its public key set, which tokens are checked with",
    ),
];

/// And with the embedded backend.
const LEDGER: &[(&str, &str)] = &[("oyez.db", "a ledger that knows one TPP, development-tpp")];

/// And with PostgreSQL.
const DATABASE: &[(&str, &str)] = &[
    (
        STATEMENTS,
        "the statements that make the database and its user",
    ),
    ("store.password", "the password of that user"),
];
