use sqlx::Executor as _;

use crate::BoxError;
use crate::cluster::Server;

const COMMITS_LATER: [&str; 4] = [
    "ALTER DATABASE chaos SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
    "SELECT pg_reload_conf()",
];

/// Plants the bug in the database, if it is one of those.
pub(crate) async fn in_database(server: &Server, name: &str) -> Result<(), BoxError> {
    let mut admin = server.admin().await?;
    if name == "commits-later" {
        // Not in one go: that would be a transaction, in which the server does not change its settings.
        for sql in COMMITS_LATER {
            admin.execute(sql).await?;
        }
        return Ok(());
    }
    let sql = match name {
        "stores-twice" => "ALTER TABLE dvt.run_events DROP CONSTRAINT run_events_idempotency",
        "renumbers" => {
            "CREATE FUNCTION dvt.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.run_seq > 40 THEN NEW.run_seq := NEW.run_seq + 1; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER planted BEFORE INSERT ON dvt.run_events FOR EACH ROW EXECUTE FUNCTION dvt.planted()"
        }
        "changes-on-insert" => {
            "CREATE FUNCTION dvt.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF random() < 0.01 THEN NEW.payload := '{\"changed\":1}'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER planted BEFORE INSERT ON dvt.run_events FOR EACH ROW EXECUTE FUNCTION dvt.planted()"
        }
        "forgets-status" => {
            "CREATE FUNCTION dvt.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF random() < 0.3 THEN NEW.status := OLD.status; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER planted BEFORE UPDATE ON dvt.outbox FOR EACH ROW EXECUTE FUNCTION dvt.planted()"
        }
        "delivers-at-claim" => {
            "CREATE FUNCTION dvt.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.claim_no > OLD.claim_no AND NEW.delivered_seq + 1 < NEW.last_seq THEN \
             NEW.delivered_seq := NEW.delivered_seq + 1; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER planted BEFORE UPDATE ON dvt.outbox FOR EACH ROW EXECUTE FUNCTION dvt.planted()"
        }
        "forgets-to-wake" => {
            "CREATE FUNCTION dvt.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF OLD.due_at IS NULL AND NEW.due_at IS NOT NULL AND random() < 0.05 THEN \
             NEW.due_at := NEW.due_at + interval '1 day'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER planted BEFORE UPDATE ON dvt.outbox FOR EACH ROW EXECUTE FUNCTION dvt.planted()"
        }
        _ => return Ok(()),
    };
    admin.execute(sql).await?;
    Ok(())
}
