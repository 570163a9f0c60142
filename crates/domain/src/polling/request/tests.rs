use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fault::{Code, FAULTS_MAX};
use crate::versions::VersionTable;

const OURS: &str = "0194d4a4-6b1c-7cc0-8000-000000000001";
const OTHER: &str = "0194d4a4-6b1c-7cc0-8000-000000000002";

fn read_text(body: &[u8]) -> Result<Request, Vec<(String, Code)>> {
    let table = VersionTable::default();
    let said = |faults: Vec<Fault>| -> Vec<(String, Code)> {
        faults
            .into_iter()
            .map(|fault| (fault.path.unwrap_or_default(), fault.code))
            .collect()
    };
    let answers: Vec<_> = table
        .rows()
        .iter()
        .map(|row| read(row, body).map_err(said))
        .collect();
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "the versions agree"
    );
    answers.into_iter().next().unwrap()
}

fn poll(body: &Value) -> Result<Request, Vec<(String, Code)>> {
    read_text(body.to_string().as_bytes())
}

fn faults<const N: usize>(expected: [(&str, Code); N]) -> Result<Request, Vec<(String, Code)>> {
    Err(expected
        .into_iter()
        .map(|(path, code)| (path.to_owned(), code))
        .collect())
}

fn error(err: &str, description: &str) -> SetError {
    SetError {
        err: err.to_owned(),
        description: description.to_owned(),
    }
}

// P-01
#[test]
fn every_member_is_optional() {
    assert_eq!(poll(&json!({})), Ok(Request::default()));
    let none = json!({"ack": [], "setErrs": {}});
    assert_eq!(poll(&none), Ok(Request::default()));
}

// P-01
#[test]
fn a_poll_is_read_as_it_was_said() {
    let body = json!({
        "maxEvents": 25, "returnImmediately": false, "ack": [OURS],
        "setErrs": {OTHER: {"err": "jwtIss", "description": "Issuer is invalid or not recognised."}}
    });
    let request = poll(&body).unwrap();
    assert_eq!(
        (request.events_max, request.return_immediately),
        (Some(25), Some(false))
    );
    assert_eq!(request.acks, [OURS.parse().unwrap()]);
    let said = error("jwtIss", "Issuer is invalid or not recognised.");
    assert_eq!(request.errors, [(OTHER.parse().unwrap(), said)]);
}

// P-01, G-07
#[test]
fn a_body_that_is_no_object_is_an_invalid_format() {
    for body in [
        &b""[..],
        b" ",
        b"null",
        b"[]",
        b"{}{}",
        b"{\"ack\":[\"\xff\"]}",
        b"{\"ack\":[],\"ack\":[]}",
        b"{\"ack\":",
    ] {
        let found = read_text(body);
        assert_eq!(found, faults([("", Code::ResourceInvalidFormat)]));
    }
}

// P-01, G-06, G-11
#[test]
fn all_faults_of_a_poll_are_said_at_once() {
    let body = json!({
        "maxEvents": -1, "returnImmediately": "yes", "ack": ["", OURS, 7, "x".repeat(129)], "max_events": 1,
        "setErrs": {"a": {"description": "d".repeat(257)}, "b": {"err": "", "description": 1}, "c": "x"}
    });
    let expected = faults([
        ("max_events", Code::FieldUnexpected),
        ("maxEvents", Code::FieldInvalid),
        ("returnImmediately", Code::FieldInvalid),
        ("ack[0]", Code::FieldInvalid),
        ("ack[2]", Code::FieldInvalid),
        ("ack[3]", Code::FieldInvalid),
        ("setErrs.a.err", Code::FieldMissing),
        ("setErrs.a.description", Code::FieldInvalid),
        ("setErrs.b.err", Code::FieldInvalid),
        ("setErrs.b.description", Code::FieldInvalid),
        ("setErrs.c", Code::FieldInvalid),
    ]);
    assert_eq!(poll(&body), expected);
}

// P-01
#[test]
fn null_is_a_wrong_type_and_not_an_absence() {
    let nulls = json!({"maxEvents": null, "returnImmediately": null, "ack": null, "setErrs": null});
    let members = ["maxEvents", "returnImmediately", "ack", "setErrs"];
    assert_eq!(
        poll(&nulls),
        faults(members.map(|name| (name, Code::FieldInvalid)))
    );
    let inside =
        json!({"ack": [null], "setErrs": {OURS: null, OTHER: {"err": null, "description": null}}});
    let (ours, other) = (format!("setErrs.{OURS}"), format!("setErrs.{OTHER}"));
    let (err, description) = (format!("{other}.err"), format!("{other}.description"));
    let paths = ["ack[0]", &ours, &err, &description];
    assert_eq!(
        poll(&inside),
        faults(paths.map(|path| (path, Code::FieldInvalid)))
    );
}

