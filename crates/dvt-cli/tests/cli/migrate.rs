//! `dvt migrate`, as far as it goes without a server; `tests/postgres/migrate.rs` has the rest.

use crate::common::{Ran, command, dvt};

const SECRET: &str = "s3cr3t-tuna";

/// With variables of the environment.
fn with(variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = command(&[&["migrate"], args].concat());
    command
        .env_remove("DVT_STORE")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_dump_needs_no_database() {
    let ran = dvt(&["migrate", "--dump-sql", "--schema", "shop"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("CREATE SCHEMA \"shop\";"), "{}", ran.out);
    assert!(ran.out.contains("CREATE TABLE run_events ("), "{}", ran.out);
    let by_variable = with(&[("DVT_PG_SCHEMA", "shop")], &["--dump-sql"]);
    assert_eq!(by_variable.out, ran.out);
    let default = with(&[("DVT_PG_SCHEMA", "")], &["--dump-sql"]);
    assert!(
        default.out.contains("CREATE SCHEMA \"dvt\";"),
        "{}",
        default.out
    );
}

#[test]
fn what_is_missing_or_wrong_is_told_with_the_remedy() {
    let told = |ran: Ran, words: &str| {
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    };
    told(
        with(&[], &[]),
        "error: no store is named, so it is sqlite:dvt.db, whose schema the first write makes and keeps up to date: this command is for PostgreSQL, name one on PostgreSQL, with --store postgres://",
    );
    told(
        with(&[("DVT_STORE", ""), ("DATABASE_URL", "")], &[]),
        "error: no store is named",
    );
    told(
        with(&[("DVT_STORE", "memory:")], &[]),
        "error: DVT_STORE names the store memory:, which has no schema",
    );
    told(
        dvt(&["migrate", "--dump-sql", "--schema", "a\"; drop"]),
        "error: --schema: ",
    );
    told(
        with(
            &[("DATABASE_URL", "postgres://"), ("DVT_PG_SCHEMA", "A")],
            &[],
        ),
        "error: DVT_PG_SCHEMA: ",
    );
    told(
        dvt(&["migrate", "--dump-sql", "--store", "postgres://"]),
        "cannot be used with",
    );
    told(
        dvt(&["migrate", "--status", "--dry-run"]),
        "cannot be used with",
    );
    told(
        dvt(&["migrate", "--dump-sql", "--json"]),
        "cannot be used with",
    );
    let remote = [(
        "DATABASE_URL",
        "postgres://ann@db.example/shop?sslmode=prefer",
    )];
    told(
        with(&remote, &[]),
        "DATABASE_URL: sslmode=prefer sends data",
    );
    told(
        with(&[remote[0], ("DVT_PG_ALLOW_PLAINTEXT", "yes")], &[]),
        "expected 0 or 1",
    );
}

#[test]
fn the_first_source_that_is_set_wins() {
    let named = |variables: &[(&str, &str)], args: &[&str]| {
        let ran = with(variables, args);
        assert_eq!(ran.code, 2, "{ran:?}");
        let named_by = ran.err.strip_prefix("error: ").unwrap();
        named_by.split(' ').next().unwrap().to_owned()
    };
    let (store, database) = (("DVT_STORE", "mysql://a"), ("DATABASE_URL", "mysql://b"));
    assert_eq!(
        named(&[store, database], &["--store", "mysql://c"]),
        "--store"
    );
    assert_eq!(named(&[store, database], &[]), "DVT_STORE");
    assert_eq!(named(&[("DVT_STORE", ""), database], &[]), "DATABASE_URL");
}

#[test]
fn a_server_that_is_not_there_is_a_failure_of_the_store() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://ann@127.0.0.1:{port}/shop");
    for mode in [&[][..], &["--status"], &["--dry-run"]] {
        let ran = with(&[("DATABASE_URL", &url)], mode);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
        assert!(
            ran.err.starts_with(&format!(
                "error: cannot connect to ann@127.0.0.1:{port}/shop, schema dvt"
            )),
            "{ran:?}"
        );
    }
}

#[test]
fn a_password_is_never_printed() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let passfile = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pgpass");
    std::fs::write(&passfile, format!("*:*:*:*:{SECRET}\n")).unwrap();
    #[cfg(unix)]
    {
        // Others could read it: then it would be passed over.
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let local = format!("postgres://ann@127.0.0.1:{port}/shop");
    let in_url = format!("postgres://ann:{SECRET}@127.0.0.1:{port}/shop");
    let as_parameter = format!("{local}?password={SECRET}");
    let not_encoded = format!("postgres://ann:1?{SECRET}@127.0.0.1:{port}/shop");
    let other_scheme = format!("mysql://ann:{SECRET}@127.0.0.1:{port}/shop");
    for variables in [
        &[("DATABASE_URL", in_url.as_str())][..],
        &[("DVT_STORE", as_parameter.as_str())],
        &[("DATABASE_URL", not_encoded.as_str())],
        &[("DATABASE_URL", other_scheme.as_str())],
        &[("DATABASE_URL", local.as_str()), ("PGPASSWORD", SECRET)],
        &[
            ("DATABASE_URL", local.as_str()),
            ("PGPASSFILE", passfile.to_str().unwrap()),
        ],
    ] {
        for args in [
            &[][..],
            &["--status"],
            &["--dry-run"],
            &["--json"],
            &["--help"],
            &["--schema", "A"],
            &["--oops"],
        ] {
            let ran = with(variables, args);
            let words = format!("{}{}", ran.out, ran.err);
            assert!(!words.contains(SECRET), "{variables:?} {args:?}: {words}");
        }
    }
}
