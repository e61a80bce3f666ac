//! A connection that ends at any byte: the error is honest, and a repetition has the effect that was wanted, once.

use std::time::Instant;

use dvt_chaos::proxy::{Direction, End, Fault, Spot, Traffic};
use dvt_contracts::ErrorClass;

use crate::operations::{
    AppendNew, AppendWithALook, Bootstrap, Claim, Failed, MarkDelivered, MarkFailed, Operation,
};
use crate::proxied::Proxied;
use crate::trial::{Outcome, trials};

trials![
    an_append_of_new_keys_cut_at_every_byte,
    an_append_with_a_look_cut_at_every_byte,
    a_bootstrap_cut_at_every_byte,
    a_claim_cut_at_every_byte,
    an_acknowledgement_cut_at_every_byte,
    a_failure_cut_at_every_byte,
];

async fn an_append_of_new_keys_cut_at_every_byte() -> Outcome {
    at_every_byte::<AppendNew>().await;
    Ok(())
}

async fn an_append_with_a_look_cut_at_every_byte() -> Outcome {
    at_every_byte::<AppendWithALook>().await;
    Ok(())
}

async fn a_bootstrap_cut_at_every_byte() -> Outcome {
    at_every_byte::<Bootstrap>().await;
    Ok(())
}

async fn a_claim_cut_at_every_byte() -> Outcome {
    at_every_byte::<Claim>().await;
    Ok(())
}

async fn an_acknowledgement_cut_at_every_byte() -> Outcome {
    at_every_byte::<MarkDelivered>().await;
    Ok(())
}

async fn a_failure_cut_at_every_byte() -> Outcome {
    at_every_byte::<MarkFailed>().await;
    Ok(())
}

/// An operation in front of a proxy that cuts.
struct Cutting<O> {
    on: Proxied,
    operation: O,
    /// How many operations there were, this one included.
    count: usize,
}

impl<O: Operation> Cutting<O> {
    /// The one connection is made and has the statement prepared.
    async fn begin() -> Self {
        let on = Proxied::open(1).await;
        let operation = O::prepare(&on).await;
        let mut cutting = Self {
            on,
            operation,
            count: 0,
        };
        cutting.first().await.unwrap();
        assert!(cutting.again().await);
        cutting
    }

    async fn first(&mut self) -> Result<(), Failed> {
        self.count += 1;
        self.operation.first(&self.on, self.count - 1).await
    }

    /// Repeats it until there is an answer: at once, or after the connection that was cut after a whole reply was found dead.
    async fn again(&mut self) -> bool {
        let mut answer = self.operation.again(&self.on, self.count - 1).await;
        if let Err((ErrorClass::Unknown, _)) = answer {
            answer = self.operation.again(&self.on, self.count - 1).await;
        }
        answer.unwrap()
    }

    /// How many bytes one operation takes.
    async fn measure(&mut self) -> Traffic {
        self.operation.warm(&self.on, self.count).await;
        let before = self.on.control.traffic();
        self.first().await.unwrap();
        let traffic = self.on.control.traffic().since(before);
        assert!(self.again().await);
        traffic
    }

    /// Cuts one operation. How it ended, and whether it was stored.
    async fn cut(&mut self, spot: Spot, end: End) -> (Result<(), Failed>, bool) {
        let cuts = |on: &Proxied| -> u64 {
            let counts = on.control.counts();
            counts.hits.values().map(|hits| hits.times).sum()
        };
        self.operation.warm(&self.on, self.count).await;
        let before = cuts(&self.on);
        self.on.control.for_present(Fault::Cut { spot, end });
        let ended = self.first().await;
        assert_eq!(cuts(&self.on), before + 1, "{spot:?} was not reached");
        (ended, self.again().await)
    }
}

/// Cuts after each number of bytes of a request, and after each of a reply.
async fn at_every_byte<O: Operation>() {
    let begun = Instant::now();
    let mut cutting = Cutting::<O>::begin().await;
    let bytes = cutting.measure().await;
    assert_eq!(cutting.measure().await, bytes, "no two are alike");
    let mut stored = 0;
    for (direction, all) in [
        (Direction::ToServer, bytes.to_server),
        (Direction::ToClient, bytes.to_client),
    ] {
        for count in 0..=all {
            let spot = Spot::Bytes { direction, count };
            let end = [End::Close, End::Reset][count as usize % 2];
            let (told, was_stored) = cutting.cut(spot, end).await;

            let whole = count == all;
            match direction {
                // The server commits at the very end of a request.
                Direction::ToServer => {
                    assert_unknown(&told, spot);
                    assert!(!was_stored || whole, "{spot:?}: stored");
                }
                // The server says nothing before it has committed.
                Direction::ToClient => {
                    if whole {
                        assert!(told.is_ok(), "{spot:?}: {told:?}");
                    } else {
                        assert_unknown(&told, spot);
                    }
                    assert!(was_stored, "{spot:?}: not stored");
                }
            }
            stored += u64::from(was_stored);
        }
    }
    let count = cutting.count;
    cutting.operation.check(&cutting.on, count).await;
    cutting.on.assert_whole().await;
    println!(
        "{}: cut at {} + {} bytes, {stored} of these were stored, {:.1} s",
        O::NAME,
        bytes.to_server + 1,
        bytes.to_client + 1,
        begun.elapsed().as_secs_f64(),
    );
}

fn assert_unknown(told: &Result<(), Failed>, spot: Spot) {
    assert!(
        matches!(told, Err((ErrorClass::Unknown, _))),
        "{spot:?}: {told:?}"
    );
}
