//! What a server says to a new connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Tells whether the server at the other end is one of a product, and ready; else a sentence about what it is.
pub(super) type Greeting = fn(TcpStream) -> Result<(), String>;

/// How long a server may take from its start to its greeting.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take over one answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long what NATS says of itself can be.
const LONGEST: u64 = 64 * 1024;

/// Waits until the server at this port of 127.0.0.1 greets as it should.
///
/// # Errors
///
/// A sentence about the last try, if none succeeds within 30 seconds.
pub(super) fn wait(port: u16, greeting: Greeting) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connect(port).and_then(greeting) {
            Ok(()) => return Ok(()),
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            Err(fault) => return Err(format!("127.0.0.1:{port}: {fault}")),
        }
    }
}

fn connect(port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, ANSWER).map_err(told)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(told)?;
    stream.set_write_timeout(Some(ANSWER)).map_err(told)?;
    Ok(stream)
}

/// NATS begins with a line about itself.
pub(super) fn nats(stream: TcpStream) -> Result<(), String> {
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST))
        .read_line(&mut line)
        .map_err(told)?;
    if !line.starts_with("INFO {") {
        return Err("expected `INFO {…}` of NATS, found something else".to_owned());
    }
    let jetstream = line.contains("\"jetstream\":true");
    jetstream
        .then_some(())
        .ok_or_else(|| "NATS runs without JetStream; start it with -js".to_owned())
}

/// AMQP 0-9-1 answers the protocol's name with the method Connection.Start (10, 10) on channel 0.
pub(super) fn amqp(mut stream: TcpStream) -> Result<(), String> {
    stream.write_all(b"AMQP\0\0\x09\x01").map_err(told)?;
    let mut start = [0; 11];
    stream.read_exact(&mut start).map_err(told)?;
    let (head, method) = (&start[..3], &start[7..]);
    (head == [1, 0, 0] && method == [0, 10, 0, 10])
        .then_some(())
        .ok_or_else(|| "expected Connection.Start of AMQP 0-9-1, found something else".to_owned())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is a function for `map_err`"
)]
fn told(error: std::io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Greets a server that says this.
    fn greeted(greeting: Greeting, answer: &'static [u8]) -> Result<(), String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer).unwrap();
            // Until the other side has gone, which it may have as soon as it has heard enough.
            drop(stream.shutdown(std::net::Shutdown::Write));
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let verdict = connect(port).and_then(greeting);
        server.join().unwrap();
        verdict
    }

    #[test]
    fn nats_counts_only_with_jetstream() {
        assert_eq!(
            greeted(
                nats,
                b"INFO {\"version\":\"2.9.10\",\"jetstream\":true,\"x\":1}\r\n"
            ),
            Ok(())
        );
        let without = greeted(nats, b"INFO {\"version\":\"2.9.10\"}\r\n").unwrap_err();
        assert!(without.contains("without JetStream"), "{without}");
        let other = greeted(nats, b"220 mail.example.com\r\n").unwrap_err();
        assert!(other.starts_with("expected `INFO {…}` of NATS"), "{other}");
        assert!(greeted(nats, b"").is_err());
    }

    #[test]
    fn rabbitmq_answers_with_the_first_method() {
        let start = b"\x01\0\0\0\0\x01\xf4\0\x0a\0\x0a\0\x09";
        assert_eq!(greeted(amqp, start), Ok(()));
        // What a server says that speaks another version only.
        assert!(greeted(amqp, b"AMQP\0\x01\0\0").is_err());
        let other = greeted(amqp, b"INFO {\"jetstream\":true}\r\n").unwrap_err();
        assert!(other.starts_with("expected Connection.Start"), "{other}");
    }
}
