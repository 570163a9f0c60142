use proptest::prelude::*;

use super::*;
use crate::versions::VersionTable;

fn judged(text: &str, version: &str) -> Vec<&'static str> {
    let table = VersionTable::default();
    let judgement = Judgement {
        row: table.newest(),
        version: Some(version.parse().unwrap()),
        addresses: &Policy::default(),
    };
    faults(text, judgement)
}

// S-07
#[test]
fn a_callback_url_as_the_standard_has_it_is_taken() {
    for (text, version) in [
        (
            "https://tpp.com/open-banking/v4.0/event-notifications",
            "4.0",
        ),
        ("https://tpp.com/4.0/event-notifications", "4.0"),
        (
            "https://tpp.com:8443/a/b/v3.1.2/event-notifications",
            "3.1.2",
        ),
        ("HTTPS://TPP.com:443/v3.1/event-notifications", "3.1.7"),
        ("https://8.8.8.8/v3.1.7/event-notifications", "3.1"),
        ("https://[2606:4700::1111]/v3.0/event-notifications", "3.0"),
        (
            "https://xn--bcher-kva.example/%7Etpp/a@b/v3.1/event-notifications",
            "3.1",
        ),
    ] {
        assert_eq!(judged(text, version), Vec::<&str>::new(), "{text}");
    }
}

// S-07
#[test]
fn each_thing_wrong_with_a_callback_url_is_said() {
    let suffix =
        "its path does not end in the version and the name of the endpoint, as the standard asks";
    let written = "an HTTP client would write it otherwise";
    for (text, expected) in [
        ("/v3.1/event-notifications", vec!["it is no absolute URL"]),
        ("https:///", vec!["it is no absolute URL"]),
        (
            "http://tpp.com/v3.1/event-notifications",
            vec!["its scheme is not https"],
        ),
        (
            "mailto:a@tpp.com",
            vec!["its scheme is not https", "it has no host"],
        ),
        (
            "https://u@tpp.com/v3.1/event-notifications",
            vec!["it holds a user"],
        ),
        ("https://@tpp.com/v3.1/event-notifications", vec![written]),
        (
            "https://tpp.com/v3.1/event-notifications?",
            vec!["it has a query"],
        ),
        (
            "https://tpp.com/v3.1/event-notifications#",
            vec!["it has a fragment"],
        ),
        ("https://tpp.com/v3.1/event-notifications/", vec![suffix]),
        ("https://tpp.com/event-notifications", vec![suffix]),
        ("https://tpp.com/v3.2/event-notifications", vec![suffix]),
        ("https://tpp.com/vv3.1/event-notifications", vec![suffix]),
        ("https://tpp.com/v4.0/event-notifications", vec![suffix]),
        (
            "https://tpp.com/x/../v3.1/event-notifications",
            vec![written],
        ),
        ("https://tpp.com/\t/v3.1/event-notifications", vec![written]),
        ("https:/tpp.com/v3.1/event-notifications", vec![written]),
        (
            "https:\\\\tpp.com\\v3.1\\event-notifications",
            vec![written],
        ),
        (" https://tpp.com/v3.1/event-notifications", vec![written]),
        ("https://tpp.com/ü/v3.1/event-notifications", vec![written]),
        (
            "https://127.0.0.1/v3.1/event-notifications",
            vec!["its address is not public"],
        ),
        (
            "https://0x7f.1/v3.1/event-notifications",
            vec!["its address is not public", written],
        ),
        (
            "https://[::ffff:10.0.0.1]/v3.1/event-notifications",
            vec!["its address is not public", written],
        ),
        (
            "http://u@10.0.0.1/?a#b",
            vec![
                "its scheme is not https",
                "it holds a user",
                "it has a query",
                "it has a fragment",
                "its address is not public",
                suffix,
            ],
        ),
    ] {
        assert_eq!(judged(text, "3.1"), expected, "{text}");
    }
    let long = format!(
        "https://tpp.com/{}/v3.1/event-notifications",
        "x".repeat(2048)
    );
    assert_eq!(judged(&long, "3.1"), ["it is too long"]);
}

