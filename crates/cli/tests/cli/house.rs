//! A bank of the real binary, with TPPs of the testkit before its door: what happens to the process, happens to a process.
//!
//! Its authority, its authorisation server and its TPPs are the testkit's, so that callers can say anything; its keys, its
//! ledger and its staff's tokens are as `oyez init` made them. The log goes to a file, which a failing test shows.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use oyez_domain::time::Timestamp;
use oyez_testkit::certificates::Authority;
use oyez_testkit::clock::ManualClock;
use oyez_testkit::colleague::Colleague;
use oyez_testkit::endpoint::Endpoint;
use oyez_testkit::postgres::Database;
use oyez_testkit::tokens::{AUDIENCE, AuthorisationServer, ISSUER};
use oyez_testkit::tpp::{Caller, Site};
use serde_json::{Value, json};

use super::bank::Desk;

/// A bank, and its server if that runs.
pub(crate) struct House {
    desk: Desk,
    site: Arc<Site>,
    variables: Vec<(String, String)>,
    /// What the server's shell runs in.
    world: &'static [&'static str],
    server: Option<Server>,
    /// Where its internal API is called, if it has several servers.
    internal_at: Option<String>,
    /// Where its ledger lives, if that is not in a file. It goes after the server.
    _database: Option<Database>,
}

/// A process that serves.
pub(crate) struct Server {
    child: Child,
    addresses: Value,
}

