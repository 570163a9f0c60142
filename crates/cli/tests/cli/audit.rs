//! `oyez audit`: the trail listed, exported and proven, by whoever trusts neither the server nor its database.

use serde_json::Value;

use super::core_system::{CoreSystem, assert_calls};

/// A TPP that was disabled and enabled again.
async fn office() -> CoreSystem {
    let office = CoreSystem::open().await;
    office.run("tpps disable acme-1 --reason asked", "");
    office.run("tpps enable acme-1", "");
    office
}

// I-05
#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_listed_and_proven_whole() {
    let office = office().await;
    let story = [
        office.shown("audit list --limit 3", ""),
        office.shown("audit verify", ""),
        office.shown("audit verify --json", ""),
    ];
    assert_calls!(story.join("\n"));
}

// I-05
#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_where_the_last_one_ended_and_is_held_against_the_ledger() {
    let office = office().await;
    let first = office.run("audit export", "");
    assert_eq!(first.stdout.lines().count(), 4, "{}", first.stdout);
    office.desk.write("audit.ndjson", &first.stdout);
    let nothing = office.run("audit export --after audit.ndjson", "");
    assert_eq!(nothing.stdout, "");
    office.run("endpoints pause acme-1", "");
    let more = office.run("audit export --after audit.ndjson", "");
    let entry: Value = serde_json::from_str(more.stdout.trim()).unwrap();
    assert_eq!(
        (&entry["action"], &entry["link"]["number"]),
        (&"endpoint.paused".into(), &5.into())
    );
    let sound = office.run("audit verify --expect audit.ndjson", "");
    assert_eq!(sound.code, 0, "{}", sound.stdout);

    // The ledger was written anew since: what was exported had other hashes.
    let last = first.stdout.lines().last().unwrap();
    let mut known: Value = serde_json::from_str(last).unwrap();
    known["link"]["hash"] = "0".repeat(64).into();
    office.desk.write("anew.ndjson", &known.to_string());
    // Its last entries were removed, and its head set back.
    known["link"]["number"] = 9.into();
    office.desk.write("more.ndjson", &known.to_string());
    // A TPP is gone altogether.
    known["tpp"] = "bolt-1".into();
    office.desk.write("gone.ndjson", &known.to_string());
    office.desk.write("strange.ndjson", "{}");
    let story = ["anew", "more", "gone", "strange"]
        .map(|name| office.shown(&format!("audit verify --expect {name}.ndjson"), ""));
    assert_calls!(story.join("\n"));
}
