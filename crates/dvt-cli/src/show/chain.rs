use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use dvt_contracts::StepStatus;

use super::attempts::Row;
use crate::text;

/// The chain of step attempts that decided how long the run took.
///
/// It is inferred: events tell no dependencies, only times. It begins with the attempt that ended last, and before each
/// attempt comes the one that ended last before it started, for that is what it can have waited for: something it
/// depends on, or the slot that it needed. What it really waited for may be another one that ended shortly before.
/// Producers whose clocks differ make it less sure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// The attempts, by their places among all rows, in the order of time.
    pub(super) rows: Vec<usize>,
    /// How many steps they belong to.
    pub(super) steps: usize,
    /// How long they took together; the rest of the run's time was spent between them.
    pub(super) work: Duration,
}

/// An attempt's place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// The row of the attempt before it; the first has none.
    pub(super) previous: Option<usize>,
}

impl Chain {
    /// Finds the chain, and marks its rows.
    pub(super) fn mark(rows: &mut [Row]) -> Self {
        // A step that is skipped does not keep anybody waiting.
        let mut by_end: Vec<usize> = (0..rows.len())
            .filter(|row| rows[*row].status != StepStatus::Skipped)
            .collect();
        // Of those that ended at the same moment the longest comes last, and is found first.
        by_end.sort_by_key(|row| {
            (
                rows[*row].ended_at,
                Reverse(rows[*row].started_at),
                Reverse(*row),
            )
        });
        let mut chain = Vec::new();
        let mut place = by_end.len().checked_sub(1);
        while let Some(at) = place {
            let row = by_end[at];
            chain.push(row);
            let start = rows[row].started_at;
            // Places only fall, so that attempts without length cannot wait for each other.
            place = by_end[..at]
                .partition_point(|earlier| rows[*earlier].ended_at <= start)
                .checked_sub(1);
        }
        chain.reverse();
        let mut previous = None;
        for row in &chain {
            rows[*row].link = Some(Link { previous });
            previous = Some(*row);
        }
        let steps: HashSet<_> = chain.iter().map(|row| &rows[*row].step_id).collect();
        Self {
            steps: steps.len(),
            work: chain.iter().map(|row| rows[*row].duration()).sum(),
            rows: chain,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = text::counted(self.steps as u64, "step");
        let work = text::duration(self.work);
        write!(f, "{steps}, {work} of work (inferred from times)")
    }
}

#[cfg(test)]
mod tests {
    use dvt_contracts::{Attempt, Timestamp};

    use super::*;

    fn chain(times: &[(i64, i64)]) -> Vec<usize> {
        chain_of(&mut rows(times))
    }

    fn chain_of(rows: &mut [Row]) -> Vec<usize> {
        Chain::mark(rows).rows
    }

    fn rows(times: &[(i64, i64)]) -> Vec<Row> {
        let row = |(at, (start, end)): (usize, &(i64, i64))| Row {
            step_id: format!("step {at}").parse().unwrap(),
            attempt: Attempt::new(1u32).unwrap(),
            status: StepStatus::Completed,
            started_at: Timestamp::from_micros(*start).unwrap(),
            ended_at: Timestamp::from_micros(*end).unwrap(),
            link: None,
        };
        times.iter().enumerate().map(row).collect()
    }

    #[test]
    fn it_goes_back_from_the_last_end_to_the_last_end_before() {
        assert_eq!(
            chain(&[(0, 10), (0, 30), (12, 50), (31, 40), (41, 90), (35, 80)]),
            [1, 3, 4]
        );
    }

    #[test]
    fn of_equal_ends_the_longest_counts() {
        assert_eq!(chain(&[(5, 10), (0, 10), (10, 20), (20, 20)]), [1, 2]);
        assert_eq!(chain(&[(7, 7), (7, 7)]), [1, 0]);
        assert_eq!(chain(&[]), Vec::<usize>::new());
    }

    #[test]
    fn what_was_skipped_keeps_nobody_waiting() {
        let mut rows = rows(&[(0, 10), (15, 16), (20, 30), (31, 31)]);
        rows[1].status = StepStatus::Skipped;
        rows[3].status = StepStatus::Skipped;
        assert_eq!(chain_of(&mut rows), [0, 2]);
    }

    #[test]
    fn rows_know_what_came_before_and_the_chain_its_work() {
        let mut rows = rows(&[(0, 10), (0, 4), (12, 20)]);
        let chain = Chain::mark(&mut rows);
        let links: Vec<_> = rows.iter().map(|row| row.link).collect();
        assert_eq!(
            links,
            [
                Some(Link { previous: None }),
                None,
                Some(Link { previous: Some(0) })
            ]
        );
        assert_eq!(chain.work, Duration::from_micros(18));
        assert_eq!(chain.steps, 2);
    }
}
