//! Pages in a real browser: what runs there is in `tests/browser`, and what it found wrong is told here. `./test` installs
//! Chromium and what drives it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::version::ApiVersion;
use oyez_store::Store as _;
use oyez_testkit::bank::Bank;
use oyez_testkit::making;
use oyez_web::internal::operators::Role;
use oyez_web::tpp::Binding;
use serde_json::{Value, json};

use crate::status::subscribe;

// W-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_developer_page_is_quiet_accessible_and_fits_light_dark_and_narrow() {
    developer("looks_right").await;
}

// W-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_developer_page_is_used_by_keyboard_alone() {
    developer("keyboard").await;
}

// W-01, T-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_paste_box_believes_every_sample_and_tells_why_it_believes_nothing_else() {
    developer("paste_box").await;
}

// W-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tpp_shows_its_token_and_sees_why_it_gets_no_events() {
    // Whoever has the token, with any certificate or none: a browser here has none to show.
    let bank = Bank::builder()
        .options(|options| options.binding = Binding::Off)
        .start()
        .await;
    let tpp = bank.tpp("tpp-1").await;
    subscribe(&tpp, None).await;
    bank.tell(&tpp, 3).await;
    let facts = json!({ "token": tpp.token().mint() });
    browse("developer.mjs", "status", &bank, &facts).await;
}

async fn developer(case: &str) {
    let bank = Bank::builder()
        .developer(|options| {
            options.brand.name = "Hedge Bank".to_owned();
            options.contact = Some("mailto:open-banking@hedgebank.example".to_owned());
            options.token_url = Some("https://auth.hedgebank.example/token".to_owned());
        })
        .start()
        .await;
    let facts = json!({ "types": bank.web().rules.catalogue.types().len() });
    browse("developer.mjs", case, &bank, &facts).await;
}

// I-03, I-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_quiet_accessible_and_fits_light_dark_and_narrow() {
    console("looks_right").await;
}

// I-04, I-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_used_by_keyboard_alone_from_the_login_to_an_act() {
    console("keyboard").await;
}

// I-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_changes_while_one_watches() {
    console("live").await;
}

/// A bank with something to see: one TPP that is paused, and one that has reported errors.
async fn console(case: &str) {
    let bank = Bank::start().await;
    let (paused, failing) = (bank.tpp("paused-tpp").await, bank.tpp("failing-tpp").await);
    let mut jtis = Vec::new();
    for (tpp, wish) in [
        (
            &paused,
            making::pushed_to("tpp.example", making::everything()),
        ),
        (&failing, making::everything()),
    ] {
        let made = bank.store().create_registration(
            making::client(tpp.client_id()),
            RegistrationId::new(format!("subscription-of-{}", tpp.client_id())).unwrap(),
            Wish::Subscription(wish),
            ApiVersion::V4_0,
            bank.now(),
        );
        made.await.unwrap().unwrap();
        jtis.extend(bank.tell(tpp, 3).await);
    }
    let admin = bank.colleague(Role::Admin);
    let reply = admin
        .post("/v1/endpoints/paused-tpp/pause", &json!({}))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for _ in 0..10 {
        let said = json!({(jtis[3].to_string()): {"err": "jwtHdr", "description": "<b>no</b>"}});
        let poll = json!({"returnImmediately": true, "setErrs": said});
        let poll = failing.post("/open-banking/v4.0/events").json(&poll);
        assert_eq!(poll.send().await.status, 200);
    }
    let facts = json!({
        "token": bank.colleague(Role::Operator).token(),
        "publisher": admin.token(),
        "failed": jtis[3].to_string(),
    });
    browse_at("console.mjs", case, &admin.url(), &facts).await;
}

/// Lets a case of a script look at the TPPs' side of a bank.
async fn browse(script: &str, case: &str, bank: &Bank, facts: &Value) {
    let address = format!("https://localhost:{}", bank.site().address().port());
    browse_at(script, case, &address, facts).await;
}

async fn browse_at(script: &str, case: &str, address: &str, facts: &Value) {
    let mut command = Command::new("node");
    command
        .arg(in_tests("run.mjs"))
        .args([script, case, address])
        .env("BROWSER_MODULES", modules())
        .env("SCREENSHOTS", in_target("screenshots"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().expect("./test installs node");
    let facts = facts.to_string();
    let mut input = running.stdin.take().unwrap();
    input.write_all(facts.as_bytes()).unwrap();
    drop(input);
    let output = tokio::task::spawn_blocking(move || running.wait_with_output()).await;
    let output = output.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {case}: {said}");
}

fn in_tests(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/browser")
        .join(name)
}

fn in_target(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap().join(name)
}

/// Where the variable says, or where `./test` puts them.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where its tools are"
)]
fn modules() -> PathBuf {
    let installed = in_target("browser/node_modules");
    let modules = std::env::var_os("OYEZ_TEST_BROWSER").map_or(installed, PathBuf::from);
    assert!(
        modules.join("playwright-core").exists(),
        "{} is missing: ./test installs it",
        modules.display()
    );
    modules
}
