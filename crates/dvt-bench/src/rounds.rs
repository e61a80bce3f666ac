use std::time::{Duration, Instant};

use crate::BoxError;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// How many rounds count.
    pub(crate) rounds: usize,
    /// The unit of work in a round.
    pub(crate) events: u64,
}

impl Scale {
    pub(crate) const FULL: Self = Self {
        rounds: 7,
        events: 2_000,
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        events: 200,
    };

    /// Whether its figures mean nothing.
    pub(crate) fn is_quick(self) -> bool {
        self.rounds == Self::QUICK.rounds
    }
}

/// What two contestants did, side by side.
#[derive(Debug, Clone)]
pub(crate) struct Duel {
    /// Events per second of the baseline, the median of the rounds.
    pub(crate) baseline: f64,
    /// Events per second of ours, the median of the rounds.
    pub(crate) ours: f64,
    /// Ours to the baseline, the median of the rounds.
    pub(crate) ratio: f64,
}

/// Lets two contestants take turns; each is told the number of its round, and answers with its events per second.
pub(crate) async fn duel(
    scale: Scale,
    mut baseline: impl AsyncFnMut(usize) -> Result<f64, BoxError>,
    mut ours: impl AsyncFnMut(usize) -> Result<f64, BoxError>,
) -> Result<Duel, BoxError> {
    let (mut theirs, mut own) = (Vec::new(), Vec::new());
    // The first one warms up.
    for round in 0..=scale.rounds {
        let rates = (baseline(round).await?, ours(round).await?);
        if round > 0 {
            theirs.push(rates.0);
            own.push(rates.1);
        }
    }
    let ratios = own.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
    Ok(Duel {
        ratio: median(ratios.collect()),
        baseline: median(theirs),
        ours: median(own),
    })
}

/// Events per second of some work.
pub(crate) async fn rate(
    events: u64,
    work: impl Future<Output = Result<(), BoxError>>,
) -> Result<f64, BoxError> {
    let begun = Instant::now();
    work.await?;
    let elapsed = begun.elapsed().max(Duration::from_micros(1));
    Ok(events as f64 / elapsed.as_secs_f64())
}

/// The value in the middle; of an even number, the lower one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_round_does_not_count_and_turns_are_taken() {
        let turns = std::cell::RefCell::new(Vec::new());
        let scale = Scale {
            rounds: 3,
            events: 1,
        };
        let baseline = async |round: usize| {
            turns.borrow_mut().push(("baseline", round));
            Ok([1_000.0, 10.0, 20.0, 40.0][round])
        };
        let ours = async |round: usize| {
            turns.borrow_mut().push(("ours", round));
            Ok([1.0, 30.0, 30.0, 30.0][round])
        };

        let duel = duel(scale, baseline, ours).await.unwrap();

        assert_eq!((duel.baseline, duel.ours, duel.ratio), (20.0, 30.0, 1.5));
        let expected: Vec<_> = (0..4)
            .flat_map(|n| [("baseline", n), ("ours", n)])
            .collect();
        assert_eq!(turns.into_inner(), expected);
    }
}
