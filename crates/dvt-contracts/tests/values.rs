//! Identifiers, keys, attempts, moments and delays: what is accepted, what is refused, and how that is told.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::num::NonZeroU32;
use std::time::Duration;

use dvt_contracts::{
    Attempt, Checkpoint, Destination, Event, EventName, EventType, IdempotencyKey, InvalidCall,
    InvalidEvent, InvalidIdentifier, InvalidTimestamp, Jitter, PlanId, ProviderRef, RetryPolicy,
    RunId, RunStatus, SafeText, StepId, TenantId, Timestamp,
};
use proptest::prelude::*;

#[test]
fn identifiers_of_1_to_255_bytes_are_accepted() {
    for text in [
        "a",
        " ",
        "é",
        "a b/c:d",
        "RUN",
        "run",
        "\u{a0}",
        &"x".repeat(255),
        &"世".repeat(85),
    ] {
        assert_eq!(RunId::new(text).unwrap().as_str(), text);
    }
    for bytes in [256, 3_200, 200_000] {
        let refused = InvalidIdentifier::TooLong {
            kind: "tenant id",
            found: bytes,
            limit: 255,
        };
        assert_eq!(TenantId::new("x".repeat(bytes)), Err(refused));
    }
    let long = InvalidIdentifier::TooLong {
        kind: "plan id",
        found: 256,
        limit: 255,
    };
    assert_eq!(PlanId::new("é".repeat(128)), Err(long));
}

#[test]
fn keys_allow_the_bar_and_identifiers_do_not() {
    let key = IdempotencyKey::new("a|b").unwrap();
    assert_eq!(key.as_str(), "a|b");
    assert_eq!(
        RunId::new("a|b").unwrap_err().to_string(),
        "run id has the character '|' at byte 1: it is not allowed there"
    );
}

#[test]
fn reserved_and_malformed_names_are_told() {
    let message = |result: Result<(), InvalidIdentifier>| result.unwrap_err().to_string();
    assert_eq!(
        message(StepId::new("RUN").map(drop)),
        "step id \"RUN\" is reserved: choose another name"
    );
    assert_eq!(
        message(EventName::new("RunStarted").map(drop)),
        "event type \"RunStarted\" is reserved: choose another name"
    );
    assert_eq!(
        message(RunId::new("").map(drop)),
        "run id is empty: give it 1 to 255 bytes"
    );
    assert_eq!(
        message(IdempotencyKey::new("a\nb").map(drop)),
        "idempotency key has the character '\\n' at byte 1: it is not allowed there"
    );
    for control in ['\0', '\u{1f}', '\u{7f}', '\u{85}', '\u{9f}'] {
        assert!(
            IdempotencyKey::new(format!("a{control}")).is_err(),
            "{control:?}"
        );
    }
    assert!(Destination::new("x".repeat(1_024)).is_ok());
    assert!(Destination::new("x".repeat(1_025)).is_err());
    assert!(ProviderRef::new("p", Some("n|s"), "w", None).is_ok());
    assert!(ProviderRef::new("p", Some(""), "w", None).is_err());
}

#[test]
fn generated_run_ids_are_valid_and_sort_by_time() {
    let ids: Vec<_> = (0..100).map(|_| RunId::generate()).collect();
    assert!(ids.is_sorted());
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(ids.iter().all(|id| RunId::new(id).is_ok()));
}

#[test]
fn step_events_need_a_step_and_run_events_have_none() {
    let event = |event_type: EventType, step: Option<&str>| {
        let step = step.map(|step| step.parse().unwrap());
        Event::new(event_type, step, "k".parse().unwrap(), Timestamp::MIN)
    };
    for event_type in EventType::KNOWN {
        let is_step = event_type.as_str().starts_with("Step");
        assert_eq!(
            event(event_type.clone(), Some("s")).is_ok(),
            is_step,
            "{event_type}"
        );
        assert_eq!(
            event(event_type.clone(), None).is_ok(),
            !is_step,
            "{event_type}"
        );
    }
    let other: EventType = "Note".parse().unwrap();
    assert!(event(other.clone(), Some("s")).is_ok());
    assert!(event(other, None).is_ok());
    assert_eq!(
        event(EventType::RunPaused, Some("s")),
        Err(InvalidEvent::StepForbidden {
            event_type: EventType::RunPaused,
            step_id: "s".parse().unwrap()
        })
    );
}

