//! event-subscriptions and callback-urls (S, C).

use oyez_domain::fault::Code;
use oyez_domain::registration::Registrations;
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};

use super::asking::{Ask, VERSIONS, a_callback_url, a_subscription, one, release};
use super::world::{Reply, World};

/// What tells one kind from the other.
#[derive(Debug, Clone, Copy)]
struct Kind {
    resource: &'static str,
    id: &'static str,
    list: &'static str,
    url: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        resource: "event-subscriptions",
        id: "EventSubscriptionId",
        list: "EventSubscription",
        url: "CallbackUrl",
    },
    Kind {
        resource: "callback-urls",
        id: "CallbackUrlId",
        list: "CallbackUrl",
        url: "Url",
    },
];

impl Kind {
    /// A body with a URL, which names the Version's.
    fn body(self, version: &str) -> Value {
        let mut body = a_callback_url(version);
        let url = body["Data"]["Url"].take();
        body["Data"].as_object_mut().unwrap().remove("Url");
        body["Data"][self.url] = url;
        body
    }

    fn ask<'w>(
        self,
        world: &'w World,
        tpp: &Caller,
        method: &'static str,
        version: &str,
    ) -> Ask<'w> {
        Ask::new(world, tpp, method, format!("{version}/{}", self.resource))
    }

    fn ask_of<'w>(
        self,
        world: &'w World,
        tpp: &Caller,
        method: &'static str,
        version: &str,
        id: &str,
    ) -> Ask<'w> {
        Ask::new(
            world,
            tpp,
            method,
            format!("{version}/{}/{id}", self.resource),
        )
    }

    async fn create(self, world: &World, tpp: &Caller, version: &str) -> String {
        let reply = self
            .ask(world, tpp, "POST", version)
            .json(&self.body(version));
        let reply = reply.send().await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        self.id_of(&reply)
    }

    fn id_of(self, reply: &Reply) -> String {
        reply.json()["Data"][self.id].as_str().unwrap().to_owned()
    }

    async fn listed(self, world: &World, tpp: &Caller, version: &str) -> Vec<Value> {
        let reply = self.ask(world, tpp, "GET", version).send().await;
        assert_eq!(reply.status, 200);
        let body = reply.json();
        let link = format!(
            "https://api.bank.example/open-banking/{version}/{}",
            self.resource
        );
        assert_eq!(body["Links"], json!({ "Self": link }));
        assert_eq!(body["Meta"], json!({}));
        body["Data"][self.list].as_array().unwrap().clone()
    }
}

// S-01, S-03, S-04, S-05, C-01, C-03, C-04, C-05
#[tokio::test]
async fn a_registration_is_created_listed_replaced_and_deleted() {
    for kind in KINDS {
        for version in VERSIONS {
            let world = World::new();
            let tpp = world.tpp("tpp-1").await;
            assert_eq!(
                kind.listed(&world, &tpp, version).await,
                Vec::<Value>::new()
            );
            let made = kind
                .ask(&world, &tpp, "POST", version)
                .json(&kind.body(version));
            let made = made.send().await;
            assert_eq!(made.status, 201);
            let id = kind.id_of(&made);
            assert!((1..=40).contains(&id.len()), "{id}");
            let mut data = kind.body(version)["Data"].clone();
            data[kind.id] = json!(id);
            let base = "https://api.bank.example/open-banking";
            let link = format!("{base}/{version}/{}/{id}", kind.resource);
            let whole =
                |data: &Value| json!({ "Data": data, "Links": { "Self": link }, "Meta": {} });
            assert_eq!(made.json(), whole(&data));
            assert_eq!(kind.listed(&world, &tpp, version).await, [data.clone()]);

            let url = format!("https://other.example/{version}/event-notifications");
            data[kind.url] = json!(url);
            let put = kind.ask_of(&world, &tpp, "PUT", version, &id);
            let put = put.json(&json!({ "Data": data })).send().await;
            assert_eq!((put.status, put.json()), (200, whole(&data)));
            assert_eq!(kind.listed(&world, &tpp, version).await, [data]);

            let deleted = kind
                .ask_of(&world, &tpp, "DELETE", version, &id)
                .send()
                .await;
            assert_eq!((deleted.status, deleted.body.len()), (204, 0));
            assert_eq!(deleted.header("content-type"), None);
            assert_eq!(
                kind.listed(&world, &tpp, version).await,
                Vec::<Value>::new()
            );
            let gone = kind
                .ask_of(&world, &tpp, "DELETE", version, &id)
                .send()
                .await;
            assert_eq!(gone.errors(), one(version, Code::ResourceNotFound, None));
        }
    }
}

