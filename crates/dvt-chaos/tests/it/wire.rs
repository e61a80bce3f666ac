//! The proxy by itself, between the driver and a server.

use std::time::{Duration, Instant};

use dvt_chaos::proxy::{
    Control, Direction, End, Fault, Hits, Message, Place, Proxy, Random, Rule, Spot, Traffic,
};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::timeout;

use crate::server::{connect, connect_to, execute, random_name, url};
use crate::stage::until;
use crate::trial::{Outcome, trials};

trials![
    everything_passes_both_ways,
    an_encrypted_connection_passes,
    bytes_one_by_one_are_the_same_bytes,
    a_reply_is_cut_at_the_message_that_is_meant,
    a_request_is_cut_after_exactly_so_many_bytes,
    a_commit_is_cut_by_its_name,
    operations_in_flight_are_counted_where_a_fault_hits,
    silence_holds_back_and_loses_nothing,
    who_comes_is_refused_or_not_answered,
    slowness_is_as_slow_as_it_says,
    a_rule_that_is_used_up_lets_everything_pass,
    chance_is_the_same_for_the_same_seed,
];

/// A proxy and a connection through it.
async fn through() -> (Proxy, Control, PgConnection) {
    let proxy = Proxy::before(&url()).await.unwrap();
    let conn = connect_to(&proxy.url(&url()).unwrap()).await;
    let control = proxy.control();
    (proxy, control, conn)
}

/// In the simple protocol: one message there, and its reply.
async fn ask(conn: &mut PgConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(sql)).await.map(drop)
}

