use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use dvt_contracts::StepStatus;

use super::attempts::word;
use super::course::{Course, STATUSES, counts};

/// Steps that are told together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// What their ids begin with, or the status that they have in common.
    pub(super) name: String,
    /// The steps, by their places in the course.
    pub(super) steps: Vec<usize>,
    /// How long they took together.
    pub(super) total: Duration,
    /// How long the longest of them took.
    pub(super) longest: Duration,
}

/// More groups than this are a list again.
const MOST: usize = 12;
/// Ids with more parts than this are not looked at more closely.
const DEEPEST: usize = 6;
/// What stands between the parts of an id: dbt's `model.shop.orders`, `ingest/load`.
const SEPARATORS: [char; 2] = ['.', '/'];
const OTHERS: &str = "others";

/// The steps by what their ids begin with, as far into the ids as there are few groups; by status, if that tells nothing
/// apart. Those that took longest come first.
pub(super) fn groups(course: &Course) -> Vec<Group> {
    let by_prefix = (1..=DEEPEST)
        .map(|depth| by_prefix(course, depth))
        .take_while(|names| names.len() <= MOST)
        .last();
    let sets = match by_prefix {
        Some(sets) if sets.len() > 1 => sets,
        _ => by_status(course),
    };
    let mut groups: Vec<Group> = sets
        .into_iter()
        .map(|(name, steps)| Group::new(name, steps, course))
        .collect();
    groups.sort_by(|a, b| (Reverse(a.total), &a.name).cmp(&(Reverse(b.total), &b.name)));
    groups
}

impl Group {
    fn new(name: String, steps: Vec<usize>, course: &Course) -> Self {
        let works = || steps.iter().map(|step| course.steps[*step].work);
        Self {
            total: works().fold(Duration::ZERO, Duration::saturating_add),
            longest: works().max().unwrap_or_default(),
            name,
            steps,
        }
    }

    /// How many of its steps are in each status, in words.
    pub(super) fn counts(&self, course: &Course) -> String {
        counts(self.steps.iter().map(|step| course.steps[*step].status))
    }

    /// How many of its steps are in this status.
    pub(super) fn count(&self, status: StepStatus, course: &Course) -> usize {
        let is_in = |step: &&usize| course.steps[**step].status == status;
        self.steps.iter().filter(is_in).count()
    }
}

fn by_prefix(course: &Course, depth: usize) -> BTreeMap<String, Vec<usize>> {
    let mut sets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, step) in course.steps.iter().enumerate() {
        let name = prefix(step.id.as_str(), depth).unwrap_or(OTHERS);
        match sets.get_mut(name) {
            Some(steps) => steps.push(at),
            None => drop(sets.insert(name.to_owned(), vec![at])),
        }
    }
    sets
}

/// The id up to its separator number `depth`, or to its last one; nothing, if it has none.
fn prefix(id: &str, depth: usize) -> Option<&str> {
    let (at, separator) = id.match_indices(SEPARATORS).take(depth).last()?;
    Some(&id[..at + separator.len()])
}

fn by_status(course: &Course) -> BTreeMap<String, Vec<usize>> {
    let mut sets = BTreeMap::new();
    for status in STATUSES {
        let is_in = |at: &usize| course.steps[*at].status == status;
        let steps: Vec<_> = (0..course.steps.len()).filter(is_in).collect();
        if !steps.is_empty() {
            sets.insert(word(status).to_owned(), steps);
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::super::sample::course;
    use super::*;

    fn told(ids: impl Iterator<Item = String>) -> Vec<(String, usize)> {
        let events: Vec<_> = ids
            .enumerate()
            .map(|(at, id)| {
                let kind = if at % 10 == 0 {
                    "StepFailed"
                } else {
                    "StepCompleted"
                };
                (kind, id, 1, at as i64)
            })
            .collect();
        let mut told: Vec<_> = groups(&course(&events))
            .into_iter()
            .map(|group| (group.name, group.steps.len()))
            .collect();
        told.sort();
        told
    }

    fn pairs<const N: usize>(pairs: [(&str, usize); N]) -> Vec<(String, usize)> {
        pairs.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn ids_are_told_apart_as_far_as_there_are_few_groups() {
        let dbt = (0..300).map(|at| match at % 3 {
            0 => format!("model.shop.orders_{at}"),
            1 => format!("test.shop.unique_orders_{at}.{at:010x}"),
            _ => format!("model.crm.people_{at}"),
        });
        assert_eq!(
            told(dbt),
            pairs([
                ("model.crm.", 100),
                ("model.shop.", 100),
                ("test.shop.", 100)
            ])
        );
        let paths = (0..100).map(|at| match at % 10 {
            0 => "finish".to_owned(),
            1 => format!("load/eu/{at}"),
            _ => format!("load/us/{at}"),
        });
        assert_eq!(
            told(paths),
            pairs([("load/eu/", 10), ("load/us/", 80), ("others", 1)])
        );
    }

    #[test]
    fn ids_that_tell_nothing_apart_leave_the_status() {
        let flat = (0..100).map(|at| format!("step {at}"));
        assert_eq!(told(flat), pairs([("completed", 90), ("failed", 10)]));
        let alike = (0..100).map(|at| format!("all.{at}"));
        assert_eq!(told(alike), pairs([("completed", 90), ("failed", 10)]));
        let unlike = (0..100).map(|at| format!("{at}.all"));
        assert_eq!(told(unlike), pairs([("completed", 90), ("failed", 10)]));
    }

    #[test]
    fn the_longest_group_comes_first() {
        let events = [
            ("StepStarted", "b.1".to_owned(), 1, 0),
            ("StepStarted", "a.1".to_owned(), 1, 0),
            ("StepCompleted", "a.1".to_owned(), 1, 4),
            ("StepStarted", "b.2".to_owned(), 1, 4),
            ("StepCompleted", "b.1".to_owned(), 1, 7),
            ("StepFailed", "b.2".to_owned(), 1, 9),
        ];
        let course = course(&events);
        let groups = groups(&course);
        let told: Vec<_> = groups
            .iter()
            .map(|group| {
                (
                    group.name.as_str(),
                    group.counts(&course),
                    group.total.as_micros(),
                    group.longest.as_micros(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("b.", "1 completed, 1 failed".to_owned(), 12, 7),
                ("a.", "1 completed".to_owned(), 4, 4)
            ]
        );
    }
}
