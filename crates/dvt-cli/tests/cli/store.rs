//! Which store a command works on, without any server.

use crate::common::{Ran, command_in, dvt_in, line};

/// Runs the command in an empty folder with variables of the environment.
fn with_env(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    command_in(folder.path(), args)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_first_that_names_a_store_is_the_one_that_is_complained_about() {
    let all = [
        ("DVT_STORE", "sybase:dvt:secret@2"),
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
            "DVT_STORE names the store \"sybase:…\"",
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
        let refused = with_env(args, &[("DVT_STORE", "memory:")]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let begin = "error: DVT_STORE names the store memory:, ";
        assert!(refused.err.starts_with(begin), "{}", refused.err);
        let missing = with_env(args, &[]);
        assert_eq!(missing.code, 4, "{missing:?}");
        let begin = "error: no store is named, so it is sqlite:dvt.db, and there is no such file: ";
        assert!(missing.err.starts_with(begin), "{}", missing.err);
        for way in ["--store", "DVT_STORE", "DATABASE_URL"] {
            assert!(refused.err.contains(way), "{}", refused.err);
            assert!(missing.err.contains(way), "{}", missing.err);
        }
    }
}

#[test]
fn the_default_is_a_file_in_the_current_folder_that_the_first_event_makes_and_no_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dvt.db");
    assert_eq!(dvt_in(folder.path(), &["record", "-"]).code, 0);
    assert_eq!(dvt_in(folder.path(), &["runs"]).code, 4);
    assert!(!file.exists(), "nothing was written");

    std::fs::write(
        folder.path().join("events"),
        line("run-1", "RunStarted", 5, ""),
    )
    .unwrap();
    let recorded = dvt_in(folder.path(), &["record", "events", "--json"]);
    let again = dvt_in(folder.path(), &["record", "events", "--json"]);
    let shown = dvt_in(folder.path(), &["show", "run-1", "--tenant", "t", "--json"]);

    assert_eq!(recorded.json()["appended"], 1);
    assert_eq!(again.json()["appended"], 0);
    assert_eq!(again.json()["duplicates"], 1);
    assert_eq!(shown.json()["status"], "Running");
    assert!(file.exists());
    for url in ["sqlite:dvt.db", "sqlite://dvt.db"] {
        let runs = dvt_in(folder.path(), &["runs", "--store", url, "--json"]);
        assert_eq!(runs.json()["run_id"], "run-1", "{url}");
    }
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"not a database, whatever its name says: it goes on for longer than a header does, to be sure of that";
    std::fs::write(folder.path().join("dvt.db"), text).unwrap();
    std::fs::write(
        folder.path().join("events"),
        line("run-1", "RunStarted", 5, ""),
    )
    .unwrap();
    for args in [&["runs"][..], &["record", "events"]] {
        let refused = dvt_in(folder.path(), args);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(
            refused.err.contains("dvt.db is not a store of DVT"),
            "{}",
            refused.err
        );
    }
    assert_eq!(std::fs::read(folder.path().join("dvt.db")).unwrap(), text);
}

#[test]
fn a_file_that_is_none_is_told_with_its_name() {
    for (url, why) in [
        ("sqlite:", "names no file"),
        ("sqlite::memory:", "is in memory"),
        ("sqlite:dvt.db?mode=ro", "has options"),
    ] {
        let refused = with_env(&["runs", "--store", url], &[]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(why), "{}", refused.err);
    }
    let refused = with_env(&["migrate", "--store", "sqlite:dvt.db"], &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains("this command is for PostgreSQL"),
        "{}",
        refused.err
    );
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
