//! A server that stops, and one that dies.

use std::time::{Duration, Instant};

use dvt_contracts::EventSink as _;
use dvt_sink_nats::NatsSink;

use crate::bus::{Bus, all, events, run, stop};
use crate::server::Server;

/// A sink on a server of its own, that loses patience soon.
async fn on_own_server() -> (Server, Bus, NatsSink) {
    let server = Server::start();
    let bus = Bus::connect(&server.url()).await;
    bus.stream().await;
    let settings = bus.settings().with_ack_timeout(Duration::from_millis(500));
    let sink = NatsSink::connect(settings).await.unwrap();
    (server, bus, sink)
}

pub(crate) async fn an_event_without_acknowledgement_is_not_stored(_: &Bus) {
    let (server, bus, sink) = on_own_server().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 1)).await, all(1));
    server.signal("STOP");
    let begun = Instant::now();
    let published = sink.publish(&run(), 1, &events(2, 3)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(published.stored, 0);
    assert_eq!(stop(&published), "unknown: no acknowledgement in time");
    server.signal("CONT");
    // It did arrive: the same event again is recognised.
    assert_eq!(sink.publish(&run(), 1, &events(2, 3)).await, all(2));
    assert_eq!(bus.seqs().await, [1, 2, 3]);
}

pub(crate) async fn a_server_that_comes_back_is_used_again(_: &Bus) {
    let (mut server, bus, sink) = on_own_server().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 2)).await, all(2));
    server.kill();
    let down = sink.publish(&run(), 1, &events(3, 4)).await;
    assert_eq!(down.stored, 0, "{down:?}");
    assert!(!stop(&down).starts_with("rejected"), "{down:?}");
    server.start_again();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut first = 3;
    while first <= 4 {
        let published = sink.publish(&run(), 1, &events(first, 4)).await;
        assert!(Instant::now() < deadline, "{published:?}");
        first += published.stored;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bus.seqs().await, [1, 2, 3, 4]);
}