// S-07, C-09
#[test]
fn a_host_name_that_nobody_could_dial_is_refused() {
    let label = "its host name has a part that is empty, too long, or not of letters, digits and inner hyphens";
    let long = "its host name is too long";
    let longest_label = "a".repeat(63);
    let of_253 = [longest_label.as_str(); 4].join(".")[..253].to_owned();
    for (host, expected) in [
        ("tpp.example.", vec![]),
        ("a_b.tpp-1.example", vec![]),
        ("localhost", vec![]),
        (longest_label.as_str(), vec![]),
        (of_253.as_str(), vec![]),
        ("tpp..example", vec![label]),
        ("tpp.example..", vec![label]),
        (".example", vec![label]),
        (".", vec![label]),
        (&format!("{longest_label}a.example"), vec![label]),
        (&format!("{of_253}.a"), vec![long]),
        ("-tpp.example", vec![label]),
        ("tpp-.example", vec![label]),
        ("tpp!.example", vec![label]),
        ("tpp.example:0", vec!["its port is 0"]),
        ("[2606:4700::1111]:0", vec!["its port is 0"]),
    ] {
        let text = format!("https://{host}/v3.1/event-notifications");
        assert_eq!(judged(&text, "3.1"), expected, "{text}");
    }
}

// S-07
#[test]
fn the_version_in_the_path_is_that_of_version_as_far_as_both_say() {
    let url = |version: &str| format!("https://tpp.com/{version}/event-notifications");
    for (in_path, version, right) in [
        ("v3.1", "3.1", true),
        ("v3.1", "3.1.4", true),
        ("v3.1.4", "3.1", true),
        ("v3.1.4", "3.1.4", true),
        ("v3.1.4", "3.1.5", false),
        ("v3.1", "4.0", false),
        ("v4.0", "4.0.1", true),
    ] {
        assert_eq!(
            judged(&url(in_path), version).is_empty(),
            right,
            "{in_path} for {version}"
        );
    }
}

// S-07
#[test]
fn how_a_callback_url_ends_is_data() {
    let mut row = VersionTable::default().newest().clone();
    let inside = Policy {
        allowed: vec!["10.0.0.0/8".parse().unwrap()],
    };
    let ends = |row: &Row, text: &str| {
        faults(
            text,
            Judgement {
                row,
                version: None,
                addresses: &inside,
            },
        )
        .is_empty()
    };
    row.callback_suffix = CallbackSuffix::Segment("hooks".to_owned());
    assert!(
        ends(&row, "https://10.0.0.1/hooks")
            && !ends(&row, "https://tpp.com/v3.1/event-notifications")
    );
    row.callback_suffix = CallbackSuffix::Free;
    assert!(ends(&row, "https://tpp.com/"));
}

proptest! {
    // S-07, D-01
    #[test]
    fn what_is_taken_is_dialled_as_it_was_sent(text in r"https?:/{1,3}[a-z0-9.@\[\]:%]{1,12}[/a-z0-9.%?# \\-]{0,16}/v3\.1/event-notifications.?") {
        if judged(&text, "3.1").is_empty() {
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(&text[text.len() - url.path().len()..], url.path());
            prop_assert_eq!(url.scheme(), "https");
            prop_assert!(url.path().ends_with("/v3.1/event-notifications"));
            prop_assert!(!text.contains(['?', '#', ' ', '\\']));
        }
    }

    // S-07
    #[test]
    fn a_name_is_taken_exactly_if_each_of_its_labels_can_be(
        labels in proptest::collection::vec("[a-z0-9_!-]{0,3}|[a-z]{60,66}", 1..6),
    ) {
        let name = format!("{}.example", labels.join("."));
        let is_good = |label: &String| {
            !label.is_empty() && label.len() <= 63 && !label.contains('!')
                && !label.starts_with('-') && !label.ends_with('-')
        };
        // A label as of punycode is judged by the rules of IDNA as well.
        prop_assume!(!labels.iter().any(|label| label.starts_with("xn-")));
        let taken = judged(&format!("https://{name}/v3.1/event-notifications"), "3.1").is_empty();
        prop_assert_eq!(taken, labels.iter().all(is_good) && name.len() <= 253, "{}", name);
    }
}
