use std::collections::VecDeque;
use std::sync::Arc;

use dvt_contracts::Store;

use super::call::Call;
use super::dice::{self, Throw};
use super::observe::Observed;
use super::play::{Script, epilogue};
use super::reference::Model;
use super::snap::Grid;
use crate::audit::audit;
use crate::cx::{Cx, request};
use crate::failure::Failure;
use crate::harness::Harness;

/// A kind of store that takes part in [`differ`].
#[derive(Debug)]
pub struct Contestant {
    name: &'static str,
    cx: Cx,
}

impl Contestant {
    /// Makes a first store of this kind; each history gets a fresh one.
    ///
    /// # Errors
    /// [`Failure`] if the harness cannot make it.
    pub async fn new<H: Harness>(name: &'static str, harness: H) -> Result<Self, Failure> {
        let cx = Cx::create(Arc::new(harness)).await?;
        Ok(Self { name, cx })
    }
}

/// How many histories were played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// To their end, with equal replies and an equal final state.
    pub whole: u32,
    /// Until claims took different ones of several runs that had become due at the same moment, which the contract allows:
    /// from then on the states differ.
    pub parted: u32,
}

/// Plays random histories on several kinds of stores at once until so many were played to their end. Every reply, and
/// everything that can be read at the end, must be the same in all of them, and be what the reference model says.
///
/// The seed is printed; `DVT_CONFORMANCE_SEED` sets it.
///
/// # Errors
/// [`Failure`] tells the first history in which two stores differ, call by call.
pub async fn differ(contestants: &[Contestant], histories: u32) -> Result<Played, Failure> {
    let mut script = Script::seeded();
    let names: Vec<_> = contestants.iter().map(|one| one.name).collect();
    println!(
        "differential test: {histories} histories on {}, DVT_CONFORMANCE_SEED={}",
        names.join(", "),
        script.seed
    );
    let mut played = Played {
        whole: 0,
        parted: 0,
    };
    while played.whole < histories {
        // As many parted as whole would mean that little is compared.
        if played.parted > histories {
            return Err(Failure::new(format!(
                "expected most histories to go on to their end, found {played:?}"
            )));
        }
        let throws = script.next()?;
        match play(contestants, &throws).await {
            Ok(true) => played.whole += 1,
            Ok(false) => played.parted += 1,
            Err(failure) => {
                let (seed, number) = (script.seed, played.whole + played.parted + 1);
                return Err(Failure::new(format!(
                    "history {number} of seed {seed}: {failure}"
                )));
            }
        }
    }
    Ok(played)
}

/// One store of a history.
struct Player {
    name: &'static str,
    cx: Cx,
    handles: [Arc<dyn Store>; 2],
    observed: Observed,
}

impl Player {
    async fn new(contestant: &Contestant) -> Result<Self, Failure> {
        let cx = contestant.cx.another().await?;
        let handles = [Arc::clone(&cx.store), cx.reopen().await?];
        let first = request(&dice::run(0), Vec::new());
        let start = cx.store.bootstrap_run(&first).await?.created_at;
        Ok(Self {
            name: contestant.name,
            cx,
            handles,
            observed: Observed::new(Grid { start }),
        })
    }
}

/// Whether the history was played to its end.
async fn play(contestants: &[Contestant], throws: &[Throw]) -> Result<bool, Failure> {
    let mut players = Vec::new();
    for contestant in contestants {
        players.push(Player::new(contestant).await?);
    }
    let mut model = Model::new(false);
    model.predict(&Call::Bootstrap(request(&dice::run(0), Vec::new())), &[]);
    let mut told: Vec<String> = Vec::new();
    let mut script: VecDeque<Throw> = throws.iter().copied().collect();
    while let Some(throw) = script.pop_front() {
        let next = dice::turn(&throw, &model, &[]).next;
        next.into_iter()
            .rev()
            .for_each(|throw| script.push_front(throw));
        let calls = players
            .iter()
            .map(|player| dice::turn(&throw, &model, &player.observed.grants).call);
        let calls: Option<Vec<_>> = calls.collect();
        if let Some(calls) = calls
            && !step(&mut players, &mut model, &mut told, calls).await?
        {
            return Ok(false);
        }
    }
    for ending in epilogue() {
        let calls = players
            .iter()
            .map(|player| ending.call(&player.observed.grants));
        let calls = calls.collect();
        if !step(&mut players, &mut model, &mut told, calls).await? {
            return Ok(false);
        }
    }
    for player in &players {
        let sound = audit(player.cx.store.as_ref()).await;
        sound.map_err(|failure| Failure::new(format!("{}: {failure}", player.name)))?;
    }
    Ok(true)
}

/// One call on all stores; false if they go different ways from here.
async fn step(
    players: &mut [Player],
    model: &mut Model,
    told: &mut Vec<String>,
    calls: Vec<Call>,
) -> Result<bool, Failure> {
    let mut replies = Vec::new();
    let handle = told.len() % 2;
    for (player, call) in players.iter_mut().zip(&calls) {
        let store = &player.handles[handle];
        let reply = player.observed.perform(&player.cx, store.as_ref(), call);
        replies.push((player.name, reply.await?));
    }
    let (Some(call), Some((_, (_, claimed)))) = (calls.first(), replies.first()) else {
        return Ok(true);
    };
    told.push(format!("{call:?}"));
    if replies.iter().any(|(_, (_, others))| others != claimed) {
        return Ok(false);
    }
    let expected = model.predict(call, claimed);
    match replies.iter().find(|(_, (found, _))| *found != expected) {
        None => Ok(true),
        Some((name, (found, _))) => {
            let replies: Vec<_> = replies
                .iter()
                .map(|(name, (reply, _))| format!("{name}: {reply}"))
                .collect();
            Err(Failure::new(format!(
                "{name} differs from the model in the last of these calls\n  {}\nexpected: {expected}\nfound:    {found}\n{}",
                told.join("\n  "),
                replies.join("\n"),
            )))
        }
    }
}
