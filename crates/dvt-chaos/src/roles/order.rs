use std::io::BufRead as _;

use tokio::sync::watch;

/// What the coordinator wants of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    Work,
    /// Begin nothing new; what was begun is to be settled.
    Settle,
    /// It is over.
    Stop,
}

/// Orders come as lines of the standard input. Its end means that the coordinator is gone: then this process ends, too.
#[derive(Debug, Clone)]
pub(crate) struct Orders(watch::Receiver<Order>);

impl Orders {
    pub(crate) fn from_stdin() -> Self {
        let (sender, receiver) = watch::channel(Order::Work);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                match line.as_deref() {
                    Ok("settle") => drop(sender.send(Order::Settle)),
                    Ok("stop") => drop(sender.send(Order::Stop)),
                    _ => break,
                }
            }
            if *sender.borrow() != Order::Stop {
                std::process::exit(3);
            }
        });
        Self(receiver)
    }

    pub(crate) fn now(&self) -> Order {
        *self.0.borrow()
    }

    /// Waits until the order is this one, or one beyond it.
    pub(crate) async fn reach(&self, order: Order) {
        let mut receiver = self.0.clone();
        // The sender lives as long as there may be orders, and ends with `Stop` or with the process.
        let _ = receiver.wait_for(|now| *now >= order).await;
    }
}
