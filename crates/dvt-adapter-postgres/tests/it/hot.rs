//! The statements of the hot path with arguments for the landscape.

use crate::arguments::{
    TOKEN, append, append_new, known, known_of_two, leased, leases, same, stored,
};
use crate::landscape::BIG;

/// A file of `queries/` and one way to call it.
pub(crate) struct Hot {
    /// The file's name.
    pub(crate) file: &'static str,
    /// What is special about the call.
    pub(crate) call: &'static str,
    /// The arguments, as SQL.
    pub(crate) arguments: String,
    /// A statement before it, in the same transaction.
    pub(crate) before: Option<String>,
    /// How many rows it writes.
    pub(crate) rows: u64,
    /// The most blocks that it may touch.
    pub(crate) blocks: u64,
    /// The longest that it may take, in milliseconds.
    pub(crate) millis: f64,
    /// Indexes that it walks as a whole, and tables that it reads as a whole.
    pub(crate) whole: &'static [&'static str],
}

/// A statement about one run: a few index probes, a row or two, whatever the size of the tables.
fn one_run(file: &'static str, call: &'static str, arguments: &str) -> Hot {
    Hot {
        file,
        call,
        arguments: arguments.to_owned(),
        before: None,
        rows: 0,
        blocks: 60,
        millis: 50.0,
        whole: &[],
    }
}

impl Hot {
    fn after(self, statement: String) -> Self {
        Self {
            before: Some(statement),
            ..self
        }
    }

    fn writes(self, rows: u64) -> Self {
        Self { rows, ..self }
    }

    fn within(self, blocks: u64, millis: f64) -> Self {
        Self {
            blocks,
            millis,
            ..self
        }
    }

    fn reads_whole(self, whole: &'static [&'static str]) -> Self {
        Self { whole, ..self }
    }
}

