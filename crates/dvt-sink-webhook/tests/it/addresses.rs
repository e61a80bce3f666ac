//! CASES L 108: no request to an address inside, however it is written or resolved.

use dvt_sink_webhook::{AddressKind, WebhookConnectError, WebhookSettings, WebhookSink};

use crate::network::ToldNetwork;
use crate::receiver::{Receiver, Reply};
use crate::stage::{LONG, all, publish, unavailable};
use crate::trial::{Outcome, trials};

trials![
    addresses_inside_are_refused_in_every_notation,
    some_addresses_cannot_be_allowed,
    names_for_this_machine_are_refused,
    plaintext_has_to_be_allowed,
    a_name_that_moves_inside_after_the_check_is_refused,
    of_a_mixture_only_the_public_addresses_are_dialled,
    an_address_that_does_not_answer_leaves_it_to_the_next,
    names_that_lead_nowhere_are_told,
    redirects_are_not_followed,
];

fn public(url: &str) -> WebhookSettings {
    let settings = WebhookSettings::from_url(url).unwrap();
    settings.with_plaintext(true).with_deadline(LONG).unwrap()
}

async fn refused(settings: WebhookSettings) -> (AddressKind, String) {
    match WebhookSink::connect(settings).await {
        Err(error @ WebhookConnectError::AddressRefused { kind, .. }) => (kind, error.to_string()),
        other => panic!("{other:?}"),
    }
}

async fn addresses_inside_are_refused_in_every_notation() -> Outcome {
    let receiver = Receiver::willing().await;
    let port = receiver.address.port();
    let rows = [
        ("127.0.0.1", AddressKind::Loopback),
        ("127.1", AddressKind::Loopback),
        ("2130706433", AddressKind::Loopback),
        ("0x7f000001", AddressKind::Loopback),
        ("0x7f.1", AddressKind::Loopback),
        ("017700000001", AddressKind::Loopback),
        ("0177.0.0.01", AddressKind::Loopback),
        ("127.0.0.1.", AddressKind::Loopback),
        ("\u{ff11}27.0.0.1", AddressKind::Loopback),
        ("%31%32%37.0.0.1", AddressKind::Loopback),
        ("127\u{3002}0\u{3002}0\u{3002}1", AddressKind::Loopback),
        ("[::1]", AddressKind::Loopback),
        ("[::ffff:127.0.0.1]", AddressKind::Loopback),
        ("[::ffff:7f00:1]", AddressKind::Loopback),
        ("[::127.0.0.1]", AddressKind::Loopback),
        ("[64:ff9b::7f00:1]", AddressKind::Loopback),
        ("[2002:7f00:1::]", AddressKind::Loopback),
        ("169.254.169.254", AddressKind::LinkLocal),
        ("[fe80::1]", AddressKind::LinkLocal),
        ("10.1.2.3", AddressKind::Private),
        ("172.16.0.1", AddressKind::Private),
        ("192.168.0.1", AddressKind::Private),
        ("[fd00:ec2::254]", AddressKind::Private),
        ("100.100.100.200", AddressKind::Shared),
        ("198.18.0.1", AddressKind::Benchmarking),
        ("192.0.2.1", AddressKind::Reserved),
        ("255.255.255.255", AddressKind::Reserved),
        ("224.0.0.1", AddressKind::Multicast),
        ("0", AddressKind::Unspecified),
        ("0.0.0.0", AddressKind::Unspecified),
        ("[::]", AddressKind::Unspecified),
    ];
    for (host, kind) in rows {
        for scheme in ["http", "https"] {
            let settings = public(&format!("{scheme}://{host}:{port}/"));
            assert_eq!(refused(settings).await.0, kind, "{host}");
        }
    }
    assert_eq!(receiver.connections(), 0);
    let (_, told) = refused(public("https://127.1/")).await;
    assert_eq!(
        told,
        "127.0.0.1 is at 127.0.0.1, a loopback address: allow it with --allow-private if the receiver is meant to be there"
    );
    Ok(())
}

async fn some_addresses_cannot_be_allowed() -> Outcome {
    for host in [
        "0.0.0.0",
        "[::]",
        "[::ffff:0.0.0.0]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "[2001:db8::1]",
    ] {
        let settings = public(&format!("https://{host}/")).with_private_addresses(true);
        let (_, told) = refused(settings).await;
        assert!(told.ends_with("no receiver can be there"), "{told}");
    }
    Ok(())
}

