//! What names mean, as a test says. `localhost` is this machine; a name that nobody explained does not resolve.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use oyez_outbound::{Addresses, Resolve};

/// The names of a bank's world.
#[derive(Debug)]
pub struct Names(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The answers that each name has left; the last stays for ever.
    answers: HashMap<String, VecDeque<Vec<IpAddr>>>,
    asked: HashMap<String, usize>,
}

impl Names {
    /// From now on a name has these addresses.
    pub fn explain(&self, name: &str, addresses: &[IpAddr]) {
        self.explain_in_turn(name, &[addresses]);
    }

    /// From now on a name has these addresses when it is asked for first, those the next time, and the last for ever.
    pub fn explain_in_turn(&self, name: &str, answers: &[&[IpAddr]]) {
        let answers = answers.iter().map(|addresses| addresses.to_vec());
        let mut known = self.0.lock().unwrap();
        known.answers.insert(name.to_owned(), answers.collect());
    }

    /// How often it was asked for.
    pub fn asked(&self, name: &str) -> usize {
        let known = self.0.lock().unwrap();
        known.asked.get(name).copied().unwrap_or(0)
    }
}

impl Known {
    fn answer(&mut self, name: &str) -> Option<Vec<IpAddr>> {
        *self.asked.entry(name.to_owned()).or_default() += 1;
        let answers = self.answers.get_mut(name)?;
        if answers.len() > 1 {
            return answers.pop_front();
        }
        answers.front().cloned()
    }
}

impl Default for Names {
    fn default() -> Self {
        let names = Self(Mutex::default());
        names.explain("localhost", &[Ipv4Addr::LOCALHOST.into()]);
        names
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        let answer = self.0.lock().unwrap().answer(name);
        Box::pin(async { answer.ok_or_else(|| io::Error::other("nobody explained this name")) })
    }
}
