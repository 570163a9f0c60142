//! Where callers come in: sockets that are bound, and not yet served.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Roles;
use crate::config::Config;
use crate::failure::Failure;

/// The sides of a server that somebody may call.
pub(crate) struct Doors {
    pub(crate) tpp: Option<Door>,
    pub(crate) internal: Option<Door>,
}

/// One bound socket.
pub(crate) struct Door {
    pub(super) socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Doors {
    /// Those of the roles, where the configuration says.
    pub(super) async fn of(config: &Config, roles: Roles) -> Result<Self, Failure> {
        let mut doors = Self {
            tpp: None,
            internal: None,
        };
        if roles.tpp_api {
            doors.tpp = Some(configured(config.listener.address, "[listener] address").await?);
        }
        if roles.internal {
            doors.internal = Some(configured(config.internal.address, "[internal] address").await?);
        }
        Ok(doors)
    }
}

impl Door {
    /// Port 0 takes a free one.
    pub(crate) async fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// What there is to listen on.
    pub(crate) fn into_socket(self) -> TcpListener {
        self.socket
    }
}

async fn configured(address: SocketAddr, key: &str) -> Result<Door, Failure> {
    Door::at(address).await.map_err(|error| {
        let mend = format!("stop whoever listens there, or set another {key}");
        Failure::environment(format!("cannot listen on {address}"), mend).because(&error)
    })
}
