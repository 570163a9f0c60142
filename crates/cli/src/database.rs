//! The PostgreSQL that a configuration names: where it is, as whom it is asked, and who is believed to be it.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use oyez_outbound::{Anchors, DefaultTimeProvider, Identity, Tls, TlsError};
use oyez_store::postgres::{Options, Secure, Secured, Server, Wire};

use crate::config::{DatabaseTls, Store};
use crate::failure::Failure;
use crate::files;
use crate::ledger::Place;

/// A database, and how this process works with it.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) options: Options,
    pub(crate) place: Place,
}

impl Database {
    /// Reads the files that the section names; nobody is dialled.
    pub(crate) fn of(store: &Store) -> Result<Self, Failure> {
        let url = store
            .url
            .as_ref()
            .expect("a configuration that is whole names the URL of its database");
        let password = store.password.as_ref().map(files::secret).transpose()?;
        let server = |url: &str| -> Result<Server, Failure> {
            let mut server =
                Server::parse(url).expect("a configuration holds no URL that cannot be read");
            if let Some(password) = &password {
                server = server.password(password.as_bytes());
            }
            if store.tls == DatabaseTls::VerifyFull && server.is_remote() {
                server = server.secured_by(Arc::new(ByCertificate(tls(store)?)));
            }
            Ok(server)
        };
        let mut whole = server(url.as_ref())?;
        if let Some(listening) = &store.listen_url {
            whole = whole.listening_at(server(listening.as_ref())?);
        }
        if let Some(replica) = &store.replica_url {
            whole = whole.read_at(server(replica.as_ref())?);
        }
        Ok(Self {
            place: Place::Database(whole.shown()),
            server: whole,
            options: Options {
                sessions: usize::try_from(store.sessions).unwrap_or(usize::MAX),
                statement_time_max: store.statement_timeout,
                kept_longer_max: store.retention_slack,
                ..Options::default()
            },
        })
    }
}

/// Believes whoever has a certificate of the host's name.
struct ByCertificate(Tls);

impl Secure for ByCertificate {
    fn secure(&self, host: &str, wire: Wire) -> Pin<Box<dyn Future<Output = Secured> + Send>> {
        let (tls, host) = (self.0.clone(), host.to_owned());
        Box::pin(async move { Ok(Box::new(tls.secure(&host, wire).await?) as _) })
    }
}

fn tls(store: &Store) -> Result<Tls, Failure> {
    let anchors = match &store.trust_anchors {
        Some(path) => {
            Anchors::from_pem(&files::bytes(path)?).map_err(|error| useless(path, &error))?
        }
        None => Anchors::from_system().map_err(|error| {
            let mend = "set [store] trust_anchors";
            Failure::environment("nobody would be believed to be the database", mend)
                .because(&error)
        })?,
    };
    let identity = match (&store.certificate, &store.key) {
        (Some(certificate), Some(key)) => {
            let (chain, secret) = (files::bytes(certificate)?, files::secret_bytes(key)?);
            let identity = Identity::from_pem(&chain, &secret);
            Some(identity.map_err(|error| useless(certificate, &error))?)
        }
        _ => None,
    };
    Tls::new(&anchors, identity, Arc::new(DefaultTimeProvider)).map_err(|error| {
        let mend = "check [store] certificate and key";
        Failure::environment(
            "the client certificate for the database cannot be used",
            mend,
        )
        .because(&error)
    })
}

fn useless(path: &Path, error: &TlsError) -> Failure {
    let what = format!("{} cannot be used for TLS", path.display());
    Failure::environment(what, "check the file that [store] names").because(error)
}
