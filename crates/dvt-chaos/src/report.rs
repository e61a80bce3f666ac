//! What a campaign found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::campaign::{Bars, Plan};
use crate::checker::{Effort, Facts, Invariant, Outcomes, Verdict};

/// All figures.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) minutes: f64,
    pub(crate) store: String,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) faults_total: u64,
    pub(crate) faults_met_operations: BTreeMap<String, u64>,
    pub(crate) acknowledged: u64,
    pub(crate) append_calls: u64,
    pub(crate) unknown: u64,
    pub(crate) unknown_stored: u64,
    pub(crate) unknown_not_stored: u64,
    pub(crate) unknown_nothing_new: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) gaps: u64,
    pub(crate) reordered: u64,
    pub(crate) undelivered: u64,
    pub(crate) stale_marks_applied: u64,
    pub(crate) stale_marks_refused: u64,
    pub(crate) claims_compared: u64,
    pub(crate) pruned_runs: u64,
    pub(crate) recovery_p95_s: f64,
    pub(crate) freeze_pool_recovery_s: Option<f64>,
    /// Breaches of each rule that was broken.
    pub(crate) violations: BTreeMap<String, u64>,
    /// What was wrong beside the rules: a process that ended by itself, a secret in a log.
    pub(crate) failures: Vec<String>,
    /// Why the campaign says nothing, if so.
    pub(crate) void_because: Vec<String>,
    pub(crate) void: bool,
    pub(crate) environment: BTreeMap<String, String>,
    /// Examples of the breaches.
    pub(crate) examples: BTreeMap<String, Vec<String>>,
    #[serde(skip)]
    in_flight: BTreeMap<String, (u64, f64)>,
}

