//! The commands of a TPP.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use oyez_domain::version::ApiVersion;

/// The file that describes a TPP.
#[derive(Debug, Args)]
pub(crate) struct TppFile {
    /// The TPP's configuration.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        default_value = "tpp.toml"
    )]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    pub(crate) config: TppFile,
    /// Only what these banks push; all of the configuration if absent.
    #[arg(long = "bank", value_name = "NAME")]
    pub(crate) banks: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PollArgs {
    #[command(flatten)]
    pub(crate) config: TppFile,
    /// Only these banks; all of the configuration if absent.
    #[arg(long = "bank", value_name = "NAME")]
    pub(crate) banks: Vec<String>,
    /// Take what there is, acknowledge it, and end.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionCommand {
    /// Ask a bank to tell of events.
    Create {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        wish: WishArgs,
    },
    /// What the bank has.
    Show {
        #[command(flatten)]
        at: At,
    },
    /// Replace it as a whole: what is not said is gone.
    Update {
        #[command(flatten)]
        at: At,
        /// The bank's name for it; the one that there is if absent.
        id: Option<String>,
        #[command(flatten)]
        wish: WishArgs,
    },
    /// Take it back. What is outstanding is not told any more.
    Delete {
        #[command(flatten)]
        at: At,
        /// The bank's name for it; the one that there is if absent.
        id: Option<String>,
    },
}

/// Where.
#[derive(Debug, Args)]
pub(crate) struct At {
    #[command(flatten)]
    pub(crate) config: TppFile,
    /// At which bank; the one of the configuration if there is one only.
    #[arg(long, value_name = "NAME")]
    pub(crate) bank: Option<String>,
    /// Through which version of the API, such as v3.1; that of the configuration if absent.
    #[arg(long, value_name = "VERSION")]
    pub(crate) api: Option<ApiVersion>,
    /// Which resource: callback-urls is the older one, for pushes alone.
    #[arg(long, value_enum, default_value_t = Resource::EventSubscriptions)]
    pub(crate) resource: Resource,
}

/// The two that the standard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resource {
    EventSubscriptions,
    CallbackUrls,
}

/// What is asked for.
#[derive(Debug, Args)]
pub(crate) struct WishArgs {
    /// Where to push to; without it events are polled.
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<String>,
    /// The version of the resources that events are about.
    #[arg(long, value_name = "VERSION", default_value = "4.0")]
    pub(crate) version: String,
    /// Only these types, by code or URN; all of the version if absent.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
}

pub(crate) const LISTEN_HELP: &str = "\
Verifies what banks push and hands it over, as [hand_over] of the configuration says, before it
answers. Standard output is events, a line of JSON each; a person at a terminal gets words.
Example:
  oyez listen -c tpp.toml | while read -r event; do …; done";

pub(crate) const POLL_HELP: &str = "\
Polls, verifies, hands over, and only then acknowledges. What cannot be believed is reported to the
bank. It may be killed at any moment: nothing is lost, and what could come twice says so.
Example:
  oyez poll -c tpp.toml --once";
