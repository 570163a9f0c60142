//! Several servers of one bank over one ledger, behind a balancer each for TPPs and for the bank's own; and what breaks there.
//!
//! `churn` kills and restarts them, `outages` take the database away, `failover` has a standby take over, `pause` has one
//! of them stand still, `clocks` sets theirs minutes apart, `silence` has them not hear from each other, `sharing` and `rates` look at how they divide their work and what
//! TPPs may ask for.

mod churn;
mod clocks;
mod crowd;
mod failover;
mod outages;
mod pause;
mod rates;
mod sharing;
mod silence;

use std::net::SocketAddr;
use std::time::Duration;

use oyez_testkit::proxy::Proxy;
use tokio::task::block_in_place;

use crate::house::{House, Server};

/// The servers of one bank.
pub(crate) struct Nodes {
    servers: Vec<Option<Server>>,
    /// What the shell of each does first.
    preparations: Vec<String>,
    tpp: Proxy,
    internal: Proxy,
}

impl Nodes {
    /// Starts one for each of these preparations. The bank is called at their balancers from now on.
    pub(crate) async fn start(house: &mut House, preparations: &[&str]) -> Self {
        let (tpp, internal) = (Proxy::before(&[]).await, Proxy::before(&[]).await);
        house.is_called_at(tpp.address(), internal.address());
        let mut nodes = Self {
            servers: preparations.iter().map(|_| None).collect(),
            preparations: preparations.iter().map(|it| (*it).to_owned()).collect(),
            tpp,
            internal,
        };
        for node in 0..preparations.len() {
            nodes.start_one(house, node);
        }
        nodes
    }

    pub(crate) fn start_one(&mut self, house: &House, node: usize) {
        let preparation = format!("{NAMELESS}\n{}", self.preparations[node]);
        let server = block_in_place(|| house.beside_after(&preparation));
        self.servers[node] = Some(server);
        self.lead();
    }

    /// One more of them.
    pub(crate) fn start_another(&mut self, house: &House, preparation: &str) {
        self.servers.push(None);
        self.preparations.push(preparation.to_owned());
        self.start_one(house, self.servers.len() - 1);
    }

    /// SIGKILL, now.
    pub(crate) fn kill(&mut self, node: usize) {
        drop(self.servers[node].take().expect("it runs"));
        self.lead();
    }

    /// It stands still: nobody is led to it.
    pub(crate) fn pause(&mut self, node: usize) {
        let server = self.servers[node].take().expect("it runs");
        self.lead();
        server.signal("STOP");
        self.servers[node] = Some(server);
    }

    pub(crate) fn wake(&self, node: usize) {
        self.server(node).signal("CONT");
        self.lead();
    }

    /// All of them, in good order.
    pub(crate) fn stop(&mut self) {
        for server in self.servers.iter_mut().filter_map(Option::take) {
            assert_eq!(block_in_place(|| server.stop()), 0);
        }
    }

    pub(crate) fn server(&self, node: usize) -> &Server {
        self.servers[node].as_ref().expect("it runs")
    }

    pub(crate) fn runs(&self, node: usize) -> bool {
        self.servers[node].is_some()
    }

    /// So many run.
    pub(crate) fn running(&self) -> usize {
        self.servers.iter().flatten().count()
    }

    /// None of those that were not killed has died.
    pub(crate) fn assert_alive(&mut self, house: &House) {
        for server in self.servers.iter_mut().flatten() {
            assert!(server.is_alive(), "{}", house.log());
        }
    }

    fn lead(&self) {
        let addresses = |name: &str| -> Vec<SocketAddr> {
            let running = self.servers.iter().flatten();
            running
                .map(|it| it.address(name).parse().unwrap())
                .collect()
        };
        self.tpp.lead_to(&addresses("tpp"));
        self.internal.lead_to(&addresses("internal"));
    }
}

/// Each life of a server has a name of its own: what a dead one had is free when its lease is over, and no sooner.
const NAMELESS: &str = "unset OYEZ_STORE__NODE";
/// Nobody waits for longer for anything that should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
