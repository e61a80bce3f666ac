//! What arrives, in what order, and what the outbox says afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture must fail the test"
)]

mod world;

use std::num::NonZeroU32;
use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::{
    AppendRequest, DeadLetterQuery, Destination, OperatorNote, OutboxStorage as _, PendingQuery,
    PendingState, RetryPolicy, RunStateStoreExt as _,
};
use dvt_relay::{RelayError, RelayMode, RelaySettings};
use world::{Act, World};

/// Longer than all attempts and back-offs of one event together.
const LONG: Duration = Duration::from_secs(1_000);
const SECOND: Duration = Duration::from_secs(1);

/// CASES H 71.
#[tokio::test(start_paused = true)]
async fn every_event_arrives_once_and_in_order() {
    let world = World::new();
    let runs = world.runs(200, 250).await;

    let report = world.empty().await.unwrap();

    let firsts = world.sink.first_arrivals();
    for run in &runs {
        assert!(firsts[run].iter().copied().eq(1..=250), "{run}");
    }
    assert_eq!(world.sink.total(), 200 * 250);
    assert_eq!(report.delivered, 200 * 250);
    assert_eq!(
        (report.charged, report.leases_lost, report.cut_off),
        (0, 0, 0)
    );
    assert_eq!(world.stats().await.pending_events, 0);
}

/// CASES J 89, H 73, H 74.
#[tokio::test(start_paused = true)]
async fn a_rejected_event_parks_its_run_after_exactly_max_attempts_and_nobody_notices() {
    let world = World::new();
    let runs = world.runs(100, 10).await;
    let poison = runs[7].clone();
    let of_poison = poison.clone();
    let offers = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = offers.clone();
    world.sink.does(move |run, event| {
        if *run == of_poison && event.run_seq == 4 {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return Act::Reject;
        }
        Act::Store
    });

    world.work(world.settings(), LONG).await;

    let letters = world
        .store
        .list_dead_letters(&DeadLetterQuery::default())
        .await
        .unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0].run, letters[0].run_seq, letters[0].attempts),
        (&poison, 4, 3)
    );
    assert_eq!(offers.load(std::sync::atomic::Ordering::SeqCst), 3);
    let firsts = world.sink.first_arrivals();
    assert_eq!(firsts[&poison], [1, 2, 3]);
    for run in runs.iter().filter(|run| **run != poison) {
        assert!(firsts[run].iter().copied().eq(1..=10), "{run}");
    }
}

/// An event that the sink answers with 503, or not at all, while it takes all others.
#[tokio::test(start_paused = true)]
async fn an_event_that_only_looks_like_an_outage_parks_its_run_alone() {
    for act in [Act::Refuse503, Act::Hang, Act::Panic] {
        let world = World::new();
        let runs = world.runs(1_000, 3).await;
        let poison = runs[500].clone();
        let of_poison = poison.clone();
        world.sink.does(
            move |run, event| match *run == of_poison && event.run_seq == 2 {
                true => act,
                false => Act::Store,
            },
        );

        world.work(world.settings(), LONG).await;

        let stats = world.stats().await;
        assert_eq!(
            (stats.parked_runs, stats.due_runs, stats.backing_off_runs),
            (1, 0, 0),
            "{act:?}"
        );
        let letters = world
            .store
            .list_dead_letters(&DeadLetterQuery::default())
            .await
            .unwrap();
        assert_eq!(
            (&letters[0].run, letters[0].run_seq, letters[0].attempts),
            (&poison, 2, 3),
            "{act:?}"
        );

        // After the fix an operator lets it go out again.
        world.sink.does(|_, _| Act::Store);
        let note = OperatorNote::new("me", "the receiver is mended");
        world
            .store
            .retry_dead_letter(&poison, 1, &note)
            .await
            .unwrap();
        world.empty().await.unwrap();
        let firsts = world.sink.first_arrivals();
        assert!(firsts.values().all(|seqs| *seqs == [1, 2, 3]), "{act:?}");
        assert_eq!(firsts.len(), 1_000);
    }
}

/// CASES I 87.
#[tokio::test(start_paused = true)]
async fn an_outage_charges_nobody_however_long_it_lasts() {
    for act in [Act::Refuse503, Act::Hang, Act::Forget] {
        let world = World::new();
        let runs = world.runs(300, 2).await;
        world.sink.does(move |_, _| act);

        let report = world.work(world.settings(), 2 * LONG).await;

        let stats = world.stats().await;
        assert_eq!(report.charged, 0, "{act:?}");
        assert_eq!(
            (
                stats.parked_runs,
                stats.backing_off_runs,
                stats.pending_events
            ),
            (0, 0, 600),
            "{act:?}"
        );

        world.sink.does(|_, _| Act::Store);
        world.empty().await.unwrap();
        let firsts = world.sink.first_arrivals();
        assert!(runs.iter().all(|run| firsts[run] == [1, 2]), "{act:?}");
    }
}

