//! How fast it is with many runs at once. Prints figures, and fails only if events are missing.

use std::sync::Arc;
use std::time::Instant;

use dvt_conformance::fixture;
use dvt_contracts::EventSink as _;
use dvt_sink_rabbitmq::RabbitMqSink;
use lapin::ExchangeKind;

use crate::broker::Broker;
use crate::stage::{all, events, settings};
use crate::trial::{Outcome, trials};

trials![sixty_four_runs_at_once];

async fn sixty_four_runs_at_once() -> Outcome {
    const RUNS: usize = 64;
    const EVENTS: usize = 100;
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let sink = Arc::new(RabbitMqSink::connect(settings(&broker)).await?);

    let begun = Instant::now();
    let publishing: Vec<_> = (0..RUNS)
        .map(|number| {
            let sink = sink.clone();
            tokio::spawn(async move {
                let run = fixture::run(&format!("run {number}"));
                sink.publish(&run, 1, &events(EVENTS as u64)).await
            })
        })
        .collect();
    for published in publishing {
        assert_eq!(published.await?, all(EVENTS));
    }
    let took = begun.elapsed();

    let rate = (RUNS * EVENTS) as f64 / took.as_secs_f64();
    println!("{RUNS} runs at once, durable queue: {rate:.0} events/s");
    assert_eq!(broker.all(&queue).await.len(), RUNS * EVENTS);
    Ok(())
}
