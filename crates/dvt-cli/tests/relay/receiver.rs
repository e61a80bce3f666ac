use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use dvt_cloudevents::{Inbox, Received, Verdict};
use dvt_contracts::RunKey;

/// What a receiver says to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 204.
    Take,
    /// 503.
    Unavailable,
    /// Nothing, for as long as anybody waits.
    Hang,
}

/// Which event gets which answer.
type Rule = Box<dyn Fn(&Received) -> Answer + Send + Sync>;

/// An HTTP receiver that keeps books as a consumer should: it deduplicates, and refuses relays that have lost their run.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Serves as long as it lives.
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    rule: Mutex<Rule>,
    books: Mutex<Books>,
    changed: Condvar,
}

/// What arrived.
#[derive(Debug, Default)]
pub(crate) struct Books {
    inbox: Inbox,
    /// The payload of each event that was taken, by run and in order of arrival.
    pub(crate) taken: HashMap<RunKey, Vec<(u64, String)>>,
    /// Events taken, without duplicates.
    pub(crate) count: usize,
    /// Requests that were not taken, whatever for.
    pub(crate) refused: usize,
    /// The same for one event.
    pub(crate) refused_by_id: HashMap<String, usize>,
    pub(crate) duplicates: usize,
    /// Events of relays that had lost their run.
    pub(crate) stale: usize,
    /// Events whose predecessors had not arrived: there must be none.
    pub(crate) gaps: Vec<(RunKey, u64)>,
}

impl Receiver {
    /// Takes everything, until it is told otherwise.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            rule: Mutex::new(Box::new(|_| Answer::Take)),
            books: Mutex::default(),
            changed: Condvar::new(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .route("/runs", post(receive))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/runs", self.address)
    }

    /// Answers by this rule from now on.
    pub(crate) fn answer(&self, rule: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Box::new(rule);
    }

    /// Looks at the books.
    pub(crate) fn books<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.shared.books.lock().unwrap())
    }

    /// Waits until the books are so.
    pub(crate) fn wait(&self, within: Duration, are_so: impl Fn(&Books) -> bool) {
        let deadline = Instant::now() + within;
        let mut books = self.shared.books.lock().unwrap();
        while !are_so(&books) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "after {within:?}: {} taken, {} refused, {} duplicates, {} stale, gaps {:?}",
                books.count,
                books.refused,
                books.duplicates,
                books.stale,
                books.gaps
            );
            books = self.shared.changed.wait_timeout(books, left).unwrap().0;
        }
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let event = Received::from_json(&body).unwrap();
    assert_eq!(headers["webhook-id"], event.id.as_str());
    let answer = (shared.rule.lock().unwrap())(&event);
    let status = shared.books.lock().unwrap().enter(&event, answer);
    shared.changed.notify_all();
    match status {
        Some(status) => status,
        None => std::future::pending().await,
    }
}

impl Books {
    fn enter(&mut self, event: &Received, answer: Answer) -> Option<StatusCode> {
        if answer != Answer::Take {
            self.refused += 1;
            *self.refused_by_id.entry(event.id.clone()).or_default() += 1;
            return (answer == Answer::Unavailable).then_some(StatusCode::SERVICE_UNAVAILABLE);
        }
        match self.inbox.receive(event) {
            Verdict::Next => {}
            Verdict::Gap { .. } => self.gaps.push((event.run.clone(), event.run_seq)),
            Verdict::Duplicate => {
                self.duplicates += 1;
                return Some(StatusCode::NO_CONTENT);
            }
            Verdict::Stale { .. } => {
                self.stale += 1;
                return Some(StatusCode::CONFLICT);
            }
        }
        self.count += 1;
        let taken = self.taken.entry(event.run.clone()).or_default();
        taken.push((event.run_seq, event.data.clone()));
        Some(StatusCode::NO_CONTENT)
    }
}
