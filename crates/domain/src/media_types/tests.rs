use proptest::prelude::*;

use super::*;

fn accepts(values: &[&str]) -> bool {
    check_accept(values.iter().map(|value| value.as_bytes())).is_ok()
}

// G-04
#[test]
fn a_body_is_json_in_utf_8_whatever_else_its_type_says() {
    for text in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ; Charset=\"utf-8\"",
        "application/json; q=0.8; version=\"1;charset=latin1\"",
        "application/json;",
        "application/json; profile=\"a\\\"; charset=x\"",
    ] {
        assert_eq!(check_content_type(Some(text.as_bytes())), Ok(()), "{text}");
    }
}

// G-04
#[test]
fn a_body_of_another_type_or_charset_or_of_none_is_unsupported() {
    assert_eq!(check_content_type(None), Err(UnsupportedMediaType));
    for text in [
        "",
        "json",
        "application",
        "application/",
        "application/jsonp",
        "application/jose+jwe",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "text/json",
        "*/*",
        "*",
        "application/*",
        "application/json, application/json",
        "application /json/x",
        "application/json; charset=iso-8859-1",
        "application/json; charset=",
        "application/json; charset=utf-16; charset=utf-8",
        "\u{e9}/json",
    ] {
        let found = check_content_type(Some(text.as_bytes()));
        assert_eq!(found, Err(UnsupportedMediaType), "{text}");
    }
}

// G-04
#[test]
fn an_answer_in_json_may_be_admitted_in_many_words() {
    assert!(accepts(&[]) && accepts(&[""]) && accepts(&[" , "]));
    for text in [
        "application/json",
        "APPLICATION/json; charset=\"UTF-8\"",
        "application/*",
        "*/*",
        "*/*;charset=utf-8",
        "application/jose+jwe, application/json;q=0.001",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "application/json;charset=iso-8859-1, */*;q=0.1",
        "application/json;odata=verbose",
        "nonsense, application/json",
        "*/*;q=0, application/json",
        "text/html;x=\",application/json;q=0,\", application/json",
    ] {
        assert!(accepts(&[text]), "{text}");
    }
    assert!(accepts(&["text/html", "application/json"]));
}

// G-04
#[test]
fn a_request_that_admits_no_answer_in_json_and_utf_8_is_told_so() {
    for text in [
        "application/jose+jwe",
        "text/html",
        "text/*",
        "application/json;charset=iso-8859-1",
        "application/json;charset=utf-16, text/html",
        "application/json;q=0",
        "application/json;q=0.000, */*",
        "application/json;charset=utf-8;q=0, application/json",
        "application/*;q=0, */*",
        "*/*;q=0",
        "nonsense",
        "text/html;x=\",application/json,\"",
    ] {
        assert!(!accepts(&[text]), "{text}");
    }
    assert!(!accepts(&["*/*", "application/json;q=0.0"]));
}

fn ranges() -> impl Strategy<Value = String> {
    let names = [
        "application/json",
        "application/*",
        "*/*",
        "text/html",
        "application/jose+jwe",
    ];
    let charsets = [
        "",
        ";charset=utf-8",
        ";charset=\"UTF-8\"",
        ";charset=latin1",
    ];
    let weights = ["", ";q=1", ";q=0.5", ";q=0", ";q=0.00"];
    (
        proptest::sample::select(names.to_vec()),
        proptest::sample::select(charsets.to_vec()),
        proptest::sample::select(weights.to_vec()),
    )
        .prop_map(|(name, charset, weight)| format!("{name}{charset}{weight}"))
}

proptest! {
    // G-04
    #[test]
    fn any_bytes_are_judged_without_panic_and_a_sound_member_is_found_beside_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let both = [&bytes[..], b"application/json;charset=utf-8"];
        prop_assert_eq!(check_accept(both), Ok(()));
        let with_type = [b"application/json; x=", &bytes[..]].concat();
        let without_charset = !with_type.to_ascii_lowercase().windows(7).any(|word| word == b"charset");
        prop_assert!(check_content_type(Some(&with_type)).is_ok() || !without_charset);
    }

    // G-04
    #[test]
    fn neither_order_nor_case_nor_space_nor_lines_change_what_is_admitted(
        mut ranges in proptest::collection::vec(ranges(), 1..6),
        turns in 0..6usize,
    ) {
        let admitted = accepts(&[&ranges.join(",")]);
        let spaced = ranges.join(" ,\t").to_uppercase().replace(';', " ; ");
        prop_assert_eq!(accepts(&[&spaced]), admitted);
        let turns = turns % ranges.len();
        ranges.rotate_left(turns);
        let lines: Vec<&str> = ranges.iter().map(String::as_str).collect();
        prop_assert_eq!(accepts(&lines), admitted);
    }
}
