//! Broken bytes for everything that is made from them: a value or an error, and of values what their rules say.

use dvt_contracts::PayloadFault::{LoneSurrogate, NulCharacter, TooDeep};
use dvt_contracts::{
    Destination, EventType, IdempotencyKey, InvalidPayload, MAX_IDENTIFIER_BYTES,
    MAX_PAYLOAD_DEPTH, Payload, RunId, SafeText, StepId, Timestamp,
};
use dvt_fuzz::fuzz;
use serde_json::value::RawValue;

const PAYLOADS: [&str; 8] = [
    "null",
    r#"{"rows": 7, "rows": -0, "deep": [[{"a": [1e400, 0.10, 12E+5]}]]}"#,
    r#""\u0001 \ud83d\ude00 \" \\ \/ \b\f\n\r\t""#,
    "[true, false, null, 9223372036854775808, {}]",
    " \t\r\n{ \"a\" : \"\u{1f600}\u{feff}\" }\n ",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    r#"{"a":{"b":{"c":{"d":"e"}}}}"#,
    "-12.5e-7",
];

/// How deep arrays and objects are nested, in a text in which strings are whole.
fn depth(text: &str) -> usize {
    let (mut deepest, mut depth, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for c in text.chars() {
        match (in_string, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => in_string = !in_string,
            (false, '[' | '{') => depth += 1,
            (false, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[test]
fn a_payload_is_what_a_general_parser_takes_and_every_store_can_hold() {
    fuzz("payloads", &PAYLOADS, |bytes| {
        let text = std::str::from_utf8(bytes);
        let general = text.is_ok_and(|text| serde_json::from_str::<&RawValue>(text).is_ok());
        match Payload::new(bytes) {
            Ok(payload) => {
                let given = text.unwrap().trim_matches([' ', '\t', '\r', '\n']);
                assert_eq!(payload.as_str(), given);
                assert!(general && depth(given) <= MAX_PAYLOAD_DEPTH);
                assert_eq!(Payload::new(payload.as_str()), Ok(payload));
            }
            Err(InvalidPayload::Malformed { at, fault }) => {
                assert!(at <= bytes.len());
                let text = String::from_utf8_lossy(bytes).to_lowercase();
                match fault {
                    TooDeep => assert!(depth(&text) > MAX_PAYLOAD_DEPTH),
                    NulCharacter => assert!(text.contains("\\u0000")),
                    LoneSurrogate => assert!(text.contains("\\ud")),
                    _ => assert!(!general, "{fault}"),
                }
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn identifiers_keep_their_rules() {
    let longest = "x".repeat(MAX_IDENTIFIER_BYTES);
    let inputs = [
        "load orders",
        "run-1",
        "RUN",
        "a|b",
        "schéma \u{1f600}",
        &longest,
    ];
    fuzz("identifiers", &inputs, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let keyed =
            (1..=MAX_IDENTIFIER_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        let named = keyed && !text.contains('|');

        let (run, step, key) = (
            RunId::new(text),
            StepId::new(text),
            IdempotencyKey::new(text),
        );

        assert_eq!(run.as_ref().map(RunId::as_str).ok(), named.then_some(text));
        assert_eq!(
            step.as_ref().map(StepId::as_str).ok(),
            (named && text != "RUN").then_some(text)
        );
        assert_eq!(
            key.as_ref().map(IdempotencyKey::as_str).ok(),
            keyed.then_some(text)
        );
        // Whatever they are asked to hold, messages stay short.
        for message in [run.map(drop).err(), step.map(drop).err()]
            .into_iter()
            .flatten()
        {
            assert!(message.to_string().len() < 1_024);
        }
        if let Ok(event_type) = text.parse::<EventType>() {
            assert_eq!(event_type.to_string(), text);
        }
        let _ = Destination::new(text);
    });
}

#[test]
fn moments_and_texts_come_out_as_they_went_in() {
    let moments = [
        "2026-01-02T03:04:05.000006Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999+00:00",
    ];
    fuzz("moments", &moments, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(moment) = text.parse::<Timestamp>() {
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        let safe = SafeText::new(bytes);
        assert!(!safe.as_str().contains('\0'));
        assert_eq!(SafeText::new(safe.as_str()), safe);
    });
}
