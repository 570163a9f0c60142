//! `oyez tpps`, against the real server.

use std::sync::Arc;

use oyez_jose::{Jwk, Jwks, KeyKind, LocalKey};
use oyez_testkit::jws::{self, Seal};
use serde_json::{Value, json};

use super::bank::{Desk, Done};
use super::core_system::assert_calls;
use super::serve::Server;

/// A desk beside a running server.
struct Office {
    desk: Desk,
    server: Server,
}

impl Office {
    fn open() -> Self {
        let desk = Desk::with_bank();
        let server = Server::start(&desk);
        Self { desk, server }
    }

    fn run(&self, words: &str) -> Done {
        self.run_as("bank/tokens.secret", words)
    }

    fn run_as(&self, token_file: &str, words: &str) -> Done {
        let url = format!("http://{}", self.server.address("internal"));
        let variables = [("OYEZ_URL", url.as_str()), ("OYEZ_TOKEN_FILE", token_file)];
        self.desk.run_with(words, "", &variables)
    }

    fn session(&self, commands: &[&str]) -> String {
        let shown = commands
            .iter()
            .map(|words| self.desk.shown(words, &self.run(words)));
        shown.collect::<Vec<_>>().join("\n")
    }

    /// A file with the token of one role alone.
    fn token_of(&self, role: &str) -> String {
        let tokens = self.desk.read("bank/tokens.secret");
        let line = tokens.lines().find_map(|line| line.strip_prefix(role));
        self.desk.write(role, line.unwrap());
        role.to_owned()
    }

    fn profile(&self, client_id: &str) -> Value {
        serde_json::from_str(&self.run(&format!("tpps show {client_id} --json")).stdout).unwrap()
    }
}

// I-04, A-09
#[test]
fn a_tpp_is_registered_changed_disabled_and_served_again() {
    let office = Office::open();
    assert_calls!(office.session(&[
        "tpps register acme-1 --name Acme --org-id 0015800001 --software-id 4Xa7 \
         --jwks-url https://keystore.example/acme.jwks --scope accounts --set requests_per_second=7",
        "tpps list",
        "tpps change acme-1 --name Acme-Budgeting --jwks bank/development/tpp.jwks --all-scopes \
         --unset requests_per_second --set header_profile=jwt",
        "tpps change acme-1 --name Acme-Budgeting",
        "tpps disable acme-1 --reason fraud",
        "tpps show acme-1",
        "tpps enable acme-1",
    ]));
    let profile = office.profile("acme-1");
    assert_eq!(profile["standing"]["state"], "active");
    assert_eq!(profile["overrides"], json!({"header_profile": "jwt"}));
}

//
#[test]
fn a_tpp_is_registered_from_a_file_and_what_is_said_beside_it_counts_more() {
    let office = Office::open();
    let file = json!({"client_id": "acme-1", "name": "Acme", "org_id": "1", "software_id": "2",
        "keys": {"jwks_url": "https://keystore.example/acme.jwks"}, "overrides": {"error_cap": 3}});
    office.desk.write("acme.json", &file.to_string());
    let done = office.run("tpps register --from acme.json --name Other --set hand_out_cap=9");
    assert_eq!(done.code, 0, "{}", done.stderr);
    let profile = office.profile("acme-1");
    assert_eq!(profile["name"], "Other");
    let overrides = json!({"error_cap": 3, "hand_out_cap": 9});
    assert_eq!(profile["overrides"], overrides);
}

// I-04
#[test]
fn what_the_server_refuses_is_told_with_all_that_is_wrong() {
    let office = Office::open();
    assert_calls!(office.session(&[
        "tpps register acme-1 --name Acme --org-id 1 --software-id 2 --jwks-url ftp://keystore.example --scope account \
         --set patience=1 --set retry={\"base\":\"soon\"}",
        "tpps register acme-1 --name Acme",
        "tpps change development-tpp --set requests_per_second=many --set redelivery_delay=30 \
         --set header_profile=JWT --set trust_anchors=none --set delivery_order=1",
        "tpps register development-tpp --name A --org-id 1 --software-id 2 --jwks-url https://k.example/",
        "tpps show nobody",
        "tpps change development-tpp --unset error_cap",
        "tpps register",
    ]));
}

