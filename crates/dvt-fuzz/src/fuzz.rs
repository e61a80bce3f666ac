use proptest::collection::vec;
use proptest::prelude::{Strategy as _, any};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::damage::{Damage, MAX_BYTES};

const CASES: u32 = 2_000;
const SEED: u64 = 20_261_129;
/// Damages of one input at most: more of them make noise, which is refused at its first byte.
const DAMAGES: usize = 6;

/// Calls the check with damaged inputs, up to 64 KiB long, and panics with the smallest one that makes it panic.
///
/// # Panics
/// The check does, or there is no input.
#[expect(clippy::panic, reason = "a test fails by it")]
pub fn fuzz<I: AsRef<[u8]>>(name: &str, inputs: &[I], check: impl Fn(&[u8])) {
    let (cases, seed) = (number("DVT_FUZZ_CASES"), number("DVT_FUZZ_SEED"));
    let seed = seed.unwrap_or(SEED);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: cases.map_or(CASES, |cases| u32::try_from(cases).unwrap_or(u32::MAX)),
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let damaged = (any::<Index>(), vec(Damage::strategy(), 0..=DAMAGES));
    let damaged = damaged.prop_map(|(of, damages)| {
        let mut bytes = of.get(inputs).as_ref().to_vec();
        for damage in damages {
            damage.apply(&mut bytes, inputs);
            bytes.truncate(MAX_BYTES);
        }
        Bytes(bytes)
    });
    let outcome = runner.run(&damaged, |bytes| {
        check(&bytes.0);
        Ok(())
    });
    let failure = match outcome {
        Ok(()) => return,
        Err(TestError::Fail(reason, bytes)) => format!("{reason}\n{bytes:?}"),
        Err(TestError::Abort(reason)) => reason.to_string(),
    };
    panic!("{name}, DVT_FUZZ_SEED={seed}: {failure}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Shown as a text with escapes.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}
