//! Ours beside the standard's own OpenAPI files, which are not ours to copy: where `OYEZ_OFFICIAL_OPENAPI` names a folder with
//! them, live answers of every endpoint are held to their schemas, and our documents differ from theirs only as
//! `intended.json` says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use oyez_domain::rules::Rules;
use oyez_testkit::bank::Bank;
use oyez_testkit::tpp::{Caller, Request, Response};
use serde_json::{Value, json};

use super::{document, python_tool, script};

// G-06, G-11, S-01, S-03, S-04, S-05, C-01, C-03, C-04, P-02, W-02
#[tokio::test]
async fn answers_and_documents_are_the_standards() {
    let Some(folder) = official() else {
        eprintln!("left out: OYEZ_OFFICIAL_OPENAPI names no folder with the official files");
        return;
    };
    let answers: Vec<String> = live_answers().await.iter().map(Value::to_string).collect();
    let rules = Rules::default();
    let ours: BTreeMap<String, Value> = rules
        .versions
        .rows()
        .iter()
        .map(|row| (row.api.to_string(), document(&rules, row)))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let keep = |name: &str, text: String| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = keep("ours.json", serde_json::to_string(&ours).unwrap());
    let answers = keep("answers.ndjson", answers.join("\n"));
    let output = Command::new(python_tool("python"))
        .arg(script("official.py"))
        .args([folder, ours, script("intended.json"), answers])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where the official files are"
)]
fn official() -> Option<PathBuf> {
    std::env::var_os("OYEZ_OFFICIAL_OPENAPI").map(PathBuf::from)
}

/// Every endpoint's successes and refusals in both versions.
async fn live_answers() -> Vec<Value> {
    let mut answers = Vec::new();
    for (api, version) in [("v3.1", "3.1"), ("v4.0", "4.0")] {
        let bank = Bank::start().await;
        let (tpp, other) = (bank.tpp("tpp-1").await, bank.tpp("tpp-2").await);
        let mut book = Book {
            api,
            answers: &mut answers,
        };
        let url = format!("https://tpp.example/{api}/event-notifications");
        let subscription = json!({ "Data": { "Version": version, "EventTypes": [UPDATE] } });
        let pushed = json!({ "Data": { "Version": version, "CallbackUrl": url } });
        let callback = json!({ "Data": { "Version": version, "Url": url } });
        let wrong = json!({ "Data": { "Version": "9.9", "Url": 1, "CallbackUrl": 1 }, "More": 1 });
        for (resource, body, changed) in [
            ("event-subscriptions", &subscription, &pushed),
            ("callback-urls", &callback, &callback),
        ] {
            book.registration(&tpp, &other, resource, [body, changed, &wrong])
                .await;
        }
        let path = book.path("event-subscriptions");
        tpp.post(&path).json(&subscription).send().await;
        bank.tell(&tpp, 2).await;
        for request in [
            json!({}),
            json!({ "maxEvents": 0 }),
            json!({ "maxEvents": -1, "x": 1 }),
        ] {
            let path = book.path("events");
            book.ask(tpp.post(&path).json(&request)).await;
        }
    }
    answers
}

/// Notes answers down.
struct Book<'a> {
    api: &'static str,
    answers: &'a mut Vec<Value>,
}

impl Book<'_> {
    fn path(&self, resource: &str) -> String {
        format!("/open-banking/{}/{resource}", self.api)
    }

    /// The life of a registration, with everything that can be refused on the way.
    async fn registration(
        &mut self,
        tpp: &Caller,
        other: &Caller,
        resource: &str,
        [body, changed, wrong]: [&Value; 3],
    ) {
        let all = self.path(resource);
        self.ask(tpp.get(&all)).await;
        self.ask(tpp.post(&all).json(wrong)).await;
        self.ask(tpp.post(&all).json(body).authorization(None))
            .await;
        let created = self.ask(tpp.post(&all).json(body)).await.json();
        self.ask(tpp.post(&all).json(body)).await;
        self.ask(tpp.get(&all)).await;
        let data = created["Data"].as_object().unwrap();
        let id = data
            .iter()
            .find(|(name, _)| name.ends_with("Id"))
            .unwrap()
            .1;
        let one = format!("{all}/{}", id.as_str().unwrap());
        self.ask(tpp.put(&one).json(wrong)).await;
        self.ask(tpp.put(&one).json(changed)).await;
        self.ask(other.put(&one).json(changed)).await;
        self.ask(other.delete(&one)).await;
        self.ask(tpp.delete(&one)).await;
        self.ask(tpp.delete(&one)).await;
    }

    async fn ask(&mut self, request: Request) -> Response {
        let (method, path) = (
            request.method().as_str().to_lowercase(),
            request.path().to_owned(),
        );
        let below = path.rsplit_once(self.api).unwrap().1;
        let segments: Vec<&str> = below.trim_matches('/').split('/').collect();
        let response = request.send().await;
        let body = (!response.body.is_empty()).then(|| response.json());
        self.answers.push(json!({
            "api": self.api,
            "resource": segments[0],
            "segments": segments.len(),
            "method": method,
            "status": response.status,
            "body": body,
        }));
        response
    }
}

const UPDATE: &str = "UK.OBIE.Resource-Update";
