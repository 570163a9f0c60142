//! The world: a bank that is served as `oyez serve` does it, the toy, and everybody who calls them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use oyez_domain::time::Clock;
use oyez_jose::{Jwks, KeyKind, LocalKey};
use oyez_tpp::Random;
use oyez_web::listener::{Bounds, ClientCertificate, Listener, Tls};
use oyez_web::metrics::Connections;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cast::{ACME, BOLT, EVERYBODY, Method, Person, STRANGER};
use super::desk::Desk;
use super::inbox::Inbox;
use super::player::{Player, Where};
use super::premises::{Addresses, Premises};
use super::toy::{self, Client, Proof, Toy};
use super::why::Why;
use crate::clock::SystemClock;
use crate::commands::{Surroundings, directory_of};
use crate::config::{Config, Variables};
use crate::failure::Failure;
use crate::serve::{self, Door, Doors, Ends, Roles, Server};

/// Everything there is, ready to live.
pub(super) struct World {
    premises: Premises,
    server: Server,
    /// Everybody else's servers: the toy, and the TPPs' endpoints.
    others: [(Listener, Router); 2],
    tasks: TaskTracker,
    scene: Scene,
}

/// What whoever plays gets to see of the world.
pub(super) struct Scene {
    pub(super) desk: Desk,
    pub(super) acme: Player,
    pub(super) bolt: Player,
    pub(super) stranger: Player,
    /// Whom the bank is to know, and by which keys.
    pub(super) registrations: [(Person, Jwks); 2],
    /// Where the TPPs are pushed to.
    pub(super) inbox: Inbox,
    pub(super) addresses: Addresses,
    pub(super) directory: PathBuf,
}

/// Which ports to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// Any that are free.
    Free,
    /// Those that `oyez serve` takes, as far as they are free.
    WellKnown,
}

impl World {
    pub(super) async fn build(around: &Surroundings, ports: Ports) -> Result<Self, Failure> {
        // Nobody else is on this thread yet.
        let premises = block_in_place(|| Premises::make(around))?;
        let (tpp, internal, toy, inbox) = (
            door(ports, TPP_PORT).await?,
            door(ports, INTERNAL_PORT).await?,
            door(ports, TOY_PORT).await?,
            door(ports, INBOX_PORT).await?,
        );
        let addresses = Addresses {
            tpp: tpp.address,
            internal: internal.address,
            toy: toy.address,
            inbox: inbox.address,
        };
        let (path, text) = premises.configure(&addresses)?;
        for person in [ACME, BOLT] {
            premises.configure_tpp(person, &addresses)?;
        }
        let none = Variables::default();
        let config = Config::read(&text, directory_of(&path), &none).map_err(|faults| {
            let file = path.display().to_string();
            Failure::Configuration { file, faults }
        })?;
        let tasks = TaskTracker::new();
        let random = random(around)?;
        let doors = Doors {
            tpp: Some(tpp),
            internal: Some(internal),
        };
        let scene = scene(&premises, addresses, &random, &tasks)?;
        let the_toy = Arc::new(toy_of(&premises, &scene.addresses, around.random)?);
        let others = [
            (listener(&premises, toy)?, toy::router(the_toy)),
            (listener(&premises, inbox)?, scene.inbox.router()),
        ];
        Ok(Self {
            server: serve::build(&config, Roles::ALL, doors, around.random).await?,
            scene,
            premises,
            others,
            tasks,
        })
    }

    /// Lets it live while `play` plays. When that is over everything is stopped in good order, and removed.
    pub(super) async fn live<T>(
        self,
        play: impl AsyncFnOnce(Scene) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let stop = CancellationToken::new();
        let serving = async {
            let word = Ends::Word(stop.clone());
            let ended = Box::pin(self.server.run(word, DEADLINE)).await;
            stop.cancel();
            ended
        };
        let [toy, inbox] = self.others.map(|(listener, router)| {
            Box::pin(listener.serve(router, stop.clone(), self.tasks.clone()))
        });
        let playing = async {
            let died = || Failure::cut_off("the bank's server ended too soon", "report this");
            let played = tokio::select! {
                played = Box::pin(play(self.scene)) => played,
                () = stop.cancelled() => Err(died()),
            };
            stop.cancel();
            played
        };
        let (served, (), (), played) = tokio::join!(serving, toy, inbox, playing);
        drop(self.premises);
        served.and(played)
    }
}

