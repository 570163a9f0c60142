//! Calling a running server: where it is, whose token is used, and the runtime that the calls run on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use oyez_jose::Zeroizing;
use oyez_outbound::Anchors;
use oyez_web::internal::operators::Role;
use tokio_util::task::TaskTracker;
use url::Url;

use super::Surroundings;
use crate::args::ServerArgs;
use crate::config::Internal;
use crate::failure::Failure;
use crate::internal_client::{InternalClient, Server, Token};
use crate::runtime;

/// Lets `work` call the server. What it spawns on the tracker is given up when it is done.
pub(super) fn calling<T>(
    args: &ServerArgs,
    around: &Surroundings,
    work: impl AsyncFnOnce(Arc<InternalClient>, TaskTracker) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let server = Server {
        url: url(args, around)?,
        token: token(args, around)?,
        anchors: anchors(args, around)?,
    };
    let runtime = runtime::alone()?;
    let tasks = TaskTracker::new();
    let client = Arc::new(InternalClient::new(server, &tasks)?);
    let done = runtime.block_on(work(client, tasks));
    // A thread that reads standard input may wait there for ever.
    runtime.shutdown_background();
    done
}

fn url(args: &ServerArgs, around: &Surroundings) -> Result<Url, Failure> {
    let said = args.url.as_ref().or(around.calling.url.as_ref());
    let text = match (said, &args.config) {
        (Some(url), _) => url.clone(),
        (None, Some(path)) => url_of(&around.config(path)?.internal)?,
        (None, None) => DEFAULT_URL.to_owned(),
    };
    let url = text.parse::<Url>().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        let mend = format!("write it as {DEFAULT_URL}");
        Failure::usage(format!("`{text}` is no http or https URL"), mend)
    })
}

/// Where a server with this configuration is called on its own machine.
fn url_of(internal: &Internal) -> Result<String, Failure> {
    let mut address = internal.address;
    if address.port() == 0 {
        let what = "the port is free to choose ([internal] address): only the server knows it";
        return Err(Failure::usage(
            what,
            "say --url with what `oyez serve` printed",
        ));
    }
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let scheme = if internal.certificate.is_some() {
        "https"
    } else {
        "http"
    };
    Ok(format!("{scheme}://{address}"))
}

fn token(args: &ServerArgs, around: &Surroundings) -> Result<Token, Failure> {
    let calling = &around.calling;
    if let Some(path) = &args.token_file {
        return token_in(path);
    }
    if let Some(text) = &calling.token {
        return Token::new(text.trim(), "OYEZ_TOKEN");
    }
    if let Some(path) = &calling.token_file {
        return token_in(path);
    }
    let mend = "say --token-file FILE, or set OYEZ_TOKEN_FILE or OYEZ_TOKEN";
    Err(Failure::usage(
        "the server wants to know who asks: there is no token",
        mend,
    ))
}

/// A file holds the token alone; of the file that `oyez init` writes for all roles, the administrator's is taken.
fn token_in(path: &Path) -> Result<Token, Failure> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::file("read", path, &error))?;
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut all = lines.clone().filter_map(|line| line.split_once(' '));
    let admin = all.find(|(role, _)| *role == Role::Admin.name());
    let ((Some((_, token)), _, _) | (None, Some(token), None)) =
        (admin, lines.next(), lines.next())
    else {
        let what = format!("{} holds no token, or several", path.display());
        let mend = "put the token alone there, on one line";
        return Err(Failure::usage(what, mend));
    };
    Token::new(token, path.display().to_string())
}

fn anchors(args: &ServerArgs, around: &Surroundings) -> Result<Option<Anchors>, Failure> {
    let Some(path) = args.ca_file.as_ref().or(around.calling.ca_file.as_ref()) else {
        return Ok(None);
    };
    let pem = fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let anchors = Anchors::from_pem(&pem).map_err(|error| {
        let what = format!("{} holds no authorities", path.display());
        Failure::environment(what, "name a file of certificates in PEM").because(&error)
    })?;
    Ok(Some(anchors))
}

/// Where a server listens whose configuration says nothing else.
const DEFAULT_URL: &str = "http://127.0.0.1:8081";
