//! `tpp.toml`: everything that is wrong with it is said at once, each fault with its mend.

use crate::bank::{Desk, assert_session};

#[test]
fn all_faults_of_the_configuration_are_told_at_once() {
    let desk = Desk::empty();
    desk.write("tpp.toml", FAULTY);
    assert_session!(desk.session(&["poll --once", "subscription show --json"]));
}

#[test]
fn what_contradicts_itself_is_told() {
    let desk = Desk::empty();
    desk.write("tpp.toml", CONTRADICTORY);
    assert_session!(desk.session(&["listen"]));
}

#[test]
fn files_that_are_missing_or_make_no_sense_are_named() {
    let desk = Desk::empty();
    let sound = CONTRADICTORY.split("[[tpp.banks]]").take(2);
    let sound = sound.collect::<Vec<_>>().join("[[tpp.banks]]");
    let sound = sound.replace("issuer =", "jwks = \"https://one.example/jwks\"\nissuer =");
    let mut told = vec![desk.session(&["poll"])];
    desk.write("tpp.toml", &sound);
    told.push(desk.session(&["poll"]));
    for name in ["s.key", "t.crt", "t.key", "ca.pem"] {
        desk.write(name, "this is no PEM");
    }
    told.push(desk.session(&["poll", "listen --bank two"]));
    assert_session!(told.join("\n"));
}

const FAULTY: &str = "\
[tpp]
signatory = 7
signing_key = \"s.key\"
certificat = \"t.crt\"
trust_anchor = \"not a domain\"
remembered = \"3 minutes\"

[[tpp.banks]]
name = \"one\"
base_url = \"http://plain.example\"
version = \"v5\"
token_method = \"password\"
events_max = 0

[hand_over]
to = \"kafka\"
secret = \"whsec_MDEyMw==\"
secret_file = \"webhook.secret\"

[listen]
address = \"nowhere\"

[listenn]
";

const CONTRADICTORY: &str = "\
[tpp]
signatory = \"org/software\"
signing_key = \"s.key\"
certificate = \"t.crt\"
key = \"t.key\"
trust_anchors = \"ca.pem\"

[[tpp.banks]]
name = \"one\"
base_url = \"https://api.one.example\"
client_id = \"a\"
issuer = \"https://one.example\"
org_id = \"ONE\"

[[tpp.banks]]
name = \"one\"
base_url = \"https://api.two.example\"
client_id = \"b\"
issuer = \"https://two.example\"
org_id = \"TWO\"
jwks = \"https://two.example/jwks\"

[[tpp.banks]]
name = \"three\"
base_url = \"http://api.one.example\"
client_id = \"c\"
issuer = \"https://one.example\"
org_id = \"ONE\"
discovery = \"https://one.example\"

[hand_over]
to = \"http\"
";