/// An append of every writer succeeds so soon after a fault, in 95 of 100 cases.
const RECOVERY_SECONDS: f64 = 5.0;
/// Of fewer faults that percentile is one bad moment or two, and is only told.
const ENOUGH_FAULTS: u64 = 200;
/// All callers do after a long freeze.
const POOL_SECONDS: f64 = 10.0;

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        facts: &Facts,
        verdict: &Verdict,
        outcomes: Outcomes,
        environment: BTreeMap<String, String>,
    ) -> Self {
        let effort = Effort::of(facts);
        let of_kinds = |count: fn(&crate::checker::KindEffort) -> u64| {
            effort
                .kinds
                .iter()
                .map(|(kind, effort)| (kind.clone(), count(effort)))
                .collect::<BTreeMap<_, _>>()
        };
        let name = |invariant: &Invariant| invariant.to_string();
        let mut report = Self {
            seed: plan.seed,
            minutes: plan.span.as_secs_f64() / 60.0,
            store: format!("{:?}", plan.store).to_lowercase(),
            faults: of_kinds(|kind| kind.times),
            faults_total: effort.total(),
            faults_met_operations: of_kinds(|kind| kind.met),
            acknowledged: outcomes.acknowledged,
            append_calls: facts.append_calls,
            unknown: outcomes.unknown,
            unknown_stored: outcomes.unknown_stored,
            unknown_not_stored: outcomes.unknown_not_stored,
            unknown_nothing_new: outcomes.unknown_nothing_new,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            gaps: verdict.gaps,
            reordered: verdict.reordered,
            undelivered: verdict.undelivered,
            stale_marks_applied: verdict.stale_marks_applied,
            stale_marks_refused: verdict.stale_marks_refused,
            claims_compared: verdict.claims_compared,
            pruned_runs: outcomes.pruned_runs,
            recovery_p95_s: effort.recovery_p95(),
            freeze_pool_recovery_s: effort.pool_recovery,
            violations: verdict
                .broken()
                .iter()
                .map(|(invariant, breaches)| (name(invariant), breaches.count))
                .collect(),
            failures: Vec::new(),
            void_because: Vec::new(),
            void: false,
            environment,
            examples: verdict
                .broken()
                .iter()
                .map(|(invariant, breaches)| (name(invariant), breaches.examples.clone()))
                .collect(),
            in_flight: effort
                .kinds
                .iter()
                .map(|(kind, effort)| (kind.clone(), (effort.in_flight, effort.slowest)))
                .collect(),
        };
        if let Some(bars) = plan.bars {
            report.hold_to(bars);
        }
        report
    }

    fn hold_to(&mut self, bars: Bars) {
        if self.recovery_p95_s > RECOVERY_SECONDS && self.faults_total >= ENOUGH_FAULTS {
            self.failures.push(format!(
                "recovery_p95_s is {:.1}, expected {RECOVERY_SECONDS} at most",
                self.recovery_p95_s
            ));
        }
        if let Some(seconds) = self
            .freeze_pool_recovery_s
            .filter(|seconds| *seconds > POOL_SECONDS)
        {
            self.failures.push(format!(
                "{seconds:.1} s after a long freeze all callers were back, expected {POOL_SECONDS}"
            ));
        }
        let mut short = |what: &str, found: u64, bar: u64| {
            if found < bar {
                self.void_because
                    .push(format!("{found} {what}, expected {bar} at least"));
            }
        };
        short("faults", self.faults_total, bars.faults);
        short(
            "kinds of faults",
            self.faults.len() as u64,
            bars.kinds as u64,
        );
        short("acknowledged events", self.acknowledged, bars.acknowledged);
        short("append calls", self.append_calls, bars.append_calls);
        short("unknown outcomes", self.unknown, bars.unknown);
        short(
            "unknown outcomes that were stored",
            self.unknown_stored,
            bars.unknown_stored,
        );
        short(
            "unknown outcomes that were not",
            self.unknown_not_stored,
            bars.unknown_not_stored,
        );
        for (kind, met) in &self.faults_met_operations {
            // These two have a phase of their own, once.
            let bar = match kind.as_str() {
                "promote_standby" | "freeze_server_30s" => 1,
                _ => bars.faults_of_a_kind,
            };
            short(&format!("times {kind} met operations in flight"), *met, bar);
        }
        self.void = !self.void_because.is_empty();
    }

    /// Something was found.
    pub(crate) fn has_failed(&self) -> bool {
        !self.violations.is_empty() || !self.failures.is_empty()
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            writeln!(f, "{name}: {value}")?;
        }
        writeln!(
            f,
            "store: {}, seed {}, {:.1} minutes\n",
            self.store, self.seed, self.minutes
        )?;
        writeln!(
            f,
            "| fault | times | met operations | in flight, in all | slowest recovery, s |"
        )?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: |")?;
        for (kind, times) in &self.faults {
            let met = self
                .faults_met_operations
                .get(kind)
                .copied()
                .unwrap_or_default();
            let (in_flight, slowest) = self.in_flight.get(kind).copied().unwrap_or_default();
            writeln!(
                f,
                "| {kind} | {times} | {met} | {in_flight} | {slowest:.2} |"
            )?;
        }
        writeln!(
            f,
            "\nfaults: {}; 95 of 100 times every writer was back within {:.2} s after",
            self.faults_total, self.recovery_p95_s
        )?;
        if let Some(seconds) = self.freeze_pool_recovery_s {
            writeln!(
                f,
                "all callers succeeded within {seconds:.2} s after the freeze of 30 s"
            )?;
        }
        writeln!(
            f,
            "acknowledged: {} events in {} calls; {} runs were pruned",
            self.acknowledged, self.append_calls, self.pruned_runs
        )?;
        writeln!(
            f,
            "unknown: {} calls, of which {} had been stored, {} had not, and {} repeated what was stored before",
            self.unknown, self.unknown_stored, self.unknown_not_stored, self.unknown_nothing_new
        )?;
        writeln!(
            f,
            "stale marks refused: {}; claims compared: {}",
            self.stale_marks_refused, self.claims_compared
        )?;
        writeln!(
            f,
            "lost {}, duplicated {}, gaps {}, reordered {}, undelivered {}, stale marks applied {}\n",
            self.lost,
            self.duplicated,
            self.gaps,
            self.reordered,
            self.undelivered,
            self.stale_marks_applied
        )?;
        for invariant in Invariant::ALL {
            let breaches = self
                .violations
                .get(&invariant.to_string())
                .copied()
                .unwrap_or_default();
            let mark = if breaches == 0 { "✓" } else { "✗" };
            writeln!(
                f,
                "{mark} {invariant:3} {}: {breaches} breaches",
                invariant.rule()
            )?;
            for example in self
                .examples
                .get(&invariant.to_string())
                .into_iter()
                .flatten()
            {
                writeln!(f, "      {example}")?;
            }
        }
        for failure in &self.failures {
            writeln!(f, "✗ {failure}")?;
        }
        for reason in &self.void_because {
            writeln!(f, "VOID: {reason}")?;
        }
        Ok(())
    }
}
