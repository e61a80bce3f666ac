//! As much of a PostgreSQL server as a client sees before it logs in.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::authority::Identity;

/// What it answers to a client that introduces itself: an error, so that the client goes away.
pub(crate) const WELCOME: &str = "you are at the gate";

/// The server. Its thread ends with the test's process.
pub(crate) struct Gate {
    port: u16,
    in_clear_text: Arc<AtomicUsize>,
}

impl Gate {
    /// It answers `S` to a request for TLS.
    pub(crate) fn with_tls((certificate, key): Identity) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::open(Some(Arc::new(config)))
    }

    /// It answers `N`.
    pub(crate) fn without_tls() -> Self {
        Self::open(None)
    }

    fn open(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let in_clear_text = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&in_clear_text);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle is what half of the tests are about.
                let _ = serve(stream, tls.clone(), &counter);
            }
        });
        Self {
            port,
            in_clear_text,
        }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many clients said who they are without TLS.
    pub(crate) fn startups_in_clear_text(&self) -> usize {
        self.in_clear_text.load(Ordering::SeqCst)
    }
}

const TLS_REQUEST: u32 = 80_877_103;

fn serve(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    in_clear_text: &AtomicUsize,
) -> io::Result<()> {
    loop {
        let is_request = message(&mut stream)?.starts_with(&TLS_REQUEST.to_be_bytes());
        match &tls {
            Some(config) if is_request => {
                stream.write_all(b"S")?;
                let connection =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(connection, stream);
                message(&mut stream)?;
                return welcome(&mut stream);
            }
            None if is_request => stream.write_all(b"N")?,
            _ => {
                in_clear_text.fetch_add(1, Ordering::SeqCst);
                return welcome(&mut stream);
            }
        }
    }
}

/// A message of the beginning: its length, which counts itself, and its content.
fn message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut content = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut content)?;
    Ok(content)
}

fn welcome(stream: &mut impl Write) -> io::Result<()> {
    let fields = format!("SFATAL\0VFATAL\0C28000\0M{WELCOME}\0\0");
    let length = u32::try_from(fields.len() + 4).map_err(io::Error::other)?;
    stream.write_all(b"E")?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(fields.as_bytes())?;
    stream.flush()
}
