//! Telling who waits, on this node and on the others.
//!
//! Those who listen here hear of a change after its commit and before its caller. The other nodes hear of it by NOTIFY, a few
//! milliseconds later: on a connection of its own, since inside a transaction it would take a lock of the whole database, and
//! with everything that came up meanwhile, each TPP once. They LISTEN on another connection, which a pooler of transactions
//! would not carry: then it goes to an address of its own.
//!
//! Nothing rests on it. What cannot be said is kept and said later; if that becomes too much, the others are told to look at
//! everything. What is lost all the same, or was said while nobody listened here, is found by the clock: see [`super::net`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use oyez_domain::ids::ClientId;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_postgres::AsyncMessage;

use super::errors::fault;
use super::options::{Announcing, Options};
use super::server::Server;
use super::session::{Session, connect};
use super::tasks::{Tasks, closed};
use crate::{Error, Listeners, News};

/// Who listens on this node, and what is still to be said to the others.
pub(super) struct Newsroom {
    pub(super) listeners: Listeners,
    announcing: Announcing,
    pending: Mutex<Pending>,
    something: Notify,
    /// News may have been lost: whoever sweeps is to do so at once.
    pub(super) look_at_everything: Notify,
    /// The name that this node speaks by, whichever connection it has: what it said needs not be heard here. The numbers by which the
    /// database knows connections would not do: another's may have one that was ours.
    name: OnceLock<String>,
}

/// What is still to be said.
#[derive(Debug, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Nothing,
    News(HashMap<ClientId, News>),
    /// More than there was room for: whoever hears of it is to look for itself.
    LookAtEverything,
}

impl Pending {
    fn add<'n>(&mut self, more: impl IntoIterator<Item = &'n News>) {
        let mut sum = match std::mem::take(self) {
            Self::Nothing => HashMap::new(),
            Self::News(sum) => sum,
            Self::LookAtEverything => return *self = Self::LookAtEverything,
        };
        for news in more {
            let known = sum.entry(news.client_id.clone());
            known
                .and_modify(|known| known.absorb(news))
                .or_insert_with(|| news.clone());
        }
        *self = if sum.len() > PENDING_MAX {
            Self::LookAtEverything
        } else {
            Self::News(sum)
        };
    }

    /// What was taken out to be said, and was not.
    fn put_back(&mut self, unsaid: Self) {
        match unsaid {
            Self::Nothing => {}
            Self::News(news) => self.add(news.values()),
            Self::LookAtEverything => *self = Self::LookAtEverything,
        }
    }
}

impl Newsroom {
    pub(super) fn new(announcing: Announcing) -> Self {
        Self {
            listeners: Listeners::default(),
            announcing,
            pending: Mutex::default(),
            something: Notify::new(),
            look_at_everything: Notify::new(),
            name: OnceLock::new(),
        }
    }

    /// Tells those who listen here at once, and the others soon.
    pub(super) fn tell(&self, news: &[News]) {
        self.listeners.tell(news);
        if news.is_empty() || self.announcing == Announcing::ToNobody {
            return;
        }
        self.pending().add(news);
        self.something.notify_one();
    }

    /// Drawn once, by the database.
    async fn name(&self, db: &Session) -> Result<&str, Error> {
        if self.name.get().is_none() {
            let drawn = db.one("SELECT gen_random_uuid()::text", &[]).await?;
            self.name.set(drawn.try_get(0)?).ok();
        }
        Ok(self.name.get().expect("it was set"))
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, payload: &str) {
        let Some((name, news)) = payload.split_once('\n') else {
            return;
        };
        if self.name.get().is_some_and(|own| own == name) {
            return;
        }
        if news == LOOK_AT_EVERYTHING {
            self.look_at_everything.notify_one();
        } else {
            self.listeners.tell(&read(news));
        }
    }
}

