//! Stores that answer late, not at all, or with a panic; and bounds that leave little room.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture must fail the test"
)]

mod odd_store;
#[expect(dead_code, reason = "the tests of delivery share it")]
mod world;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::OutboxStorage as _;
use dvt_relay::{Relay, RelayError, RelayMode, RelaySettings};
use odd_store::Odd;
use tokio::time::{Instant, sleep};
use world::{Act, World};

const SECOND: Duration = Duration::from_secs(1);

fn one_event_at_a_time(world: &World) -> RelaySettings {
    RelaySettings {
        max_events_per_run: 1,
        ..world.settings()
    }
}

/// A claim asks for a quarter of what may be in flight.
fn four_runs_at_a_time(world: &World) -> RelaySettings {
    RelaySettings {
        max_runs_in_flight: 16,
        ..world.settings()
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_does_not_end_the_work_of_the_next_claim() {
    let world = World::new();
    world.runs(1, 3).await;
    world.sink.does(|_, event| match event.run_seq {
        2 => Act::Slow(3 * SECOND),
        _ => Act::Store,
    });
    let relay = Odd::LostAcknowledgement.relay(&world, one_event_at_a_time(&world));

    let report = relay.run(RelayMode::Forever, sleep(20 * SECOND)).await;

    assert_eq!(report.unwrap().delivered, 3);
    assert_eq!(world.stats().await.pending_events, 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_after_another_relays_work_is_counted_once() {
    let world = World::new();
    world.runs(1, 3).await;
    world.sink.does(|_, event| match event.run_seq {
        3 => Act::Slow(3 * SECOND),
        _ => Act::Store,
    });
    let relay = Odd::OvertakenAcknowledgement.relay(&world, one_event_at_a_time(&world));

    let report = relay.run(RelayMode::Forever, sleep(20 * SECOND)).await;

    // The other relay delivered the second event.
    assert_eq!(report.unwrap().delivered, 2);
    assert_eq!(world.stats().await.pending_events, 0);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_to_end_waits_for_what_it_gives_back() {
    let world = World::new();
    let runs = world.runs(5, 3).await;
    let bad = runs[0].clone();
    world
        .sink
        .does(move |run, event| match (*run == bad, event.run_seq) {
            (true, 3) => Act::Hang,
            (true, _) => Act::Store,
            (false, _) => Act::Slow(2 * SECOND),
        });
    let relay = Odd::SlowRelease.relay(&world, world.settings());

    let report = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let _ = report.await;

    assert_eq!(world.stats().await.due_runs, 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_was_not_told_of_is_cut_off() {
    let world = World::new();
    world.runs(10, 1).await;
    let relay = Odd::SilentAcknowledgement.relay(&world, world.settings());

    let report = relay.run(RelayMode::Forever, sleep(SECOND)).await.unwrap();

    assert_eq!((report.delivered, report.cut_off), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_ends_the_relay() {
    let world = World::new();
    world.runs(1, 1).await;
    let relay = Odd::PanickingClaim.relay(&world, world.settings());

    let ended = relay.run(RelayMode::Forever, sleep(3600 * SECOND)).await;

    assert!(matches!(ended, Err(RelayError::Panicked)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_comes_after_its_lease_is_not_published() {
    let world = World::new();
    world.runs(1, 1).await;
    let settings = RelaySettings {
        lease: 2 * SECOND,
        ..world.settings()
    };
    let relay = Odd::SlowClaim.relay(&world, settings);
    let other = async {
        sleep(2 * SECOND + SECOND / 5).await;
        let claimed = world.store.claim(&fixture::claim_all()).await.unwrap();
        assert_eq!(claimed.len(), 1);
    };

    let (report, ()) = tokio::join!(relay.run(RelayMode::Forever, sleep(4 * SECOND)), other);

    assert_eq!(world.sink.total(), 0);
    assert_eq!(report.unwrap().leases_lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_gets_fewer_events_at_once_until_they_get_through() {
    let world = World::new();
    world.runs(3, 100).await;
    // A hundred take 12 s, two more than a publish may.
    world
        .sink
        .does(|_, _| Act::Slow(Duration::from_millis(120)));

    let report = world.work(world.settings(), 120 * SECOND).await;

    assert_eq!((report.delivered, report.charged), (300, 0));
}

#[tokio::test(start_paused = true)]
async fn small_claims_are_no_reason_to_wait() {
    for suspects in [true, false] {
        let world = World::new();
        world.runs(100, 1).await;
        let claims = if suspects { 3 } else { 0 };
        for _ in 0..claims {
            world.store.claim(&fixture::claim_all()).await.unwrap();
            sleep(61 * SECOND).await;
        }
        let settings = RelaySettings {
            max_bytes_in_flight: if suspects { 1 << 20 } else { 1 },
            ..world.settings()
        };
        let relay = world.relay(settings);

        let begun = Instant::now();
        let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
        ended.await.unwrap();

        assert!(
            begun.elapsed() < SECOND,
            "{suspects}: {:?}",
            begun.elapsed()
        );
        assert_eq!(world.sink.total(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_plenty_two_claims_are_under_way() {
    let world = World::new();
    world.runs(40, 1).await;
    let relay = Odd::SlowClaims.relay(&world, four_runs_at_a_time(&world));

    let begun = Instant::now();
    let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let report = ended.await.unwrap();

    // A claim brings 4 runs: the first one alone, two at once from then on, and one or two that find nothing. One after the
    // other they take 11 s.
    assert!(begun.elapsed() <= 8 * SECOND, "{:?}", begun.elapsed());
    assert_eq!((report.delivered, report.leases_lost), (40, 0));
    assert_eq!(world.sink.total(), 40);
}

#[tokio::test(start_paused = true)]
async fn two_claims_that_find_nothing_while_runs_go_out_are_not_the_end() {
    let world = World::new();
    world.runs(4, 200).await;
    let relay = Odd::SlowClaims.relay(&world, four_runs_at_a_time(&world));

    // The first claim brings all that it asked for; the two after it find these runs taken, until their first half is through.
    let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let report = ended.await.unwrap();

    assert_eq!((report.delivered, report.leases_lost), (800, 0));
    assert_eq!(world.stats().await.pending_events, 0);
}

/// Twelve are on their way at a time, 5 s each, beside the claim that does not answer. Its leases end after 30 s; its runs are
/// claimed anew when the others are through, at 35 s, and are on their way until 40 s.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_overtaken_disturbs_nobody() {
    let world = World::new();
    world.runs(88, 1).await;
    world.sink.does(|_, _| Act::Slow(5 * SECOND));
    let relay = Odd::LateSecondClaim(37 * SECOND).relay(&world, four_runs_at_a_time(&world));

    let begun = Instant::now();
    let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let report = ended.await.unwrap();

    assert!(begun.elapsed() < 45 * SECOND, "{:?}", begun.elapsed());
    assert_eq!((report.delivered, report.leases_lost), (88, 4));
    assert_eq!(world.sink.total(), 88);
}

#[tokio::test(start_paused = true)]
async fn nothing_found_beside_a_claim_that_was_undone_is_not_the_end() {
    let world = World::new();
    world.runs(8, 1).await;
    let relay = Odd::UndoneSecondClaim.relay(&world, four_runs_at_a_time(&world));

    let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let report = ended.await.unwrap();

    assert_eq!((report.delivered, report.leases_lost), (8, 0));
    assert_eq!(world.stats().await.pending_events, 0);
}

#[tokio::test(start_paused = true)]
async fn a_suspect_goes_after_those_that_another_claim_brings() {
    let world = World::new();
    let suspect = world.runs(1, 1).await.remove(0);
    for _ in 0..3 {
        sleep(61 * SECOND).await;
        world.store.claim(&fixture::claim_all()).await.unwrap();
    }
    // Due before it is due again.
    for number in 0..8 {
        world.add(&format!("good-{number}"), 1).await;
    }
    sleep(61 * SECOND).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let published = Arc::clone(&order);
    world.sink.does(move |run, _| {
        published.lock().unwrap().push(run.clone());
        Act::Store
    });
    // It brings four of them, the third claim the suspect.
    let relay = Odd::LateSecondClaim(3 * SECOND).relay(&world, four_runs_at_a_time(&world));

    let ended = relay.run(RelayMode::UntilEmpty, std::future::pending());
    let report = ended.await.unwrap();

    assert_eq!((report.delivered, report.leases_lost), (9, 0));
    assert_eq!(order.lock().unwrap().last(), Some(&suspect));
}

#[tokio::test(start_paused = true)]
async fn poison_in_sparse_traffic_parks_and_delays_nobody_for_long() {
    let world = World::new();
    let bad = world.runs(1, 1).await.remove(0);
    world.sink.does(move |run, _| match *run == bad {
        true => Act::Refuse503,
        false => Act::Store,
    });
    let others = async {
        for number in 0..60 {
            sleep(60 * SECOND).await;
            world.add(&format!("good-{number}"), 1).await;
        }
    };

    let (report, ()) = tokio::join!(world.work(world.settings(), 3700 * SECOND), others);

    let stats = world.stats().await;
    assert_eq!((stats.parked_runs, stats.pending_events), (1, 0));
    assert_eq!((report.delivered, report.charged), (60, 3));
}

#[tokio::test]
async fn bounds_that_nothing_fits_into_are_refused() {
    let world = World::new();
    let refused = |settings| {
        let relay = Relay::new(Arc::new(world.store.clone()), world.sink.clone(), settings);
        relay.unwrap_err().to_string()
    };
    let nothing = RelaySettings {
        max_bytes_in_flight: 0,
        ..world.settings()
    };
    let endless = RelaySettings {
        stop_within: Duration::MAX,
        ..world.settings()
    };
    assert!(refused(nothing).contains("max_bytes_in_flight"));
    assert!(refused(endless).contains("stop_within"));
}

/// The relay looks after its leases at 10 s, 20 s, 30 s and so on; this one lasts from 5 s to 35 s.
#[tokio::test(start_paused = true)]
async fn work_ends_with_its_lease_and_not_with_the_next_look() {
    let world = World::new();
    world.sink.does(|_, _| Act::Slow(31 * SECOND));
    let settings = RelaySettings {
        publish_timeout: 100 * SECOND,
        poll_interval: SECOND / 10,
        ..world.settings()
    };
    let relay = Odd::SilentExtend.relay(&world, settings);
    let appended = async {
        sleep(5 * SECOND).await;
        world.runs(1, 1).await;
        sleep(34 * SECOND).await;
    };

    let report = relay.run(RelayMode::Forever, appended).await.unwrap();

    // After 31 s it would have been stored, under a lease of 30 s.
    assert_eq!((report.leases_lost, report.delivered), (1, 0));
    assert_eq!(world.sink.total(), 0);
}

/// Leases are lengthened at 10 s, to 40 s, at 20 s and at 30 s; the first answer is the last to come.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_overtaken_shortens_no_lease() {
    let world = World::new();
    world.runs(1, 1).await;
    world.sink.does(|_, _| Act::Slow(45 * SECOND));
    let settings = RelaySettings {
        publish_timeout: 100 * SECOND,
        ..world.settings()
    };
    let relay = Odd::LateExtend.relay(&world, settings);

    let report = relay.run(RelayMode::Forever, sleep(50 * SECOND)).await;

    let report = report.unwrap();
    assert_eq!((report.leases_lost, report.delivered), (0, 1));
    assert_eq!(world.sink.total(), 1);
}
