//! Faults as the body of an answer, OBErrorResponse1 of the version called (G-06).

use serde::Serialize;

use super::Fault;
use crate::ids::InteractionId;
use crate::versions::{ErrorModel, MemberOrder, MessageForm, Row};

/// So many faults are told in one answer; what is wrong in more places than that is hardly mended one by one.
pub const FAULTS_MAX: usize = 100;

/// The body of an answer with this status; `None` where the version gives it none (G-06). `id` is the error's own, in the log
/// too.
pub fn render(row: &Row, status: u16, id: &InteractionId, faults: &[Fault]) -> Option<Vec<u8>> {
    let texts = row.errors.status(status)?;
    let chars_max = row.lengths.error_text;
    let errors: Vec<ErrorJson<'_>> = faults
        .iter()
        .take(FAULTS_MAX)
        .filter_map(|fault| error(&row.errors, &row.market.code_prefix, chars_max, fault))
        .collect();
    if errors.is_empty() {
        return None;
    }
    let id: String = id.as_str().chars().take(row.lengths.error_id).collect();
    let (code, message) = (texts.text.as_str(), texts.message.as_str());
    let bytes = match row.errors.order {
        MemberOrder::CodeFirst => serde_json::to_vec(&CodeFirst {
            code,
            id,
            message,
            errors,
        }),
        MemberOrder::IdFirst => serde_json::to_vec(&IdFirst {
            id,
            code,
            message,
            errors,
        }),
    };
    Some(bytes.expect("texts are always JSON"))
}

/// `None`: the version has no name for it.
fn error<'a>(
    model: &'a ErrorModel,
    code_prefix: &str,
    chars_max: usize,
    fault: &'a Fault,
) -> Option<ErrorJson<'a>> {
    let message = match model.messages {
        MessageForm::Named if fault.code.is_universal() => {
            format!("{code_prefix}{} - {}", fault.code, fault.message)
        }
        MessageForm::Named | MessageForm::Plain => fault.message.clone(),
    };
    let cut = |text: &str| -> String { text.chars().take(chars_max).collect() };
    Some(ErrorJson {
        error_code: model.text(fault.code)?,
        message: cut(&message),
        path: fault
            .path
            .as_deref()
            .filter(|path| !path.is_empty())
            .map(cut),
        url: fault.url.as_deref(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeFirst<'a> {
    code: &'a str,
    id: String,
    message: &'a str,
    errors: Vec<ErrorJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IdFirst<'a> {
    id: String,
    code: &'a str,
    message: &'a str,
    errors: Vec<ErrorJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorJson<'a> {
    error_code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;
    use crate::versions::VersionTable;

    fn body(row: &Row, status: u16, faults: &[Fault]) -> Option<String> {
        let id = InteractionId::new("2b5f0fb2-730b-11e8-adc0-fa7ae01bbebc").unwrap();
        render(row, status, &id, faults).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    // G-06
    #[test]
    fn errors_look_as_each_version_has_them() {
        let table = VersionTable::default();
        let fault = Fault::new(Code::UnsupportedEventType, "no such type")
            .at("Data.EventTypes[1]")
            .see("https://bank.example/developer#events");
        assert_eq!(
            body(table.oldest(), 400, std::slice::from_ref(&fault)).unwrap(),
            concat!(
                r#"{"Code":"400 BadRequest","Id":"2b5f0fb2-730b-11e8-adc0-fa7ae01bbebc","#,
                r#""Message":"The request is not valid","Errors":[{"ErrorCode":"UK.OBIE.Unsupported.EventType","#,
                r#""Message":"no such type","Path":"Data.EventTypes[1]","#,
                r#""Url":"https://bank.example/developer#events"}]}"#
            )
        );
        assert_eq!(
            body(table.newest(), 400, &[fault]).unwrap(),
            concat!(
                r#"{"Id":"2b5f0fb2-730b-11e8-adc0-fa7ae01bbebc","Code":"400 BadRequest","#,
                r#""Message":"The request is not valid","Errors":[{"ErrorCode":"U024","#,
                r#""Message":"UK.OBIE.Unsupported.EventType - no such type","Path":"Data.EventTypes[1]","#,
                r#""Url":"https://bank.example/developer#events"}]}"#
            )
        );
    }

    // G-06
    #[test]
    fn an_expired_token_has_a_body_in_v4_0_only_and_other_statuses_have_none() {
        let table = VersionTable::default();
        let expired = [Fault::new(
            Code::TokenExpired,
            "the access token has expired",
        )];
        assert_eq!(body(table.oldest(), 401, &expired), None);
        assert!(
            body(table.newest(), 401, &expired)
                .unwrap()
                .contains("\"TKXP\"")
        );
        for status in [403, 404, 405, 406, 413, 415, 429] {
            assert_eq!(body(table.newest(), status, &expired), None);
        }
        assert_eq!(body(table.newest(), 401, &[]), None);
    }

    // G-06
    #[test]
    fn texts_and_their_number_are_bounded() {
        let table = VersionTable::default();
        let long = Fault::new(Code::FieldUnexpected, "m".repeat(600)).at("ü".repeat(600));
        let text = body(table.newest(), 400, &vec![long; 101]).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors = read["Errors"].as_array().unwrap();
        assert_eq!(errors.len(), FAULTS_MAX);
        for member in ["Message", "Path"] {
            assert_eq!(errors[0][member].as_str().unwrap().chars().count(), 500);
        }
    }
}