impl House {
    /// A fresh bank that serves nobody yet. Each variable replaces a key of its configuration.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let desk = Desk::with_bank();
        let clock = Arc::new(ManualClock::following(now()));
        let (authority, issuer) = (Authority::new("the directory"), AuthorisationServer::new());
        let certified = authority.server(&[]);
        fs::create_dir(desk.path("bank/house")).unwrap();
        for (name, text) in [
            ("server.crt", certified.pem()),
            ("server.key", certified.key_pem()),
            ("ca.crt", authority.pem()),
            ("tokens.jwks", issuer.jwks().to_json()),
        ] {
            let name = format!("bank/house/{name}");
            desk.write(&name, &text);
            fs::set_permissions(desk.path(&name), Permissions::from_mode(0o600)).unwrap();
        }
        let own = [
            ("OYEZ_LISTENER__ADDRESS", "127.0.0.1:0"),
            ("OYEZ_INTERNAL__ADDRESS", "127.0.0.1:0"),
            ("OYEZ_LISTENER__CERTIFICATE", "house/server.crt"),
            ("OYEZ_LISTENER__KEY", "house/server.key"),
            ("OYEZ_LISTENER__CLIENT_ANCHORS", "house/ca.crt"),
            ("OYEZ_TOKENS__ISSUER", ISSUER),
            ("OYEZ_TOKENS__AUDIENCES", AUDIENCE),
            ("OYEZ_TOKENS__JWKS", "house/tokens.jwks"),
            ("OYEZ_LIMITS__REQUESTS_PER_SECOND", "100000"),
            ("OYEZ_OUTBOUND__TRUST_ANCHORS", "house/ca.crt"),
            ("OYEZ_OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8"),
        ];
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            desk,
            site: Arc::new(Site::new(authority, issuer, clock)),
            variables: own.iter().chain(variables).map(text).collect(),
            world: &[],
            server: None,
            internal_at: None,
            _database: None,
        }
    }

    /// The same, with its ledger in PostgreSQL.
    pub(crate) async fn on_postgres(variables: &[(&str, &str)]) -> Self {
        let database = Database::new().await;
        let url = database.url();
        let shared = [
            ("OYEZ_STORE__BACKEND", "postgres"),
            ("OYEZ_STORE__URL", &*url),
            ("OYEZ_STORE__NODE", "house"),
        ];
        let variables: Vec<_> = variables.iter().copied().chain(shared).collect();
        let mut house = Self::new(&variables);
        house._database = Some(database);
        house
    }

    /// The same, in a name space where it may mount what it likes. None where the machine does not let us have one, which is
    /// said.
    #[expect(clippy::print_stderr, reason = "what was left out is for people")]
    pub(crate) fn in_a_world_of_its_own(variables: &[(&str, &str)]) -> Option<Self> {
        let (program, options) = WORLD.split_first()?;
        let may = Command::new(program).args(options).arg("true").status();
        if !may.is_ok_and(|status| status.success()) {
            eprintln!("left out: this machine does not let {WORLD:?} run");
            return None;
        }
        let mut house = Self::new(variables);
        house.world = &WORLD;
        Some(house)
    }

    /// Starts the server, and waits until it may be called.
    pub(crate) fn start(&mut self) {
        self.start_after("");
    }

    /// The same in a shell that does something first, such as limiting what the server may have.
    pub(crate) fn start_after(&mut self, preparation: &str) {
        let server = self.announced(self.spawn(preparation));
        self.site.moved_to(server.address("tpp").parse().unwrap());
        self.server = Some(server);
    }

    /// Another process on the same ledger, with these roles alone.
    pub(crate) fn beside(&self, roles: &str) -> Server {
        let own_name = "export OYEZ_STORE__NODE=beside";
        self.announced(self.spawn_with(own_name, &format!("--roles {roles}")))
    }

    /// The same with all roles, in a shell that does something first.
    pub(crate) fn beside_after(&self, preparation: &str) -> Server {
        self.announced(self.spawn(preparation))
    }

    /// It is called there from now on, whatever servers it has.
    pub(crate) fn is_called_at(&mut self, tpp: SocketAddr, internal: SocketAddr) {
        self.site.moved_to(tpp);
        self.internal_at = Some(internal.to_string());
    }

    fn announced(&self, mut child: Child) -> Server {
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let addresses =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{}", self.log()));
        Server { child, addresses }
    }

    /// A server that nobody waits for.
    pub(crate) fn spawn(&self, preparation: &str) -> Child {
        self.spawn_with(preparation, "")
    }

    fn spawn_with(&self, preparation: &str, options: &str) -> Child {
        let mut log = File::options();
        let log = log.create(true).append(true).open(self.desk.path("log"));
        let mut words = self.world.iter().chain(&["sh"]);
        Command::new(words.next().expect("a shell at least"))
            .args(words)
            .args([
                "-c",
                &format!("{preparation}\nexec \"$0\" serve -c oyez.toml {options}"),
            ])
            .arg(env!("CARGO_BIN_EXE_oyez"))
            .current_dir(self.desk.path("bank"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap()
    }

    /// What a command of `oyez` says beside the configuration, in a shell that does something first.
    pub(crate) fn command(&self, preparation: &str, words: &str) -> String {
        let said = Command::new("sh")
            .args(["-c", &format!("{preparation}\nexec \"$0\" {words}")])
            .arg(env!("CARGO_BIN_EXE_oyez"))
            .current_dir(self.desk.path("bank"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.variables.iter().cloned())
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    /// SIGKILL, now.
    pub(crate) fn kill(&mut self) {
        drop(self.server.take().expect("it runs"));
    }

    /// Stops it in good order, and answers its exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        self.server.take().expect("it runs").stop()
    }

    pub(crate) fn signal(&self, name: &str) {
        self.server().signal(name);
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.server().child.id()
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    pub(crate) fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Host and port of the internal API.
    pub(crate) fn internal(&self) -> &str {
        match &self.internal_at {
            Some(address) => address,
            None => self.server().address("internal"),
        }
    }

    /// Somebody of the bank, by the token of a role.
    pub(crate) fn colleague(&self, role: &str) -> Colleague {
        let token = self.token(role);
        Colleague::at(self.internal().parse().unwrap(), &token)
    }

    /// The same, at another process.
    pub(crate) fn colleague_at(&self, address: &str, role: &str) -> Colleague {
        Colleague::at(address.parse().unwrap(), &self.token(role))
    }

    pub(crate) fn token(&self, role: &str) -> String {
        let tokens = self.desk.read("bank/tokens.secret");
        let mut words = tokens.lines().filter_map(|line| line.split_once(' '));
        let (_, token) = words.find(|(name, _)| *name == role).unwrap();
        token.to_owned()
    }

    /// A TPP that the bank knows from now on.
    pub(crate) async fn tpp(&self, client_id: &str) -> Caller {
        self.tpp_with(client_id, &json!({})).await
    }

    /// The same, treated otherwise than the rest.
    async fn tpp_with(&self, client_id: &str, overrides: &Value) -> Caller {
        let caller = Caller::new(&self.site, client_id);
        let jwks: Value = serde_json::from_str(&caller.jwks().to_json()).unwrap();
        let profile = json!({
            "client_id": client_id, "name": client_id, "org_id": Caller::ORG_ID,
            "software_id": caller.software_id(), "keys": { "jwks": jwks }, "overrides": overrides,
        });
        let registered = self.colleague("admin").post("/v1/tpps", &profile).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        caller
    }

    /// A TPP that the bank knows, subscribed to everything, and polling.
    pub(crate) async fn subscriber(&self, client_id: &str) -> Caller {
        self.subscriber_with(client_id, &json!({})).await
    }

    /// The same, treated otherwise than the rest.
    pub(crate) async fn subscriber_with(&self, client_id: &str, overrides: &Value) -> Caller {
        self.customer(client_id, overrides, "v4.0", "4.0").await
    }

    /// The same, through this version of the API and for this Version.
    pub(crate) async fn customer(
        &self,
        client_id: &str,
        overrides: &Value,
        api: &str,
        version: &str,
    ) -> Caller {
        let caller = self.tpp_with(client_id, overrides).await;
        let wish = json!({ "Version": version });
        subscribe_at(&caller, &SUBSCRIPTIONS.replace("v4.0", api), &wish).await;
        caller
    }

    /// The same, pushed to at this endpoint of its own.
    pub(crate) async fn pushed(
        &self,
        client_id: &str,
        endpoint: &Endpoint,
        overrides: &Value,
    ) -> Caller {
        self.pushed_at(
            client_id,
            &format!("https://{}{NOTIFICATIONS}", endpoint.address()),
            overrides,
        )
        .await
    }

    /// The same, pushed to at this address.
    pub(crate) async fn pushed_at(&self, client_id: &str, url: &str, overrides: &Value) -> Caller {
        let caller = self.tpp_with(client_id, overrides).await;
        subscribe(&caller, &json!({ "CallbackUrl": url, "Version": "4.0" })).await;
        caller
    }

    /// A path of the desk as the server sees it in its world.
    pub(crate) fn seen_by_the_server(&self, name: &str) -> PathBuf {
        let path = self.desk.path(name);
        let path = path.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.process_id())).join(path)
    }

    /// Runs a command in the server's world, beside its configuration; answers whether it went well.
    pub(crate) fn inside(&self, command: &str) -> bool {
        let id = self.process_id().to_string();
        let bank = self.desk.path("bank");
        let command = format!("cd {} && {command}", bank.display());
        let mut enter = Command::new("nsenter");
        enter.args([
            "--preserve-credentials",
            "-U",
            "-m",
            "-t",
            &id,
            "sh",
            "-c",
            &command,
        ]);
        enter.status().unwrap().success()
    }

    /// What the server said.
    pub(crate) fn log(&self) -> String {
        self.desk.read("log")
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }
}

impl Server {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Whether it goes on, whatever happened to it.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Stops it in good order, and answers its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.child.wait().unwrap().code().unwrap()
    }

    pub(crate) fn address(&self, name: &str) -> &str {
        let url = self.addresses[name].as_str().unwrap();
        url.split_once("://").unwrap().1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn subscribe(caller: &Caller, wish: &Value) {
    subscribe_at(caller, SUBSCRIPTIONS, wish).await;
}

async fn subscribe_at(caller: &Caller, path: &str, wish: &Value) {
    let body = json!({ "Data": wish });
    let subscribed = caller.post(path).json(&body).send().await;
    assert_eq!(subscribed.status, 201, "{subscribed:?}");
}

/// An item that a core system hands over.
pub(crate) fn item(client_id: &str, resource: &str, key: &str) -> Value {
    json!({
        "tpp": client_id, "events": [{ "type": oyez_testkit::making::UPDATE }], "idempotency_key": key,
        "resource": { "type": "account-access-consent", "id": resource, "version": "v4.0" },
    })
}

/// The jtis and SETs of a poll's answer.
pub(crate) fn sets(answer: &Value) -> Vec<(String, String)> {
    let sets = answer["sets"].as_object().unwrap().iter();
    sets.map(|(jti, set)| (jti.clone(), set.as_str().unwrap().to_owned()))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server goes by the real clock"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
}

/// Root there, and nobody outside of it.
const WORLD: [&str; 3] = ["unshare", "-Urm", "--"];
pub(crate) const SUBSCRIPTIONS: &str = "/open-banking/v4.0/event-subscriptions";
pub(crate) const EVENTS: &str = "/open-banking/v4.0/events";
/// Where endpoints of TPPs take SETs.
pub(crate) const NOTIFICATIONS: &str = "/open-banking/v4.0/event-notifications";