/// The kind of the I/O error that ended a connection.
fn broken(ended: Result<(), sqlx::Error>) -> std::io::ErrorKind {
    match ended {
        Err(sqlx::Error::Io(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn hits(control: &Control, fault: &Fault) -> Hits {
    let counts = control.counts();
    counts.hits.get(fault.kind()).copied().unwrap_or_default()
}

const EOF: std::io::ErrorKind = std::io::ErrorKind::UnexpectedEof;
const REFUSED: std::io::ErrorKind = std::io::ErrorKind::ConnectionRefused;
const RESET: std::io::ErrorKind = std::io::ErrorKind::ConnectionReset;

async fn everything_passes_both_ways() -> Outcome {
    let (_proxy, control, mut conn) = through().await;
    let large = "x".repeat(5_000_000);

    let echo = sqlx::query_scalar::<_, String>("SELECT $1 || 'y'").bind(&large);
    let echo = echo.fetch_one(&mut conn).await?;

    assert_eq!(echo, format!("{large}y"));
    let Traffic {
        to_server,
        to_client,
    } = control.traffic();
    assert!(to_server > 5_000_000 && to_client > 5_000_000);
    assert_eq!((control.open(), control.in_flight()), (1, 0));
    conn.close().await?;
    while control.open() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(control.counts().connections, 1);
    Ok(())
}

/// Whether the server speaks TLS or says that it does not.
async fn an_encrypted_connection_passes() -> Outcome {
    let proxy = Proxy::before(&url()).await?;
    let url = proxy
        .url(&url())?
        .replace("sslmode=disable", "sslmode=prefer");
    let mut conn = connect_to(&url).await;

    ask(&mut conn, "SELECT 1").await?;

    proxy.control().for_present(Fault::now(End::Close));
    ask(&mut conn, "SELECT 1").await.unwrap_err();
    Ok(())
}

async fn bytes_one_by_one_are_the_same_bytes() -> Outcome {
    let (_proxy, control, mut conn) = through().await;
    control.for_all(Fault::Split);
    let text: String = (0..2_000)
        .map(|number| char::from(b'a' + number as u8 % 26))
        .collect();

    let echo = sqlx::query_scalar::<_, String>("SELECT $1").bind(&text);

    assert_eq!(echo.fetch_one(&mut conn).await?, text);
    // To prepare it, and to execute it.
    assert_eq!(hits(&control, &Fault::Split).times, 2);
    Ok(())
}

async fn a_reply_is_cut_at_the_message_that_is_meant() -> Outcome {
    // RowDescription 33, DataRow 12, DataRow 12, CommandComplete 14, ReadyForQuery 6
    const SQL: &str = "SELECT a::text FROM generate_series(1, 2) AS a";
    const ROWS: u64 = 27 + 2 * 12;
    let row = Message::new(Direction::ToClient, b'D');
    let cases = [
        (Place::Before, Message::COMMAND_COMPLETE, 1, ROWS),
        (Place::Within(1), Message::COMMAND_COMPLETE, 1, ROWS + 1),
        (Place::After, Message::COMMAND_COMPLETE, 1, ROWS + 14),
        (Place::Before, Message::READY_FOR_QUERY, 1, ROWS + 14),
        (Place::Within(5), Message::READY_FOR_QUERY, 1, ROWS + 19),
        (Place::Before, row, 2, ROWS - 12),
        (Place::Within(11), row, 2, ROWS - 1),
    ];
    for (place, message, nth, passed) in cases {
        for (end, kind) in [(End::Close, EOF), (End::Reset, RESET)] {
            let (_proxy, control, mut conn) = through().await;
            let before = control.traffic();
            let spot = Spot::Message {
                message,
                nth,
                place,
            };
            let fault = Fault::Cut { spot, end };
            control.for_present(fault);

            let ended = ask(&mut conn, SQL).await;

            assert_eq!(broken(ended), kind, "{fault:?}");
            assert_eq!(
                control.traffic().since(before).to_client,
                passed,
                "{fault:?}"
            );
            let once = Hits {
                times: 1,
                in_flight: 1,
            };
            assert_eq!(hits(&control, &fault), once, "{fault:?}");
        }
    }
    Ok(())
}

async fn a_request_is_cut_after_exactly_so_many_bytes() -> Outcome {
    const SQL: &str = "SELECT 1";
    let all = 1 + 4 + SQL.len() as u64 + 1;
    for count in 0..=all {
        let (_proxy, control, mut conn) = through().await;
        let before = control.traffic();
        let spot = Spot::Bytes {
            direction: Direction::ToServer,
            count,
        };
        control.for_present(Fault::Cut {
            spot,
            end: End::Close,
        });

        let ended = ask(&mut conn, SQL).await;

        assert_eq!(broken(ended), EOF, "{count}");
        assert_eq!(control.traffic().since(before).to_server, count);
    }
    Ok(())
}

async fn a_commit_is_cut_by_its_name() -> Outcome {
    let (_proxy, control, mut conn) = through().await;
    let table = random_name();
    let mut observer = connect().await;
    execute(&mut observer, format!("CREATE TABLE {table} (a int)")).await;
    let fault = Fault::Cut {
        spot: Spot::at(Place::Before, Message::COMMAND_COMPLETE.beginning("COMMIT")),
        end: End::Close,
    };
    control.for_present(fault);

    execute(&mut conn, "BEGIN").await;
    execute(&mut conn, format!("INSERT INTO {table} VALUES (1)")).await;
    let ended = ask(&mut conn, "COMMIT").await;

    assert_eq!(broken(ended), EOF);
    until(&mut observer, &format!("SELECT count(*) FROM {table}"), 1).await;
    execute(&mut observer, format!("DROP TABLE {table}")).await;
    Ok(())
}

async fn operations_in_flight_are_counted_where_a_fault_hits() -> Outcome {
    let (proxy, control, mut busy) = through().await;
    let idle = connect_to(&proxy.url(&url())?).await;
    let query = tokio::spawn(async move { ask(&mut busy, "SELECT pg_sleep(30)").await });
    while control.in_flight() == 0 {
        tokio::task::yield_now().await;
    }

    control.for_present(Fault::now(End::Reset));

    assert_eq!(broken(query.await?), RESET);
    let both = Hits {
        times: 2,
        in_flight: 1,
    };
    assert_eq!(hits(&control, &Fault::now(End::Reset)), both);
    drop(idle);
    Ok(())
}

async fn silence_holds_back_and_loses_nothing() -> Outcome {
    let at_the_end = Fault::Cut {
        spot: Spot::at(Place::After, Message::COMMAND_COMPLETE),
        end: End::Silence,
    };
    for fault in [
        Fault::BLACK_HOLE,
        Fault::MUTE,
        Fault::now(End::Silence),
        at_the_end,
    ] {
        let (_proxy, control, mut conn) = through().await;
        control.for_present(fault);
        let mut query = tokio::spawn(async move { ask(&mut conn, "SELECT 1").await });

        let early = timeout(Duration::from_millis(100), &mut query).await;

        assert!(early.is_err(), "{fault:?}");
        assert_eq!(hits(&control, &fault).times, 1, "{fault:?}");
        control.heal();
        timeout(Duration::from_secs(10), query).await???;
    }
    Ok(())
}

async fn who_comes_is_refused_or_not_answered() -> Outcome {
    let (proxy, control, mut conn) = through().await;
    let url = proxy.url(&url())?;
    control.for_coming(Fault::Refuse);
    // Where nobody listens, or in the queue of one who has just left.
    let kind = broken(PgConnection::connect(&url).await.map(drop));
    assert!(matches!(kind, REFUSED | RESET), "{kind}");
    while broken(PgConnection::connect(&url).await.map(drop)) != REFUSED {}
    ask(&mut conn, "SELECT 1").await?;

    control.for_coming(Fault::BLACK_HOLE);
    let mut unanswered = tokio::spawn({
        let url = url.clone();
        async move { PgConnection::connect(&url).await }
    });
    assert!(
        timeout(Duration::from_millis(100), &mut unanswered)
            .await
            .is_err()
    );
    control.heal();
    let mut late = timeout(Duration::from_secs(10), unanswered).await???;
    ask(&mut late, "SELECT 1").await?;
    assert_eq!(hits(&control, &Fault::Refuse).times, 1);
    assert_eq!(hits(&control, &Fault::BLACK_HOLE).times, 1);
    Ok(())
}

async fn slowness_is_as_slow_as_it_says() -> Outcome {
    let (_proxy, control, mut conn) = through().await;
    let delay = Duration::from_millis(40);
    control.for_present(Fault::Delay(delay));
    let begun = Instant::now();
    ask(&mut conn, "SELECT 1").await?;
    assert!(begun.elapsed() >= 2 * delay, "{:?}", begun.elapsed());
    assert_eq!(hits(&control, &Fault::Delay(delay)).times, 1);

    let throttle = Fault::Throttle {
        bytes_per_second: 10_000,
    };
    control.for_present(throttle);
    let begun = Instant::now();
    ask(&mut conn, "SELECT repeat('x', 2000)").await?;
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(hits(&control, &throttle).times, 1);
    Ok(())
}

async fn a_rule_that_is_used_up_lets_everything_pass() -> Outcome {
    let (proxy, control, mut first) = through().await;
    let mut second = connect_to(&proxy.url(&url())?).await;
    let fault = Fault::Cut {
        spot: Spot::at(Place::Before, Message::COMMAND_COMPLETE),
        end: End::Reset,
    };
    control.for_all(Rule::from(fault).at_most(1));

    let ended = ask(&mut first, "SELECT 1").await;

    assert_eq!(broken(ended), RESET);
    ask(&mut second, "SELECT 1").await?;
    ask(&mut second, "SELECT 1").await?;
    assert_eq!(hits(&control, &fault).times, 1);
    Ok(())
}

/// How 150 requests end, each on the next connection if the last one broke.
async fn fates(seed: u64) -> Vec<bool> {
    let proxy = Proxy::before(&url()).await.unwrap();
    let control = proxy.control();
    control.for_coming(Random::new(seed, 300));
    let url = proxy.url(&url()).unwrap();
    let mut conn = connect_to(&url).await;
    let mut fates = Vec::new();
    while fates.len() < 150 {
        let answered = ask(&mut conn, "SELECT 1").await.is_ok();
        fates.push(answered);
        if !answered {
            conn = connect_to(&url).await;
        }
    }
    let counts = control.counts();
    let faults: u64 = counts.hits.values().map(|hits| hits.times).sum();
    assert!(counts.hits.len() >= 4 && faults >= 20, "{counts:?}");
    fates
}

async fn chance_is_the_same_for_the_same_seed() -> Outcome {
    let first = fates(7).await;
    assert_eq!(fates(7).await, first);
    assert_ne!(fates(8).await, first);
    Ok(())
}
