use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::control::Control;
use super::fault::{Direction, End};
use super::link::Link;
use super::pump::Pump;

/// How long a closed connection is read on, so that the other side is not reset for what it still says.
const GOODBYE: Duration = Duration::from_secs(1);

/// One connection from its beginning to its end.
pub(super) async fn connection(near: TcpStream, number: u64, link: Arc<Link>, control: Control) {
    let mut near = near;
    let mut far = None;
    let mut state = link.state();
    let end = tokio::select! {
        biased;
        over = state.wait_for(|state| state.over().is_some()) => over.ok().and_then(|state| state.over()),
        passed = pass(&mut near, &mut far, &link, &control) => passed.err().map(|_| End::Reset),
    };
    control.leaves(number);
    match end {
        Some(End::Reset) => {
            for socket in [Some(near), far].into_iter().flatten() {
                // Dropped now, it says RST.
                let _ = socket.set_zero_linger();
            }
        }
        Some(_) => {
            let _ = near.shutdown().await;
            if let Some(far) = &mut far {
                let _ = far.shutdown().await;
            }
            let read_on = async {
                tokio::join!(discard(&mut near), async {
                    if let Some(far) = &mut far {
                        discard(far).await;
                    }
                })
            };
            let _ = tokio::time::timeout(GOODBYE, read_on).await;
        }
        None => {}
    }
}

/// Connects to the server, and passes everything on until both sides are done.
async fn pass(
    near: &mut TcpStream,
    far: &mut Option<TcpStream>,
    link: &Link,
    control: &Control,
) -> io::Result<()> {
    let mut state = link.state();
    // Who is not to be heard does not even get to the server.
    if state.borrow().holds(Direction::ToServer) {
        link.touch();
    }
    let opened = state.wait_for(|state| !state.holds(Direction::ToServer));
    opened.await.map_err(io::Error::other)?;
    drop(state);
    let server = far.insert(TcpStream::connect(control.upstream()).await?);
    near.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = server.split();
    let there = Pump::new(Direction::ToServer, near_read, far_write, link);
    let back = Pump::new(Direction::ToClient, far_read, near_write, link);
    tokio::join!(there.run(), back.run());
    Ok(())
}

/// Reads to the end.
async fn discard(from: &mut (impl AsyncRead + Unpin)) {
    let _ = tokio::io::copy(from, &mut tokio::io::sink()).await;
}