#[test]
fn moments_outside_the_range_are_refused() {
    use InvalidTimestamp::*;
    let malformed = |text: &str| {
        Err(Malformed {
            found: text.to_owned(),
        })
    };
    let table: &[(&str, Result<&str, InvalidTimestamp>)] = &[
        ("1970-01-01T00:00:00Z", Ok("1970-01-01T00:00:00.000000Z")),
        (
            "9999-12-31T23:59:59.999999Z",
            Ok("9999-12-31T23:59:59.999999Z"),
        ),
        // Finer digits are cut off, never rounded into the year 10000.
        (
            "9999-12-31T23:59:59.9999999Z",
            Ok("9999-12-31T23:59:59.999999Z"),
        ),
        (
            "2026-01-02T03:04:05.123456789Z",
            Ok("2026-01-02T03:04:05.123456Z"),
        ),
        (
            "2026-01-02T03:04:05+05:30",
            Ok("2026-01-01T21:34:05.000000Z"),
        ),
        (
            "2026-01-02T03:04:05.1-00:00",
            Ok("2026-01-02T03:04:05.100000Z"),
        ),
        (
            "1969-12-31T23:59:59.999999Z",
            Err(OutOfRange { micros: -1 }),
        ),
        (
            "1970-01-01T00:00:00+00:01",
            Err(OutOfRange {
                micros: -60_000_000,
            }),
        ),
        (
            "9999-12-31T23:59:59-01:00",
            Err(OutOfRange {
                micros: 253_402_304_399_000_000,
            }),
        ),
        (
            "2016-12-31T23:59:60Z",
            Err(LeapSecond {
                found: "2016-12-31T23:59:60Z".into(),
            }),
        ),
        (
            "0000-01-01T00:00:00Z",
            Err(OutOfRange {
                micros: -62_167_219_200_000_000,
            }),
        ),
        ("-4713-01-01T00:00:00Z", malformed("-4713-01-01T00:00:00Z")),
        ("10000-01-01T00:00:00Z", malformed("10000-01-01T00:00:00Z")),
        (
            "294277-01-01T00:00:00Z",
            malformed("294277-01-01T00:00:00Z"),
        ),
        ("infinity", malformed("infinity")),
        ("2026-02-30T00:00:00Z", malformed("2026-02-30T00:00:00Z")),
        ("2026-01-02T03:04:05", malformed("2026-01-02T03:04:05")),
        ("", malformed("")),
    ];
    for (text, expected) in table {
        let found = text.parse::<Timestamp>().map(|moment| moment.to_string());
        assert_eq!(found, expected.clone().map(str::to_owned), "{text:?}");
    }
    assert!(Timestamp::from_micros(-1).is_err());
    assert!(Timestamp::from_micros(i64::MAX).is_err());
    assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
}

#[test]
fn attempts_count_from_one() {
    assert_eq!(Attempt::new(1u32).unwrap(), Attempt::FIRST);
    assert_eq!(Attempt::new(2_147_483_647u64).unwrap().get(), 2_147_483_647);
    assert_eq!(
        Attempt::new(0u32).unwrap_err().to_string(),
        "attempt 0 is out of range: attempts count from 1 to 2147483647"
    );
    assert!(Attempt::new(2_147_483_648u64).is_err());
    assert!(Attempt::new(u64::MAX).is_err());
}

