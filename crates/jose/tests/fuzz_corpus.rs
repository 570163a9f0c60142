//! The fuzz targets as ordinary tests: each body over its corpus and over mutations of it. The number of mutations follows
//! `OYEZ_TEST_SCALE`; the seed is printed, and `OYEZ_TEST_SEED` repeats it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a campaign says what would repeat it")]

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

#[path = "../../../fuzz/bodies/jwks.rs"]
mod jwks;
#[path = "../../../fuzz/bodies/jws.rs"]
mod jws;

// T-08, M-01
#[test]
fn jws_holds_over_its_corpus_and_mutations() {
    run("jws", jws::run);
}

// M-05
#[test]
fn jwks_holds_over_its_corpus_and_mutations() {
    run("jwks", jwks::run);
}

fn run(target: &str, body: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(corpus.len() >= 10, "{target}: a corpus of {}", corpus.len());
    let (mut random, rounds) = (Random(seed()), rounds());
    println!(
        "{target}: {rounds} mutations of {} inputs, OYEZ_TEST_SEED={}",
        corpus.len(),
        random.0
    );
    for input in &corpus {
        attempt(body, input);
    }
    for _ in 0..rounds {
        attempt(body, &mutated(&corpus, &mut random));
    }
}

/// Shows the input when the body fails, so that it can be added to the corpus.
fn attempt(body: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        println!("input: {}", input.escape_ascii());
        resume_unwind(panic);
    }
}

/// One input of the corpus with up to four changes: a byte, a bit, a piece taken out, doubled, or taken from another.
fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let until = (at + 1 + random.below(16)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = INTERESTING[random.below(INTERESTING.len())],
            2 => input.insert(at, INTERESTING[random.below(INTERESTING.len())]),
            3 if at < until => drop(input.drain(at..until)),
            4 if at < until => {
                let piece = input[at..until].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    input
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).unwrap().trim_ascii_end().to_vec())
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test is told how long to run")]
fn rounds() -> usize {
    match std::env::var("OYEZ_TEST_SCALE").as_deref() {
        Ok("quick") => 20_000,
        Ok("full") => 2_000_000,
        _ => 200_000,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told which run to repeat"
)]
fn seed() -> u64 {
    match std::env::var("OYEZ_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().hash_one("seed"),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap()
    }
}

/// What JSON, base64url and JOSE are made of.
const INTERESTING: &[u8] = b"\0\"\\{}[],:.=-_+/ \n\xff\xc3eE0195AZaz";
