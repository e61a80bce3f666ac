//! Once and in order, whatever is repeated.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use dvt_conformance::fixture;
use dvt_contracts::EventSink as _;
use dvt_sink_nats::NatsSink;

use crate::bus::{Bus, all, events, run, stored};

pub(crate) async fn a_repeated_event_is_stored_once_within_the_duplicate_window(bus: &Bus) {
    bus.stream().await;
    let sink = bus.sink().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 3)).await, all(3));
    // Another process: it knows nothing of the first one's work.
    let again = bus.sink().await;
    assert_eq!(again.publish(&run(), 2, &events(1, 3)).await, all(3));
    assert_eq!(again.publish(&run(), 2, &events(4, 4)).await, all(1));
    assert_eq!(sink.publish(&run(), 2, &events(4, 5)).await, all(2));
    assert_eq!(bus.seqs().await, [1, 2, 3, 4, 5]);
    let held = bus.held().await;
    assert_eq!(held[0].id, events(1, 1)[0].event_id(&run()).to_string());
}

fn forgetful(bus: &Bus) -> Config {
    Config {
        duplicate_window: Duration::from_millis(100),
        ..bus.config()
    }
}

/// The server forgets ids in steps of its own: the time is what is tested.
async fn window_is_over() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

pub(crate) async fn a_repeated_event_is_stored_once_after_the_duplicate_window_too(bus: &Bus) {
    bus.stream_with(forgetful(bus)).await;
    let sink = bus.sink().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 3)).await, all(3));
    window_is_over().await;
    assert_eq!(sink.publish(&run(), 2, &events(2, 4)).await, all(3));
    window_is_over().await;
    let again = bus.sink().await;
    assert_eq!(again.publish(&run(), 3, &events(1, 5)).await, all(5));
    assert_eq!(bus.seqs().await, [1, 2, 3, 4, 5]);
}

pub(crate) async fn without_a_subject_per_run_only_the_window_keeps_doubles_out(bus: &Bus) {
    bus.stream_with(forgetful(bus)).await;
    let sink = NatsSink::connect(bus.settings_for("all")).await.unwrap();
    assert_eq!(sink.publish(&run(), 1, &events(1, 2)).await, all(2));
    assert_eq!(sink.publish(&run(), 1, &events(1, 2)).await, all(2));
    assert_eq!(bus.seqs().await, [1, 2]);
    window_is_over().await;
    assert_eq!(sink.publish(&run(), 1, &events(2, 3)).await, all(2));
    // A double, with the same id: what at least once means.
    let held = bus.held().await;
    let seqs: Vec<u64> = held.iter().map(|event| event.run_seq).collect();
    assert_eq!(seqs, [1, 2, 2, 3]);
    assert_eq!(held[1].id, held[2].id);
}

pub(crate) async fn a_relay_that_comes_late_adds_nothing(bus: &Bus) {
    bus.stream_with(forgetful(bus)).await;
    let (late, present) = (bus.sink().await, bus.sink().await);
    assert_eq!(late.publish(&run(), 1, &events(1, 2)).await, all(2));
    assert_eq!(present.publish(&run(), 2, &events(3, 4)).await, all(2));
    window_is_over().await;
    // It still believes that its own 2 is the last: the stream refuses it, and a look shows that all is there.
    assert_eq!(late.publish(&run(), 1, &events(3, 4)).await, all(2));
    assert_eq!(bus.seqs().await, [1, 2, 3, 4]);
    let claims: Vec<u64> = bus
        .held()
        .await
        .iter()
        .map(|event| event.claim_no)
        .collect();
    assert_eq!(claims, [1, 1, 2, 2]);
}

pub(crate) async fn what_a_crash_left_unacknowledged_is_recognised(bus: &Bus) {
    bus.stream_with(forgetful(bus)).await;
    assert_eq!(
        bus.sink().await.publish(&run(), 1, &events(1, 7)).await,
        all(7)
    );
    window_is_over().await;
    // The next relay gets them again, in smaller pieces: what it cannot prove to be there arrives twice, in order.
    let next = bus.sink().await;
    assert_eq!(next.publish(&run(), 2, &events(5, 9)).await, all(5));
    assert_eq!(bus.seqs().await, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

pub(crate) async fn another_log_of_the_same_name_is_not_taken_for_this_one(bus: &Bus) {
    bus.stream().await;
    assert_eq!(
        bus.sink().await.publish(&run(), 9, &events(1, 3)).await,
        all(3)
    );
    // A store that was made anew: the same run, other events.
    let other = [fixture::note("other 1"), fixture::note("other 2")];
    let other: Vec<_> = (1..)
        .zip(other)
        .map(|(seq, event)| stored(seq, event))
        .collect();
    assert_eq!(bus.sink().await.publish(&run(), 1, &other).await, all(2));
    assert_eq!(bus.seqs().await, [1, 2, 3, 1, 2]);
}

pub(crate) async fn messages_that_are_consumed_or_foreign_do_not_block_a_run(bus: &Bus) {
    let queue = Config {
        retention: RetentionPolicy::WorkQueue,
        ..bus.config()
    };
    bus.stream_with(queue).await;
    let sink = bus.sink().await;
    assert_eq!(sink.publish(&run(), 1, &events(1, 2)).await, all(2));
    let stream = bus.context.get_stream(&bus.name).await.unwrap();
    stream.purge().await.unwrap();
    assert_eq!(sink.publish(&run(), 1, &events(3, 3)).await, all(1));

    let subject = format!("{}.acme.run%201%2Ex", bus.name);
    let subject = subject.replace("acme", run().tenant_id.as_str());
    let foreign = bus.context.publish(subject, "hello".into()).await.unwrap();
    let foreign = foreign.await.unwrap();
    assert_eq!(sink.publish(&run(), 1, &events(4, 4)).await, all(1));
    stream.delete_message(foreign.sequence).await.unwrap();
    assert_eq!(bus.seqs().await, [3, 4]);
}