#[test]
fn statuses_are_parsed_whatever_their_case() {
    for status in RunStatus::ALL {
        assert_eq!(status.as_str().to_lowercase().parse(), Ok(status));
    }
    assert!("done".parse::<RunStatus>().is_err());
}

const MILLISECOND: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn policy(initial: Duration, cap: Duration) -> RetryPolicy {
    RetryPolicy::new(NonZeroU32::MIN, initial, cap).unwrap()
}

/// Policies of every order of magnitude, in whole microseconds.
fn policies() -> impl Strategy<Value = RetryPolicy> {
    let delay = (1_000..=31_536_000_000_000u64, 0..36u32)
        .prop_map(|(micros, shift)| Duration::from_micros((micros >> shift).max(1_000)));
    let delay = prop_oneof![8 => delay, 1 => Just(MILLISECOND), 1 => Just(YEAR)];
    (1..=u32::MAX, delay.clone(), delay).prop_map(|(attempts, a, b)| {
        RetryPolicy::new(NonZeroU32::new(attempts).unwrap(), a.min(b), a.max(b)).unwrap()
    })
}

#[test]
fn delays_beyond_a_year_or_below_a_millisecond_are_refused() {
    let policy = |initial, cap| RetryPolicy::new(NonZeroU32::MIN, initial, cap);
    let (ms, year) = (MILLISECOND, YEAR);
    assert!(policy(ms, year).is_ok());
    assert!(policy(Duration::ZERO, year).is_err());
    assert!(policy(ms, year + ms).is_err());
    assert!(policy(2 * ms, ms).is_err());
}

#[test]
fn the_list_of_ceilings_ends_with_the_first_that_is_the_cap() {
    let seconds =
        |list: &[u64]| -> Vec<_> { list.iter().map(|s| Duration::from_secs(*s)).collect() };
    let of = |initial, cap| policy(initial, cap).ceilings();
    assert_eq!(
        RetryPolicy::default().ceilings(),
        seconds(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 300])
    );
    let second = Duration::from_secs(1);
    assert_eq!(of(second, 8 * second), seconds(&[1, 2, 4, 8]));
    assert_eq!(of(MILLISECOND, MILLISECOND), [MILLISECOND]);
    assert_eq!(of(YEAR, YEAR), [YEAR]);
    assert_eq!(of(MILLISECOND, YEAR).len(), 36);
}

#[test]
fn checkpoints_of_at_most_16_mib_without_nul_are_accepted() {
    const MIB_16: usize = 16 * 1024 * 1024;
    let check = |checksum: String, state: String| {
        let (run_seq, fold_version) = (3, 1);
        Checkpoint {
            run_seq,
            fold_version,
            checksum,
            state,
        }
        .check_call()
    };
    let text = |bytes| "x".repeat(bytes);
    assert_eq!(check(text(64), text(MIB_16 - 64)), Ok(()));
    assert_eq!(check(text(MIB_16), text(0)), Ok(()));
    let too_large = Err(InvalidCall::CheckpointTooLarge { found: MIB_16 + 1 });
    assert_eq!(check(text(64), text(MIB_16 - 63)), too_large);
    assert_eq!(check(text(MIB_16), text(1)), too_large);
    let with_nul = Err(InvalidCall::CheckpointWithNul { run_seq: 3 });
    for nul in ["\0", "a\0", "\0a"] {
        assert_eq!(check(text(64), nul.into()), with_nul);
        assert_eq!(check(nul.into(), "{}".into()), with_nul);
    }
    assert_eq!(check(text(0), text(0)), Ok(()));
}

/// Bytes of every kind, from none to some ten times of what a text keeps.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        any::<u8>().prop_map(|byte| vec![byte]),
        Just(vec![0]),
        Just("😀".into()),
    ];
    (prop::collection::vec(piece, 0..12), 0..4_000usize)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

