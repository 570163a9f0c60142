//! That the proxy passes on what it should, and breaks what it was told to.

use std::net::SocketAddr;
use std::time::Duration;

use oyez_testkit::proxy::{Proxy, Weather};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

/// A server that says its name, and then whatever it is told.
async fn parrot(name: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            TaskTracker::new().spawn(async move {
                stream.write_all(&[name]).await.ok();
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    address
}

async fn dial(proxy: &Proxy) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let name = stream.read_u8().await.unwrap();
    (stream, name)
}

async fn echo(stream: &mut TcpStream) -> std::io::Result<u8> {
    stream.write_u8(7).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn connections_go_to_one_after_the_other_and_pass_over_who_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let proxy = Proxy::before(&[parrot(1).await, nobody, parrot(2).await]).await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(dial(&proxy).await.1);
    }
    assert_eq!(names, [1, 2, 2]);
}

#[tokio::test]
async fn in_bad_weather_connections_are_late_or_silent_or_end() {
    let proxy = Proxy::before(&[parrot(1).await]).await;
    let (mut stream, _) = dial(&proxy).await;
    assert_eq!(echo(&mut stream).await.unwrap(), 7);
    let (late, began) = (Duration::from_millis(200), Instant::now());
    proxy.turn(Weather::Slow(late));
    assert_eq!(echo(&mut stream).await.unwrap(), 7);
    assert!(began.elapsed() >= late);
    proxy.turn(Weather::Silent);
    assert!(timeout(late, echo(&mut stream)).await.is_err());
    proxy.turn(Weather::Fair);
    assert_eq!(stream.read_u8().await.unwrap(), 7, "nothing was lost");
    proxy.turn(Weather::Away);
    assert!(echo(&mut stream).await.is_err());
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(refused.read_u8().await.is_err());
    proxy.turn(Weather::Fair);
    assert_eq!(dial(&proxy).await.1, 1);
    proxy.break_off();
    let (mut stream, _) = dial(&proxy).await;
    assert_eq!(echo(&mut stream).await.unwrap(), 7);
}