// S-04
#[tokio::test]
async fn what_a_put_leaves_out_is_removed() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let kind = KINDS[0];
    let id = kind.create(&world, &tpp, "v4.0").await;
    let put = kind
        .ask_of(&world, &tpp, "PUT", "v4.0", &id)
        .json(&a_subscription("v4.0"));
    let expected = json!({ "EventSubscriptionId": id, "Version": "4.0" });
    assert_eq!(put.send().await.json()["Data"], expected);
    assert_eq!(kind.listed(&world, &tpp, "v4.0").await, [expected]);
    let mut other = a_subscription("v4.0");
    other["Data"]["EventSubscriptionId"] = json!("another");
    let put = kind
        .ask_of(&world, &tpp, "PUT", "v4.0", &id)
        .json(&other)
        .send()
        .await;
    let path = Some("Data.EventSubscriptionId");
    assert_eq!(put.errors(), one("v4.0", Code::FieldInvalid, path));
}

// S-02, C-02
#[tokio::test]
async fn there_is_one_of_each_kind_over_all_versions() {
    for kind in KINDS {
        for (first, second) in [("v3.1", "v4.0"), ("v4.0", "v3.1"), ("v4.0", "v4.0")] {
            let world = World::new();
            let tpp = world.tpp("tpp-1").await;
            kind.create(&world, &tpp, first).await;
            let before = world.registrations("tpp-1").await;
            let again = kind
                .ask(&world, &tpp, "POST", second)
                .json(&kind.body(second));
            let again = again.send().await;
            assert_eq!(again.status, 409);
            assert_eq!(again.json()["Code"], "409 Conflict");
            assert_eq!(
                again.errors(),
                one(second, Code::ResourceAlreadyExists, None)
            );
            assert_eq!(world.registrations("tpp-1").await, before);
        }
    }
}

