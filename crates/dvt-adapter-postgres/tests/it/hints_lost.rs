//! CASES I 82: the connection that listens is killed, reset, or has no other end any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dvt_conformance::fixture::note;
use dvt_contracts::{RunKey, RunStateStoreExt as _};
use tokio::task::JoinHandle;

use crate::ground::{Ground, becomes_true};
use crate::hints::hinting;
use crate::line::{Line, Wire};
use crate::server::{connect, execute, random_name};
use crate::stage::{number, open, request};
use crate::trial::{Outcome, trials};

trials![
    i82_after_a_killed_session_it_listens_again,
    i82_after_a_reset_it_listens_again,
    i82_after_silence_it_listens_again,
    a_server_that_is_away_is_waited_for,
    a_listener_that_is_dropped_leaves_nothing,
];

const PATIENCE: Duration = Duration::from_millis(200);

/// A listener behind a line, in another process as it were.
struct Listening {
    name: String,
    line: Line,
    woken: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn to(ground: &Ground) -> Self {
        let name = random_name();
        let line = Line::open(&name).await;
        let settings = ground.schema.settings_by(&line.url);
        // An attempt to connect is given up after a second.
        let settings = settings.with_timeouts(Duration::from_secs(1), Duration::from_millis(700));
        let store = open(settings.unwrap()).await;
        let listener = store.hint_listener().with_patience(PATIENCE);
        store.close();
        let woken = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&woken);
        let task = tokio::spawn(async move {
            let wake = move || {
                count.fetch_add(1, Ordering::SeqCst);
            };
            match listener.run(wake).await {}
        });
        let listening = Self {
            name,
            line,
            woken,
            task,
        };
        listening.is_woken_after(0).await;
        listening
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    /// Waits until it was woken more often than that.
    async fn is_woken_after(&self, before: usize) {
        let woken = becomes_true(async || self.woken() > before).await;
        assert!(woken, "not woken within 10 s");
    }

    /// How many sessions it has on the server.
    fn sessions(&self) -> String {
        format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}'",
            self.name
        )
    }
}

async fn append(ground: &Ground, run: &RunKey, key: &str) {
    let call = request(run, note(key));
    let reply = ground.store.append_and_enqueue(call).await.unwrap();
    assert!(!reply.events[0].is_duplicate());
}

/// The connection is lost in some way; an append comes while no other can be made; then one can.
async fn lose(cut: impl AsyncFnOnce(&Listening)) -> Outcome {
    let ground = hinting().await;
    let run = ground.bootstrap("run").await;
    let mut listening = Listening::to(&ground).await;
    let before = listening.woken();
    append(&ground, &run, "heard").await;
    listening.is_woken_after(before).await;

    listening.line.is_for_others(Wire::Dead);
    let before = listening.woken();
    cut(&listening).await;
    // It is told that hints may have been lost.
    listening.is_woken_after(before).await;
    let before = listening.woken();
    append(&ground, &run, "not heard").await;
    assert_eq!(listening.woken(), before);
    listening.line.is_for_others(Wire::Open);

    // Told again, since it hears only now.
    listening.is_woken_after(before).await;
    let before = listening.woken();
    append(&ground, &run, "heard again").await;
    listening.is_woken_after(before).await;
    Ok(())
}

async fn i82_after_a_killed_session_it_listens_again() -> Outcome {
    lose(async |listening| {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity";
        let kill = format!("{kill} WHERE application_name = '{}'", listening.name);
        execute(&mut connect().await, kill).await;
    })
    .await
}

async fn i82_after_a_reset_it_listens_again() -> Outcome {
    lose(async |listening| listening.line.was_for_earlier(Wire::Reset)).await
}

async fn i82_after_silence_it_listens_again() -> Outcome {
    lose(async |listening| listening.line.was_for_earlier(Wire::Dead)).await
}

async fn a_server_that_is_away_is_waited_for() -> Outcome {
    let ground = hinting().await;
    let run = ground.bootstrap("run").await;
    let mut listening = Listening::to(&ground).await;
    listening.line.is_for_others(Wire::Reset);
    let before = listening.woken();
    listening.line.was_for_earlier(Wire::Reset);
    listening.is_woken_after(before).await;
    let attempts = listening.line.connections();

    // Attempts that fail tell nobody anything, and become rarer.
    let tried = becomes_true(async || listening.line.connections() >= attempts + 3).await;
    assert!(tried);
    assert_eq!(listening.woken(), before + 1);

    listening.line.is_for_others(Wire::Open);
    listening.is_woken_after(before + 1).await;
    let before = listening.woken();
    append(&ground, &run, "heard").await;
    listening.is_woken_after(before).await;
    Ok(())
}

async fn a_listener_that_is_dropped_leaves_nothing() -> Outcome {
    let ground = hinting().await;
    let listening = Listening::to(&ground).await;
    let mut conn = connect().await;
    assert_eq!(number(&mut conn, &listening.sessions()).await, 1);

    listening.task.abort();

    let sessions = listening.sessions();
    let gone = becomes_true(async || number(&mut conn, &sessions).await == 0).await;
    assert!(gone, "a session is left");
    Ok(())
}
