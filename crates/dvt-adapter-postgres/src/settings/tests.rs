use super::*;

const SECRET: &str = "s3cr3t-tuna";

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings::from_url(url).unwrap()
}

fn refused(url: &str) -> InvalidSettings {
    PostgresSettings::from_url(url).unwrap_err()
}

/// Everything that an error or a value can be made to say.
fn all_words(value: &(impl fmt::Debug + fmt::Display)) -> String {
    format!("{value} {value:?} {value:#?}")
}

#[test]
fn a_url_is_read() {
    let read = settings("postgresql://ann@10.1.2.3:6543/shop");
    assert_eq!(
        read.to_string(),
        "ann@10.1.2.3:6543/shop, schema dvt, sslmode verify-full"
    );
    let read = settings("postgres://ann@[::1]:6543/shop").with_schema("other".parse().unwrap());
    assert_eq!(read.options.get_host(), "::1");
    assert_eq!(
        read.to_string(),
        "ann@[::1]:6543/shop, schema other, sslmode prefer"
    );
    let read =
        settings("postgres://ann@localhost:5432?host=/run/pg&dbname=shop&sslmode=verify-full");
    assert_eq!(
        read.to_string(),
        "ann@/run/pg:5432/shop, schema dvt, sslmode disable"
    );
    let read = settings("postgres://ann@localhost:5432");
    assert!(
        read.to_string().starts_with("ann@localhost:5432/"),
        "{read}"
    );
}

#[test]
fn the_password_of_a_good_url_is_shown_nowhere() {
    for url in [
        format!("postgres://ann:{SECRET}@db.example/shop"),
        format!("postgres://ann@db.example/shop?password={SECRET}"),
        format!("postgres://ann:{SECRET}@localhost/shop?options=-cdvt.word%3D{SECRET}"),
    ] {
        let words = all_words(&settings(&url));
        assert!(!words.contains(SECRET), "{words}");
        assert!(words.contains("ann@"), "{words}");
    }
}

#[test]
fn the_password_of_a_bad_url_is_shown_nowhere() {
    for url in [
        format!("mysql://ann:{SECRET}@db/shop"),
        format!("ann:{SECRET}@db/shop"),
        format!("postgres://ann:{SECRET}@db:port/shop"),
        format!("postgres://ann:1?{SECRET}@db/shop"),
        format!("postgres://ann:1?sslmode={SECRET}@db/shop"),
        format!("postgres://ann:1?hostaddr={SECRET}@db/shop"),
        format!("postgres://ann:1?port={SECRET}@db/shop"),
        format!("postgres://ann:1#{SECRET}@db/shop"),
        format!("postgres://ann:{SECRET}@db/shop?sslmode=disable"),
        format!("postgres://ann:{SECRET}@db/shop?passwd={SECRET}"),
        format!("postgres://ann:{SECRET}%FF@db/shop"),
        SECRET.to_owned(),
    ] {
        let words = all_words(&refused(&url));
        assert!(!words.contains(SECRET), "{url}: {words}");
    }
}

#[test]
fn what_is_wrong_with_a_url_is_told_with_the_remedy() {
    let told = |url, part: &str| {
        let message = refused(url).to_string();
        assert!(message.contains(part), "{url}: {message}");
    };
    told("", "does not begin with postgres:// or postgresql://");
    told(
        "memory:",
        "does not begin with postgres:// or postgresql://",
    );
    told("postgres://ann@db:99999/shop", "it is no URL");
    told("postgres://ann@db/shop#1", "write it as %23");
    told(
        "postgres://ann@db/shop?sslmode=on",
        "sslmode has a value that cannot be used: expected disable, allow",
    );
    told(
        "postgres://ann@db/shop?port=0",
        "port has a value that cannot be used: expected 1 to 65535",
    );
    told(
        "postgres://ann@db/shop?sslmode=require&channel_binding=require",
        "parameter 2 of the URL is not known",
    );
}

#[test]
fn clear_text_leaves_the_machine_only_if_the_caller_says_so() {
    let url = "postgres://ann@db.example:5432/shop?sslmode=disable";
    assert_eq!(
        refused(url),
        InvalidSettings::Plaintext { found: "disable" }
    );
    let allowed = PostgresSettings::from_url_allowing_plaintext(url).unwrap();
    assert_eq!(
        allowed.to_string(),
        "ann@db.example:5432/shop, schema dvt, sslmode disable"
    );
    let silent =
        PostgresSettings::from_url_allowing_plaintext("postgres://ann@db.example:5432/shop")
            .unwrap();
    assert_eq!(
        silent.to_string(),
        "ann@db.example:5432/shop, schema dvt, sslmode verify-full"
    );
}

#[test]
fn the_environment_asks_for_a_mode_where_the_url_does_not() {
    let mode = |url: &str, ssl_mode: &str, has_root| {
        let environment = url::Environment {
            ssl_mode: Some(ssl_mode.to_owned()),
            has_root,
        };
        url::options(url, &environment, false).map(|options| tls::name(options.get_ssl_mode()))
    };
    let remote = "postgres://ann@db.example/shop";
    assert_eq!(mode(remote, "require", false), Ok("require"));
    assert_eq!(mode(remote, "require", true), Ok("verify-ca"));
    assert_eq!(
        mode(remote, "prefer", false),
        Err(InvalidSettings::Plaintext { found: "prefer" })
    );
    assert_eq!(
        mode(
            "postgres://ann@db.example/shop?sslmode=verify-ca",
            "prefer",
            false
        ),
        Ok("verify-ca")
    );
    let message = mode(remote, "verify_full", false).unwrap_err().to_string();
    assert!(
        message.starts_with("PGSSLMODE has a value that cannot be used"),
        "{message}"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    let base = || settings("postgres://ann@localhost/shop");
    for found in [0, 1_001, u32::MAX] {
        assert_eq!(
            base().with_max_connections(found).unwrap_err(),
            InvalidSettings::MaxConnections { found }
        );
    }
    assert_eq!(base().max_connections(), 8);
    assert_eq!(
        base()
            .with_max_connections(1_000)
            .unwrap()
            .max_connections(),
        1_000
    );
    for (deadline, statement) in [
        (5_000, 5_000),
        (1_000, 2_000),
        (1_000, 0),
        (u64::MAX, 1 << 31),
    ] {
        let (deadline, statement) = (
            Duration::from_millis(deadline),
            Duration::from_millis(statement),
        );
        assert!(
            base().with_timeouts(deadline, statement).is_err(),
            "{deadline:?} {statement:?}"
        );
    }
    let quick = base()
        .with_timeouts(Duration::from_millis(200), Duration::from_millis(100))
        .unwrap();
    assert_eq!(quick.deadline(), Duration::from_millis(200));
}
