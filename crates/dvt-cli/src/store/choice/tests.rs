use super::*;

fn choose(store: Option<&str>, variables: &[(&str, &str)]) -> Result<Choice, Failure> {
    let args = StoreArgs {
        store: store.map(str::to_owned),
        ..StoreArgs::default()
    };
    Choice::new(&args, |name| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some((*value).to_owned())
    })
}

fn url(chosen: Result<Choice, Failure>) -> String {
    match chosen.unwrap() {
        Choice::Memory(_) => "memory:".to_owned(),
        Choice::Sqlite(sqlite) => format!("sqlite:{}", sqlite.file.display()),
        Choice::Postgres(postgres) => postgres.url,
    }
}

const ALL: [(&str, &str); 2] = [
    ("DVT_STORE", "postgres://second"),
    ("DATABASE_URL", "postgresql://third"),
];

#[test]
fn the_option_goes_before_the_variables_and_the_file_here_is_last() {
    assert_eq!(
        url(choose(Some("postgres://first"), &ALL)),
        "postgres://first"
    );
    assert_eq!(url(choose(Some("memory:"), &ALL)), "memory:");
    assert_eq!(url(choose(None, &ALL)), "postgres://second");
    assert_eq!(url(choose(None, &ALL[1..])), "postgresql://third");
    assert_eq!(url(choose(None, &[])), "sqlite:dvt.db");
}

#[test]
fn an_empty_value_is_none() {
    assert_eq!(url(choose(Some(""), &ALL)), "postgres://second");
    assert_eq!(
        url(choose(None, &[("DVT_STORE", ""), ("DATABASE_URL", "")])),
        "sqlite:dvt.db"
    );
}

#[test]
fn a_store_that_is_not_supported_is_refused_by_the_name_of_who_named_it() {
    let refused = choose(None, &[("DATABASE_URL", "mysql://dvt:secret@host/dvt")]).unwrap_err();
    assert_eq!(refused.exit().code(), 2);
    assert_eq!(
        refused.to_string(),
        "DATABASE_URL names the store \"mysql:…\", which is not supported: expected postgres://USER@HOST/DATABASE or sqlite:FILE \
         (--store goes before DVT_STORE, and that before DATABASE_URL)"
    );
    for (name, value) in [
        ("DATABASE_URL", "memory:"),
        ("DVT_STORE", "secret"),
        ("DVT_STORE", "postgres:secret"),
    ] {
        let refused = choose(None, &[(name, value)]).unwrap_err().to_string();
        assert!(refused.starts_with(name), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
}

#[test]
fn the_schema_has_an_option_a_variable_and_a_default() {
    let chosen = |schema: Option<&str>, variable: Option<&str>| {
        let args = StoreArgs {
            store: Some("postgres://host/dvt".to_owned()),
            schema: schema.map(str::to_owned),
        };
        let variable = variable.map(str::to_owned);
        Choice::new(&args, |name| {
            variable.clone().filter(|_| name == SCHEMA_VARIABLE)
        })
    };
    let name = |choice: Result<Choice, Failure>| match choice.unwrap() {
        Choice::Postgres(postgres) => postgres.settings().unwrap().schema().to_string(),
        other => panic!("{other:?} has no schema"),
    };
    assert_eq!(name(chosen(Some("one"), Some("two"))), "one");
    assert_eq!(name(chosen(None, Some("two"))), "two");
    assert_eq!(name(chosen(None, Some(""))), "dvt");
    let refused = chosen(None, Some("No")).unwrap_err();
    assert_eq!(refused.exit().code(), 2);
    assert!(
        refused.to_string().starts_with("DVT_PG_SCHEMA: "),
        "{refused}"
    );
}

#[test]
fn clear_text_to_another_machine_needs_the_variable() {
    let url = "postgres://dvt@db.example/dvt?sslmode=disable";
    let settings = |variables: &[(&str, &str)]| match choose(Some(url), variables)? {
        Choice::Postgres(postgres) => postgres.settings(),
        other => panic!("{other:?} is not on PostgreSQL"),
    };
    let refused = settings(&[]).unwrap_err().to_string();
    assert!(refused.contains(PLAINTEXT_VARIABLE), "{refused}");
    assert!(settings(&[(PLAINTEXT_VARIABLE, "1")]).is_ok());
    assert!(settings(&[(PLAINTEXT_VARIABLE, "yes")]).is_err());
}

#[test]
fn memory_is_no_store_to_read_from_and_only_postgresql_has_a_schema() {
    let with_schema = StoreArgs {
        schema: Some("shop".to_owned()),
        ..StoreArgs::default()
    };
    let memory = || choose(None, &[("DVT_STORE", "memory:")]).unwrap();
    let here = || choose(None, &[]).unwrap();
    for (refused, begin) in [
        (
            memory().kept(),
            "DVT_STORE names the store memory:, which keeps nothing",
        ),
        (
            memory().with_schema_of(&with_schema),
            "DVT_STORE names the store memory:, which has no schema",
        ),
        (
            here().with_schema_of(&with_schema),
            "no store is named, so it is sqlite:dvt.db, which has no schema",
        ),
        (
            memory().on_postgres().map(Choice::Postgres),
            "DVT_STORE names the store memory:, which has no schema",
        ),
        (
            here().on_postgres().map(Choice::Postgres),
            "no store is named, so it is sqlite:dvt.db, whose schema the first write makes",
        ),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit().code(), 2);
        let message = refused.to_string();
        assert!(message.starts_with(begin), "{message}");
        for way in ["--store", "DVT_STORE", "DATABASE_URL"] {
            assert!(message.contains(way), "{message}");
        }
    }
    assert!(here().kept().is_ok());
}

#[test]
fn nothing_shows_a_password() {
    let chosen = choose(Some("postgres://dvt:secret@host/dvt?password=secret"), &[]);
    assert!(!format!("{:?}", chosen.unwrap()).contains("secret"));
    for broken in [
        "postgres://dvt:secret@host:port/dvt",
        "postgres://dvt:se/cret@host/dvt",
        "postgres://dvt:secret@host/dvt?sslmode=secret",
    ] {
        let Choice::Postgres(postgres) = choose(Some(broken), &[]).unwrap() else {
            panic!("{broken} is on PostgreSQL");
        };
        let told = format!("{:?}", postgres.settings().map(drop));
        assert!(!told.contains("cret@"), "{told}");
        assert!(!told.contains("dvt:se"), "{told}");
    }
}
