//! The threads that sign. Signing is nine tenths of a pushed event and nothing but computing, so it has threads of its own;
//! the asynchronous ones carry the network.
//!
//! A key outside of this process (an HSM) is waited for, not computed: the threads then only prepare and hand over to
//! futures, a bounded number at a time.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use oyez_jose::SignError;
use oyez_jose::key_set::BankKey;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::job::{Job, SignedJob, UnderWay};
use crate::observe::{Observe, Step};
use crate::queue::Queue;
use crate::signer::{Signer, Unsigned};
use crate::{Error, Options};

/// One thread's view of the pool.
#[derive(Clone)]
pub(crate) struct Worker {
    queue: Arc<Queue<UnderWay>>,
    signer: Arc<Signer>,
    signed: UnboundedSender<SignedJob>,
    remote: Remote,
    observe: Option<Arc<dyn Observe>>,
}

/// How keys outside of this process are asked.
#[derive(Clone)]
struct Remote {
    runtime: Handle,
    at_once: Arc<Semaphore>,
    time_max: Duration,
}

/// Starts the threads. They end when the queue is closed and empty, and with the last of them the way to the keeper.
pub(crate) fn start(
    queue: &Arc<Queue<UnderWay>>,
    signer: &Arc<Signer>,
    signed: UnboundedSender<SignedJob>,
    options: Options,
    runtime: &Handle,
    observe: Option<&Arc<dyn Observe>>,
) -> io::Result<()> {
    let worker = Worker {
        queue: Arc::clone(queue),
        signer: Arc::clone(signer),
        signed,
        remote: Remote {
            runtime: runtime.clone(),
            at_once: Arc::new(Semaphore::new(options.remote_at_once_max.max(1))),
            time_max: options.remote_time_max,
        },
        observe: observe.cloned(),
    };
    for _ in 0..options.threads.get() {
        let worker = worker.clone();
        std::thread::Builder::new()
            .name("oyez-signer".to_owned())
            .spawn(move || worker.run())?;
    }
    Ok(())
}

impl Worker {
    fn run(&self) {
        while let Some(next) = self.queue.pop() {
            // A panic drops the job, and so tells its caller; the thread goes on.
            catch_unwind(AssertUnwindSafe(|| self.serve(next))).ok();
        }
    }

    fn serve(&self, next: UnderWay) {
        if next.job.is_abandoned() {
            return;
        }
        let begun = Instant::now();
        let Unsigned { key, input } = match self.signer.prepare(&next.job) {
            Ok(unsigned) => unsigned,
            Err(error) => {
                tell(self.observe.as_deref(), &next.job, begun, Some(&error));
                return next.job.answer(Err(error));
            }
        };
        match key.signer().local() {
            Some(local) => {
                let signed = input.sign_now(local);
                let signed = signed.map_err(|source| refused(&key, source));
                tell(
                    self.observe.as_deref(),
                    &next.job,
                    begun,
                    signed.as_ref().err(),
                );
                hand_on(next, &key, signed, &self.signed);
            }
            None => self.sign_remotely(next, Unsigned { key, input }),
        }
    }

    fn sign_remotely(&self, next: UnderWay, unsigned: Unsigned) {
        let Unsigned { key, input } = unsigned;
        let Remote {
            runtime,
            at_once,
            time_max,
        } = self.remote.clone();
        let turn = runtime
            .block_on(at_once.acquire_owned())
            .expect("nobody closes the semaphore");
        if next.job.is_abandoned() {
            return;
        }
        let (signed, observe) = (self.signed.clone(), self.observe.clone());
        runtime.spawn(async move {
            let begun = Instant::now();
            let result = match tokio::time::timeout(time_max, input.sign(key.signer())).await {
                Ok(result) => result.map_err(|source| refused(&key, source)),
                Err(_) => Err(Error::TimedOut {
                    kid: key.kid().to_owned(),
                    limit: time_max,
                }),
            };
            tell(observe.as_deref(), &next.job, begun, result.as_ref().err());
            hand_on(next, &key, result, &signed);
            drop(turn);
        });
    }
}

fn hand_on(
    next: UnderWay,
    key: &BankKey,
    result: Result<String, Error>,
    signed: &UnboundedSender<SignedJob>,
) {
    let UnderWay { job, counted } = next;
    match result {
        Ok(set) => {
            let kid = key.kid().to_owned();
            counted.arrives();
            // The keeper ends after all who send to it; if it died, the job is dropped, and its caller knows.
            drop(signed.send(SignedJob { job, set, kid }));
        }
        Err(error) => job.answer(Err(error)),
    }
    drop(counted);
}

fn refused(key: &BankKey, source: SignError) -> Error {
    Error::Sign {
        kid: key.kid().to_owned(),
        source,
    }
}

/// Tells who watches, if somebody does, of an event that was signed or was not.
fn tell(observe: Option<&dyn Observe>, job: &Job, begun: Instant, error: Option<&Error>) {
    if let Some(observe) = observe {
        let waited = begun.saturating_duration_since(job.asked_at);
        observe.signed(&Step::of(job, begun.elapsed()), waited, error);
    }
}
