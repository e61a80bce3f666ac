use std::num::NonZeroU32;
use std::time::Duration;

/// How failed deliveries of one event are repeated: exponential back-off with a cap.
///
/// ```
/// use std::time::Duration;
/// use dvt_contracts::RetryPolicy;
///
/// let policy = RetryPolicy::default();
/// assert_eq!(policy.ceiling(1), Duration::from_secs(1));
/// assert_eq!(policy.ceiling(4), Duration::from_secs(8));
/// assert_eq!(policy.ceiling(u32::MAX), Duration::from_secs(300));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: NonZeroU32,
    initial: Duration,
    cap: Duration,
    jitter: Jitter,
    on_exhausted: OnExhausted,
}

/// How a delay is spread below its ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Anywhere from zero to the ceiling, so that runs which failed together do not return together.
    /// (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
    #[default]
    Full,
    /// Exactly the ceiling.
    None,
}

/// What happens to an event whose attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExhausted {
    /// It becomes a dead letter and its run waits for an operator.
    #[default]
    Park,
    /// It becomes a dead letter, marked as skipped with [`OperatorNote::exhausted`](crate::OperatorNote::exhausted), and
    /// its run goes on.
    Skip,
}

/// Delays that are no [`RetryPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "retry delays from {initial:?} to {cap:?} are out of range: use 1 ms to 365 days, the first not above the cap"
)]
pub struct InvalidRetryPolicy {
    /// The first delay given.
    pub initial: Duration,
    /// The cap given.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Ten attempts, from a second to five minutes, full jitter, then park.
    fn default() -> Self {
        Self {
            max_attempts: NonZeroU32::MIN.saturating_add(9),
            initial: Duration::from_secs(1),
            cap: Duration::from_secs(300),
            jitter: Jitter::Full,
            on_exhausted: OnExhausted::Park,
        }
    }
}

impl RetryPolicy {
    /// A policy with full jitter that parks. Delays are cut to whole microseconds.
    ///
    /// # Errors
    /// [`InvalidRetryPolicy`] unless 1 ms ≤ `initial` ≤ `cap` ≤ 365 days.
    pub fn new(
        max_attempts: NonZeroU32,
        initial: Duration,
        cap: Duration,
    ) -> Result<Self, InvalidRetryPolicy> {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        if initial < Duration::from_millis(1) || initial > cap || cap > YEAR {
            return Err(InvalidRetryPolicy { initial, cap });
        }
        let whole =
            |delay: Duration| delay - Duration::from_nanos(u64::from(delay.subsec_nanos() % 1_000));
        Ok(Self {
            max_attempts,
            initial: whole(initial),
            cap: whole(cap),
            ..Self::default()
        })
    }

    /// The same policy with another spread.
    #[must_use]
    pub fn with_jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// The same policy with another end.
    #[must_use]
    pub fn with_on_exhausted(self, on_exhausted: OnExhausted) -> Self {
        Self {
            on_exhausted,
            ..self
        }
    }

    /// The number of failed deliveries at which an event becomes a dead letter.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.get()
    }

    /// The delay after the first failure, before jitter.
    #[must_use]
    pub fn initial(&self) -> Duration {
        self.initial
    }

    /// The greatest delay.
    #[must_use]
    pub fn cap(&self) -> Duration {
        self.cap
    }

    /// How delays are spread.
    #[must_use]
    pub fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// What happens when the attempts are used up.
    #[must_use]
    pub fn on_exhausted(&self) -> OnExhausted {
        self.on_exhausted
    }

    /// The longest delay after this many failures: the first delay, doubled with every further
    /// failure, up to the cap. Never overflows and never shrinks as attempts grow.
    #[must_use]
    pub fn ceiling(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(62);
        let micros = self.initial.as_micros() << doublings;
        u64::try_from(micros).map_or(self.cap, |micros| {
            Duration::from_micros(micros).min(self.cap)
        })
    }

    /// The longest delays after one failure, two failures and so on, up to the first that is the cap: at most 36 of them. A
    /// store that knows the attempts only in its database can look the delay up instead of computing it again.
    #[must_use]
    pub fn ceilings(&self) -> Vec<Duration> {
        let mut ceilings = vec![self.ceiling(1)];
        for attempts in 2..=63 {
            match ceilings.last() {
                Some(last) if *last < self.cap => ceilings.push(self.ceiling(attempts)),
                _ => break,
            }
        }
        ceilings
    }

    /// The delay after this many failures, with `entropy` as the source of the spread: the whole
    /// range of `u64` is mapped evenly onto zero to the ceiling.
    #[must_use]
    pub fn delay(&self, attempts: u32, entropy: u64) -> Duration {
        let ceiling = self.ceiling(attempts);
        match self.jitter {
            Jitter::None => ceiling,
            Jitter::Full => {
                // Below 2^45 microseconds times 2^64, and back: fits both ways.
                let micros = ((ceiling.as_micros() + 1) * u128::from(entropy)) >> 64;
                Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
            }
        }
    }
}
