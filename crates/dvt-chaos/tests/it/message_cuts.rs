//! A connection that ends just before or just after the server's `CommandComplete`, for every statement of both ports.

use std::pin::Pin;
use std::time::Duration;

use dvt_adapter_postgres::PostgresStore;
use dvt_chaos::proxy::{Direction, End, Fault, Message, Place, Spot};
use dvt_conformance::fixture::{by_ann, claim_all, metadata, note, policy, run};
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, Checkpoint, DeadLetterQuery, ErrorClass,
    EventType, Lease, OutboxError, OutboxStorage as _, OutboxStorageExt as _, PendingQuery,
    ProviderRef, RunQuery, RunState, RunStateStore as _, RunStateStoreExt as _, SafeText,
    StoreError,
};

use crate::proxied::{LEASE, Proxied};
use crate::trial::{Outcome, trials};

trials![
    a_lost_reply_is_unknown_for_what_writes_and_transient_for_what_reads,
    a_reply_that_never_comes_is_told_at_the_deadline,
    the_second_statement_of_a_call_is_cut,
    a_known_key_that_was_taken_to_be_new_is_cut,
];

/// What a call is about: one run that is there, one that has ended, and a lease.
#[derive(Clone)]
struct About {
    store: PostgresStore,
    lease: Lease,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), ErrorClass>> + Send + 'a>>;

/// A method of a port, and whether it writes.
type Call = (&'static str, bool, fn(&About) -> Answer<'_>);

fn of_store<T>(answer: Result<T, StoreError>) -> Result<(), ErrorClass> {
    answer.map(drop).map_err(|error| error.class())
}

/// What a lease that has ended is answered with, tells that all is done.
fn of_outbox<T>(answer: Result<T, OutboxError>) -> Result<(), ErrorClass> {
    match answer {
        Ok(_) | Err(OutboxError::Lease(_)) => Ok(()),
        Err(error) => Err(error.class()),
    }
}

macro_rules! call {
    ($name:literal, $writes:literal, $class:ident, |$about:ident| $answer:expr) => {
        ($name, $writes, |$about| {
            Box::pin(async move { $class($answer) })
        })
    };
}

fn append(key: &str) -> AppendRequest {
    AppendRequest::new(run("run"), vec![note(key)])
}

fn bootstrap() -> BootstrapRequest {
    BootstrapRequest {
        run: run("new"),
        metadata: metadata(),
        events: vec![note("k1")],
    }
}

/// Every method, each in a form that finds something to do.
const CALLS: [Call; 24] = [
    call!("bootstrap_run", true, of_store, |on| on
        .store
        .bootstrap_run(&bootstrap())
        .await),
    call!("append_batch", true, of_store, |on| on
        .store
        .append_and_enqueue(append("k2"))
        .await),
    call!("get_run", false, of_store, |on| on
        .store
        .get_run(&run("run"))
        .await),
    call!("list_runs", false, of_store, |on| {
        on.store
            .list_runs(&RunQuery::new(run("run").tenant_id))
            .await
    }),
    call!("list_tenants", false, of_store, |on| on
        .store
        .list_tenants(None, 10)
        .await),
    call!("list_events", false, of_store, |on| on
        .store
        .list_events(&run("run"), 0, 10)
        .await),
    call!("save_provider_ref", true, of_store, |on| {
        let reference = ProviderRef::new("provider", None, "workflow", None).unwrap();
        on.store.save_provider_ref(&run("run"), &reference).await
    }),
    call!("load_checkpoint", false, of_store, |on| on
        .store
        .load_checkpoint(&run("run"))
        .await),
    call!("save_checkpoint", true, of_store, |on| {
        let checkpoint = Checkpoint::of(&RunState::new());
        on.store.save_checkpoint(&run("run"), &checkpoint).await
    }),
    call!("prune_run", true, of_store, |on| on
        .store
        .prune_run(&run("ended"))
        .await),
    call!("claim", true, of_outbox, |on| on
        .store
        .claim(&claim_all())
        .await),
    call!("extend", true, of_outbox, |on| on
        .store
        .extend_one(&on.lease, LEASE)
        .await),
    call!("mark_delivered", true, of_outbox, |on| on
        .store
        .acknowledge(&on.lease, 1)
        .await),
    call!("mark_failed", true, of_outbox, |on| {
        on.store
            .mark_failed(&on.lease, 1, &SafeText::new("no"), &policy(3))
            .await
    }),
    call!("release", true, of_outbox, |on| on
        .store
        .release_one(&on.lease)
        .await),
    call!("list_pending", false, of_outbox, |on| {
        on.store.list_pending(&PendingQuery::default()).await
    }),
    call!("list_dead_letters", false, of_outbox, |on| {
        on.store
            .list_dead_letters(&DeadLetterQuery::default())
            .await
    }),
    call!("retry_dead_letter", true, of_outbox, |on| {
        on.store
            .retry_dead_letter(&run("parked"), 1, &by_ann())
            .await
    }),
    call!("skip_dead_letter", true, of_outbox, |on| {
        on.store
            .skip_dead_letter(&run("given-up"), 1, &by_ann())
            .await
    }),
    call!("park_run", true, of_outbox, |on| on
        .store
        .park_run(&run("to-park"), &by_ann())
        .await),
    call!("bind_destination", true, of_outbox, |on| {
        on.store.bind_destination(&"bus-1".parse().unwrap()).await
    }),
    call!("retarget", true, of_outbox, |on| {
        let (from, to) = ("bus-1".parse().unwrap(), "bus-2".parse().unwrap());
        on.store.retarget(&from, &to, &by_ann()).await
    }),
    call!("stats", false, of_outbox, |on| on.store.stats().await),
    call!("load_state", false, of_store, |on| on
        .store
        .load_state(&run("run"))
        .await),
];

