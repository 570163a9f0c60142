//! Callback URLs from anybody. No input may make the judgement panic; what is taken is dialled as it was sent, at a public
//! address if it names one; and a registration takes exactly what the judgement takes.

use std::sync::LazyLock;

use oyez_domain::address::{Policy, Verdict, judge};
use oyez_domain::registration::callback::{Judgement, faults};
use oyez_domain::registration::request::{Action, Call, callback_url};
use oyez_domain::rules::Rules;
use oyez_domain::version::Version;
use url::{Host, Url};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let row = RULES.versions.oldest();
    let version: Version = "3.1".parse().expect("this is a version");
    let judgement = Judgement {
        row,
        version: Some(version),
        addresses: &Policy::default(),
    };
    let taken = faults(text, judgement).is_empty();
    if taken {
        dialled_as_sent(text);
    }
    let call = Call {
        rules: &RULES,
        row,
        action: Action::Create,
        catalogue_url: "https://bank.example/developer",
    };
    let body = serde_json::json!({"Data": {"Url": text, "Version": "3.1"}}).to_string();
    let wish = callback_url(call, body.as_bytes());
    assert_eq!(wish.is_ok(), taken);
    assert!(wish.is_ok_and(|wish| wish.url == text) || !taken);
}

fn dialled_as_sent(text: &str) {
    let url = Url::parse(text).expect("what was taken is a URL");
    assert_eq!(url.scheme(), "https");
    assert!(text.is_ascii() && !text.contains(['?', '#', '\\', ' ', '\t', '\n']));
    assert!(text.ends_with(url.path()) && url.path().ends_with("/event-notifications"));
    let is_public = |address| judge(address, &Policy::default()) == Verdict::Public;
    let public = match url.host().expect("what was taken has a host") {
        Host::Domain(name) => {
            let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
            name.len() <= 253 && labels.all(|label| (1..=63).contains(&label.len()))
        }
        Host::Ipv4(address) => is_public(address.into()),
        Host::Ipv6(address) => is_public(address.into()),
    };
    assert!(public);
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);