// I-05
#[test]
fn who_may_not_ask_is_told_which_file_or_which_role() {
    let office = Office::open();
    office.desk.write("stale", "oyez_0000\n");
    office.desk.write("empty", "\n");
    office.token_of("viewer");
    let words = "tpps disable development-tpp --reason fraud";
    let sessions = ["stale", "viewer", "empty", "nowhere"].map(|file| {
        let done = office.run_as(file, words);
        office
            .desk
            .shown(&format!("{words} (token in {file})"), &done)
    });
    assert_calls!(sessions.join("\n"));
    let viewer = office.token_of("viewer");
    assert_eq!(office.run_as(&viewer, "tpps list").code, 0);
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    let desk = Desk::empty();
    desk.write("token", "oyez_0000");
    let address = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let commands = [
        format!("tpps list --token-file token --url http://{address}"),
        "tpps list --token-file token --url http://192.0.2.1".to_owned(),
        "tpps list --token-file token --url localhost".to_owned(),
        "tpps list".to_owned(),
    ];
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    assert_calls!(desk.session(&commands));
}

#[test]
fn a_configuration_says_where_its_server_is() {
    let office = Office::open();
    let address = office.server.address("internal").to_string();
    let variables = [("OYEZ_INTERNAL__ADDRESS", address.as_str())];
    let words = "tpps list -c bank/oyez.toml --token-file bank/tokens.secret";
    let done = office.desk.run_with(words, "", &variables);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("development-tpp"), "{}", done.stdout);
}

// I-05
#[test]
fn a_server_in_tls_is_believed_by_the_authority_that_is_named() {
    let desk = Desk::with_bank();
    desk.configure(
        "# certificate = \"internal.crt\"",
        "certificate = \"development/server.crt\"",
    );
    desk.configure(
        "# key = \"internal.key\"",
        "key = \"development/server.key\"",
    );
    let server = Server::start(&desk);
    let port = server.address("internal").port();
    let words = format!("tpps list --token-file bank/tokens.secret --url https://localhost:{port}");
    let believed = desk.run(&format!("{words} --ca-file bank/development/ca.crt"));
    assert_eq!(believed.code, 0, "{}", believed.stderr);
    assert_eq!(desk.run("init other").code, 0);
    let doubted = desk.run(&format!("{words} --ca-file other/development/ca.crt"));
    assert_eq!(doubted.code, 3);
    assert!(
        doubted.stderr.contains("mend: is it https there?"),
        "{}",
        doubted.stderr
    );
}

/// A software statement as the directory writes them.
fn statement(key: &Arc<LocalKey>, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": "directory-1", "typ": "JWT"});
    let header = header.as_object().unwrap();
    jws::compact(
        header,
        claims.to_string().as_bytes(),
        &Seal::Key(Arc::clone(key)),
    )
}

fn claims(name: &str) -> Value {
    json!({
        "iss": "OpenBanking Ltd", "iat": 1_700_000_000, "jti": name,
        "software_id": format!("software-{name}"), "software_client_id": format!("directory-{name}"),
        "software_client_name": name, "software_roles": ["AISP", "PISP", "ASPSP"],
        "software_jwks_endpoint": format!("https://keystore.example/{name}.jwks"),
        "org_id": "0015800001", "org_name": "Example Ltd", "org_status": "Active",
    })
}

fn directory(desk: &Desk) -> Arc<LocalKey> {
    let key = LocalKey::generate(KeyKind::P256).unwrap();
    let public = Jwk::new("directory-1".to_owned(), key.public_key().clone());
    let jwks: Jwks = std::iter::once(public).collect();
    desk.write("directory.jwks", &jwks.to_json());
    Arc::new(key)
}

