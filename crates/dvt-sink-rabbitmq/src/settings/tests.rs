use super::*;

fn settings(url: &str) -> RabbitMqSettings {
    RabbitMqSettings::from_url(url).unwrap()
}

fn refused(url: &str) -> RabbitMqSettingsError {
    RabbitMqSettings::from_url(url).unwrap_err()
}

#[test]
fn a_url_says_who_where_and_what() {
    let one = settings("amqp://Rabbit.Example/events").target;
    assert_eq!(
        (&*one.host, one.port, one.tls),
        ("rabbit.example", 5672, false)
    );
    assert_eq!((&*one.vhost, &*one.exchange), ("/", "events"));
    assert_eq!(one.user, "guest");
    assert_eq!(one.password.unwrap().as_str(), "guest");
    assert_eq!(one.routing_key.to_string(), "dvt.{tenant}.{run}");

    let two = settings(
        "amqps://ann%40x:p%2Fw@[::1]:999/a%2Fb/my.events?routing_key=%7Brun%7D.{tenant}+%23",
    )
    .target;
    assert_eq!((&*two.host, two.port, two.tls), ("::1", 999, true));
    assert_eq!(two.server(), "[::1]:999");
    assert_eq!((&*two.vhost, &*two.exchange), ("a/b", "my.events"));
    assert_eq!(two.user, "ann@x");
    assert_eq!(two.password.unwrap().as_str(), "p/w");
    assert_eq!(two.routing_key.to_string(), "{run}.{tenant}+#");

    let three = settings("amqps://ann@h//x").target;
    assert_eq!((three.port, &*three.vhost), (5671, ""));
    assert!(three.password.is_none());
}

#[test]
fn one_exchange_has_one_destination() {
    for url in [
        "amqp://h/my%20events",
        "amqp://ann:secret@H:5672/%2f/my%20events",
        "amqp://h/%2F/%6d%79%20events?routing_key=x.{run}",
    ] {
        let destination = settings(url).destination();
        assert_eq!(destination.as_str(), "amqp://h:5672/%2F/my%20events");
    }
    assert_eq!(
        settings("amqps://[2001:DB8::1]/a.b/c-d")
            .destination()
            .as_str(),
        "amqps://[2001:db8::1]:5671/a.b/c-d"
    );
    // What a destination says can be read again.
    let again = settings("amqp://h:5672/%2F/my%20events");
    assert_eq!(
        again.destination().as_str(),
        "amqp://h:5672/%2F/my%20events"
    );
}

#[test]
fn what_names_no_exchange_is_refused_with_the_command_that_makes_one() {
    for url in [
        "amqp://h",
        "amqp://h/",
        "amqp://h/vhost/",
        "amqp://h?routing_key=x",
    ] {
        let error = refused(url);
        assert_eq!(error, RabbitMqSettingsError::NoExchange, "{url}");
        assert!(error.to_string().contains("rabbitmqadmin declare exchange"));
    }
    assert_eq!(
        refused("amqp://h/a/b/c"),
        RabbitMqSettingsError::Path { found: 3 }
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let scheme = |found: &str| RabbitMqSettingsError::Scheme {
        found: found.to_owned(),
    };
    assert_eq!(refused("https://h/x"), scheme("https"));
    assert_eq!(refused("AMQPX://h/x"), scheme("amqpx"));
    assert!(matches!(
        refused("amqp:x"),
        RabbitMqSettingsError::Malformed { .. }
    ));
    assert!(matches!(
        refused("amqp:///x"),
        RabbitMqSettingsError::Malformed { .. }
    ));
    assert!(matches!(
        refused("h/x"),
        RabbitMqSettingsError::Malformed { .. }
    ));
    assert_eq!(
        refused("amqp://h/x?routing_key=dvt.#"),
        RabbitMqSettingsError::Fragment
    );
    let parameter = |name: &str, problem| RabbitMqSettingsError::Parameter {
        name: name.to_owned(),
        problem,
    };
    assert_eq!(
        refused("amqp://h/x?heartbeat=5"),
        parameter("heartbeat", "unknown")
    );
    assert_eq!(
        refused("amqp://h/x?routing_key=a&routing_key=b"),
        parameter("routing_key", "there twice")
    );
    assert!(matches!(
        refused("amqp://h/x?routing_key={Run}"),
        RabbitMqSettingsError::RoutingKey(_)
    ));
    assert!(matches!(
        refused("amqp://h/x?routing_key="),
        RabbitMqSettingsError::RoutingKey(_)
    ));
    for (url, what) in [
        ("amqp://h/a%FFb", "exchange"),
        ("amqp://h/%zz/x", "vhost"),
        ("amqp://h/a%00b", "exchange"),
        ("amqp://a%0Ab@h/x", "user"),
        ("amqp://a:%FF@h/x", "password"),
        ("amqp://h/x?routing_key=%FF", "routing key"),
    ] {
        assert_eq!(refused(url), RabbitMqSettingsError::Name { what }, "{url}");
    }
}

#[test]
fn names_are_as_long_as_amqp_can_carry() {
    let longest = "é".repeat(127) + "x";
    assert_eq!(
        settings(&format!("amqp://h/{longest}")).target.exchange,
        longest
    );
    for url in [
        format!("amqp://h/{longest}x"),
        format!("amqp://h/{longest}x/y"),
    ] {
        assert!(
            matches!(
                refused(&url),
                RabbitMqSettingsError::NameTooLong { found: 256, .. }
            ),
            "{url}"
        );
    }
    let long = format!("amqp://h/{longest}/{longest}");
    assert!(matches!(
        refused(&long),
        RabbitMqSettingsError::TooLong { found: 1024.. }
    ));
}

#[test]
fn times_have_a_range() {
    let settings = settings("amqp://h/x");
    let hour = Duration::from_secs(3_600);
    for found in [Duration::ZERO, hour + Duration::from_nanos(1)] {
        let refused = |what| RabbitMqSettingsError::Time { what, found };
        let settings = settings.clone();
        assert_eq!(
            settings.clone().with_deadline(found).unwrap_err(),
            refused("deadline")
        );
        assert_eq!(
            settings.clone().with_confirm_timeout(found).unwrap_err(),
            refused("confirm timeout")
        );
        assert_eq!(
            settings.with_connect_timeout(found).unwrap_err(),
            refused("connect timeout")
        );
    }
    assert_eq!(settings.with_deadline(hour).unwrap().deadline, hour);
}

#[test]
fn nothing_shows_a_password() {
    let given = settings("amqp://ann:sesame-1@h/x").with_password("sesame-2");
    assert_eq!(given.target.password.as_deref().unwrap(), "sesame-2");
    let shown = format!("{given:?} {}", given.destination());
    assert!(!shown.contains("sesame"), "{shown}");
    assert!(shown.contains("user: \"ann\""), "{shown}");

    for url in [
        "amqp://ann:sesame@h",
        "amqp://ann:sesame@h/a/b/c",
        "amqp://ann:sesame@h/x#y",
        "amqp://ann:sesame@h:port/x",
        "amqp://ann:sesame%FF@h/x",
        "amq://ann:sesame@h/x",
        "amqp://ann:sesame@h/x?y",
    ] {
        let error = refused(url);
        assert!(
            !format!("{error} {error:?}").contains("sesame"),
            "{error:?}"
        );
    }
}
