//! `oyez`: the command line of the UK Open Banking Event Notification API.
//!
//! This is the only place that reads the clock, the environment and the arguments; everything below is told. The order is
//! always the same: parse, do, answer, exit code.

mod args;
mod bench;
mod clock;
mod commands;
mod config;
mod database;
mod demo;
mod development;
mod durable;
mod failure;
mod files;
mod internal_client;
mod key_directory;
mod ledger;
mod open_files;
mod output;
mod runtime;
mod schemas;
mod serve;
mod shell_word;
mod tpp;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use clock::SystemClock;
use commands::Surroundings;
use config::{Calling, Variables};
use failure::Failure;
use output::{Format, Paint, Reply, Verdict};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(asked_for_help_or_wrong) => {
            output::help_or_usage(&asked_for_help_or_wrong);
            return ExitCode::from(if asked_for_help_or_wrong.use_stderr() {
                2
            } else {
                0
            });
        }
    };
    let format = if arguments.json {
        Format::Scripts
    } else {
        Format::People
    };
    let answered = run(&arguments.command, format, &surroundings()).and_then(|did| {
        let reply = match did {
            Did::Said(verdict) => return Ok(verdict),
            Did::Answered(reply) => reply,
        };
        output::reply(&reply, format).map_err(|error| {
            let mend = "check where standard output goes";
            Failure::environment("cannot write the answer", mend).because(&error)
        })?;
        Ok(reply.verdict)
    });
    match answered {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Ok(Verdict::Unfinished) => ExitCode::from(4),
        Err(failure) => {
            output::aside(format_args!("error: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// What came of a command.
enum Did {
    /// An answer, still to be given.
    Answered(Reply),
    /// It said everything while it ran.
    Said(Verdict),
}

/// Does what was asked.
fn run(command: &Command, format: Format, around: &Surroundings) -> Result<Did, Failure> {
    let reply = match command {
        Command::Audit(command) => commands::audit::run(command, around),
        Command::Bench(args) => bench::run(args, around),
        Command::Check(args) => commands::check::run(args, around),
        Command::ConfigDoc(args) => {
            let page = if args.tpp {
                tpp::configuration_page()
            } else {
                config::page()
            };
            Ok(Reply::new(
                page.clone(),
                serde_json::json!({ "page": page }),
            ))
        }
        Command::Demo(args) => return demo::run(args, format, around).map(Did::Said),
        Command::Dev(command) => commands::dev::run(command, around),
        Command::Endpoints(command) => commands::endpoints::run(command, around),
        Command::Events(command) => commands::events::run(command, around),
        Command::Init(args) => commands::init::run(args, around),
        Command::Keys(command) => commands::keys::run(command, around),
        Command::Migrate(args) => commands::migrate::run(args, around),
        Command::Publish(args) => commands::publish::run(args, around),
        Command::Serve(args) => {
            return serve::run(args, around).map(|()| Did::Said(Verdict::Yes));
        }
        Command::Store(command) => commands::store::run(command, format, around),
        Command::Tpp(command) => {
            return tpp::run(command, format, around)
                .map(|reply| reply.map_or(Did::Said(Verdict::Yes), Did::Answered));
        }
        Command::Tpps(command) => commands::tpps::run(command, around),
        Command::Verify(args) => commands::verify::run(args, around),
    };
    reply.map(Did::Answered)
}

fn surroundings() -> Surroundings {
    let no_colour = env::vars_os().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    Surroundings {
        now: SystemClock.second(),
        random,
        variables: Variables::pick(env::vars_os()),
        temporary: env::temp_dir(),
        program: env::current_exe().unwrap_or_else(|_| "oyez".into()),
        calling: Calling::pick(env::vars_os()),
        bench_database: env::vars()
            .find_map(|(name, url)| (name == args::BENCH_DATABASE).then_some(url)),
        paint: Paint::for_stdout(no_colour),
    }
}

/// The one source of randomness, besides the cryptographic library's own for keys.
fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::environment("the system has no random numbers", "try again").because(&error)
    })?;
    Ok(bytes)
}
