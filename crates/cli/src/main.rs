//! oyez
mod config;
fn main() {
    let c = config::Config::read("", std::path::Path::new("/"), &config::Variables::default());
    assert!(c.is_err());
    let _ = config::render(&std::collections::BTreeMap::new());
}
