//! The payload checker, row by row and against a general JSON parser.

use dvt_contracts::PayloadFault::*;
use dvt_contracts::{InvalidPayload, MAX_PAYLOAD_BYTES, Payload};
use proptest::prelude::*;
use serde_json::value::RawValue;

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn accepted_payloads_are_kept_byte_for_byte() {
    let largest = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES - 2));
    let deepest = nested(64);
    let mixed = format!("{}0{}", r#"{"a":["#.repeat(32), "]}".repeat(32));
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1e400",
        "1e100000",
        "1E+5",
        "0.10",
        "-12.5e-7",
        "1234567890123456789",
        "9223372036854775808",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        r#"{"a":1,"a":2}"#,
        r#"{"b":0,"a":0}"#,
        r#""\u0001 \ud83d\ude00 \" \\ \/ \b\f\n\r\t""#,
        "\"\u{7f}\u{2028}\u{feff}😀\"",
        "[1 , 2\n,\t3]",
        "[[],{},[{}]]",
        &largest,
        &deepest,
        &mixed,
    ] {
        let payload = Payload::new(text).unwrap_or_else(|error| panic!("{text:.60}: {error}"));
        assert_eq!(payload.as_str(), text);
        assert_eq!(payload.size(), text.len());
    }
}

#[test]
fn surrounding_white_space_is_left_out() {
    assert_eq!(
        Payload::new(" \t\r\n{ \"a\" : 1 }\n ").unwrap().as_str(),
        "{ \"a\" : 1 }"
    );
    let padded = format!(
        "{}1{}",
        " ".repeat(2 * MAX_PAYLOAD_BYTES),
        " ".repeat(2 * MAX_PAYLOAD_BYTES)
    );
    assert_eq!(Payload::new(padded).unwrap().as_str(), "1");
}

#[test]
fn refused_payloads_are_told_why_and_where() {
    let too_deep = [nested(65), nested(5_001), nested(100_001)];
    for text in &too_deep {
        assert_eq!(
            Payload::new(text),
            Err(InvalidPayload::Malformed {
                at: 64,
                fault: TooDeep
            })
        );
    }
    assert_eq!(
        Payload::new(vec![b'x'; 20 * 1024 * 1024]),
        Err(InvalidPayload::TooLarge {
            found: 20 * 1024 * 1024
        })
    );
    let table: &[(&[u8], usize, dvt_contracts::PayloadFault)] = &[
        (b"", 0, UnexpectedEnd),
        (b"  ", 2, UnexpectedEnd),
        (b"{", 1, UnexpectedEnd),
        (b"[1,", 3, UnexpectedEnd),
        (b"\"abc", 4, UnexpectedEnd),
        (b"-", 1, UnexpectedEnd),
        (b"1 2", 2, TrailingData),
        (b"{}x", 2, TrailingData),
        (b"nul", 3, UnexpectedEnd),
        (b"nulL", 3, Syntax),
        (b"True", 0, Syntax),
        (b"NaN", 0, Syntax),
        (b"+1", 0, Syntax),
        (b"01", 1, TrailingData),
        (b"1.", 2, UnexpectedEnd),
        (b".5", 0, Syntax),
        (b"1e", 2, UnexpectedEnd),
        (b"[1,]", 3, Syntax),
        (b"[,1]", 1, Syntax),
        (b"{,}", 1, Syntax),
        (b"{\"a\":1,}", 7, Syntax),
        (b"{\"a\" 1}", 5, Syntax),
        (b"{a:1}", 1, Syntax),
        (b"{\"a\":}", 5, Syntax),
        (b"[}", 1, Syntax),
        (b"[1}", 2, Syntax),
        (b"{\"a\":1]", 6, Syntax),
        (b"'a'", 0, Syntax),
        (b"\"\\x\"", 2, Syntax),
        (b"\"\\u12g4\"", 5, Syntax),
        (b"\"a\nb\"", 2, ControlCharacter),
        (b"\"a\x00b\"", 2, ControlCharacter),
        (b"\"\\u0000\"", 1, NulCharacter),
        (b" [\"a\\u0000\"]", 4, NulCharacter),
        (b"\"\\ud800\"", 1, LoneSurrogate),
        (b"\"\\udc00\"", 1, LoneSurrogate),
        (b"\"\\ud800\\ud800\"", 1, LoneSurrogate),
        (b"\"\\ud800x\"", 1, LoneSurrogate),
        (b"\"\xff\"", 1, InvalidUtf8),
        (b"\"\xed\xa0\x80\"", 1, InvalidUtf8),
        (b"\xef\xbb\xbf1", 0, Syntax),
    ];
    for (bytes, at, fault) in table {
        assert_eq!(
            Payload::new(bytes),
            Err(InvalidPayload::Malformed {
                at: *at,
                fault: *fault
            }),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn messages_say_what_is_wrong_where() {
    let message = |bytes: &[u8]| Payload::new(bytes).unwrap_err().to_string();
    assert_eq!(
        message(b"[1,]"),
        "payload breaks at byte 3: no JSON is written like this"
    );
    assert_eq!(
        message(b"\"\\u0000\""),
        "payload breaks at byte 1: \\u0000 is not allowed: no database can hold it"
    );
    assert_eq!(
        message(&vec![b'1'; MAX_PAYLOAD_BYTES + 1]),
        "payload has 1048577 bytes: at most 1048576 are allowed"
    );
}

/// Texts that are nearly JSON, so that both verdicts are frequent.
fn jsonish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"\\u00e9\""),
        Just("\"\\ud83d\\ude00\""),
        Just("1"),
        Just("-0"),
        Just("1e400"),
        Just("0.5"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\"é\\n\""),
        Just("\""),
        Just("\\"),
        Just("x"),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// Valid JSON of every shape.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(|n| format!("{n:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
        "[^\"\\\\\\x00-\\x1f]{0,8}".prop_map(|s| format!("\"{s}\"")),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(" , "))),
            prop::collection::vec(("[a-c]", inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(k, v)| format!("\"{k}\" :{v}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(payload) = Payload::new(&bytes) {
            prop_assert_eq!(payload.as_str(), std::str::from_utf8(&bytes).unwrap().trim_matches([' ', '\t', '\r', '\n']));
        }
    }

    #[test]
    fn near_json_gets_the_verdict_of_a_general_parser(text in jsonish()) {
        let general = serde_json::from_str::<&RawValue>(&text).is_ok();
        prop_assert_eq!(Payload::new(&text).is_ok(), general);
    }

    #[test]
    fn valid_json_is_accepted(text in json()) {
        let payload = Payload::new(&text).unwrap();
        prop_assert_eq!(payload.as_str(), text);
    }

    #[test]
    fn cut_json_is_refused_or_shorter(text in json(), at in any::<prop::sample::Index>()) {
        let cut: String = text.chars().take(at.index(text.chars().count())).collect();
        let general = serde_json::from_str::<&RawValue>(&cut).is_ok();
        prop_assert_eq!(Payload::new(&cut).is_ok(), general);
    }
}
