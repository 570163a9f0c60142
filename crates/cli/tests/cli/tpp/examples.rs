//! The scripts in examples/: applications in Python and Node that check posts of `oyez listen` and the SETs in them.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::interop::installed;
use super::{Firm, Running, SECRET, is_acknowledged, issuer, publish, quick_house, until_file};

// T-08
#[tokio::test(flavor = "multi_thread")]
async fn an_application_in_python_checks_what_it_gets() {
    let python = installed("OYEZ_TEST_PYTHON", "interop/venv/bin/python");
    tell(&python, "receive.py").await;
}

// T-08
#[tokio::test(flavor = "multi_thread")]
async fn an_application_in_node_checks_what_it_gets() {
    tell(Path::new("node"), "receive.mjs").await;
}

/// It takes an event and says so; with another secret, with another audience, it does not.
async fn tell(interpreter: &Path, script: &str) {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    firm.subscribe("");
    let keys = house.desk().run("keys jwks -c bank/oyez.toml").stdout;
    firm.desk().write("bank.jwks", &keys);
    firm.desk().write("webhook.secret", SECRET);
    firm.desk().write(
        "other.secret",
        "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q=",
    );
    let jti = publish(&house, "tpp-1", "one").await;
    for (secret, audience, refused) in [
        ("other.secret", "tpp-1", Some("signature")),
        ("webhook.secret", "tpp-2", Some("somebody else")),
        ("webhook.secret", "tpp-1", None),
    ] {
        let said = format!("said-{secret}-{audience}");
        let _application = start(&firm, interpreter, script, secret, audience, &said);
        let first = firm.until_records(&said, 1).await;
        let url = first[0]["listening"].as_str().unwrap();
        firm.hand_over(&format!(
            "to = \"http\"\nurl = \"{url}\"\nsecret_file = \"webhook.secret\""
        ));
        let done = firm.run("poll --once");
        let told = firm.until_records(&said, 2).await.pop().unwrap();
        match refused {
            Some(why) => {
                assert_eq!(done.code, 4, "{told}: {}", done.stderr);
                assert!(told["refused"].as_str().unwrap().contains(why), "{told}");
            }
            None => {
                assert_eq!(done.code, 0, "{told}: {}", done.stderr);
                let urn = "urn:uk:org:openbanking:events:resource-update";
                let taken = json!({
                    "bank": "bank-0", "jti": jti, "via": "poll", "maybe_repeated": true, "events": [urn],
                });
                assert_eq!(told, taken);
            }
        }
    }
    until_file(&house, &jti, is_acknowledged).await;
}

fn start(
    firm: &Firm,
    interpreter: &Path,
    script: &str,
    secret: &str,
    audience: &str,
    said: &str,
) -> Running {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    std::fs::copy(source.join(script), firm.desk().path(script)).unwrap();
    let modules = installed("OYEZ_TEST_NODE_MODULES", "interop/node_modules");
    // What `npm install` does; it is there already from the second time on.
    std::os::unix::fs::symlink(modules, firm.desk().path("node_modules")).ok();
    let child = Command::new(interpreter)
        .args([script, "--port", "0", "--secret-file", secret])
        .args(["--jwks", "bank.jwks", "--issuer", issuer(0)])
        .args(["--audience", audience])
        .current_dir(firm.desk().path(""))
        .stdin(Stdio::null())
        .stdout(File::create(firm.desk().path(said)).unwrap())
        .spawn();
    Running(child.unwrap())
}
