//! The commands for a developer's own machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigFile;

#[derive(Debug, Subcommand)]
pub(crate) enum Dev {
    /// Print an access token for a TPP of a bank that `oyez init` made.
    #[command(after_help = TOKEN_HELP)]
    Token(DevToken),
    /// Print the x-jws-signature of a body that its TPP sends.
    #[command(after_help = SIGN_HELP)]
    Sign(DevSign),
}

#[derive(Debug, Args)]
pub(crate) struct DevToken {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The client_id that it is for; the TPP that `oyez init` made if absent.
    #[arg(long, value_name = "CLIENT_ID")]
    pub(crate) tpp: Option<String>,
    /// What it opens: scopes with spaces or commas between.
    #[arg(long, value_name = "SCOPE", default_value = "accounts")]
    pub(crate) scope: String,
    /// The client certificate that it holds with, in PEM; development/tpp.crt if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DevSign {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The file with the body; standard input if absent or `-`.
    pub(crate) body: Option<PathBuf>,
}

const TOKEN_HELP: &str = "\
It holds for an hour, with the client certificate alone. Not for production: it works only with the
configuration that `oyez init` wrote, where the key of a toy authorisation server lies open.
Example:
  TOKEN=$(oyez dev token -c bank/oyez.toml --scope accounts)";
const SIGN_HELP: &str = "\
The body must be sent byte by byte as it was signed: curl --data-binary @FILE, not -d.
Example:
  SIGNATURE=$(oyez dev sign -c bank/oyez.toml wish.json)";
