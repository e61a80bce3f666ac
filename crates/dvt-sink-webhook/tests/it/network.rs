//! Names that answer as they are told, and connections that all end at one receiver.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use dvt_sink_webhook::Network;
use tokio::net::TcpStream;

/// Stands in for names and routes; what is dialled is written down.
#[derive(Debug)]
pub(crate) struct ToldNetwork {
    answers: Mutex<VecDeque<io::Result<Vec<IpAddr>>>>,
    pub(crate) dialled: Mutex<Vec<SocketAddr>>,
    receiver: SocketAddr,
}

impl ToldNetwork {
    /// Each look-up takes the next of the answers; `!` is a failure.
    pub(crate) fn new(answers: &[&str], receiver: SocketAddr) -> Arc<Self> {
        let answer = |text: &&str| match *text {
            "!" => Err(io::Error::other("no such name")),
            text => Ok(text
                .split_whitespace()
                .map(|one| one.parse().unwrap())
                .collect()),
        };
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(answer).collect()),
            dialled: Mutex::default(),
            receiver,
        })
    }

    pub(crate) fn dialled(&self) -> Vec<String> {
        let dialled = self.dialled.lock().unwrap();
        dialled.iter().map(ToString::to_string).collect()
    }
}

#[async_trait::async_trait]
impl Network for ToldNetwork {
    async fn resolve(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.answers.lock().unwrap();
        answers.pop_front().expect("one look-up too many")
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        if address.ip() == IpAddr::from([9, 9, 9, 9]) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        TcpStream::connect(self.receiver).await
    }
}
