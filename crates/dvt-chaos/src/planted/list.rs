use crate::checker::Invariant::{self, *};
use crate::nemesis::Kind::{self, *};

/// A bug, and what finds it.
#[derive(Debug)]
pub(super) struct Bug {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) found_by: Invariant,
    /// It has to be found in so many seconds of work.
    pub(super) seconds: u64,
    /// What the nemesis does meanwhile, each so often.
    pub(super) kinds: &'static [Kind],
    pub(super) times: u64,
}

const fn bug(name: &'static str, found_by: Invariant, what: &'static str) -> Bug {
    Bug {
        name,
        what,
        found_by,
        seconds: 10,
        kinds: &[],
        times: 0,
    }
}

impl Bug {
    const fn under(self, kinds: &'static [Kind], times: u64) -> Self {
        Self {
            kinds,
            times,
            ..self
        }
    }
}

pub(super) const BUGS: [Bug; 24] = [
    bug(
        "acknowledges-unknown",
        I1,
        "an append whose outcome is unknown is called done",
    )
    .under(&[TerminateBackend, ProxyTruncate], 12),
    bug(
        "commits-later",
        I1,
        "the server answers before its log is on disk",
    )
    .under(&[ImmediateRestart, KillPostmaster], 2),
    bug(
        "fails-but-stores",
        I2,
        "some appends that were stored are called failed",
    ),
    bug(
        "stores-twice",
        I2,
        "there is no unique index, and some appends store their events twice",
    ),
    bug(
        "retries-with-fresh-keys",
        I3,
        "an append whose outcome is unknown is repeated under new keys",
    )
    .under(&[TerminateBackend, ProxyCutBeforeComplete], 12),
    bug(
        "renumbers",
        I4,
        "from some number on, events get the number after theirs",
    ),
    bug(
        "ignores-expected",
        I5,
        "appends go through whatever head they expect",
    ),
    bug(
        "reads-old-pages",
        I5,
        "a reader gets what it got the first time",
    ),
    bug(
        "forgets-status",
        I6,
        "some changes of a run's status are not kept",
    ),
    bug(
        "forgets-dead-letters",
        I7,
        "the dead letter of a skipped event is deleted",
    ),
    bug(
        "prunes-pending",
        I8,
        "runs are pruned that are not delivered",
    ),
    bug(
        "acknowledges-first",
        I8,
        "events are acknowledged, and published a second later",
    )
    .under(&[KillRelay], 5),
    bug(
        "drops-events",
        I8,
        "some events are called published and are not",
    ),
    bug(
        "publishes-out-of-order",
        I9,
        "of two events the second one is published first",
    ),
    bug(
        "changes-on-insert",
        I10,
        "some payloads are changed on their way into the table",
    ),
    bug(
        "changes-on-publish",
        I10,
        "some payloads are changed on their way to the sink",
    ),
    bug(
        "marks-without-token",
        I11,
        "an acknowledgement does not ask for the lease",
    ),
    bug(
        "trusts-its-own-clock",
        I11,
        "a relay judges leases by its own clock, which is ahead",
    ),
    bug("ignores-leases", I11, "a claim takes runs that others hold"),
    bug("delivers-at-claim", I11, "a claim moves the cursor").under(&[KillRelay, SinkDown], 3),
    bug("charges-twice", I12, "a failed delivery counts as two"),
    bug(
        "mixes-tenants",
        I13,
        "a reader gets the other tenant's run of the same name",
    ),
    bug(
        "idles-in-transaction",
        I14,
        "a session stays in a transaction and holds a lock",
    ),
    bug(
        "forgets-to-wake",
        I15,
        "some runs with new events become due in a day",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_bug_and_names_differ() {
        let names: HashSet<&str> = BUGS.iter().map(|bug| bug.name).collect();
        assert_eq!(names.len(), BUGS.len());
        for invariant in Invariant::ALL {
            assert!(
                BUGS.iter().any(|bug| bug.found_by == invariant),
                "{invariant}"
            );
        }
    }
}