// P-01
#[test]
fn the_number_of_events_is_whole_and_not_negative_and_as_great_as_they_like() {
    for (text, expected) in [
        ("0", 0),
        ("-0", 0),
        ("5.0", 5),
        ("1e2", 100),
        ("4294967295", u32::MAX),
        ("4294967296", u32::MAX),
        ("18446744073709551616", u32::MAX),
        ("1e300", u32::MAX),
    ] {
        let body = format!("{{\"maxEvents\":{text}}}");
        let request = read_text(body.as_bytes()).unwrap();
        assert_eq!(request.events_max, Some(expected), "{text}");
    }
    for text in ["-1", "0.5", "1e-1", "-1e300", "\"1\"", "true", "[1]"] {
        let found = read_text(format!("{{\"maxEvents\":{text}}}").as_bytes());
        assert_eq!(found, faults([("maxEvents", Code::FieldInvalid)]), "{text}");
    }
}

// P-01
#[test]
fn lists_end_at_their_greatest_length_and_texts_at_theirs() {
    let acks = |entries| json!({"ack": vec![OURS; entries]});
    assert_eq!(poll(&acks(1_000)).unwrap().acks.len(), 1_000);
    assert_eq!(poll(&acks(1_001)), faults([("ack", Code::FieldInvalid)]));
    let errors = |entries: u32| {
        let entry = |number| (format!("{number}"), json!({"err": "e"}));
        json!({"setErrs": Value::Object((0..entries).map(entry).collect())})
    };
    assert_eq!(poll(&errors(1_000)), Ok(Request::default()));
    assert_eq!(
        poll(&errors(1_001)),
        faults([("setErrs", Code::FieldInvalid)])
    );
    // Characters, not bytes.
    let (err, description) = ("ü".repeat(40), "ü".repeat(256));
    let longest = json!({"ack": ["ü".repeat(128)], "setErrs": {OURS: {"err": err, "description": description}}});
    let request = poll(&longest).unwrap();
    assert_eq!(request.errors[0].1, error(&err, &description));
}

// P-01, P-05, P-13
#[test]
fn a_description_that_is_missing_is_read_as_empty() {
    let body = json!({"setErrs": {OURS: {"err": "dup"}, OTHER: {"err": "x y", "description": "", "more": 1}}});
    let errors = [
        (OURS.parse().unwrap(), error("dup", "")),
        (OTHER.parse().unwrap(), error("x y", "")),
    ];
    assert_eq!(poll(&body).unwrap().errors, errors);
}

// P-04
#[test]
fn what_can_be_no_jti_of_ours_has_no_effect_and_is_no_error() {
    let upper = OURS.to_uppercase();
    let body = json!({
        "ack": ["4d3559ec67504aaba65d40b0363faad8", upper, OURS, "\u{1}"],
        "setErrs": {"": {"err": "e"}, "x".repeat(500): {"err": "e"}, upper: {"err": "e"}, OTHER: {"err": "e"}}
    });
    let request = poll(&body).unwrap();
    assert_eq!(request.acks, [OURS.parse().unwrap()]);
    assert_eq!(request.errors, [(OTHER.parse().unwrap(), error("e", ""))]);
    let malformed = json!({"setErrs": {"none of ours": {}}});
    let expected = faults([("setErrs.none of ours.err", Code::FieldMissing)]);
    assert_eq!(poll(&malformed), expected);
}

// P-01, G-06
#[test]
fn no_more_faults_are_gathered_than_an_answer_tells() {
    let body: Value = (0..5_000)
        .map(|number| (number.to_string(), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(poll(&body).unwrap_err().len(), FAULTS_MAX);
}

fn jtis() -> impl Strategy<Value = Jti> {
    any::<[u8; 16]>().prop_map(Jti::from_bytes)
}

proptest! {
    // P-01
    #[test]
    fn whatever_a_tpp_may_say_is_understood(
        events_max in any::<Option<u32>>(),
        return_immediately in any::<Option<bool>>(),
        acks in proptest::collection::vec(jtis(), 0..9),
        errors in proptest::collection::btree_map(jtis(), ("\\PC{1,40}", proptest::option::of("\\PC{0,256}")), 0..9),
    ) {
        let mut body = json!({"ack": acks.iter().map(Jti::to_string).collect::<Vec<_>>(), "setErrs": {}});
        for (jti, (err, description)) in &errors {
            body["setErrs"][jti.to_string()] = json!({"err": err});
            if let Some(description) = description {
                body["setErrs"][jti.to_string()]["description"] = json!(description);
            }
        }
        if let Some(events_max) = events_max {
            body["maxEvents"] = json!(events_max);
        }
        if let Some(return_immediately) = return_immediately {
            body["returnImmediately"] = json!(return_immediately);
        }
        let errors = errors.into_iter().map(|(jti, (err, description))| {
            (jti, SetError { err, description: description.unwrap_or_default() })
        });
        let expected = Request { events_max, return_immediately, acks, errors: errors.collect() };
        prop_assert_eq!(poll(&body), Ok(expected));
    }
}
