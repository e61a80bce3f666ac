use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::Dice;
use super::fault::Fault;
use super::method::Method;

/// How often each fault hits a call, in thousandths. What is left to a thousand is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// [`Fault::Refused`]
    pub refused: u32,
    /// [`Fault::RequestLost`]
    pub request_lost: u32,
    /// [`Fault::ReplyLost`]
    pub reply_lost: u32,
    /// [`Fault::Cut`]
    pub cut: u32,
    /// [`Fault::Delayed`]
    pub delayed: u32,
    /// [`Fault::Dropped`]
    pub dropped: u32,
}

impl Rates {
    /// No faults.
    pub const NONE: Self = Self::each(0);

    /// Each fault this often.
    #[must_use]
    pub const fn each(thousandths: u32) -> Self {
        Self {
            refused: thousandths,
            request_lost: thousandths,
            reply_lost: thousandths,
            cut: thousandths,
            delayed: thousandths,
            dropped: thousandths,
        }
    }

    fn of(self, fault: Fault) -> u64 {
        u64::from(match fault {
            Fault::Refused => self.refused,
            Fault::RequestLost => self.request_lost,
            Fault::ReplyLost => self.reply_lost,
            Fault::Cut => self.cut,
            Fault::Delayed => self.delayed,
            Fault::Dropped => self.dropped,
        })
    }
}

/// Which calls are hit, and by what. It follows from the seed what happens to the n-th call of each method, whatever else is
/// called in between.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    seed: u64,
    usual: Rates,
    special: BTreeMap<Method, Rates>,
    longest_delay: Duration,
}

impl FaultPlan {
    /// Every method is met with each fault in 5 of 100 calls; a delay takes up to 20 ms.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            usual: Rates::each(50),
            special: BTreeMap::new(),
            longest_delay: Duration::from_millis(20),
        }
    }

    /// These rates for all methods that have none of their own.
    #[must_use]
    pub fn with_rates(self, usual: Rates) -> Self {
        Self { usual, ..self }
    }

    /// These rates for one method.
    #[must_use]
    pub fn with_rates_of(mut self, method: Method, rates: Rates) -> Self {
        self.special.insert(method, rates);
        self
    }

    /// The longest wait of a delayed call, on each way.
    #[must_use]
    pub fn with_longest_delay(self, longest_delay: Duration) -> Self {
        Self {
            longest_delay,
            ..self
        }
    }

    /// What happens to the call of this number, and with which dice.
    pub(super) fn blow(&self, method: Method, number: u64) -> Option<(Fault, Dice)> {
        let mut dice = Dice::new(self.seed).apart(method as u64).apart(number);
        let rates = self.special.get(&method).copied().unwrap_or(self.usual);
        let mut die = dice.below(1_000);
        let fault = Fault::ALL.into_iter().find(|fault| {
            // Whatever a method is spared, all others keep their places on the die.
            let rate = rates.of(*fault);
            let hit = die < rate;
            die = die.saturating_sub(rate);
            hit
        })?;
        (fault != Fault::Cut || method == Method::Publish).then_some((fault, dice))
    }

    pub(super) fn delay(&self, dice: &mut Dice) -> Duration {
        let micros = u64::try_from(self.longest_delay.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(dice.below(micros.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blows(seed: u64, method: Method) -> Vec<Option<Fault>> {
        let plan = FaultPlan::new(seed);
        (0..1_000)
            .map(|number| plan.blow(method, number).map(|(fault, _)| fault))
            .collect()
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let appends = blows(7, Method::AppendBatch);
        assert_eq!(appends, blows(7, Method::AppendBatch));
        assert_ne!(appends, blows(8, Method::AppendBatch));
        assert_ne!(appends, blows(7, Method::Claim));
    }

    #[test]
    fn faults_are_as_frequent_as_told() {
        let published = blows(7, Method::Publish);
        for fault in Fault::ALL {
            let hits = published.iter().flatten().filter(|hit| **hit == fault);
            let hits = hits.count();
            assert!((25..=75).contains(&hits), "{fault}: {hits} of 1,000");
        }
        assert!(!blows(7, Method::Claim).contains(&Some(Fault::Cut)));
    }

    #[test]
    fn a_method_can_have_rates_of_its_own() {
        let only_lost = Rates {
            reply_lost: 1_000,
            ..Rates::NONE
        };
        let plan = FaultPlan::new(1)
            .with_rates(Rates::NONE)
            .with_rates_of(Method::Claim, only_lost);
        let hit = |method| plan.blow(method, 0).map(|(fault, _)| fault);
        assert_eq!(hit(Method::Claim), Some(Fault::ReplyLost));
        assert_eq!(hit(Method::Extend), None);
    }
}