/// CASES E 51: what was stored without an acknowledgement comes again, with no attempt counted.
#[tokio::test(start_paused = true)]
async fn a_lost_reply_means_the_same_event_again() {
    let world = World::new();
    let runs = world.runs(2, 2).await;
    let forgotten = std::sync::atomic::AtomicBool::new(false);
    world.sink.does(move |_, event| {
        let first =
            event.run_seq == 2 && !forgotten.swap(true, std::sync::atomic::Ordering::SeqCst);
        if first { Act::Forget } else { Act::Store }
    });

    let report = world.empty().await.unwrap();

    assert_eq!(report.charged, 0);
    let arrivals: usize = runs.iter().map(|run| world.sink.arrivals(run)[&2]).sum();
    assert_eq!(arrivals, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_publish_keeps_its_lease() {
    let world = World::new();
    world.runs(3, 1).await;
    world.sink.does(|_, _| Act::Slow(Duration::from_secs(95)));
    let settings = RelaySettings {
        lease: Duration::from_secs(3),
        publish_timeout: Duration::from_secs(100),
        ..world.settings()
    };

    let (first, second) = tokio::join!(
        world.work(settings.clone(), Duration::from_secs(200)),
        world.work(settings, Duration::from_secs(200)),
    );

    assert_eq!(world.sink.total(), 3);
    assert_eq!(first.delivered + second.delivered, 3);
    assert_eq!(first.leases_lost + second.leases_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_claim_does_not_wait_for_the_slowest_run() {
    let world = World::new();
    let runs = world.runs(500, 1).await;
    let slow = runs[0].clone();
    world.sink.does(move |run, _| match *run == slow {
        true => Act::Slow(Duration::from_secs(9)),
        false => Act::Store,
    });
    let settings = RelaySettings {
        max_runs_in_flight: 4,
        ..world.settings()
    };

    world.work(settings, Duration::from_secs(8)).await;

    assert_eq!(world.sink.total(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_relay_gives_back_what_it_cannot_finish() {
    let world = World::new();
    world.runs(10, 2).await;
    world.sink.does(|_, _| Act::Hang);
    let settings = RelaySettings {
        publish_timeout: LONG,
        stop_within: Duration::from_secs(2),
        ..world.settings()
    };

    let report = world.work(settings, Duration::from_secs(5)).await;

    assert_eq!(
        (report.delivered, report.charged, report.cut_off),
        (0, 0, 10)
    );
    let pending = world
        .store
        .list_pending(&PendingQuery::default())
        .await
        .unwrap();
    assert_eq!(pending.len(), 10);
    assert!(
        pending
            .iter()
            .all(|run| run.state == PendingState::Due && run.attempts == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn work_comes_at_the_latest_after_the_poll_interval_and_at_once_after_a_hint() {
    for (hint, expected) in [
        (false, Duration::from_secs(1)),
        (true, Duration::from_millis(100)),
    ] {
        let world = World::new();
        let relay = world.relay(world.settings());
        let waker = relay.waker();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async {
            stopped.await.unwrap();
        };
        let working = relay.run(RelayMode::Forever, stopped);
        let watching = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            world.runs(1, 1).await;
            if hint {
                waker.wake();
            }
            let begun = tokio::time::Instant::now();
            while world.sink.total() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let took = begun.elapsed();
            stop.send(()).unwrap();
            took
        };

        let (report, took) = tokio::join!(working, watching);

        assert_eq!(report.unwrap().delivered, 1);
        assert!(took <= expected + Duration::from_millis(40), "{took:?}");
    }
}

/// Nobody can claim the new event before the run is let go.
#[tokio::test(start_paused = true)]
async fn a_hint_about_a_run_that_is_being_published_is_not_forgotten() {
    let world = World::new();
    let run = world.runs(1, 1).await.remove(0);
    let publish = Duration::from_secs(2);
    world.sink.does(move |_, _| Act::Slow(publish));
    let settings = RelaySettings {
        // The first look after an empty one comes after 20 s.
        poll_interval: Duration::from_secs(1_000),
        ..world.settings()
    };
    let relay = world.relay(settings);
    let waker = relay.waker();
    let working = relay.run(
        RelayMode::Forever,
        tokio::time::sleep(2 * publish + Duration::from_secs(1)),
    );
    let appending = async {
        tokio::time::sleep(publish / 2).await;
        let request = AppendRequest::new(run, vec![fixture::note("meanwhile")]);
        world.store.append_and_enqueue(request).await.unwrap();
        waker.wake();
    };

    let (report, ()) = tokio::join!(working, appending);

    assert_eq!(report.unwrap().delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn another_destination_is_refused() {
    let world = World::new();
    let other = Destination::new("elsewhere:").unwrap();
    world.store.bind_destination(&other).await.unwrap();

    let refused = world.empty().await.unwrap_err();

    assert!(refused.to_string().contains("elsewhere:"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_ends_a_relay_that_was_to_end() {
    let world = World::new();
    world.runs(10, 1).await;
    world.sink.does(|_, _| Act::Refuse503);

    let down = world.empty().await.unwrap_err();

    assert!(matches!(down, RelayError::SinkDown { .. }), "{down}");
    assert_eq!(world.stats().await.due_runs, 10);
}

/// CASES M, crash loops: runs that were claimed again and again and never finished go out one by one.
/// A sink that loses patience by itself tells how far it came, long after all others are done.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_after_a_while_parks_its_run_though_all_others_are_done() {
    let world = World::new();
    let poison = world.runs(100, 3).await[50].clone();
    world.sink.does(
        move |run, event| match *run == poison && event.run_seq == 2 {
            true => Act::SlowRefuse(8 * SECOND),
            false => Act::Store,
        },
    );

    let report = world.work(world.settings(), LONG).await;

    let stats = world.stats().await;
    assert_eq!((stats.parked_runs, stats.pending_events), (1, 1));
    assert_eq!((report.delivered, report.charged), (298, 3));
}

/// CASES I 87: those that were on their way when it began are charged once at most, and nobody parks.
#[tokio::test(start_paused = true)]
async fn an_outage_that_begins_in_the_middle_parks_nobody() {
    let world = World::new();
    let runs = world.runs(200, 50).await;
    let arrivals = std::sync::atomic::AtomicUsize::new(0);
    let begun = tokio::time::Instant::now();
    world.sink.does(move |_, _| {
        let before = arrivals.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let is_down = before > 3_000 && begun.elapsed() < 3_600 * SECOND;
        match is_down {
            true => Act::Refuse503,
            false => Act::Slow(Duration::from_millis(10)),
        }
    });

    let report = world.work(world.settings(), 4_000 * SECOND).await;

    let stats = world.stats().await;
    assert_eq!((stats.parked_runs, stats.pending_events), (0, 0));
    assert!(report.charged <= 64, "{report:?}");
    assert_eq!(report.delivered, 200 * 50);
    let firsts = world.sink.first_arrivals();
    assert!(runs.iter().all(|run| firsts[run].len() == 50));
}

/// CASES H 72: whatever fails, a run's first arrivals come in order, and nothing is missing at the end.
#[tokio::test(start_paused = true)]
async fn eight_relays_keep_every_runs_order_while_the_sink_fails_at_random() {
    let world = World::new();
    let runs = world.runs(1_000, 10).await;
    let seed = std::sync::atomic::AtomicU64::new(72);
    world.sink.does(move |_, _| {
        // Knuth's MMIX generator: the same failures each time the same calls are made.
        let step = |state: u64| {
            let next = state.wrapping_mul(6_364_136_223_846_793_005);
            Some(next.wrapping_add(1_442_695_040_888_963_407))
        };
        let relaxed = std::sync::atomic::Ordering::Relaxed;
        let state = seed.fetch_update(relaxed, relaxed, step).unwrap();
        match (state >> 33) % 100 {
            0..10 => Act::Refuse503,
            10..15 => Act::Forget,
            15..18 => Act::Reject,
            18..20 => Act::Slow(Duration::from_secs(2)),
            _ => Act::Store,
        }
    });
    let settings = RelaySettings {
        retry: RetryPolicy::new(NonZeroU32::MAX, SECOND, 10 * SECOND).unwrap(),
        max_events_per_run: 4,
        ..world.settings()
    };

    let mut relays = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let relay = world.relay(settings.clone());
        relays.spawn(async move {
            relay
                .run(RelayMode::Forever, tokio::time::sleep(LONG))
                .await
        });
    }
    let mut delivered = 0;
    while let Some(report) = relays.join_next().await {
        delivered += report.unwrap().unwrap().delivered;
    }

    let stats = world.stats().await;
    assert_eq!((stats.pending_events, stats.parked_runs), (0, 0));
    assert_eq!(delivered, 10_000);
    let firsts = world.sink.first_arrivals();
    let in_order: Vec<u64> = (1..=10).collect();
    assert!(runs.iter().all(|run| firsts[run] == in_order));
}

#[tokio::test(start_paused = true)]
async fn a_suspect_is_published_alone() {
    // At the third claim the store still gives several at once; later it gives one at a time.
    for claims in [2, 3] {
        let world = World::new();
        let runs = world.runs(8, 1).await;
        for _ in 0..claims {
            let claim = dvt_conformance::fixture::claim_all();
            world.store.claim(&claim).await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
        }
        world.sink.does(|_, _| Act::Slow(Duration::from_secs(1)));

        let begun = tokio::time::Instant::now();
        world.empty().await.unwrap();

        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(8), "{claims}: {took:?}");
        assert_eq!(world.sink.total(), runs.len(), "{claims}");
    }
}
