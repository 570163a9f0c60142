//! schemathesis reads our description and makes requests of it, sensible and senseless ones: no 5xx, and no answer that the
//! description does not know.

mod slow {
    use std::process::{Command, Output};
    use std::time::Duration;

    use oyez_domain::rules::Rules;
    use oyez_testkit::bank::Bank;
    use oyez_testkit::tpp::{Caller, TRUST_ANCHOR};
    use serde_json::json;

    use super::super::{document, python_tool, script};

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
            let mut command = schemathesis(&bank, &tpp, &row.api.to_string());
            let description = serde_json::to_vec(&document(&rules, row)).unwrap();
            let output = tokio::task::spawn_blocking(move || run(&mut command, &description));
            let limit = Duration::from_secs(300);
            let output = tokio::time::timeout(limit, output).await.unwrap().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}\n{said}", row.api);
        }
    }

    /// The description is in its working directory; so is what it leaves behind.
    fn run(command: &mut Command, description: &[u8]) -> Output {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("openapi.json"), description).unwrap();
        command.current_dir(directory.path()).output().unwrap()
    }

    fn schemathesis(bank: &Bank, tpp: &Caller, api: &str) -> Command {
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
        let mut command = Command::new(python_tool("schemathesis"));
        command
            .args(["run", "openapi.json", "--no-color", "--warnings", "off"])
            .args([
                "--url",
                &format!("https://localhost:{port}/open-banking/{api}"),
            ])
            .args(["--checks", CHECKS, "--max-examples", "30", "--seed", SEED])
            .args(["--phases", "examples,coverage,fuzzing,stateful"])
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
        response_headers_conformance,response_schema_conformance,unsupported_method,negative_data_rejection";
    /// Half of the polls ask to wait.
    const SHORT: Duration = Duration::from_millis(20);
    const SEED: &str = "20261121";
}
