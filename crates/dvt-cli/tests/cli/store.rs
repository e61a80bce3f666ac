//! Which store a command works on, without any server.

use crate::common::{Ran, command};

/// Runs the command with variables of the environment.
fn with_env(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    command(args)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_first_that_names_a_store_is_the_one_that_is_complained_about() {
    let all = [
        ("DVT_STORE", "sqlite:dvt:secret@2"),
        ("DATABASE_URL", "mysql://dvt:secret@3"),
    ];
    let cases = [
        (
            &["record", "-", "--store", "oracle:secret"][..],
            &all[..],
            "--store names the store \"oracle:…\"",
        ),
        (
            &["record", "-"],
            &all,
            "DVT_STORE names the store \"sqlite:…\"",
        ),
        (
            &["record", "-"],
            &all[1..],
            "DATABASE_URL names the store \"mysql:…\"",
        ),
    ];
    for (args, variables, expected) in cases {
        let refused = with_env(args, variables);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(expected), "{}", refused.err);
        assert!(!refused.err.contains("secret"), "{}", refused.err);
    }
}

#[test]
fn recording_needs_no_store() {
    assert_eq!(with_env(&["record", "-"], &[]).code, 0);
    assert_eq!(with_env(&["record", "-"], &[("DVT_STORE", "")]).code, 0);
    let named = with_env(
        &["record", "-", "--store", "memory:"],
        &[("DVT_STORE", "x")],
    );
    assert_eq!(named.code, 0);
    let variable = [("DVT_PG_SCHEMA", "shop")];
    assert_eq!(with_env(&["record", "-"], &variable).code, 0);
    let lost = with_env(&["record", "-", "--schema", "shop"], &[]);
    assert_eq!(lost.code, 2, "{lost:?}");
    assert!(lost.err.contains("leave --schema out"), "{}", lost.err);
}

#[test]
fn commands_that_read_name_the_ways_to_a_store_that_keeps_something() {
    for args in [
        &["runs"][..],
        &["show", "run-1"],
        &["events", "run-1"],
        &["drain"],
    ] {
        for (variables, begin) in [
            (&[][..], "error: no store is named, so it is memory:, "),
            (
                &[("DVT_STORE", "memory:")],
                "error: DVT_STORE names the store memory:, ",
            ),
        ] {
            let refused = with_env(args, variables);
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.err.starts_with(begin), "{}", refused.err);
            for way in ["--store", "DVT_STORE", "DATABASE_URL"] {
                assert!(refused.err.contains(way), "{}", refused.err);
            }
        }
    }
}

#[test]
fn an_input_that_is_not_there_is_noticed_before_any_store_is_asked() {
    let missing = with_env(
        &["record", "/no/such/file"],
        &[("DVT_STORE", "postgres://dvt:secret@256.0.0.1/dvt")],
    );
    assert_eq!(missing.code, 3, "{missing:?}");
}

#[test]
fn a_store_that_cannot_be_opened_has_its_code_and_keeps_its_password() {
    // Port 1 of this machine: nobody listens there.
    for name in ["DVT_STORE", "DATABASE_URL"] {
        let url = "postgres://dvt:secret@127.0.0.1:1/dvt";
        let refused = with_env(&["runs"], &[(name, url)]);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("cannot open the store"), "{refused:?}");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
}
