use serde_json::json;

use super::*;
use crate::actor::Actor;
use crate::time::Timestamp;

/// A chain of so many entries.
fn chain(entries: u64) -> Vec<AuditEntry> {
    let mut last = None;
    let entries = (1..=entries).map(|sequence| {
        let mut entry = entry(sequence);
        last = Some(entry.link_after(last));
        entry.link = last;
        entry
    });
    entries.collect()
}

fn entry(sequence: u64) -> AuditEntry {
    AuditEntry {
        sequence,
        at: Timestamp::from_unix_seconds(1_700_000_000),
        actor: Actor::Operator("jo".to_owned()),
        action: "tpp.changed".to_owned(),
        client_id: Some(ClientId::new("tpp-1").unwrap()),
        before: None,
        after: Some(json!({"nth": sequence, "b": [1, {"z": "ä\"", "a": 2.5}]})),
        link: None,
    }
}

fn walked(entries: &[AuditEntry], heads: &[Link]) -> Result<Walked, Break> {
    let mut walk = Walk::default();
    for entry in entries {
        walk.next(entry);
        heads.iter().for_each(|head| walk.expect(*head));
    }
    walk.end(heads)
}

// I-05
#[test]
fn the_canonical_form_is_what_the_description_says() {
    let first = &chain(1)[0];
    let text = concat!(
        r#"{"action":"tpp.changed","actor":"operator:jo","after":{"b":[1,{"a":2.5,"z":"ä\""}],"nth":1},"#,
        r#""at":"2023-11-14T22:13:20.000Z","before":null,"chain":"tpp-1","number":1,"previous":null}"#
    );
    let expected = Hash(Sha256::digest(text.as_bytes()).into());
    assert_eq!(first.link.unwrap().hash, expected);
    let hex = expected.to_string();
    assert_eq!(hex.parse(), Ok(expected));
    assert_eq!(hex.to_uppercase().parse::<Hash>(), Err(NotAHash));
}

// I-05
#[test]
fn a_whole_chain_is_proven_and_so_is_one_that_began_late() {
    let mut entries = chain(5);
    let last = entries[4].link;
    let heads = [last.unwrap(), entries[2].link.unwrap()];
    assert_eq!(walked(&entries, &heads), Ok(Walked { last, unchained: 0 }));
    entries.insert(0, entry(0));
    assert_eq!(walked(&entries, &heads), Ok(Walked { last, unchained: 1 }));
    let nothing = Walked {
        last: None,
        unchained: 0,
    };
    assert_eq!(walked(&[], &[]), Ok(nothing));
}

// I-05
#[test]
fn whatever_is_edited_is_found_where_it_stands() {
    let whole = chain(5);
    let edits: [fn(&mut AuditEntry); 7] = [
        |it| it.at = it.at + std::time::Duration::from_secs(1),
        |it| it.actor = Actor::System,
        |it| it.action = "tpp.enabled".to_owned(),
        |it| it.client_id = None,
        |it| it.before = Some(json!({})),
        |it| it.after = None,
        |it| it.link.as_mut().unwrap().hash = Hash([0; 32]),
    ];
    for edit in edits {
        let mut entries = whole.clone();
        edit(&mut entries[2]);
        let found = Break::Edited {
            sequence: 3,
            number: 3,
        };
        assert_eq!(walked(&entries, &[]), Err(found));
    }
}

// I-05
#[test]
fn what_is_removed_reordered_or_put_in_is_told_apart() {
    let whole = chain(5);
    let head = whole[4].link.unwrap();
    let mut removed = whole.clone();
    removed.remove(1);
    let gap = Break::Removed {
        number: 2,
        next: 3,
        sequence: 3,
    };
    assert_eq!(walked(&removed, &[]), Err(gap));
    let mut reordered = whole.clone();
    reordered.swap(1, 2);
    let found = Break::Reordered {
        sequence: 3,
        number: 3,
        expected: 2,
    };
    assert_eq!(walked(&reordered, &[]), Err(found));
    let found = Break::EndRemoved { last: 4, head: 5 };
    assert_eq!(walked(&whole[..4], &[head]), Err(found));
    let mut put_in = whole.clone();
    put_in.insert(3, entry(9));
    let found = Break::NotChained { sequence: 9 };
    assert_eq!(walked(&put_in, &[]), Err(found));
    let mut lenient = Walk::accepting_until(9);
    put_in.iter().for_each(|entry| lenient.next(entry));
    assert_eq!(lenient.end(&[head]).map(|walked| walked.unchained), Ok(1));
}

// I-05
#[test]
fn a_chain_that_was_written_anew_is_not_the_one_that_was_exported() {
    let known = chain(5)[3].link.unwrap();
    let mut anew = chain(5);
    anew[1].actor = Actor::System;
    let mut last = None;
    for entry in &mut anew {
        last = Some(entry.link_after(last));
        entry.link = last;
    }
    assert!(walked(&anew, &[]).is_ok());
    let found = Break::Replaced { number: 4 };
    assert_eq!(walked(&anew, &[known]), Err(found));
}