async fn names_for_this_machine_are_refused() -> Outcome {
    let receiver = Receiver::willing().await;
    let port = receiver.address.port();

    for host in ["localhost", "LOCALHOST"] {
        let (kind, _) = refused(public(&format!("http://{host}:{port}/"))).await;
        assert_eq!(kind, AddressKind::Loopback);
    }

    assert_eq!(receiver.connections(), 0);
    Ok(())
}

async fn plaintext_has_to_be_allowed() -> Outcome {
    let receiver = Receiver::willing().await;
    let settings = WebhookSettings::from_url(&receiver.url("/"))?.with_private_addresses(true);

    let refused = WebhookSink::connect(settings).await.unwrap_err();

    assert!(
        matches!(refused, WebhookConnectError::Plaintext),
        "{refused:?}"
    );
    assert_eq!(receiver.connections(), 0);
    Ok(())
}

async fn a_name_that_moves_inside_after_the_check_is_refused() -> Outcome {
    let closing = Reply::SayAndClose(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".into(),
    );
    let receiver = Receiver::start(move |_, _| closing.clone()).await;
    let network = ToldNetwork::new(
        &["8.8.8.8", "169.254.169.254", "127.0.0.1 ::1", "8.8.4.4"],
        receiver.address,
    );
    let settings = public("http://moving.example:8080/").with_network(network.clone());
    let sink = WebhookSink::connect(settings).await?;

    let mut published = Vec::new();
    for _ in 0..4 {
        published.push(publish(&sink, 1).await);
    }

    let refused = |address: &str, kind: &str| {
        let reason = format!(
            "moving.example is at {address}, a {kind} address: allow it with --allow-private if the receiver is meant to be there"
        );
        unavailable(0, &reason, None)
    };
    assert_eq!(
        published,
        [
            all(1),
            refused("169.254.169.254", "link-local"),
            refused("127.0.0.1", "loopback"),
            all(1)
        ]
    );
    assert_eq!(network.dialled(), ["8.8.8.8:8080", "8.8.4.4:8080"]);
    Ok(())
}

async fn of_a_mixture_only_the_public_addresses_are_dialled() -> Outcome {
    let receiver = Receiver::willing().await;
    let network = ToldNetwork::new(&["10.0.0.1 ::1 9.9.9.9 fd00::1 1.1.1.1"], receiver.address);
    let settings = public("http://mixed.example/").with_network(network.clone());

    let sink = WebhookSink::connect(settings).await?;

    assert_eq!(network.dialled(), ["9.9.9.9:80", "1.1.1.1:80"]);
    assert_eq!(publish(&sink, 3).await, all(3));
    Ok(())
}

async fn an_address_that_does_not_answer_leaves_it_to_the_next() -> Outcome {
    let receiver = Receiver::willing().await;
    let network = ToldNetwork::new(&["9.9.9.9 8.8.8.8"], receiver.address);

    let sink = WebhookSink::connect(public("http://two.example/").with_network(network)).await?;

    assert_eq!(publish(&sink, 1).await, all(1));
    assert_eq!(receiver.requests()[0].headers["host"], "two.example");
    Ok(())
}

async fn names_that_lead_nowhere_are_told() -> Outcome {
    let receiver = Receiver::willing().await;
    let connect = |answer: &'static str| {
        let network = ToldNetwork::new(&[answer], receiver.address);
        WebhookSink::connect(public("http://lost.example/").with_network(network))
    };

    let unknown = connect("!").await.unwrap_err();
    let empty = connect("").await.unwrap_err();
    let closed = connect("9.9.9.9").await.unwrap_err();

    assert_eq!(
        unknown.to_string(),
        "the name lost.example cannot be resolved: no such name"
    );
    assert_eq!(empty.to_string(), "the name lost.example has no address");
    assert_eq!(
        closed.to_string(),
        "9.9.9.9:80 (lost.example) cannot be reached: connection refused"
    );
    Ok(())
}

async fn redirects_are_not_followed() -> Outcome {
    let inside = Receiver::willing().await;
    let location = format!("location: {}\r\n", inside.url("/"));
    let receiver = Receiver::start(move |_, _| Reply::status(307, &location, "")).await;
    let network = ToldNetwork::new(&["8.8.8.8"], receiver.address);
    let sink = WebhookSink::connect(public("http://moved.example/").with_network(network)).await?;

    let published = publish(&sink, 2).await;

    assert_eq!(published.stored, 0);
    assert_eq!((receiver.requests().len(), inside.connections()), (1, 0));
    Ok(())
}
