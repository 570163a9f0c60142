//! schemathesis reads our description and makes requests of it, sensible and senseless ones: no 5xx, and no answer that the
//! description does not know.

mod slow {
    use std::process::Command;
    use std::time::Duration;

    use oyez_domain::rules::Rules;
    use oyez_testkit::bank::Bank;
    use oyez_testkit::tpp::{Caller, TRUST_ANCHOR};
    use oyez_web::internal::operators::Role;
    use oyez_web::openapi;
    use serde_json::{Value, json};

    use super::super::{document, script};
    use crate::python::python_tool;

    // G-06, G-11, P-01, S-01, S-04, C-01, C-04, W-02
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_made_from_the_description_get_answers_that_it_describes() {
        let rules = Rules::default();
        let bank = Bank::builder()
            .options(|options| options.polling.long_poll = Some(SHORT))
            .start()
            .await;
        let tpp = bank.tpp("tpp-1").await;
        for row in rules.versions.rows() {
            let command = by_a_tpp(&bank, &tpp, &row.api.to_string());
            run(command, &document(&rules, row), "").await;
        }
    }

    // I-01, I-03, I-04, I-05, G-07
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_made_from_the_description_of_the_internal_api_get_answers_that_it_describes()
    {
        let bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        let body = json!({ "Data": { "Version": "4.0" } });
        let subscribed = tpp
            .post("/open-banking/v4.0/event-subscriptions")
            .json(&body);
        assert_eq!(subscribed.send().await.status, 201);
        let jti = bank.tell(&tpp, 3).await.remove(0);
        let polled = tpp.post("/open-banking/v4.0/events").json(&json!({}));
        assert_eq!(polled.send().await.status, 200);
        let admin = bank.colleague(Role::Admin);
        let authorization = format!("Authorization: {}", admin.authorization().unwrap());
        let known = format!("[parameters]\nclient_id = \"tpp-1\"\njti = \"{jti}\"\n");
        for (which, checks, settings) in [
            (["--exclude-operation-id", PUBLISHING], STRICT, ""),
            (["--include-path-regex", "[{]"], STRICT, known.as_str()),
            // An item that is refused is an outcome of the item, with 200.
            (["--include-operation-id", PUBLISHING], CHECKS, ""),
        ] {
            let mut command = schemathesis(&admin.url(), checks);
            command.args(which).args(["--header", &authorization]);
            run(command, &openapi::internal(), settings).await;
        }
    }

    /// The description is in its working directory; so is what it leaves behind.
    async fn run(mut command: Command, description: &Value, settings: &str) {
        let directory = tempfile::tempdir().unwrap();
        let keep = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        keep("openapi.json", &description.to_string()).unwrap();
        keep("schemathesis.toml", settings).unwrap();
        command.current_dir(directory.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let limit = Duration::from_secs(300);
        let output = tokio::time::timeout(limit, output).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}\n{said}",
            description["info"]["title"]
        );
    }

    fn schemathesis(url: &str, checks: &str) -> Command {
        let mut command = Command::new(python_tool("schemathesis"));
        command
            .args(["run", "openapi.json", "--no-color", "--warnings", "off"])
            .args(["--url", url])
            .args(["--checks", checks, "--max-examples", "30", "--seed", SEED])
            .args(["--phases", "examples,coverage,fuzzing,stateful"]);
        command
    }

    fn by_a_tpp(bank: &Bank, tpp: &Caller, api: &str) -> Command {
        let keep = |name: &str, text: String| {
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let certificate = tpp.certificate().unwrap();
        let authority = keep("schemathesis-ca.pem", bank.site().authority.pem());
        let pair = certificate.pem() + &certificate.key_pem();
        let pair = keep("schemathesis-tpp.pem", pair);
        let key = tpp.key().to_pkcs8_pem().unwrap();
        let key = keep("schemathesis-key.pem", key.as_str().to_owned());
        let port = bank.site().address().port();
        let header = json!({
            "alg": "PS256",
            "kid": Caller::KID,
            "http://openbanking.org.uk/iat": bank.now().unix_seconds(),
            "http://openbanking.org.uk/iss": format!("{}/{}", Caller::ORG_ID, tpp.software_id()),
            "http://openbanking.org.uk/tan": TRUST_ANCHOR,
            "crit": [
                "http://openbanking.org.uk/iat",
                "http://openbanking.org.uk/iss",
                "http://openbanking.org.uk/tan",
            ],
        });
        let mut command = schemathesis(
            &format!("https://localhost:{port}/open-banking/{api}"),
            STRICT,
        );
        command
            .arg("--tls-verify")
            .arg(authority)
            .arg("--request-cert")
            .arg(pair)
            .env("SCHEMATHESIS_HOOKS", script("tpp.py"))
            .env("TPP_KEY", key)
            .env("TPP_TOKEN", tpp.token().mint())
            .env("TPP_HEADER", header.to_string());
        command
    }

    const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
        response_headers_conformance,response_schema_conformance,unsupported_method";
    const STRICT: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
        response_headers_conformance,response_schema_conformance,unsupported_method,negative_data_rejection";
    const PUBLISHING: &str = "publish_events";
    /// Half of the polls ask to wait.
    const SHORT: Duration = Duration::from_millis(20);
    const SEED: &str = "20261121";
}
