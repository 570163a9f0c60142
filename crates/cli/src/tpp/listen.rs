//! `oyez listen`: receives what banks push, and hands it over before it answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use oyez_tpp::{Observer, Pusher, Receiver, ReceiverSetup};
use oyez_web::listener::{Bounds, Listener, Tls};
use oyez_web::metrics::Connections;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::config::{Listen, TppConfig};
use super::ends::{Ends, seen};
use super::parties::{Parties, chosen};
use super::{Running, hand_over, log};
use crate::args::ListenArgs;
use crate::clock::SystemClock;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::files::{bytes, secret_bytes};
use crate::output::{self, Format};

/// Until it is told to stop.
pub(super) async fn run(
    args: &ListenArgs,
    format: Format,
    around: &Surroundings,
) -> Result<(), Failure> {
    let config = TppConfig::read(&args.config.path)?;
    let running = Running::new()?;
    let ends = Ends {
        seen: seen(&config.tpp)?,
        hand_over: hand_over::of(&config.hand_over, format)?,
    };
    let observer: Observer = Arc::new(move |it| log::received(it, format));
    let announce = |address| match format {
        Format::Scripts => output::aside(json!({ "listening": format!("https://{address}") })),
        Format::People => output::aside(format_args!(
            "listening on https://{address}/…/event-notifications"
        )),
    };
    receive(
        &config,
        &args.banks,
        ends,
        observer,
        around,
        running,
        announce,
    )
    .await
}

/// The same into other ends.
pub(super) async fn receive(
    config: &TppConfig,
    banks: &[String],
    ends: Ends,
    observer: Observer,
    around: &Surroundings,
    running: Running,
    announce: impl FnOnce(SocketAddr),
) -> Result<(), Failure> {
    let parties = Parties::of(&config.tpp, around)?;
    let mut pushers = Vec::new();
    for at in chosen(&config.tpp, banks)? {
        pushers.push(Pusher {
            name: at.name.to_string().into(),
            verifier: parties.bank(at)?.set_verifier().clone(),
        });
    }
    let receiver = Receiver::new(ReceiverSetup {
        banks: pushers,
        intake: ends.intake(&parties),
        body_time_max: BODY_TIME_MAX,
        retry_after: RETRY_AFTER,
        clock: Arc::clone(&parties.clock),
        random: parties.random.clone(),
        observer: Some(observer),
    });
    let (listener, address) = listener(&config.listen).await?;
    announce(address);
    let serving = listener.serve(
        router(receiver),
        running.stop.clone(),
        running.tasks.clone(),
    );
    Box::pin(serving).await;
    running.finish().await;
    Ok(())
}

/// The standard fixes the end of the path, and leaves what stands before it to the TPP.
fn router(receiver: Receiver) -> Router {
    Router::new().fallback(async move |request: Request| -> Response {
        if !request.uri().path().ends_with("/event-notifications") {
            return StatusCode::NOT_FOUND.into_response();
        }
        receiver.answer(request).await.into_response()
    })
}

async fn listener(listen: &Listen) -> Result<(Listener, SocketAddr), Failure> {
    let (Some(certificate), Some(key)) = (&listen.certificate, &listen.key) else {
        let what = "there is no certificate to listen with";
        let mend = "set `certificate` and `key` of [listen]: banks push over TLS alone";
        return Err(Failure::environment(what, mend));
    };
    let tls = Tls::from_pem(
        &bytes(certificate)?,
        &secret_bytes(key)?,
        None,
        Arc::new(SystemClock),
    );
    let tls = tls.map_err(|error| {
        let what = format!(
            "cannot use {} with {}",
            certificate.display(),
            key.display()
        );
        Failure::environment(what, "see the reason").because(&error)
    })?;
    let cannot = |error: std::io::Error| {
        let what = format!("cannot listen on {}", listen.address);
        Failure::environment(what, "choose another `address` of [listen]").because(&error)
    };
    let socket = TcpListener::bind(listen.address).await.map_err(cannot)?;
    let address = socket.local_addr().map_err(cannot)?;
    let listener = Listener {
        socket,
        tls: Some(watch::channel(Arc::new(tls)).1),
        gateway: None,
        bounds: Bounds {
            // A bank pushes from few addresses, and may open as many connections as it likes.
            connections_per_address_max: None,
            ..Bounds::default()
        },
        connections: Connections::default(),
    };
    Ok((listener, address))
}

/// A SET is some kilobytes.
const BODY_TIME_MAX: Duration = Duration::from_secs(5);
/// Long enough for an application to come back, short enough to be hardly noticed.
const RETRY_AFTER: Duration = Duration::from_secs(5);