/// Every statement that a service sends again and again.
pub(crate) fn statements() -> Vec<Hot> {
    let (tenant, run) = BIG;
    let one = "'t4', 'r00004'";
    // Behind the first known event.
    let others = stored(
        BIG,
        100_000,
        20,
        "other",
        "(SELECT '\"' || string_agg(md5(i::text), '') || '\"' FROM generate_series(1, 6000) AS i)",
    );
    let known_first = format!(
        "'{tenant}', '{run}', 'p', 'e', 'p', '1', 'Pending', \
         ARRAY['Note'], ARRAY[NULL], ARRAY[1], ARRAY[1], ARRAY['k77777'], ARRAY['2026-01-02'::timestamptz], ARRAY['{{}}'], 0"
    );
    let note = "ARRAY['Note'], ARRAY[NULL], ARRAY[1], ARRAY[1], ARRAY['k1'], ARRAY['2026-01-02'::timestamptz], ARRAY['{}']";
    let delivered =
        "UPDATE outbox SET delivered_seq = last_seq, due_at = NULL, pending_since = NULL \
                     WHERE tenant_id = 't4' AND run_id = 'r00004'"
            .to_owned();
    let ended = format!(
        "UPDATE outbox SET delivered_seq = last_seq, due_at = NULL, pending_since = NULL, pruned_at = now() \
         WHERE tenant_id = '{tenant}' AND run_id = '{run}'"
    );
    vec![
        one_run("append", "one event", &append(1, 1)).writes(2),
        // Among a hundred thousand: by its key, not along the run.
        one_run("append", "a known event of a long run", &known(77_777, 1)),
        // The first by its key, the others behind it.
        one_run(
            "append",
            "a hundred known events of a long run",
            &known(77_777, 100),
        ),
        one_run("append", "known events of two runs", &known_of_two()).after(stored(
            ("t4", "r00004"),
            90,
            50,
            "short",
            "'{}'",
        )),
        // What others stored behind the first of them is looked at, and not read.
        one_run(
            "append",
            "a known event and new ones, behind it long payloads",
            &known(100_000, 21),
        )
        .after(others)
        .within(100, 50.0),
        // Each new row costs its place in a table and two indexes.
        one_run("append", "a thousand events of one run", &append(1, 1_000))
            .writes(1001)
            .within(25_000, 200.0),
        one_run(
            "append",
            "one event to each of a thousand runs",
            &append(1_000, 1),
        )
        .writes(2000)
        .within(60_000, 200.0),
        one_run("append_new", "one event", &append_new(1, 1)).writes(2),
        one_run(
            "append_one",
            "",
            &format!("{one}, NULL, '123456', 'Note', NULL, 1, 1, 'new', '2026-01-02', '{{}}', 0"),
        )
        .writes(2),
        one_run(
            "append_new",
            "a thousand events of one run",
            &append_new(1, 1_000),
        )
        .writes(1001)
        .within(25_000, 200.0),
        one_run(
            "append_new",
            "one event to each of a thousand runs",
            &append_new(1_000, 1),
        )
        .writes(2000)
        .within(60_000, 200.0),
        one_run(
            "bootstrap",
            "a new run",
            &format!("'t4', 'new', 'p', 'e', 'p', '1', 'Pending', {note}, 0"),
        )
        .writes(3),
        one_run(
            "bootstrap",
            "a run that is there",
            &format!("{one}, 'p', 'e', 'p', '1', 'Pending', {note}, 0"),
        )
        .writes(1),
        one_run("bootstrap", "a long run that is there", &known_first).writes(1),
        one_run(
            "claim",
            "one run, one event",
            "NULL, 1, 1, 1000000, 60000000, 0, 3, 10000",
        )
        .writes(1),
        one_run(
            "claim",
            "one run above the floor",
            "'2000-01-01', 1, 1, 1000000, 60000000, 0, 3, 10000",
        )
        .writes(1),
        one_run(
            "claim",
            "nothing is due",
            "now() + interval '1 hour', 100, 100, 1000000, 60000000, 0, 3, 10000",
        ),
        one_run(
            "claim",
            "a hundred runs of a hundred events",
            "NULL, 100, 100, 100000000, 60000000, 0, 3, 10000",
        )
        .writes(100)
        .within(8_000, 200.0),
        one_run("extend", "one", &format!("{}, 60000000, 0", leases(1)))
            .writes(1)
            .after(leased(1)),
        one_run("get_run", "", one),
        one_run(
            "list_dead_letters",
            "first page",
            "'', '', 0, NULL, false, 10",
        ),
        one_run(
            "list_dead_letters",
            "late page",
            "'t3', 'r09003', 1, NULL, false, 10",
        ),
        // Open ones of a tenant are looked for among all of it.
        one_run(
            "list_dead_letters",
            "a tenant's open ones",
            "'', '', 0, 't7', true, 10",
        )
        .within(2_200, 50.0),
        one_run(
            "list_events",
            "first page",
            &format!("'{tenant}', '{run}', 0, 100, 16777216"),
        ),
        one_run(
            "list_events",
            "late page",
            &format!("'{tenant}', '{run}', 99000, 100, 16777216"),
        ),
        one_run(
            "list_pending",
            "first page",
            "'', '', NULL, NULL, NULL, 10, 0",
        )
        .within(12_000, 200.0)
        .reads_whole(&["outbox_due_at", "outbox_parked_at"]),
        one_run(
            "list_runs",
            "first page",
            "'t3', '', 10, NULL, NULL, NULL, NULL, NULL, NULL",
        ),
        one_run(
            "list_runs",
            "late page",
            "'t3', 'r09800', 10, NULL, NULL, NULL, NULL, NULL, NULL",
        ),
        one_run("list_tenants", "all", "'', 100"),
        one_run("load_checkpoint", "one that is there", "'t1', 'r00001'"),
        one_run("lock_heads", "one", "ARRAY['t4'], ARRAY['r00004']"),
        one_run(
            "mark_delivered",
            "one",
            &format!("{}, ARRAY[90], ARRAY[90], 0", leases(1)),
        )
        .writes(1)
        .after(leased(1)),
        one_run(
            "mark_delivered",
            "a hundred",
            &format!(
                "{}, {}, {}, 0",
                leases(100),
                same("90", 100, "bigint"),
                same("90", 100, "bigint")
            ),
        )
        .writes(100)
        .after(leased(100))
        .within(4_000, 50.0),
        one_run(
            "mark_failed",
            "that parks",
            &format!("{one}, '{TOKEN}', 90, 1, 'no', 1, ARRAY[1000000], true, false, '', '', 0"),
        )
        .writes(2)
        .after(leased(1)),
        one_run("park_run", "", &format!("{one}, 'why', 0")).writes(2),
        one_run("prune_mark", "", &format!("{one}, 0"))
            .writes(1)
            .after(delivered),
        // Rows and their entries in two indexes.
        one_run(
            "prune_remove",
            "the first five thousand of a hundred thousand",
            &format!("'{tenant}', '{run}', 5000, 268435456"),
        )
        .writes(5000)
        .after(ended)
        .within(100_000, 400.0),
        one_run("release", "one", &format!("{}, 0", leases(1)))
            .writes(1)
            .after(leased(1)),
        one_run(
            "resolve_dead_letter",
            "a skip",
            "'t7', 'r00007', 1, 'Skipped', 'ann', 'why', 0",
        )
        .writes(2),
        one_run(
            "save_checkpoint",
            "a first one",
            &format!("{one}, 10, 1, 'sum', '{{}}'"),
        )
        .writes(1),
        one_run(
            "save_provider_ref",
            "",
            &format!("{one}, 'p', NULL, 'w', NULL"),
        )
        .writes(1),
        one_run("stats", "", "0")
            .within(12_000, 200.0)
            .reads_whole(&[
                "outbox_due_at",
                "outbox_parked_at",
                "outbox_dead_letters",
                "outbox_dead_letters_pkey",
            ]),
    ]
}
