//! Which servers a connection trusts: certificates of every kind, on a server that says no more than who may come in.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture must fail the test"
)]

use dvt_adapter_postgres::{MigrateError, PostgresSettings, status};
use dvt_contracts::ErrorClass;

#[path = "tls/authority.rs"]
mod authority;
#[path = "tls/gate.rs"]
mod gate;

use self::authority::Authority;
use self::gate::Gate;

/// The message of a server that was let in, or why the client stayed outside.
async fn attempt(gate: &Gate, host: &str, parameters: &str) -> Result<(), String> {
    let url = format!(
        "postgres://ann:s3cr3t-tuna@{host}:{}/shop?{parameters}",
        gate.port()
    );
    let settings = PostgresSettings::from_url_allowing_plaintext(&url).unwrap();
    let error = status(&settings).await.unwrap_err();
    let MigrateError::Connect { source, class, .. } = error else {
        panic!("{error:?}");
    };
    let words = source.to_string();
    assert!(!words.contains("s3cr3t-tuna"), "{words}");
    assert_eq!(class, ErrorClass::Caller, "{words}");
    if words.contains(gate::WELCOME) {
        Ok(())
    } else {
        Err(words)
    }
}

async fn refused(gate: &Gate, host: &str, parameters: &str, why: &str) {
    let words = attempt(gate, host, parameters).await.unwrap_err();
    assert!(words.contains(why), "{host} {parameters}: {words}");
    assert_eq!(gate.startups_in_clear_text(), 0, "{host} {parameters}");
}

#[tokio::test]
async fn a_certificate_of_a_known_authority_with_the_right_name_is_trusted() {
    let authority = Authority::new("good");
    let gate = Gate::with_tls(authority.certificate("localhost"));
    let root = authority.root();
    assert_eq!(
        attempt(&gate, "localhost", &format!("sslmode=verify-full&{root}")).await,
        Ok(())
    );
    assert_eq!(
        attempt(&gate, "localhost", &format!("sslmode=verify-ca&{root}")).await,
        Ok(())
    );
    assert_eq!(gate.startups_in_clear_text(), 0);
}

#[tokio::test]
async fn an_address_is_a_name_like_any_other() {
    let authority = Authority::new("address");
    let gate = Gate::with_tls(authority.certificate("127.0.0.1"));
    let root = authority.root();
    assert_eq!(
        attempt(&gate, "127.0.0.1", &format!("sslmode=verify-full&{root}")).await,
        Ok(())
    );
    refused(
        &gate,
        "localhost",
        &format!("sslmode=verify-full&{root}"),
        "not valid for name",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_with_another_name_is_refused() {
    let authority = Authority::new("name");
    let gate = Gate::with_tls(authority.certificate("db.example"));
    let root = authority.root();
    refused(
        &gate,
        "localhost",
        &format!("sslmode=verify-full&{root}"),
        "not valid for name",
    )
    .await;
    // Who asks for less gets less.
    assert_eq!(
        attempt(&gate, "localhost", &format!("sslmode=verify-ca&{root}")).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (authority, other) = (Authority::new("known"), Authority::new("other"));
    for gate in [
        Gate::with_tls(Authority::self_signed("localhost")),
        Gate::with_tls(other.certificate("localhost")),
    ] {
        for mode in ["verify-full", "verify-ca"] {
            refused(
                &gate,
                "localhost",
                &format!("sslmode={mode}"),
                "UnknownIssuer",
            )
            .await;
            refused(
                &gate,
                "localhost",
                &format!("sslmode={mode}&{}", authority.root()),
                "UnknownIssuer",
            )
            .await;
        }
        // Naming an authority means to ask it; naming none, that encryption is enough.
        refused(
            &gate,
            "localhost",
            &format!("sslmode=require&{}", authority.root()),
            "UnknownIssuer",
        )
        .await;
        assert_eq!(attempt(&gate, "localhost", "sslmode=require").await, Ok(()));
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new("expired");
    let gate = Gate::with_tls(authority.expired_certificate("localhost"));
    for mode in ["verify-full", "verify-ca", "require"] {
        refused(
            &gate,
            "localhost",
            &format!("sslmode={mode}&{}", authority.root()),
            "certificate expired",
        )
        .await;
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_before_anything_is_said() {
    let gate = Gate::without_tls();
    for mode in ["verify-full", "verify-ca", "require"] {
        refused(
            &gate,
            "localhost",
            &format!("sslmode={mode}"),
            "server does not support TLS",
        )
        .await;
    }
    // An address that is not known to be this machine, without a wish.
    refused(&gate, "127.1", "", "server does not support TLS").await;
}

#[tokio::test]
async fn clear_text_is_for_this_machine_and_for_those_who_ask_for_it() {
    let gate = Gate::without_tls();
    assert_eq!(attempt(&gate, "localhost", "").await, Ok(()));
    assert_eq!(attempt(&gate, "127.0.0.1", "sslmode=disable").await, Ok(()));
    assert_eq!(attempt(&gate, "127.1", "sslmode=prefer").await, Ok(()));
    assert_eq!(gate.startups_in_clear_text(), 3);
}

#[tokio::test]
async fn this_machine_is_spoken_to_in_tls_where_it_can() {
    let gate = Gate::with_tls(Authority::self_signed("localhost"));
    assert_eq!(attempt(&gate, "localhost", "").await, Ok(()));
    assert_eq!(gate.startups_in_clear_text(), 0);
}
