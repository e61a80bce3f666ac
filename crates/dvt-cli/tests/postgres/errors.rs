//! Stores that are not there, and who named them.

use crate::database::{Database, Ran, bare, random_schema};

pub(crate) fn a_password_is_never_printed(database: &Database) {
    // A database that is not there, since a server that trusts everybody takes any password.
    let url = database.url_of(&random_schema(), "correct-horse");
    for (args, variable) in [
        (&["runs", "--store", &url][..], None),
        (&["drain"][..], Some("DVT_STORE")),
        (&["migrate"][..], Some("DATABASE_URL")),
    ] {
        let mut command = bare(args);
        command.envs(variable.map(|name| (name, &url)));
        let refused = Ran::from(command.output().unwrap());
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(refused.err.starts_with("error: "), "{refused:?}");
        assert!(!format!("{refused:?}").contains("horse"), "{refused:?}");
    }
}

pub(crate) fn a_missing_schema_names_the_remedy(database: &Database) {
    let schema = random_schema();
    for args in [&["runs"][..], &["drain"], &["record", "-"]] {
        let refused = database.dvt(&[args, &["--schema", &schema]].concat());
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("dvt migrate"), "{}", refused.err);
        assert!(refused.err.contains(&schema), "{}", refused.err);
    }
}

pub(crate) fn the_variables_name_store_and_schema(database: &Database) {
    let listed = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = bare(&[&["runs"], args].concat());
        command.envs(variables.iter().copied());
        Ran::from(command.output().unwrap())
    };
    let elsewhere = "mysql://elsewhere";
    let schema = ["--schema", &database.schema];
    let by_variable = [("DVT_STORE", database.url()), ("DATABASE_URL", elsewhere)];
    listed(&by_variable, &schema).done();
    let by_option = ["--store", database.url()];
    listed(&[("DVT_STORE", elsewhere)], &[schema, by_option].concat()).done();
    let refused = listed(&[("DATABASE_URL", elsewhere)], &schema);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("DATABASE_URL"), "{}", refused.err);
}
