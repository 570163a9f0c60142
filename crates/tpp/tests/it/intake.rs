//! What happens to an event between its verification and the word that the bank gets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oyez_tpp::domain::claims::Claims;
use oyez_tpp::domain::time::{Clock, Timestamp};
use oyez_tpp::{
    AGE_MAX, Declined, Intake, NotNow, Notification, Repeat, Seen, SeenInMemory, SetError,
    SqliteSeen, Taken, Via,
};

use crate::application::Application;
use crate::world::{ManualClock, NOW, SET_ISSUER};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new())
}

fn intake(seen: impl Seen, application: &Arc<Application>) -> Intake {
    let application = Arc::clone(application);
    Intake::new(Arc::new(seen), application, clock())
}

fn in_memory() -> SeenInMemory {
    SeenInMemory::new(AGE_MAX)
}

fn event(jti: &str) -> Notification {
    let claims = Claims {
        iss: SET_ISSUER.to_owned(),
        iat: Timestamp::from_unix_ms(NOW * 1000),
        jti: jti.to_owned(),
        sub: "https://bank.example/1".to_owned(),
        aud: "us".to_owned(),
        txn: "txn".to_owned(),
        toe: Timestamp::from_unix_ms(NOW * 1000),
        events: Vec::new(),
    };
    Notification {
        bank: "bank".into(),
        claims,
        raw: String::new(),
        via: Via::Push,
        interaction_id: None,
        received_at: Timestamp::from_unix_ms(NOW * 1000),
        repeat: Repeat::No,
    }
}

fn tell(taken: &[Taken]) -> Vec<&'static str> {
    let word = |taken: &Taken| match taken {
        Taken::HandedOver => "handed over",
        Taken::HadIt => "had it",
        Taken::Refused(_) => "refused",
        Taken::NotNow(NotNow::Seen(_)) => "not noted",
        Taken::NotNow(NotNow::Declined(_)) => "later",
        Taken::NotNow(NotNow::Unanswered) => "unanswered",
    };
    taken.iter().map(word).collect()
}

//
#[tokio::test]
async fn an_event_is_handed_over_once_however_often_it_comes() {
    let application = Application::open();
    let intake = intake(in_memory(), &application);
    let taken = intake.take(vec![event("1"), event("2"), event("1")]).await;
    assert_eq!(tell(&taken), ["handed over", "handed over", "had it"]);
    assert_eq!(tell(&intake.take(vec![event("2")]).await), ["had it"]);
    let got = application.got();
    assert_eq!(
        got,
        [("1".to_owned(), Repeat::No), ("2".to_owned(), Repeat::No)]
    );
}

//
#[tokio::test]
async fn what_the_application_declined_is_offered_again_and_says_so() {
    let application = Application::open();
    let intake = intake(in_memory(), &application);
    application.declines(Declined::Later("the disk is full".into()));
    application.declines(Declined::Never(SetError {
        err: "invalid_request".to_owned(),
        description: "not ours".to_owned(),
    }));
    let events = || vec![event("1"), event("2"), event("3")];
    assert_eq!(
        tell(&intake.take(events()).await),
        ["later", "refused", "handed over"]
    );
    assert_eq!(
        tell(&intake.take(events()).await),
        ["handed over", "handed over", "had it"]
    );
    let repeats: Vec<Repeat> = application.got().iter().map(|it| it.1).collect();
    let expected = [
        Repeat::No,
        Repeat::No,
        Repeat::No,
        Repeat::Possible,
        Repeat::Possible,
    ];
    assert_eq!(repeats, expected);
}

//
#[tokio::test]
async fn two_that_come_at_once_share_one_hand_over() {
    let application = Application::with_places(0);
    let intake = intake(in_memory(), &application);
    let first = intake.take(vec![event("1"), event("2")]);
    let second = intake.take(vec![event("2"), event("1")]);
    let let_go = async {
        while application.got().is_empty() {
            tokio::task::yield_now().await;
        }
        application.gate.add_permits(2);
    };
    let (first, second, ()) = tokio::join!(first, second, let_go);
    assert_eq!(tell(&first), ["handed over", "handed over"]);
    assert_eq!(tell(&second), ["had it", "had it"]);
    assert_eq!(application.got().len(), 2);
}

