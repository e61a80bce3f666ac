use std::fmt;

/// The rules, as docs/reliability.md numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Invariant {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    I11,
    I12,
    I13,
    I14,
    I15,
}

impl Invariant {
    pub(crate) const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I13,
        Self::I14,
        Self::I15,
    ];

    /// The rule in words.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::I1 => "every acknowledged event is in the log, as acknowledged",
            Self::I2 => {
                "every key is stored once at most, and not at all if all its appends failed"
            }
            Self::I3 => "nothing is in the log that nobody appended",
            Self::I4 => "the numbers of a run are 1 to n",
            Self::I5 => "what ended before something else began comes before it",
            Self::I6 => "status and checkpoint are the fold of the log",
            Self::I7 => "every event is delivered, pending or dead, and one of them only",
            Self::I8 => "every event arrives, or is dead for a recorded cause",
            Self::I9 => "first arrivals of a run come in order",
            Self::I10 => "what arrives is what was appended",
            Self::I11 => "a run has one lease at a time, and an ended one changes nothing",
            Self::I12 => "attempts and claims are counted as they happened",
            Self::I13 => "no reply mixes tenants",
            Self::I14 => "nothing is left behind: transactions, locks, connections, memory",
            Self::I15 => "all is delivered soon after the last fault",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
