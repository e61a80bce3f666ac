//! What the server says, and what becomes of it.

use async_nats::jetstream::stream::Config;
use dvt_conformance::fixture;
use dvt_contracts::EventSink as _;
use dvt_sink_nats::{NatsConnectError, NatsSettings, NatsSink};

use crate::bus::{Bus, all, events, run, stop, stored};

async fn refused(settings: NatsSettings) -> NatsConnectError {
    NatsSink::connect(settings).await.unwrap_err()
}

pub(crate) async fn a_missing_stream_is_told_with_the_command_that_makes_it(bus: &Bus) {
    let error = refused(bus.settings()).await;
    assert_eq!(
        error.to_string(),
        format!(
            "no stream takes the subjects {0}.*.*: nats stream add DVT --subjects '{0}.*.*' --storage file --dupe-window 10m --defaults",
            bus.name
        )
    );
    bus.stream().await;
    let error = refused(bus.settings().with_stream("OTHER")).await;
    assert!(
        error.to_string().contains("nats stream add OTHER "),
        "{error}"
    );
}

pub(crate) async fn a_missing_stream_is_made_if_that_is_asked_for(bus: &Bus) {
    let settings = bus.settings().with_stream(&bus.name).with_stream_created();
    let sink = NatsSink::connect(settings.clone()).await.unwrap();
    assert_eq!(sink.publish(&run(), 1, &events(1, 1)).await, all(1));
    // The next one finds it.
    let sink = NatsSink::connect(settings).await.unwrap();
    assert_eq!(sink.publish(&run(), 2, &events(2, 2)).await, all(1));
    let mut stream = bus.context.get_stream(&bus.name).await.unwrap();
    let info = stream.info().await.unwrap();
    assert_eq!(info.config.subjects, [format!("{}.*.*", bus.name)]);
    assert_eq!(info.config.duplicate_window.as_secs(), 600);
    assert_eq!(info.state.messages, 2);
}

pub(crate) async fn a_stream_is_chosen_by_name_where_there_are_several(bus: &Bus) {
    let second = format!("{}_2", bus.name);
    let one = Config {
        subjects: vec![format!("{}.a.*", bus.name)],
        ..bus.config()
    };
    let other = Config {
        name: second.clone(),
        subjects: vec![format!("{}.b.*", bus.name)],
        ..bus.config()
    };
    bus.stream_with(one).await;
    bus.stream_with(other).await;
    let error = refused(bus.settings()).await;
    let NatsConnectError::SeveralStreams { streams, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(
        streams.contains(&bus.name) && streams.contains(&second),
        "{error}"
    );

    let sink = NatsSink::connect(bus.settings().with_stream(&bus.name))
        .await
        .unwrap();
    let run_of = |tenant: &str| fixture::run_of(tenant, "r");
    assert_eq!(sink.publish(&run_of("a"), 1, &events(1, 1)).await, all(1));
    // The other stream takes this subject: it was told to refuse what is meant for another one.
    let elsewhere = sink.publish(&run_of("b"), 1, &events(1, 1)).await;
    assert!(stop(&elsewhere).starts_with("rejected: "), "{elsewhere:?}");
    let mut second = bus.context.get_stream(&second).await.unwrap();
    assert_eq!(second.info().await.unwrap().state.messages, 0);
}

pub(crate) async fn streams_that_cannot_keep_the_promise_are_refused(bus: &Bus) {
    let silent = Config {
        no_ack: true,
        ..bus.config()
    };
    bus.stream_with(silent).await;
    let error = refused(bus.settings()).await;
    assert!(
        matches!(error, NatsConnectError::Unacknowledged { .. }),
        "{error:?}"
    );
}

pub(crate) async fn servers_that_are_not_there_are_told(_bus: &Bus) {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let nowhere = NatsSettings::from_url(&format!("nats://u:hidden@{address}/a")).unwrap();
    let error = refused(nowhere).await;
    assert_eq!(
        error.to_string(),
        format!("cannot connect to nats://{address}")
    );
    assert!(!format!("{error:?}").contains("hidden"));
}

pub(crate) async fn events_that_are_too_large_are_rejected_with_size_and_limit(bus: &Bus) {
    let small = Config {
        max_message_size: 20_000,
        ..bus.config()
    };
    bus.stream_with(small).await;
    let sink = bus.sink().await;
    let text = format!("\"{}\"", "x".repeat(20_000));
    let large = fixture::note("large").with_payload(fixture::payload(&text));
    let offered = [events(1, 1), vec![stored(2, large)], events(3, 3)].concat();
    let published = sink.publish(&run(), 1, &offered).await;
    assert_eq!(published.stored, 1);
    let reason = stop(&published);
    assert!(reason.starts_with("rejected: "), "{reason}");
    assert!(reason.contains("the limit is 20000"), "{reason}");
    assert_eq!(bus.seqs().await, [1]);
}

pub(crate) async fn a_full_stream_is_unavailable_and_takes_events_when_there_is_room(bus: &Bus) {
    let full = Config {
        max_messages: 2,
        ..bus.config()
    };
    bus.stream_with(full).await;
    let sink = bus.sink().await;
    let published = sink.publish(&run(), 1, &events(1, 4)).await;
    assert_eq!(published.stored, 2);
    assert!(
        stop(&published).starts_with("unavailable: "),
        "{published:?}"
    );
    let stream = bus.context.get_stream(&bus.name).await.unwrap();
    stream.purge().await.unwrap();
    assert_eq!(sink.publish(&run(), 1, &events(3, 4)).await, all(2));
    assert_eq!(bus.seqs().await, [3, 4]);
}

pub(crate) async fn a_stream_that_goes_away_is_unavailable_until_it_comes_back(bus: &Bus) {
    bus.stream().await;
    let sink = bus.sink().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 2)).await, all(2));
    bus.context.delete_stream(&bus.name).await.unwrap();
    let published = sink.publish(&run(), 1, &events(3, 4)).await;
    assert_eq!(published.stored, 0);
    assert!(
        stop(&published).starts_with("unavailable: "),
        "{published:?}"
    );
    bus.stream().await;
    assert_eq!(sink.publish(&run(), 1, &events(3, 4)).await, all(2));
    assert_eq!(bus.seqs().await, [3, 4]);
}
