use std::collections::BTreeMap;

use super::runs::Runs;

/// What became of an input, in numbers.
///
/// Every line is counted once: it was blank, ignored or rejected, or it gave an event that was appended or was a
/// duplicate. (One exception: a dbt log whose beginning is missing gets a start that no line stands for.)
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines read.
    pub(crate) lines: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Lines of white space.
    pub(crate) blank: u64,
    /// Events written.
    pub(crate) appended: u64,
    /// Events that were there before.
    pub(crate) duplicates: u64,
    /// How many of the duplicates say something else than the event that was there.
    pub(crate) differing: u64,
    /// Lines that should have been events.
    pub(crate) rejected: u64,
    /// Runs that this input made.
    pub(crate) created: u64,
    /// Lines with nothing to record, by kind.
    pub(crate) ignored: Ignored,
    /// The runs that have events in this input.
    pub(crate) runs: Runs,
}

/// Ignored lines, counted by kind.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    kinds: BTreeMap<String, u64>,
    total: u64,
}

impl Ignored {
    /// Kinds come from the input, which may hold anything: beyond this many they share one count.
    const MAX_KINDS: usize = 1_000;
    const OTHERS: &str = "(others)";

    /// Counts one line.
    pub(crate) fn count(&mut self, kind: String) {
        self.total += 1;
        let is_new = self.kinds.len() >= Self::MAX_KINDS && !self.kinds.contains_key(&kind);
        let kind = if is_new {
            Self::OTHERS.to_owned()
        } else {
            kind
        };
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The count of each kind, by name.
    pub(crate) fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.kinds
    }

    /// The count of each kind, the most frequent first.
    pub(crate) fn by_count(&self) -> Vec<(&str, u64)> {
        let mut kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let mut ignored = Ignored::default();
        (0..5_000).for_each(|number| ignored.count(format!("kind {number}")));
        assert_eq!(ignored.total(), 5_000);
        assert_eq!(ignored.kinds().len(), Ignored::MAX_KINDS + 1);
        assert_eq!(ignored.by_count()[0], (Ignored::OTHERS, 4_000));
    }
}
