//! A client that was written from RFC 8936 alone polls us, and needs to know nothing more (P-13).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use oyez_domain::tpp::HeaderProfile;
use oyez_testkit::bank::Bank;

use crate::end_to_end::{VERSIONS, events, subscribe};
use crate::python::python_tool;

// P-13, P-01, P-02, P-05, T-07, T-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_written_from_the_rfc_takes_every_set() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder()
            .options(|options| options.header_profile = HeaderProfile::Rfc8417)
            .start()
            .await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let told = bank.tell(&tpp, 5).await;
        let directory = tempfile::tempdir().unwrap();
        let keep = |name: &str, text: String| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let certificate = tpp.certificate().unwrap();
        let port = bank.site().address().port();
        let mut command = Command::new(python_tool("python"));
        command
            .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/generic/rfc8936.py"))
            .arg(format!("https://localhost:{port}{}", events(api)))
            .arg(keep("ca.pem", bank.site().authority.pem()))
            .arg(keep("tpp.pem", certificate.pem() + &certificate.key_pem()))
            .arg(keep("jwks.json", bank.jwks().to_json()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let token = tpp.token().mint();
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(token.as_bytes()).unwrap();
            drop(stdin);
            child.wait_with_output().unwrap()
        });
        let output = output.await.unwrap();
        assert!(output.status.success(), "{api}");
        let said = String::from_utf8(output.stdout).unwrap();
        let taken: BTreeSet<&str> = said
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(taken, told.iter().map(String::as_str).collect());
        assert_eq!(bank.counts(&tpp).await.acknowledged, 5);
    }
}
