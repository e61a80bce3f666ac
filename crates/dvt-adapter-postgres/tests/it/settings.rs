//! What the settings do on a server.

use std::time::Duration;

use dvt_adapter_postgres::PostgresSettings;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::server::{TestRole, TestSchema, connect, execute, url_with};
use crate::trial::{Outcome, trials};

trials![
    every_option_has_effect_whatever_the_role_says,
    options_of_the_url_add_but_do_not_replace,
    a_name_of_the_callers_own_stays,
];

async fn shown(conn: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}")))
        .fetch_one(conn)
        .await
        .unwrap()
}

async fn every_option_has_effect_whatever_the_role_says() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let mut admin = connect().await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "search_path = 'somewhere'",
        "statement_timeout = '1h'",
        "lock_timeout = '1h'",
        "idle_in_transaction_session_timeout = 0",
        "plan_cache_mode = 'force_custom_plan'",
        "enable_seqscan = on",
        "jit = on",
        "default_transaction_read_only = on",
    ] {
        execute(
            &mut admin,
            format!("ALTER ROLE {} SET {setting}", role.name),
        )
        .await;
    }
    let settings = schema.settings_by(&role.url());

    let mut conn = settings.store_connection().await?;

    for (name, value) in [
        ("search_path", &*format!("{}, pg_temp", schema.name())),
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("default_transaction_isolation", "read committed"),
        ("transaction_isolation", "read committed"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "4s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("application_name", "dvt"),
        // Who says that a role must not write is believed.
        ("default_transaction_read_only", "on"),
    ] {
        assert_eq!(shown(&mut conn, name).await, value, "{name}");
    }
    let quick = settings.with_timeouts(Duration::from_millis(300), Duration::from_millis(150))?;
    let mut conn = quick.store_connection().await?;
    assert_eq!(shown(&mut conn, "statement_timeout").await, "150ms");
    assert_eq!(shown(&mut conn, "lock_timeout").await, "120ms");
    Ok(())
}

async fn options_of_the_url_add_but_do_not_replace() -> Outcome {
    let url = url_with(|url| {
        url.query_pairs_mut()
            .append_pair("options", "-c work_mem=7MB -c search_path=somewhere")
            .append_pair("options[statement_timeout]", "1h")
            .append_pair("options[dvt.words]", r"two words \ and more");
    });

    let mut conn = PostgresSettings::from_url(&url)?.store_connection().await?;

    assert_eq!(shown(&mut conn, "work_mem").await, "7MB");
    assert_eq!(shown(&mut conn, "dvt.words").await, r"two words \ and more");
    assert_eq!(shown(&mut conn, "search_path").await, "dvt, pg_temp");
    assert_eq!(shown(&mut conn, "statement_timeout").await, "5s");
    Ok(())
}

async fn a_name_of_the_callers_own_stays() -> Outcome {
    let url = url_with(|url| {
        url.query_pairs_mut()
            .append_pair("application_name", "dvt_it_shop");
    });
    let mut conn = PostgresSettings::from_url(&url)?.store_connection().await?;
    assert_eq!(shown(&mut conn, "application_name").await, "dvt_it_shop");
    Ok(())
}
