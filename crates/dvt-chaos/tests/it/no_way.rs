//! Connections that cannot be made: nothing was sent, so nothing can have happened, and the store goes on when they can.

use std::time::Duration;

use dvt_chaos::proxy::{Direction, End, Fault, Message, Place, Rule, Spot};
use dvt_conformance::fixture::{note, run};
use dvt_contracts::{AppendRequest, ErrorClass, RunStateStore as _, RunStateStoreExt as _};

use crate::proxied::Proxied;
use crate::stage::bootstrap;
use crate::trial::{Outcome, trials};

trials![
    a_write_without_a_connection_is_transient,
    a_handshake_cut_anywhere_is_tried_again,
];

fn append(key: &str) -> AppendRequest {
    AppendRequest::new(run("run"), vec![note(key)])
}

/// A store with one connection, and a run.
async fn prepared() -> Proxied {
    let on = Proxied::with(1, |settings| {
        let (deadline, statement) = (Duration::from_millis(2_500), Duration::from_millis(2_000));
        settings.with_timeouts(deadline, statement).unwrap()
    })
    .await;
    bootstrap(&on.direct, &["run"]).await;
    on
}

/// Ends the connection, which costs the next call its answer.
async fn without_connection(on: &Proxied) {
    on.control.for_present(Fault::now(End::Close));
    let lost = on.store.get_run(&run("run")).await.unwrap_err();
    assert_eq!(lost.class(), ErrorClass::Transient);
}

async fn a_write_without_a_connection_is_transient() -> Outcome {
    let on = prepared().await;
    let in_the_handshake = |end| Fault::Cut {
        spot: Spot::at(Place::Before, Message::READY_FOR_QUERY),
        end,
    };
    let faults = [
        Fault::Refuse,
        Fault::BLACK_HOLE,
        Fault::MUTE,
        Fault::now(End::Close),
        Fault::now(End::Reset),
        in_the_handshake(End::Close),
        in_the_handshake(End::Reset),
        in_the_handshake(End::Silence),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        on.store.get_run(&run("run")).await?;
        without_connection(&on).await;
        on.control.for_coming(fault);

        let refused = on
            .store
            .append_and_enqueue(append(&format!("k{number}")))
            .await;

        assert_eq!(
            refused.unwrap_err().class(),
            ErrorClass::Transient,
            "{fault:?}"
        );
        assert!(on.control.counts().hits[fault.kind()].times > 0);
        on.control.heal();
        let again = on
            .store
            .append_and_enqueue(append(&format!("k{number}")))
            .await?;
        assert!(!again.events[0].is_duplicate(), "{fault:?}");
    }
    on.assert_whole().await;
    Ok(())
}

/// The store tries by itself as long as nothing of the statement was sent.
async fn a_handshake_cut_anywhere_is_tried_again() -> Outcome {
    let on = prepared().await;
    let before = on.control.traffic();
    let connection = on.settings.store_connection().await?;
    let handshake = on.control.traffic().since(before);
    drop(connection);
    let mut cuts = 0;
    for (direction, all) in [
        (Direction::ToServer, handshake.to_server),
        (Direction::ToClient, handshake.to_client),
    ] {
        for count in (0..all).step_by(7) {
            let spot = Spot::Bytes { direction, count };
            let end = [End::Close, End::Reset][cuts % 2];
            without_connection(&on).await;
            on.control
                .for_coming(Rule::from(Fault::Cut { spot, end }).at_most(1));

            let appended = on
                .store
                .append_and_enqueue(append(&format!("{spot:?}")))
                .await;

            assert!(!appended?.events[0].is_duplicate(), "{spot:?}");
            cuts += 1;
        }
    }
    let hits = on.control.counts().hits;
    let hit: u64 = ["cut in a request", "cut in a reply"]
        .iter()
        .map(|kind| hits[kind].times)
        .sum();
    assert_eq!(hit, cuts as u64);
    println!(
        "handshake: cut at {cuts} bytes of {} + {}",
        handshake.to_server, handshake.to_client
    );
    on.assert_whole().await;
    Ok(())
}
