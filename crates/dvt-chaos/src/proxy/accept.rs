use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::connection::connection;
use super::control::Control;
use super::fault::Fault;
use super::rule::{Rule, What};

/// Where connections come in. Closed, they are refused.
#[derive(Debug)]
pub(super) struct Door {
    addr: SocketAddr,
    listener: Option<TcpListener>,
}

impl Door {
    /// On a port that a socket of ours holds.
    pub(super) fn open(addr: SocketAddr) -> io::Result<Self> {
        let mut door = Self {
            addr,
            listener: None,
        };
        door.opens()?;
        Ok(door)
    }

    fn opens(&mut self) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(self.addr)?;
        self.listener = Some(socket.listen(1_024)?);
        Ok(())
    }

    async fn enter(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => Ok(listener.accept().await?.0),
            None => std::future::pending().await,
        }
    }
}

fn refuses(rule: &Rule) -> bool {
    matches!(rule.what, What::Always(Fault::Refuse))
}

/// Takes connections, for ever.
pub(super) async fn accept(mut door: Door, control: Control) {
    let mut coming = control.coming();
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let refused = refuses(&coming.borrow_and_update());
        if refused && door.listener.take().is_some() {
            control.tally().hit(&Fault::Refuse, 0);
        }
        if !refused && door.listener.is_none() && door.opens().is_err() {
            // Too many open files, say: some will be closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        tokio::select! {
            // A change first: nobody comes in under the rule from before.
            biased;
            changed = coming.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            entered = door.enter() => match entered {
                Ok(near) => {
                    number += 1;
                    control.tally().connected();
                    let link = control.enters(number);
                    connections.spawn(connection(near, number, link, control.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}