/// Runs of all sorts, and a lease on one of them.
async fn prepared(on: &Proxied) -> About {
    let made = |name: &'static str| BootstrapRequest {
        run: run(name),
        metadata: metadata(),
        events: vec![note("k1")],
    };
    for name in ["run", "leased", "parked", "given-up", "to-park"] {
        on.direct.bootstrap_run(&made(name)).await.unwrap();
    }
    for name in ["parked", "given-up"] {
        on.direct.park_run(&run(name), &by_ann()).await.unwrap();
    }
    let mut ended = made("ended");
    ended.events = vec![dvt_conformance::fixture::event(
        EventType::RunCancelled,
        "end",
    )];
    on.direct.bootstrap_run(&ended).await.unwrap();
    let claimed = on.direct.claim(&claim_all()).await.unwrap();
    let mut leased = None;
    for claim in claimed {
        let lease = claim.lease;
        match lease.run.run_id.as_str() {
            "leased" => leased = Some(lease),
            "ended" => on.direct.acknowledge(&lease, 1).await.unwrap(),
            _ => on.direct.release_one(&lease).await.unwrap(),
        }
    }
    About {
        store: on.store.clone(),
        lease: leased.unwrap(),
    }
}

async fn a_lost_reply_is_unknown_for_what_writes_and_transient_for_what_reads() -> Outcome {
    let mut cuts = 0;
    for place in [Place::Before, Place::After] {
        for end in [End::Close, End::Reset] {
            let on = Proxied::open(1).await;
            let about = prepared(&on).await;
            let spot = Spot::at(place, Message::COMMAND_COMPLETE);
            let fault = Fault::Cut { spot, end };
            for (name, writes, call) in CALLS {
                // The connection is made and the statement is not prepared: the preparation has no such message.
                on.store.get_run(&run("run")).await?;
                on.control.for_present(fault);

                let lost = call(&about).await;
                let again = call(&about).await;

                let expected = [ErrorClass::Transient, ErrorClass::Unknown][usize::from(writes)];
                assert_eq!(lost, Err(expected), "{name}, {fault:?}");
                assert_eq!(again, Ok(()), "{name}, {fault:?}");
                cuts += 1;
            }
            let hits = on.control.counts().hits[fault.kind()];
            assert_eq!((hits.times, hits.in_flight), (24, 24));
            // Each was stored, and its repetition changed nothing: no event is there twice.
            let events = "SELECT count(*) FROM SCHEMA.run_events WHERE run_id IN ('run', 'new')";
            assert_eq!(on.number(events).await, 3);
            let letters = "SELECT count(*) FROM SCHEMA.outbox_dead_letters";
            assert_eq!(on.number(letters).await, 3);
            on.assert_whole().await;
        }
    }
    println!("cut at {cuts} CommandCompletes");
    Ok(())
}