/// Speaks to the other nodes and listens to them, until the ledger is closed.
pub(super) fn open(room: &Arc<Newsroom>, server: &Server, options: Options, tasks: &Tasks) {
    if options.announcing == Announcing::ToNobody {
        return;
    }
    let (speaking, from, at) = (Arc::clone(room), server.clone(), tasks.clone());
    tasks.connection(async move { speak(&speaking, &from, &options, &at).await });
    let (listening, at) = (Arc::clone(room), tasks.clone());
    let to = server.listening.as_deref().unwrap_or(server).clone();
    tasks.connection(async move { listen(&listening, &to, &options, &at).await });
}

async fn speak(room: &Newsroom, server: &Server, options: &Options, tasks: &Tasks) {
    let mut session: Option<Session> = None;
    loop {
        tokio::select! {
            () = room.something.notified() => sleep(GATHER_FOR).await,
            () = tasks.closing() => return,
        }
        let pending = std::mem::take(&mut *room.pending());
        let said = async {
            let db = match session.take().filter(Session::is_sound) {
                Some(db) => db,
                None => Session::open(server, options, tasks).await?,
            };
            let name = room.name(&db).await?;
            for payload in payloads(name, &pending) {
                db.execute("SELECT pg_notify($1, $2)", &[&CHANNEL, &payload])
                    .await?;
            }
            Ok::<_, Error>(db)
        };
        match said.await {
            Ok(db) => session = Some(db),
            Err(_) => {
                room.pending().put_back(pending);
                room.something.notify_one();
                tokio::select! {
                    () = sleep(AGAIN_AFTER) => {}
                    () = tasks.closing() => return,
                }
            }
        }
    }
}

async fn listen(room: &Newsroom, server: &Server, options: &Options, tasks: &Tasks) {
    while !tasks.is_closing() {
        // Whatever ended it, it begins again.
        listen_once(room, server, options, tasks).await.ok();
        tokio::select! {
            () = sleep(AGAIN_AFTER) => {}
            () = tasks.closing() => return,
        }
    }
}

async fn listen_once(
    room: &Newsroom,
    server: &Server,
    options: &Options,
    tasks: &Tasks,
) -> Result<(), Error> {
    let (client, mut connection) = connect(server, options).await?;
    let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
    let ask = async {
        let asked = client.batch_execute(&format!("LISTEN {CHANNEL}")).await;
        asked.map_err(|error| fault(&error))?;
        // Whatever was said before this moment was not heard.
        room.look_at_everything.notify_one();
        tasks.closing().await;
        Err::<(), Error>(closed())
    };
    let hear = async {
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| fault(&error))?;
            if let AsyncMessage::Notification(notification) = message {
                room.hear(notification.payload());
            }
        }
        Err::<(), Error>(closed())
    };
    futures_util::try_join!(ask, hear).map(|_| ())
}

/// News as text, a line for who says it and a line per TPP, in pieces that a notification can carry.
fn payloads(name: &str, pending: &Pending) -> Vec<String> {
    let news = match pending {
        Pending::Nothing => return Vec::new(),
        Pending::News(news) => news.values(),
        Pending::LookAtEverything => return vec![format!("{name}\n{LOOK_AT_EVERYTHING}")],
    };
    let mut payloads: Vec<String> = Vec::new();
    for news in news {
        let flags = [news.polls, news.ends, news.pushes, news.freed].into_iter();
        let flags: String = flags.map(|flag| if flag { '1' } else { '0' }).collect();
        let line = format!("{flags}{}\n", news.client_id);
        match payloads.last_mut() {
            Some(last) if last.len() + line.len() <= PAYLOAD_BYTES_MAX => last.push_str(&line),
            _ => payloads.push(format!("{name}\n{line}")),
        }
    }
    payloads
}

/// What another node said; a line that is none of ours is passed over.
fn read(payload: &str) -> Vec<News> {
    let news = payload.lines().filter_map(|line| {
        let (flags, client_id) = line.split_at_checked(4)?;
        let mut flags = flags.chars().map(|flag| flag == '1');
        Some(News {
            client_id: client_id.parse().ok()?,
            polls: flags.next()?,
            ends: flags.next()?,
            pushes: flags.next()?,
            freed: flags.next()?,
        })
    });
    news.collect()
}

