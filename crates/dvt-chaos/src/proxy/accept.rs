use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::connection;
use super::control::Control;

/// How long it takes until what failed for want of files is tried again.
const PATIENCE: Duration = Duration::from_millis(10);

/// Where connections come in. Closed, they are refused.
#[derive(Debug)]
pub(super) struct Door {
    addr: SocketAddr,
    runtime: Handle,
    is_open: Mutex<bool>,
    listener: watch::Sender<Option<Arc<TcpListener>>>,
}

impl Door {
    /// On a port that a socket of ours holds.
    pub(super) fn new(addr: SocketAddr) -> io::Result<Self> {
        let door = Self {
            addr,
            runtime: Handle::current(),
            is_open: Mutex::new(true),
            listener: watch::Sender::default(),
        };
        door.listen()?;
        Ok(door)
    }

    /// Opens or closes it. Whether that changed anything.
    pub(super) fn set(&self, open: bool) -> bool {
        let mut is_open = self.lock();
        let changes = *is_open != open;
        *is_open = open;
        if !open {
            self.listener.send_replace(None);
        } else if changes {
            // If it fails, it is tried again by who waits at the door.
            let _ = self.listen();
        }
        changes
    }

    fn listen(&self) -> io::Result<()> {
        let _context = self.runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(self.addr)?;
        let listener = Arc::new(socket.listen(1_024)?);
        self.listener.send_replace(Some(listener));
        Ok(())
    }

    /// Who comes next. Closing the door ends the wait of those who are not in yet.
    async fn next(&self) -> TcpStream {
        let mut listener = self.listener.subscribe();
        loop {
            let current = listener.borrow_and_update().clone();
            let entered = async {
                match current {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = listener.changed() => {}
                entered = entered => match entered {
                    Ok((near, _)) => return near,
                    Err(_) => tokio::time::sleep(PATIENCE).await,
                },
                () = tokio::time::sleep(PATIENCE), if self.is_stuck() => {
                    let is_open = self.lock();
                    if *is_open {
                        let _ = self.listen();
                    }
                }
            }
        }
    }

    /// Whether it is open, and nobody listens.
    fn is_stuck(&self) -> bool {
        *self.lock() && self.listener.borrow().is_none()
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections, for ever.
pub(super) async fn accept(control: Control) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            near = control.door().next() => {
                number += 1;
                let link = control.enters(number);
                connections.spawn(connection(near, number, link, control.clone()));
            }
        }
    }
}