/// The server has done it and said so, and then there is nothing but silence.
async fn a_reply_that_never_comes_is_told_at_the_deadline() -> Outcome {
    let (deadline, statement) = (Duration::from_millis(500), Duration::from_millis(400));
    let on = Proxied::with(4, |settings| {
        settings.with_timeouts(deadline, statement).unwrap()
    })
    .await;
    let about = prepared(&on).await;
    let silent = |place| Fault::Cut {
        spot: Spot::at(place, Message::COMMAND_COMPLETE),
        end: End::Silence,
    };
    for fault in [silent(Place::Before), silent(Place::After), Fault::MUTE] {
        for (name, writes, call) in [CALLS[1], CALLS[2], CALLS[12]] {
            // Works on the first connection that is free.
            call(&about).await.unwrap();
            on.control.for_all(fault);

            let lost = call(&about).await;

            let expected = [ErrorClass::Transient, ErrorClass::Unknown][usize::from(writes)];
            // A connection that comes is mute as well, and gets no further than that.
            let nowhere = Err(ErrorClass::Transient);
            assert!(
                lost == Err(expected) || fault == Fault::MUTE && lost == nowhere,
                "{name}, {fault:?}: {lost:?}"
            );
            on.control.heal();
            assert_eq!(call(&about).await, Ok(()), "{name}, {fault:?}");
        }
    }
    on.assert_whole().await;
    Ok(())
}

/// A request of a known and a new event is written in two statements; two acknowledgements of one run are, too.
async fn the_second_statement_of_a_call_is_cut() -> Outcome {
    let second = |place| Fault::Cut {
        spot: Spot::Message {
            message: Message::COMMAND_COMPLETE,
            nth: 2,
            place,
        },
        end: End::Close,
    };
    for place in [Place::Before, Place::After] {
        let on = Proxied::open(1).await;
        let about = prepared(&on).await;
        let both = AppendRequest::new(run("run"), vec![note("k1"), note("k2")]);
        on.store.append_and_enqueue(append("k1")).await?;
        on.control.for_present(second(place));
        let lost = on.store.append_and_enqueue(both.clone()).await.unwrap_err();
        assert_eq!(lost.class(), ErrorClass::Unknown, "{lost:?}");
        let again = on.store.append_and_enqueue(both).await?;
        assert_eq!(again.head, 2);
        assert!(again.events.iter().all(|event| event.is_duplicate()));

        let twice = [1, 1].map(|through| Acknowledgement {
            lease: about.lease.clone(),
            through,
        });
        on.control.for_present(second(place));
        let lost = on.store.mark_delivered(&twice).await.unwrap_err();
        assert_eq!(lost.class(), ErrorClass::Unknown, "{lost:?}");
        let again = on.store.mark_delivered(&twice).await?;
        assert!(again.iter().all(Result::is_err), "{again:?}");
        on.assert_whole().await;
    }
    Ok(())
}

/// The first statement is refused, and goes again with a look: whatever is lost of that, a known key is answered as one.
async fn a_known_key_that_was_taken_to_be_new_is_cut() -> Outcome {
    let refusal = Message::new(Direction::ToClient, b'E');
    let on = Proxied::open(1).await;
    prepared(&on).await;
    let spots = [
        Spot::at(Place::Before, refusal),
        Spot::at(Place::Within(20), refusal),
        Spot::at(Place::After, refusal),
        Spot::at(Place::Before, Message::COMMAND_COMPLETE),
        Spot::at(Place::After, Message::COMMAND_COMPLETE),
        Spot::Message {
            message: Message::SYNC,
            nth: 2,
            place: Place::Before,
        },
    ];
    for spot in spots {
        // A process that has met no known key.
        let store = on.another().await;
        store.get_run(&run("run")).await?;
        let fault = Fault::Cut {
            spot,
            end: End::Close,
        };
        on.control.for_present(fault);

        let lost = store.append_and_enqueue(append("k1")).await.unwrap_err();
        let again = store.append_and_enqueue(append("k1")).await?;

        assert_eq!(lost.class(), ErrorClass::Unknown, "{spot:?}: {lost:?}");
        assert!(again.events[0].is_duplicate(), "{spot:?}");
        assert_eq!(again.events[0].stored.run_seq, 1);
    }
    on.assert_whole().await;
    Ok(())
}
