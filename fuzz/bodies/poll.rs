//! Polls from anybody. No input may make the reading panic; what is refused has its reasons, as many as one answer tells;
//! what is taken keeps the standard's lengths and is taken again when it is said in our words.

use std::sync::LazyLock;

use oyez_domain::fault::FAULTS_MAX;
use oyez_domain::polling::{Request, read};
use oyez_domain::versions::{Lengths, VersionTable};
use serde_json::{Map, Value, json};

pub(crate) fn run(input: &[u8]) {
    let row = TABLE.oldest();
    match read(row, input) {
        Ok(request) => {
            within(row.lengths, &request);
            assert_eq!(
                read(row, said_again(&request).to_string().as_bytes()),
                Ok(request)
            );
        }
        Err(faults) => {
            assert!((1..=FAULTS_MAX).contains(&faults.len()));
            assert!(faults.iter().all(|fault| !fault.message.is_empty()));
        }
    }
}

fn within(lengths: Lengths, request: &Request) {
    assert!(request.acks.len() <= lengths.acknowledgements);
    assert!(request.errors.len() <= lengths.acknowledgements);
    for (_, error) in &request.errors {
        assert!((1..=lengths.error_name).contains(&error.err.chars().count()));
        assert!(error.description.chars().count() <= lengths.error_description);
    }
}

fn said_again(request: &Request) -> Value {
    let acks: Vec<String> = request.acks.iter().map(ToString::to_string).collect();
    let errors = request.errors.iter().map(|(jti, error)| {
        let said = json!({"err": error.err, "description": error.description});
        (jti.to_string(), said)
    });
    let mut body = json!({"ack": acks, "setErrs": errors.collect::<Map<_, _>>()});
    if let Some(events_max) = request.events_max {
        body["maxEvents"] = json!(events_max);
    }
    if let Some(return_immediately) = request.return_immediately {
        body["returnImmediately"] = json!(return_immediately);
    }
    body
}

static TABLE: LazyLock<VersionTable> = LazyLock::new(VersionTable::default);