proptest! {
    #[test]
    fn any_text_gets_a_verdict(text in ".{0,300}") {
        let allowed = !text.is_empty() && text.len() <= 255 && !text.contains('|')
            && !text.chars().any(char::is_control);
        prop_assert_eq!(RunId::new(&text).is_ok(), allowed);
        let key_allowed = !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
        prop_assert_eq!(IdempotencyKey::new(&text).is_ok(), key_allowed);
        prop_assert_eq!(text.parse::<EventType>().is_ok(), allowed);
        let _ = text.parse::<Timestamp>();
    }

    #[test]
    fn event_types_survive_their_name(name in "[A-Za-z./ é]{1,20}") {
        let event_type: EventType = name.parse().unwrap();
        prop_assert_eq!(event_type.as_str(), &name);
        prop_assert_eq!(EventType::is_known(&name), !matches!(event_type, EventType::Other(_)));
    }

    #[test]
    fn moments_survive_their_text(micros in 0..=253_402_300_799_999_999i64) {
        let moment = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(moment.to_string().parse::<Timestamp>(), Ok(moment));
        prop_assert_eq!(Timestamp::try_from(time::OffsetDateTime::from(moment)), Ok(moment));
    }

    #[test]
    fn moments_order_as_text(a in 0..=253_402_300_799_999_999i64, b in 0..=253_402_300_799_999_999i64) {
        let (a, b) = (Timestamp::from_micros(a).unwrap(), Timestamp::from_micros(b).unwrap());
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn text_like_a_moment_never_panics(text in "[0-9]{4,6}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[+-][0-9]{2}:[0-9]{2})") {
        if let Ok(moment) = text.parse::<Timestamp>() {
            prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&moment));
        }
    }

    #[test]
    fn any_bytes_make_a_text_that_every_store_can_hold(bytes in bytes()) {
        let safe = SafeText::new(&bytes);
        prop_assert!(safe.as_str().len() <= 8 * 1024);
        prop_assert!(!safe.as_str().contains('\0'));
        // Nothing is lost before the cut, and the cut takes no more than it must.
        let all = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
        prop_assert!(all.starts_with(safe.as_str()));
        let next = all[safe.as_str().len()..].chars().next();
        prop_assert!(next.is_none_or(|next| safe.as_str().len() + next.len_utf8() > 8 * 1024));
    }

    #[test]
    fn ceilings_are_listed_up_to_the_cap(policy in policies(), beyond in any::<u32>()) {
        let ceilings = policy.ceilings();
        prop_assert!((1..=36).contains(&ceilings.len()));
        prop_assert_eq!(ceilings[0], policy.initial());
        prop_assert_eq!(ceilings.last().copied(), Some(policy.cap()));
        prop_assert!(ceilings.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", ceilings);
        for (attempts, ceiling) in (1..).zip(&ceilings) {
            prop_assert_eq!(policy.ceiling(attempts), *ceiling);
        }
        let beyond = beyond.max(u32::try_from(ceilings.len()).unwrap());
        prop_assert_eq!(policy.ceiling(beyond), policy.cap());
    }

    #[test]
    fn delays_grow_up_to_the_cap_and_never_overflow(policy in policies(), attempts in any::<u32>(), entropy in any::<u64>()) {
        let ceiling = policy.ceiling(attempts);
        prop_assert!(ceiling <= policy.cap() && ceiling >= policy.initial());
        prop_assert!(policy.ceiling(attempts.saturating_add(1)) >= ceiling);
        for attempts in [0, 1, 2, 10, 63, 64, 310, u32::MAX - 1, u32::MAX] {
            prop_assert!(policy.ceiling(attempts) <= policy.cap());
            prop_assert!(policy.delay(attempts, entropy) <= policy.ceiling(attempts));
        }
        prop_assert_eq!(policy.with_jitter(Jitter::None).delay(attempts, entropy), ceiling);
        prop_assert_eq!(policy.delay(attempts, 0), Duration::ZERO);
        prop_assert_eq!(policy.delay(attempts, u64::MAX), ceiling);
    }
}
