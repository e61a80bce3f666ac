//! What a relay tells those who watch it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::database::Database;
use crate::process::Process;
use crate::receiver::{Answer, Receiver};
use crate::stage::{PATIENCE, end, feed, record, relay};

pub(crate) fn metrics_and_probes_tell_how_the_relay_and_the_store_are_doing(database: &Database) {
    record(database, 10, 10);
    let receiver = Receiver::start();
    let bounds = [
        "--metrics",
        "127.0.0.1:0",
        "--verdict-within",
        "50ms",
        "--probe-interval",
        "50ms",
    ];
    let mut relay = Process::start(relay(database, &receiver, &bounds));
    let told = relay.first_line_of_error();
    let address = told.trim_start_matches("metrics at http://");
    let address = address.trim_end_matches("/metrics").parse().unwrap();
    receiver.wait(PATIENCE, |books| books.count == 100);

    let metrics = wait_for(address, "/metrics", |text| {
        text.contains("dvt_relay_delivered_events_total 100\n")
    });
    for (name, least) in [
        ("dvt_relay_claim_seconds_count", 1.0),
        ("dvt_relay_publish_seconds_count", 10.0),
        ("dvt_relay_sink_up", 1.0),
    ] {
        assert!(value(&metrics, name) >= least, "{name}: {metrics}");
    }
    assert_eq!(value(&metrics, "dvt_relay_rejected_total"), 0.0);
    assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/readyz"), (200, "ok\n".to_owned()));

    // Down: alive, and not ready.
    receiver.answer(|_| Answer::Unavailable);
    record_again(database);
    let down = wait_for(address, "/metrics", |text| {
        value(text, "dvt_relay_unavailable_seconds_total") > 0.0
            && value(text, "dvt_outbox_pending_events") == 10.0
    });
    assert_eq!(value(&down, "dvt_relay_sink_up"), 0.0);
    assert!(value(&down, "dvt_outbox_oldest_pending_age_seconds") > 0.0);
    let states = ["due", "leased", "backing_off", "parked"]
        .map(|state| value(&down, &format!("dvt_outbox_runs{{state=\"{state}\"}}")));
    assert_eq!(states.iter().sum::<f64>(), 10.0, "{down}");
    assert_eq!(get(address, "/healthz").0, 200);
    let (status, why) = get(address, "/readyz");
    assert_eq!(status, 503);
    assert!(why.starts_with("the sink is down: "), "{why}");

    receiver.answer(|_| Answer::Take);
    receiver.wait(PATIENCE, |books| books.count == 110);
    wait_for(address, "/readyz", |text| text == "ok\n");
    end(relay);
}

pub(crate) fn an_address_that_is_taken_is_said(database: &Database) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = database.dvt(&["relay", "--to", "stdout:", "--once", "--metrics", &address]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err
            .contains(&format!("cannot serve metrics at {address}")),
        "{ran:?}"
    );
}

fn record_again(database: &Database) {
    let more: String = (0..10)
        .map(|run| {
            format!(
                "{{\"tenant_id\":\"t\",\"project_id\":\"p\",\"environment_id\":\"e\",\"run_id\":\"run-{run}\",\"plan_id\":\"plan\",\"plan_version\":\"1\",\"event_type\":\"Custom\",\"emitted_at\":\"2026-01-02T03:04:05Z\",\"idempotency_key\":\"later\"}}\n"
            )
        })
        .collect();
    feed(database, &more).done();
}

/// The value of a metric in the exposition, 0 where it is not.
fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn wait_for(address: SocketAddr, path: &str, is_so: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, text) = get(address, path);
        if is_so(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Status and body of a page.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