//
#[tokio::test]
async fn who_goes_away_in_the_middle_leaves_the_event_to_the_next() {
    let application = Application::with_places(0);
    let intake = intake(in_memory(), &application);
    {
        let mut first = std::pin::pin!(intake.take(vec![event("1")]));
        tokio::select! {
            biased;
            _ = &mut first => unreachable!("the application takes nothing"),
            () = tokio::task::yield_now() => {}
        }
    }
    application.gate.add_permits(1);
    assert_eq!(tell(&intake.take(vec![event("1")]).await), ["handed over"]);
    let repeats: Vec<Repeat> = application.got().iter().map(|it| it.1).collect();
    assert_eq!(repeats, [Repeat::No, Repeat::Possible]);
}

//
#[tokio::test]
async fn a_restart_forgets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seen.db");
    let application = Application::with_places(1);
    {
        let intake = intake(open(&path), &application);
        assert_eq!(tell(&intake.take(vec![event("1")]).await), ["handed over"]);
        let mut second = std::pin::pin!(intake.take(vec![event("2")]));
        // It stands at the application's door when the process dies.
        while application.got().len() < 2 {
            tokio::select! {
                biased;
                _ = &mut second => unreachable!("the application takes no more"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    application.gate.add_permits(1);
    let intake = intake(open(&path), &application);
    let taken = intake.take(vec![event("1"), event("2")]).await;
    assert_eq!(tell(&taken), ["had it", "handed over"]);
    assert_eq!(
        application.got()[2..],
        [("2".to_owned(), Repeat::Possible)],
        "flagged"
    );
}

//
#[tokio::test]
async fn what_is_older_than_banks_repeat_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Seen>; 2] = [
        Arc::new(in_memory()),
        Arc::new(open(&directory.path().join("seen.db"))),
    ];
    for seen in stores {
        let (application, clock) = (Application::open(), clock());
        let taking = Arc::clone(&application);
        let intake = Intake::new(seen, taking, Arc::clone(&clock) as Arc<dyn Clock>);
        intake.take(vec![event("1")]).await;
        clock.advance(AGE_MAX);
        assert_eq!(tell(&intake.take(vec![event("1")]).await), ["had it"]);
        clock.advance(Duration::from_secs(1));
        // Time is told by what comes.
        intake.take(vec![event("2")]).await;
        assert_eq!(tell(&intake.take(vec![event("1")]).await), ["handed over"]);
    }
}

//
#[tokio::test]
async fn two_processes_may_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seen.db");
    let application = Application::open();
    let intakes = [
        intake(open(&path), &application),
        intake(open(&path), &application),
    ];
    let events: Vec<Notification> = (0..50).map(|it| event(&it.to_string())).collect();
    let (first, second) = tokio::join!(
        intakes[0].take(events.clone()),
        intakes[1].take(events.clone())
    );
    assert_eq!((first.len(), second.len()), (50, 50));
    for intake in &intakes {
        assert_eq!(tell(&intake.take(events.clone()).await), ["had it"; 50]);
    }
    let mut first_times = application.got();
    first_times.retain(|it| it.1 == Repeat::No);
    assert_eq!(first_times.len(), 50, "each is new to one of them");
}

//
#[tokio::test]
async fn without_a_store_nothing_is_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seen.db");
    let application = Application::open();
    let intake = intake(open(&path), &application);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE seen").unwrap();
    assert_eq!(tell(&intake.take(vec![event("1")]).await), ["not noted"]);
    assert!(application.got().is_empty());
    let text = directory.path().join("no.db");
    std::fs::write(
        &text,
        "this is no database, and long enough to be seen as none",
    )
    .unwrap();
    assert!(SqliteSeen::open(&text, AGE_MAX).is_err());
}

fn open(path: &Path) -> SqliteSeen {
    SqliteSeen::open(path, AGE_MAX).unwrap()
}
