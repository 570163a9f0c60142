//! An axum application that a bank pushes to: the library's receiver is one of its routes.
//!
//! It plays Bolt of `oyez demo`. While that runs:
//!
//! ```console
//! $ cargo run -p oyez-tpp --example receive -- /tmp/oyez-demo-… https://127.0.0.1:8443
//! $ oyez subscription update -c /tmp/oyez-demo-…/bolt.toml \
//!     --callback-url https://127.0.0.1:8447/open-banking/v4.0/event-notifications
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oyez_tpp::domain::time::{Clock, Timestamp};
use oyez_tpp::{
    AGE_MAX, BankKeys, Declined, Freshness, Identity, Intake, KeyServer, Limits, Notification,
    Pusher, Random, Receiver, ReceiverSetup, SetVerifier, SqliteSeen, Tls, Transport, each,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(directory), Some(bank)) = (words.next(), words.next()) else {
        return Err("usage: receive DIRECTORY-OF-THE-DEMO URL-OF-ITS-BANK [ADDRESS]".into());
    };
    let address = words.next().unwrap_or("127.0.0.1:8447".to_owned());
    let directory = PathBuf::from(directory);
    let application = Router::new()
        .route("/", get(async || "Bolt"))
        .route_service(
            "/open-banking/{version}/event-notifications",
            receiver(&directory, &bank)?,
        );
    serve(&address, tls(&directory)?, application).await
}

/// Believes one bank, and hands over what it says.
fn receiver(directory: &Path, bank: &str) -> Result<Receiver, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let anchors = std::fs::read(directory.join("ca.crt"))?;
    let tls = Tls {
        anchors: &anchors,
        certificate: None,
    };
    let keys = BankKeys::fetched(KeyServer {
        url: format!("{bank}/jwks").into(),
        transport: Transport::new(tls, Limits::default(), Arc::clone(&clock))?,
        freshness: Freshness::default(),
        clock: Arc::clone(&clock),
    });
    let identity = Identity {
        org_id: "DEMO-ONLY-BANK".into(),
        trust_anchors: vec!["openbanking.org.uk".into()],
        set_issuer: "https://bank.example/DEMO-ONLY".into(),
    };
    let verifier = SetVerifier::new(&identity, "bolt", Arc::default(), keys, Arc::clone(&clock));
    let seen = SqliteSeen::open(&directory.join("example.db"), AGE_MAX)?;
    Ok(Receiver::new(ReceiverSetup {
        banks: vec![Pusher {
            name: "demo".into(),
            verifier,
        }],
        intake: Intake::new(Arc::new(seen), Arc::new(each(take)), Arc::clone(&clock)),
        body_time_max: Duration::from_secs(5),
        retry_after: Duration::from_secs(5),
        clock,
        random: Random::new(sixteen),
        observer: None,
    }))
}

/// The application. Here it would write to its database: once this is `Ok`, the bank may forget the event.
async fn take(notification: Notification) -> Result<(), Declined> {
    let claims = &notification.claims;
    println!("{}: {} of {}", claims.toe, claims.jti, claims.sub);
    for event in &claims.events {
        println!("    {}", event.urn.0);
    }
    Ok(())
}

fn tls(directory: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = std::fs::read(directory.join("server.crt"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let key = PrivateKeyDer::from_pem_slice(&std::fs::read(directory.join("server.key"))?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain?, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A server of a few lines. A real one bounds how many connections there are, and how long they say nothing.
async fn serve(address: &str, tls: TlsAcceptor, application: Router) -> Result<(), Box<dyn Error>> {
    let socket = TcpListener::bind(address).await?;
    println!("listening on https://{}", socket.local_addr()?);
    let connections = TaskTracker::new();
    loop {
        let (tcp, _) = socket.accept().await?;
        let (tls, application) = (tls.clone(), application.clone());
        drop(connections.spawn(async move {
            let Ok(stream) = tls.accept(tcp).await else {
                return;
            };
            let service = service_fn(move |request| application.clone().call(request));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Whoever hangs up has nothing to be told.
            serving.await.ok();
        }));
    }
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "somebody must know the time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

fn sixteen() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