// S-02, C-02
#[tokio::test]
async fn of_posts_at_once_exactly_one_is_201() {
    for kind in KINDS {
        let world = World::new();
        let tpp = world.tpp("tpp-1").await;
        let post = || {
            kind.ask(&world, &tpp, "POST", "v4.0")
                .json(&kind.body("v4.0"))
                .send()
        };
        let (a, b, c, d) = tokio::join!(post(), post(), post(), post());
        let mut statuses = [a, b, c, d].map(|reply| reply.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
    }
}

// S-06, C-06
#[tokio::test]
async fn an_old_path_does_not_see_what_a_new_one_made_and_a_new_one_sees_all() {
    for kind in KINDS {
        let world = World::new();
        let tpp = world.tpp("tpp-1").await;
        let id = kind.create(&world, &tpp, "v4.0").await;
        let before = world.registrations("tpp-1").await;
        assert_eq!(kind.listed(&world, &tpp, "v3.1").await, Vec::<Value>::new());
        let put = kind
            .ask_of(&world, &tpp, "PUT", "v3.1", &id)
            .json(&kind.body("v3.1"));
        assert_eq!(
            put.send().await.errors(),
            one("v3.1", Code::ResourceNotFound, None)
        );
        let deleted = kind
            .ask_of(&world, &tpp, "DELETE", "v3.1", &id)
            .send()
            .await;
        assert_eq!(deleted.errors(), one("v3.1", Code::ResourceNotFound, None));
        assert_eq!(world.registrations("tpp-1").await, before);

        let tpp = world.tpp("tpp-2").await;
        let id = kind.create(&world, &tpp, "v3.1").await;
        let seen = kind.listed(&world, &tpp, "v4.0").await;
        assert_eq!(seen, kind.listed(&world, &tpp, "v3.1").await);
        assert_eq!(seen[0]["Version"], release("v3.1"));
        let put = kind
            .ask_of(&world, &tpp, "PUT", "v4.0", &id)
            .json(&kind.body("v4.0"));
        assert_eq!(put.send().await.status, 200);
        assert_eq!(kind.listed(&world, &tpp, "v3.1").await, Vec::<Value>::new());
        let deleted = kind
            .ask_of(&world, &tpp, "DELETE", "v4.0", &id)
            .send()
            .await;
        assert_eq!(deleted.status, 204);
    }
}

// S-06, S-08, C-06
#[tokio::test]
async fn a_version_is_served_and_not_newer_than_the_path() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for kind in KINDS {
        for (version, wish) in [
            ("v3.1", "4.0"),
            ("v3.1", "2.0"),
            ("v4.0", "4.0.12345678"),
            ("v4.0", ""),
        ] {
            let mut body = kind.body(version);
            body["Data"]["Version"] = json!(wish);
            let reply = kind
                .ask(&world, &tpp, "POST", version)
                .json(&body)
                .send()
                .await;
            assert_eq!(reply.status, 400);
            assert!(
                reply
                    .errors()
                    .contains(&one(version, Code::FieldInvalid, Some("Data.Version"))[0])
            );
        }
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// G-08, A-07
#[tokio::test]
async fn another_tpp_s_registration_is_403_and_what_nobody_has_is_400() {
    let world = World::new();
    let (mine, theirs) = (world.tpp("tpp-1").await, world.tpp("tpp-2").await);
    for kind in KINDS {
        let id = kind.create(&world, &theirs, "v3.1").await;
        let before = world.registrations("tpp-2").await;
        for version in VERSIONS {
            let body = kind.body(version);
            for method in ["PUT", "DELETE"] {
                let ask = kind.ask_of(&world, &mine, method, version, &id).json(&body);
                let reply = ask.send().await;
                assert_eq!((reply.status, reply.body.len()), (403, 0));
                for nobody_s in [
                    "0b7dd3a6-9a5c-4a0f-9f5b-1f1d3a8e7c11",
                    "%20",
                    &"x".repeat(99),
                ] {
                    let ask = kind.ask_of(&world, &mine, method, version, nobody_s);
                    let reply = ask.json(&body).send().await;
                    assert_eq!(reply.errors(), one(version, Code::ResourceNotFound, None));
                }
            }
            assert_eq!(
                kind.listed(&world, &mine, version).await,
                Vec::<Value>::new()
            );
        }
        assert_eq!(world.registrations("tpp-2").await, before);
    }
}

// S-07, C-09
#[tokio::test]
async fn a_callback_leads_to_a_public_address_by_https() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    world.names.lead("inside.example", &["10.0.0.7"]);
    world
        .names
        .lead("both.example", &["203.0.114.7", "127.0.0.1"]);
    world.names.lead("outside.example", &["203.0.114.7"]);
    for kind in KINDS {
        for version in VERSIONS {
            let ask = |url: String| {
                let mut body = kind.body(version);
                body["Data"][kind.url] = json!(url);
                kind.ask(&world, &tpp, "POST", version).json(&body)
            };
            for (scheme, host) in [
                ("http", "outside.example"),
                ("https", "inside.example"),
                ("https", "both.example"),
                ("https", "127.0.0.1"),
                ("https", "[::1]"),
                ("https", "169.254.169.254"),
            ] {
                let url = format!("{scheme}://{host}/{version}/event-notifications");
                let reply = ask(url).send().await;
                let path = format!("Data.{}", kind.url);
                assert_eq!(
                    reply.errors(),
                    one(version, Code::FieldInvalid, Some(&path)),
                    "{host}"
                );
            }
            assert_eq!(world.registrations("tpp-1").await, Registrations::default());
            for host in ["outside.example", "unknown.example"] {
                let url = format!("https://{host}/{version}/event-notifications");
                let reply = ask(url).send().await;
                assert_eq!(reply.status, 201, "{host}");
                let id = kind.id_of(&reply);
                let deleted = kind
                    .ask_of(&world, &tpp, "DELETE", version, &id)
                    .send()
                    .await;
                assert_eq!(deleted.status, 204);
            }
        }
    }
}

mod slow {
    use super::*;

    // S-07
    #[tokio::test]
    async fn a_name_whose_servers_never_answer_is_not_waited_for() {
        let world = World::new();
        let tpp = world.tpp("tpp-1").await;
        let mut body = a_subscription("v4.0");
        body["Data"]["CallbackUrl"] = json!("https://hangs.example/v4.0/event-notifications");
        let reply = KINDS[0]
            .ask(&world, &tpp, "POST", "v4.0")
            .json(&body)
            .send()
            .await;
        assert_eq!(reply.status, 201);
    }
}

// S-09
#[tokio::test]
async fn event_types_are_the_catalogue_s_and_are_returned_as_sent() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let ask = |types: Value| {
        let mut body = a_subscription("v3.1");
        body["Data"]["EventTypes"] = types;
        KINDS[0].ask(&world, &tpp, "POST", "v3.1").json(&body)
    };
    let reply = ask(json!(["UK.OBIE.Resource-Update", "UK.OBIE.Unheard-Of"]))
        .send()
        .await;
    let expected = one(
        "v3.1",
        Code::UnsupportedEventType,
        Some("Data.EventTypes[1]"),
    );
    assert_eq!(reply.errors(), expected);
    assert_eq!(
        reply.json()["Errors"][0]["Url"],
        "https://api.bank.example/developer#event-types"
    );
    let urn = "urn:uk:org:openbanking:events:consent-access-revoked";
    let sent = json!([urn, "UK.OBIE.Resource-Update", urn]);
    let reply = ask(sent).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(
        reply.json()["Data"]["EventTypes"],
        json!([urn, "UK.OBIE.Resource-Update"])
    );
}

// C-08
#[tokio::test]
async fn a_callback_url_can_be_made_beside_a_subscription() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    KINDS[0].create(&world, &tpp, "v4.0").await;
    KINDS[1].create(&world, &tpp, "v4.0").await;
    let kept = world.registrations("tpp-1").await;
    assert!(kept.subscription.is_some() && kept.callback_url.is_some());
}

// G-13
#[tokio::test]
async fn a_callback_url_is_unexpected_where_nothing_is_pushed() {
    let world = World::with(|choices| choices.rules.switches.push = false);
    let tpp = world.tpp("tpp-1").await;
    let ask = KINDS[0]
        .ask(&world, &tpp, "POST", "v4.0")
        .json(&KINDS[0].body("v4.0"));
    let expected = one("v4.0", Code::FieldUnexpected, Some("Data.CallbackUrl"));
    assert_eq!(ask.send().await.errors(), expected);
}
