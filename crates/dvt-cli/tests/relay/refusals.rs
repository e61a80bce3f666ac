//! What a relay refuses before it claims anything.

use crate::database::Database;
use crate::stage::{outbox, record};

pub(crate) fn command_lines_that_lead_nowhere_are_refused_with_the_remedy(database: &Database) {
    record(database, 1, 1);
    let missing = "/nowhere/secret";
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--to", "kafka://bus/topic"], 2, "use stdout:, https://"),
        (&["--to", "ftp://files/x"], 2, "use stdout:, https://"),
        (&["--to", "stdout:x"], 2, "use stdout:"),
        (&["--to", "http://hooks.example.com/x"], 2, "--allow-http"),
        (&["--to", "nats://bus/dvt.{tennant}"], 2, "{tenant}"),
        (&["--to", "nats://bus/dvt.{tenant}{run}"], 2, "between them"),
        (&["--to", "amqp://bus/runs?routing_key={"], 2, "brace"),
        (
            &[
                "--to",
                "https://hooks.example.com/x",
                "--webhook-secrets-file",
                missing,
            ],
            2,
            missing,
        ),
        (
            &[
                "--to",
                "stdout:",
                "--retry-initial",
                "2s",
                "--retry-cap",
                "1s",
            ],
            2,
            "--retry-cap",
        ),
    ];
    for (args, code, remedy) in cases {
        let ran = database.dvt(&[&["relay", "--once"], args].concat());
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (code, ""),
            "{args:?}: {ran:?}"
        );
        assert!(ran.err.contains(remedy), "{args:?}: {ran:?}");
    }
    let status = outbox(database);
    assert_eq!(status["due_runs"], 1);
    assert_eq!(status["destination"], serde_json::Value::Null);
}

pub(crate) fn another_destination_is_refused_with_the_command_that_moves_the_outbox(
    database: &Database,
) {
    record(database, 1, 1);
    let once =
        |more: &[&str]| database.dvt(&[&["relay", "--once", "--to", "stdout:"], more].concat());
    once(&["--destination", "queue a"]).done();
    let refused = once(&[]);
    assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{refused:?}");
    let remedy = "dvt outbox retarget --from 'queue a' --to 'stdout:' --reason TEXT";
    assert!(refused.err.contains(remedy), "{refused:?}");

    let from_to = ["--from", "queue a", "--to", "stdout:"];
    let note = ["--reason", "moved", "--by", "ann"];
    database
        .dvt(&[&["outbox", "retarget"], &from_to[..], &note].concat())
        .done();
    once(&[]).done();
}
