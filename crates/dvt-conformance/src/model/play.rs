use std::collections::VecDeque;
use std::sync::Arc;

use dvt_contracts::{ClaimRequest, DeadLetterQuery, PendingQuery, RunQuery, Store};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::call::{Call, Grant};
use super::dice::{self, Throw};
use super::observe::Observed;
use super::reference::Model;
use super::snap::{Grid, STEP};
use crate::audit::audit;
use crate::cx::{Cx, request};
use crate::failure::Failure;
use crate::fixture::claim_all;

const CALLS_MAX: usize = 48;

/// A source of random histories.
pub(super) struct Script {
    pub(super) seed: u64,
    runner: TestRunner,
}

impl Script {
    /// The histories of `DVT_CONFORMANCE_SEED`, a number, or of the usual seed.
    pub(super) fn seeded() -> Self {
        let seed = std::env::var("DVT_CONFORMANCE_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed: u64 = seed.unwrap_or(20_261_122);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let runner = TestRunner::new_with_rng(config, rng);
        Self { seed, runner }
    }

    fn tree(&mut self) -> Result<impl ValueTree<Value = Vec<Throw>> + Send + use<>, Failure> {
        let strategy = proptest::collection::vec(proptest::array::uniform12(0u8..), 1..=CALLS_MAX);
        let tree = strategy.new_tree(&mut self.runner);
        tree.map_err(|reason| Failure::new(reason.message()))
    }

    /// The next history.
    pub(super) fn next(&mut self) -> Result<Vec<Throw>, Failure> {
        Ok(self.tree()?.current())
    }
}

/// Plays as many random histories as the harness asks for. The first that differs from the model is made as short as
/// possible and told call by call, with the seed (`DVT_CONFORMANCE_SEED`, a number).
pub(crate) async fn play_histories(cx: &Cx) -> Result<(), Failure> {
    let mut script = Script::seeded();
    let seed = script.seed;
    println!(
        "model test: {} histories, DVT_CONFORMANCE_SEED={seed}",
        cx.histories()
    );
    for number in 1..=cx.histories() {
        let mut tree = script.tree()?;
        if let Err(failure) = play(cx, &tree.current()).await {
            let shortest = shrink(cx, &mut tree, failure).await;
            return Err(Failure::new(format!(
                "history {number} of seed {seed}: {shortest}"
            )));
        }
    }
    Ok(())
}

async fn shrink(
    cx: &Cx,
    tree: &mut (impl ValueTree<Value = Vec<Throw>> + Send),
    mut failure: Failure,
) -> Failure {
    let mut goes_on = tree.simplify();
    for _ in 0..cx.shrinks() {
        if !goes_on {
            break;
        }
        goes_on = match play(cx, &tree.current()).await {
            Err(simpler) => {
                failure = simpler;
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    failure
}

/// Plays one history on a fresh store, calls alternating between two handles, then reads everything.
async fn play(cx: &Cx, throws: &[Throw]) -> Result<(), Failure> {
    let cx = cx.another().await?;
    let handles: [Arc<dyn Store>; 2] = [Arc::clone(&cx.store), cx.reopen().await?];
    let mut model = Model::new(cx.judges());
    // The first bootstrap tells where the store's clock stands.
    let first = request(&dice::run(0), Vec::new());
    let start = cx.store.bootstrap_run(&first).await?.created_at;
    model.predict(&Call::Bootstrap(first), &[]);
    let mut observed = Observed::new(Grid { start });
    let mut told = Vec::new();

    let mut script: VecDeque<Throw> = throws.iter().copied().collect();
    let mut epilogue = epilogue().into_iter();
    loop {
        let call = if let Some(throw) = script.pop_front() {
            let turn = dice::turn(&throw, &model, &observed.grants);
            turn.next
                .into_iter()
                .rev()
                .for_each(|throw| script.push_front(throw));
            let Some(call) = turn.call else { continue };
            call
        } else {
            let Some(ending) = epilogue.next() else { break };
            ending.call(&observed.grants)
        };
        let handle = &handles[told.len() % 2];
        told.push(format!("{call:?}"));
        let (found, claimed) = observed.perform(&cx, handle.as_ref(), &call).await?;
        let expected = model.predict(&call, &claimed);
        if found != expected {
            return Err(Failure::new(format!(
                "the last of these calls differs from the model\n  {}\nexpected: {expected}\nfound:    {found}",
                told.join("\n  "),
            )));
        }
    }
    audit(cx.store.as_ref()).await
}

/// What every history ends with.
pub(super) enum Ending {
    Call(Call),
    /// Acknowledge whatever the last claims got.
    AcknowledgeAll,
}

impl Ending {
    pub(super) fn call(&self, grants: &[Grant]) -> Call {
        match self {
            Self::Call(call) => call.clone(),
            Self::AcknowledgeAll => {
                let latest = grants.iter().rev().take(8);
                Call::MarkDelivered(latest.map(|grant| (grant.clone(), grant.last)).collect())
            }
        }
    }
}

/// Reads that show the whole final state, before and after everything that can still be delivered was: what is pending must
/// not sleep for ever.
pub(super) fn epilogue() -> Vec<Ending> {
    let mut endings: Vec<_> = reads().into_iter().map(Ending::Call).collect();
    endings.push(Ending::Call(Call::Advance(1_000)));
    for _ in 0..6 {
        endings.push(Ending::Call(Call::Claim(ClaimRequest {
            lease: STEP,
            ..claim_all()
        })));
        endings.push(Ending::AcknowledgeAll);
    }
    endings.extend(reads().into_iter().map(Ending::Call));
    endings
}

fn reads() -> Vec<Call> {
    let mut calls = vec![
        Call::Stats,
        Call::ListTenants(None, 100),
        Call::ListPending(PendingQuery::default()),
        Call::ListDeadLetters(DeadLetterQuery::default()),
    ];
    for die in 3..8 {
        let run = dice::run(die);
        calls.push(Call::ListRuns(RunQuery::new(run.tenant_id.clone())));
        calls.push(Call::ListEvents(run.clone(), 0, 1_000));
        calls.push(Call::LoadCheckpoint(run));
    }
    calls
}
