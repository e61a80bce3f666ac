use std::cmp::Reverse;

use dvt_contracts::StepStatus;

use super::course::{Course, Step};
use super::groups::{Group, groups};
use crate::text;

/// How many steps to tell one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of them.
    All,
    /// All of a small run; of a large one this many of the longest, and as many that failed, that were skipped, that
    /// are running, and of the chain.
    Top(usize),
}

/// What of a run is drawn.
#[derive(Debug)]
pub(super) struct Selection {
    /// All steps of a large run in groups; none of a small one.
    pub(super) groups: Vec<Group>,
    /// The steps that are drawn one by one, by their places in the course, in the order of their starts.
    pub(super) steps: Vec<usize>,
    /// How many are not.
    pub(super) hidden: usize,
}

/// A run with more steps is a large one.
const SMALL: usize = 60;

impl Default for Extent {
    fn default() -> Self {
        Self::Top(20)
    }
}

impl Selection {
    /// Chooses what to draw.
    pub(super) fn of(course: &Course, extent: Extent) -> Self {
        let all = course.steps.len();
        let is_small = all <= SMALL;
        let mut steps = match extent {
            Extent::Top(most) if !is_small => some(course, most),
            _ => (0..all).collect(),
        };
        let key = |at: &usize| {
            let step = &course.steps[*at];
            (step.started_at, step.ended_at, &step.id)
        };
        steps.sort_by(|a, b| key(a).cmp(&key(b)));
        Self {
            groups: if is_small { Vec::new() } else { groups(course) },
            hidden: all - steps.len(),
            steps,
        }
    }

    /// What is not drawn, and how to see it.
    pub(super) fn told_hidden(&self) -> Option<String> {
        let hidden = text::grouped(self.hidden as u64);
        (self.hidden > 0).then(|| format!("and {hidden} more: --all shows every step"))
    }
}

fn some(course: &Course, most: usize) -> Vec<usize> {
    let mut by_work: Vec<usize> = (0..course.steps.len()).collect();
    by_work.sort_by_key(|at| Reverse(course.steps[*at].work));
    let pick = |wanted: fn(&Step) -> bool| {
        let is_wanted = move |at: &&usize| wanted(&course.steps[**at]);
        by_work.iter().filter(is_wanted).take(most).copied()
    };
    let mut steps: Vec<usize> = pick(|_| true)
        .chain(pick(|step| step.status == StepStatus::Failed))
        .chain(pick(|step| step.status == StepStatus::Skipped))
        .chain(pick(|step| step.status == StepStatus::Running))
        .chain(pick(|step| step.in_chain))
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::super::sample::course;
    use super::*;

    /// Step `n` of these starts at `1000 n` and takes `n`; the first five fail.
    fn run_of(steps: i64) -> Course {
        let events: Vec<_> = (0..steps)
            .flat_map(|number| {
                let end = if number < 5 {
                    "StepFailed"
                } else {
                    "StepCompleted"
                };
                let id = format!("step {number:03}");
                [
                    ("StepStarted", id.clone(), 1, number * 1_000),
                    (end, id, 1, number * 1_000 + number),
                ]
            })
            .collect();
        course(&events)
    }

    #[test]
    fn a_small_run_is_drawn_whole() {
        let selection = Selection::of(&run_of(60), Extent::Top(1));
        assert_eq!((selection.steps.len(), selection.hidden), (60, 0));
        assert!(selection.groups.is_empty());
    }

    #[test]
    fn of_a_large_run_the_longest_the_troubled_and_the_chain_are_drawn() {
        let selection = Selection::of(&run_of(100), Extent::Top(10));
        // All steps follow each other, so that the chain adds the longest again, and nothing.
        let expected: Vec<usize> = (0..5).chain(90..100).collect();
        assert_eq!(selection.steps, expected);
        assert_eq!(selection.hidden, 85);
        assert_eq!(selection.groups.len(), 2);
    }

    #[test]
    fn of_each_kind_as_many_are_drawn() {
        let events: Vec<_> = (0..100)
            .map(|at| {
                let kinds = ["StepCompleted", "StepFailed", "StepSkipped", "StepStarted"];
                (kinds[at % 4], format!("step {at}"), 1, at as i64)
            })
            .collect();
        let course = course(&events);
        let selection = Selection::of(&course, Extent::Top(3));
        let count = |status| {
            let steps = selection.steps.iter().map(|at| course.steps[*at].status);
            steps.filter(|found| *found == status).count()
        };
        // The longest are those that still run.
        assert_eq!(count(StepStatus::Running), 3);
        assert_eq!(count(StepStatus::Failed), 3);
        assert_eq!(count(StepStatus::Skipped), 3);
        assert_eq!(
            selection.told_hidden().unwrap(),
            format!(
                "and {} more: --all shows every step",
                100 - selection.steps.len()
            )
        );
    }

    #[test]
    fn all_are_drawn_on_demand() {
        let selection = Selection::of(&run_of(100), Extent::All);
        assert_eq!((selection.steps.len(), selection.hidden), (100, 0));
        assert_eq!(selection.groups.len(), 2);
    }
}