//
#[test]
fn software_statements_are_imported_if_the_directory_signed_them() {
    let office = Office::open();
    let key = directory(&office.desk);
    let forger = Arc::new(LocalKey::generate(KeyKind::P256).unwrap());
    let mut withdrawn = claims("gone");
    withdrawn["org_status"] = json!("Withdrawn");
    let mut bank = claims("bank");
    bank["software_roles"] = json!(["ASPSP"]);
    let lines = [
        statement(&key, &claims("acme")),
        statement(&forger, &claims("forged")),
        statement(&key, &withdrawn),
        statement(&key, &bank),
        "not.a.statement".to_owned(),
    ];
    office.desk.write("directory.ssa", &lines.join("\n"));
    assert_calls!(office.session(&[
        "tpps import directory.ssa --directory-jwks directory.jwks",
        "tpps show directory-acme",
    ]));
    let scopes = &office.profile("directory-acme")["scopes"];
    assert_eq!(*scopes, json!(["accounts", "payments"]));
}

//
#[test]
fn unverified_statements_are_said_to_be_so() {
    let office = Office::open();
    let key = directory(&office.desk);
    office
        .desk
        .write("acme.ssa", &statement(&key, &claims("acme")));
    assert_calls!(office.session(&["tpps import acme.ssa --client-id acme-1"]));
}

//
#[test]
fn an_export_is_planned_imported_and_imported_again_without_harm() {
    let office = Office::open();
    let key = directory(&office.desk);
    let lines = [
        json!({"client_id": "acme-1", "software_statement": statement(&key, &claims("acme")),
            "scope": "openid accounts fundsconfirmations"}).to_string(),
        json!({"client_id": "beta-1", "client_name": "Beta", "jwks_uri": "https://beta.example/jwks",
            "org_id": "1", "software_id": "2", "scope": "payments"}).to_string(),
        json!({"client_id": "gamma-1", "client_name": "Gamma", "scope": "accounts"}).to_string(),
        json!({"client_id": "delta-1", "client_name": "Delta", "jwks_uri": "https://d.example/jwks",
            "org_id": "1", "software_id": "2", "scope": "openid"}).to_string(),
        json!({"client_id": "beta-1", "client_name": "Again", "jwks_uri": "https://beta.example/jwks",
            "org_id": "1", "software_id": "2", "scope": "payments"}).to_string(),
        json!({"client_id": "epsilon-1", "client_name": "Epsilon", "jwks_uri": "ftp://e.example",
            "org_id": "1", "software_id": "2", "scope": "accounts"}).to_string(),
        "{\"client_id\": ".to_owned(),
    ];
    office.desk.write("clients.ndjson", &lines.join("\n"));
    let import = "tpps import clients.ndjson --directory-jwks directory.jwks";
    let dry_run = format!("{import} --dry-run");
    assert_calls!(office.session(&[&dry_run, "tpps list", import, "tpps list", import]));
}

//
#[test]
fn who_is_registered_stays_as_it_is_unless_an_update_is_asked_for() {
    let office = Office::open();
    office.run("tpps disable development-tpp --reason fraud");
    let mut listed: Value = serde_json::from_str(&office.run("tpps list --json").stdout).unwrap();
    let known = listed["tpps"][0].clone();
    let mut other = known.clone();
    other["client_id"] = json!("moved-tpp");
    listed["tpps"][0]["name"] = json!("Renamed");
    listed["tpps"].as_array_mut().unwrap().push(other);
    office.desk.write("export.json", &listed.to_string());
    assert_calls!(office.session(&[
        "tpps import export.json",
        "tpps import export.json --update --dry-run",
        "tpps import export.json --update",
        "tpps import export.json --update",
    ]));
    assert_eq!(office.profile("development-tpp")["name"], "Renamed");
    let moved = office.profile("moved-tpp");
    assert_eq!(moved["standing"]["state"], "disabled");
    assert_eq!(moved["standing"]["reason"], "fraud");
}
