use super::*;

fn refused(url: &str) -> WebhookSettingsError {
    WebhookSettings::from_url(url).unwrap_err()
}

#[test]
fn a_destination_is_the_url_without_its_query() {
    let rows = [
        ("https://example.com", "https://example.com/"),
        (
            "HTTPS://Example.COM:443/a/../b?token=x",
            "https://example.com/b",
        ),
        ("http://127.1:8080/", "http://127.0.0.1:8080/"),
        (
            "https://bücher.example/ü",
            "https://xn--bcher-kva.example/%C3%BC",
        ),
        ("https://[::FFFF:7f00:1]/", "https://[::ffff:7f00:1]/"),
    ];
    for (url, expected) in rows {
        let settings = WebhookSettings::from_url(url).unwrap();
        assert_eq!(settings.destination().as_str(), expected);
    }
}

#[test]
fn urls_that_are_no_webhooks_are_refused() {
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:x",
        "unix:/run/x",
    ] {
        let found = url.split(':').next().unwrap().to_owned();
        assert_eq!(refused(url), WebhookSettingsError::Scheme { found });
    }
    for url in [
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://:pass@example.com/",
    ] {
        assert_eq!(refused(url), WebhookSettingsError::UserInfo);
    }
    for url in ["https://example.com/#", "https://example.com/#x"] {
        assert_eq!(refused(url), WebhookSettingsError::Fragment);
    }
    for url in [
        "",
        "example.com",
        "https://",
        "https://exa mple.com/",
        "https://1.2.3.4.5/",
        "https://example.com:99999/",
    ] {
        let refused = refused(url);
        assert!(
            matches!(refused, WebhookSettingsError::Malformed { .. }),
            "{url} {refused:?}"
        );
    }
    let long = format!("https://example.com/{}", "x".repeat(10_000));
    assert_eq!(
        refused(&long),
        WebhookSettingsError::TooLong { found: 10_020 }
    );
}

#[test]
fn headers_of_the_requests_own_are_refused() {
    let settings = WebhookSettings::from_url("https://example.com/").unwrap();
    for name in [
        "Host",
        "content-type",
        "Content-Length",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "Webhook-Signature",
        "ce-id",
        "Proxy-Authorization",
    ] {
        let expected = WebhookSettingsError::Header {
            name: name.to_owned(),
            rule: "requests set it by themselves",
        };
        assert_eq!(
            settings.clone().with_header(name, "x").unwrap_err(),
            expected
        );
    }
    for (name, value) in [
        ("", "x"),
        ("a b", "x"),
        ("ü", "x"),
        ("a", "x\r\nb: c"),
        ("a", "\0"),
    ] {
        let refused = settings.clone().with_header(name, value);
        assert!(
            matches!(refused, Err(WebhookSettingsError::Header { .. })),
            "{name:?} {value:?}"
        );
    }
}

#[test]
fn a_deadline_has_bounds() {
    let settings = WebhookSettings::from_url("https://example.com/").unwrap();
    for found in [Duration::ZERO, Duration::from_secs(3_601)] {
        let refused = settings.clone().with_deadline(found).unwrap_err();
        assert_eq!(refused, WebhookSettingsError::Deadline { found });
    }
    assert!(settings.with_deadline(Duration::from_secs(3_600)).is_ok());
}
