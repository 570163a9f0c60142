//! Nobody gets in who may not, wherever it is tried.

use oyez_domain::rules::Rules;
use oyez_testkit::authz;
use oyez_testkit::bank::{Bank, Signs};
use oyez_web::tpp::{Features, routes};

// G-02, G-06, G-08
#[tokio::test]
async fn every_route_refuses_everybody_who_may_not() {
    let bank = Bank::builder().signs(Signs::Es256).start().await;
    let served = routes(&Rules::default(), Features::default());
    let offences = authz::walk(&bank, &served).await;
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
