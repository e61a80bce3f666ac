use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::watch::Watch;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics`, `/healthz` and `/readyz` until the process ends, and tells where.
///
/// In a thread and a runtime of its own: it answers when the relay hangs, which is what it is asked for.
pub(crate) fn start(address: SocketAddr, watch: Arc<Watch>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let routes = routes(watch);
    thread::Builder::new()
        .name("dvt-metrics".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, routes).await
            })
        })?;
    Ok(bound)
}

fn routes(watch: Arc<Watch>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(watch)
}

async fn metrics(State(watch): State<Arc<Watch>>) -> Response {
    match watch.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether the process should be left running.
async fn healthz(State(watch): State<Arc<Watch>>) -> Response {
    verdict(watch.illness())
}

/// Whether it delivers.
async fn readyz(State(watch): State<Arc<Watch>>) -> Response {
    verdict(watch.hindrance())
}

fn verdict(trouble: Option<String>) -> Response {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    #[test]
    fn a_loop_that_hangs_turns_both_probes_false() {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let well = start(anywhere, Arc::new(Watch::new())).unwrap();
        let silent = Watch::silent_for(Duration::from_secs(60));
        let hangs = start(anywhere, Arc::new(silent)).unwrap();
        for path in ["/healthz", "/readyz"] {
            assert!(get(well, path).starts_with("HTTP/1.0 200 "), "{path}");
            let reply = get(hangs, path);
            assert!(reply.starts_with("HTTP/1.0 503 "), "{path}: {reply}");
            assert!(reply.contains("hangs since 60s"), "{path}: {reply}");
        }
        let metrics = get(hangs, "/metrics");
        assert!(
            metrics.contains("application/openmetrics-text"),
            "{metrics}"
        );
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    }
}