async fn door(ports: Ports, known: u16) -> Result<Door, Failure> {
    if ports == Ports::WellKnown
        && let Ok(door) = Door::at(SocketAddr::from((Ipv4Addr::LOCALHOST, known))).await
    {
        return Ok(door);
    }
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Door::at(free).await.map_err(|error| {
        let mend = "see the reason; the demonstration needs four ports of 127.0.0.1";
        Failure::environment("cannot listen on any port", mend).because(&error)
    })
}

/// Chance was there a moment ago and is not taken away from a running system.
fn random(around: &Surroundings) -> Result<Random, Failure> {
    let chance = around.random;
    chance()?;
    Ok(Random::new(move || sixteen(chance)))
}

fn sixteen(chance: fn() -> Result<[u8; 32], Failure>) -> [u8; 16] {
    let bytes = chance().expect("the system had random numbers a moment ago");
    let (first, _) = bytes
        .split_first_chunk()
        .expect("32 bytes have 16 first ones");
    *first
}

fn toy_of(
    premises: &Premises,
    addresses: &Addresses,
    chance: fn() -> Result<[u8; 32], Failure>,
) -> Result<Toy, Failure> {
    let clients: Result<Vec<_>, Why> = EVERYBODY
        .into_iter()
        .map(|person| {
            let client_id = person.client_id.to_owned();
            let proof = proof(premises, person)?;
            Ok(Client { client_id, proof })
        })
        .collect();
    let clients = clients
        .map_err(|Why(why)| Failure::environment("cannot set up the token endpoint", why))?;
    Ok(Toy {
        url: format!("https://{}", addresses.toy),
        audience: format!("https://{}", addresses.tpp),
        key: LocalKey::generate(KeyKind::P256).map_err(|error| unusable(&error))?,
        clients,
        clock: Arc::new(SystemClock),
        chance: Box::new(move || sixteen(chance)),
    })
}

/// A server that is not the bank's. It asks for a client certificate and does not insist.
fn listener(premises: &Premises, door: Door) -> Result<Listener, Failure> {
    let server = &premises.server;
    let tls = Tls::from_pem(
        server.certificate.as_bytes(),
        server.key.as_bytes(),
        Some(premises.authority.as_bytes()),
        Arc::new(SystemClock) as Arc<dyn Clock>,
    );
    let tls = tls.map_err(|error| unusable(&error))?;
    Ok(Listener {
        socket: door.into_socket(),
        tls: Some(watch::channel(Arc::new(tls)).1),
        gateway: None,
        bounds: Bounds::default(),
        connections: Connections::default(),
    })
}

fn unusable(error: &dyn std::error::Error) -> Failure {
    let what = "the keys and certificates just made cannot be used";
    Failure::environment(what, "report this").because(error)
}

fn proof(premises: &Premises, person: Person) -> Result<Proof, Why> {
    Ok(match person.method {
        Method::PrivateKeyJwt => Proof::PrivateKeyJwt(premises.keys_of(person)),
        Method::TlsClientAuth => {
            let pem = &premises.locker(person).certificate.certificate;
            let der = CertificateDer::from_pem_slice(pem.as_bytes())?;
            let certificate = ClientCertificate::from_der(&der)?;
            Proof::TlsClientAuth {
                subject: certificate.subject,
            }
        }
    })
}

fn scene(
    premises: &Premises,
    addresses: Addresses,
    random: &Random,
    tasks: &TaskTracker,
) -> Result<Scene, Failure> {
    let (bank, tokens) = (
        format!("https://{}", addresses.tpp),
        format!("https://{}/token", addresses.toy),
    );
    let at = Where {
        bank: &bank,
        tokens: &tokens,
    };
    let player = |person| {
        Player::new(person, premises, &at, random)
            .map_err(|Why(why)| Failure::environment("cannot set up a TPP", why))
    };
    let (acme, bolt) = (player(ACME)?, player(BOLT)?);
    Ok(Scene {
        desk: Desk::new(&format!("http://{}", addresses.internal), premises, tasks)?,
        inbox: Inbox::new(addresses.inbox, &[&acme, &bolt]),
        acme,
        bolt,
        stranger: player(STRANGER)?,
        directory: premises.directory.path().to_owned(),
        registrations: [ACME, BOLT].map(|person| (person, premises.keys_of(person))),
        addresses,
    })
}

/// As `oyez serve` has it, and beside it.
const TPP_PORT: u16 = 8443;
const INTERNAL_PORT: u16 = 8081;
const TOY_PORT: u16 = 8444;
const INBOX_PORT: u16 = 8445;
/// What is under way at the end is answered at once, or is of no interest any more.
const DEADLINE: Duration = Duration::from_secs(5);