const CHANNEL: &str = "oyez_news";

/// No line of news is so short.
const LOOK_AT_EVERYTHING: &str = "*";

/// What comes up within a few milliseconds goes together: a busy node says a few hundred things a second, whatever its load.
const GATHER_FOR: Duration = Duration::from_millis(3);

/// A connection that is away is tried again; meanwhile others find out by the clock.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// More TPPs than ever have news at once, but after an hour without the others: then one word says it all.
const PENDING_MAX: usize = 10_000;

/// PostgreSQL's own bound is 8,000.
const PAYLOAD_BYTES_MAX: usize = 7_900;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{LOOK_AT_EVERYTHING, News, Newsroom, PENDING_MAX, Pending, payloads, read};
    use crate::Listen;
    use crate::postgres::Announcing;

    fn news(nth: usize) -> News {
        News {
            polls: nth.is_multiple_of(2),
            pushes: nth.is_multiple_of(3),
            ..News::of(format!("{nth}-{}", "é".repeat(120)).parse().unwrap())
        }
    }

    fn pending(all: &[News]) -> Pending {
        let mut pending = Pending::default();
        pending.add(all);
        pending
    }

    // P-07, D-05
    #[test]
    fn news_reads_as_it_was_said_in_as_many_pieces_as_it_takes() {
        let mut said: Vec<News> = (0..100).map(news).collect();
        let payloads = payloads("one", &pending(&said));
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8_000));
        let bodies = payloads.iter().map(|it| it.strip_prefix("one\n").unwrap());
        let mut heard: Vec<News> = bodies.flat_map(read).collect();
        let name = |news: &News| news.client_id.to_string();
        said.sort_by_key(name);
        heard.sort_by_key(name);
        assert_eq!(heard, said);
        assert_eq!(read("1\n0000\nxyz\n"), []);
    }

    /// Notes what it is told.
    #[derive(Default)]
    struct Ear(Mutex<Vec<News>>);

    impl Listen for Ear {
        fn heard(&self, news: &[News]) {
            self.0.lock().unwrap().extend_from_slice(news);
        }
    }

    // P-07, D-05
    #[test]
    fn a_node_knows_its_own_news_by_its_name_and_hears_everybody_elses() {
        let (room, ear) = (
            Newsroom::new(Announcing::ToOthers),
            Arc::new(Ear::default()),
        );
        room.listeners.add(Arc::downgrade(&ear) as _);
        let pending = pending(&[news(1)]);
        let say = |name| payloads(name, &pending).iter().for_each(|it| room.hear(it));
        // It has not spoken so far: whatever it hears is another's.
        say("two");
        assert_eq!(*ear.0.lock().unwrap(), [news(1)]);
        room.name.set("one".to_owned()).unwrap();
        say("one");
        assert_eq!(ear.0.lock().unwrap().len(), 1);
        say("two");
        assert_eq!(ear.0.lock().unwrap().len(), 2);
    }

    // P-07, D-05
    #[test]
    fn what_could_not_be_said_is_kept_with_what_came_since() {
        let mut room = pending(&[
            News {
                ends: true,
                ..news(1)
            },
            news(2),
        ]);
        let unsaid = std::mem::replace(&mut room, pending(&[news(1), news(3)]));
        room.put_back(unsaid);
        let first = News {
            ends: true,
            ..news(1)
        };
        assert_eq!(room, pending(&[first, news(2), news(3)]));
    }

    // P-07, D-05
    #[test]
    fn too_much_to_keep_is_told_as_a_reason_to_look_at_everything() {
        let all: Vec<News> = (0..=PENDING_MAX)
            .map(|nth| News::of(format!("tpp-{nth}").parse().unwrap()))
            .collect();
        let mut room = pending(&all[1..]);
        assert_ne!(room, Pending::LookAtEverything);
        room.put_back(pending(&all[..1]));
        assert_eq!(
            payloads("one", &room),
            [format!("one\n{LOOK_AT_EVERYTHING}")]
        );
        room.add(&all[..1]);
        assert_eq!(room, Pending::LookAtEverything);
    }
}
