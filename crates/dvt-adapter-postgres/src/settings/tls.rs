//! Which protection a connection gets: decided by where it goes and what was asked for.

use std::net::IpAddr;

use sqlx::postgres::PgSslMode;

use super::invalid::InvalidSettings;

/// Where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A Unix-domain socket. There is no TLS on it, whatever is asked for, and nothing to protect.
    Socket,
    /// This machine, by its loopback interface.
    Local,
    /// Anything else, also a name that happens to mean this machine: whoever answers for names decides that.
    Remote,
}

impl Peer {
    /// `host` is a name, an address without brackets, or the folder of a socket.
    pub(super) fn of(host: &str) -> Self {
        let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
        if host.starts_with('/') {
            Self::Socket
        } else if host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback) {
            Self::Local
        } else {
            Self::Remote
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    /// `sslmode`, of the URL or else of the environment.
    pub(super) mode: Option<PgSslMode>,
    /// Whether a certificate authority is named.
    pub(super) has_root: bool,
    /// Whether clear text may leave this machine.
    pub(super) plaintext: bool,
}

/// The protection of a connection.
pub(super) fn mode(peer: Peer, wish: Wish) -> Result<PgSslMode, InvalidSettings> {
    let asked = match (peer, wish.mode) {
        (Peer::Socket, _) => return Ok(PgSslMode::Disable),
        (Peer::Local, None) => PgSslMode::Prefer,
        (Peer::Remote, None) => PgSslMode::VerifyFull,
        (_, Some(asked)) => asked,
    };
    match asked {
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
            if peer == Peer::Remote && !wish.plaintext =>
        {
            let found = name(asked);
            Err(InvalidSettings::Plaintext { found })
        }
        // libpq's rule, which the driver leaves out: an authority is named in order to be asked.
        PgSslMode::Require if wish.has_root => Ok(PgSslMode::VerifyCa),
        _ => Ok(asked),
    }
}

/// How well a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// A Unix-domain socket.
    Socket,
    /// The loopback interface of this machine.
    Local,
    /// Encrypted, and the server proves its name.
    Verified,
    /// Encrypted, but the server need not be who it should be.
    NameUnchecked,
    /// Encrypted if the server likes.
    Opportunistic,
}

impl Protection {
    pub(super) fn of(peer: Peer, mode: PgSslMode) -> Self {
        match (peer, mode) {
            (Peer::Socket, _) => Self::Socket,
            (Peer::Local, _) => Self::Local,
            (Peer::Remote, PgSslMode::VerifyFull) => Self::Verified,
            (Peer::Remote, PgSslMode::VerifyCa | PgSslMode::Require) => Self::NameUnchecked,
            (Peer::Remote, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer) => {
                Self::Opportunistic
            }
        }
    }
}

/// As the URL spells it.
pub(super) fn name(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_sockets_are_local() {
        for local in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(Peer::of(local), Peer::Local, "{local}");
        }
        for remote in [
            "",
            "db",
            "localhost.example",
            "127.0.0.1.example",
            "127.1",
            "10.0.0.1",
            "192.168.1.1",
            "0.0.0.0",
            "::",
            "fe80::1",
            "::ffff:10.0.0.1",
            "[::1]",
        ] {
            assert_eq!(Peer::of(remote), Peer::Remote, "{remote}");
        }
        assert_eq!(Peer::of("/run/postgresql"), Peer::Socket);
    }

    #[test]
    fn every_host_and_every_wish_has_its_mode() {
        // For each sslmode: on a socket, local, remote, remote with clear text allowed, remote with an authority named.
        let table = [
            (
                "",
                [
                    "disable",
                    "prefer",
                    "verify-full",
                    "verify-full",
                    "verify-full",
                ],
            ),
            (
                "disable",
                ["disable", "disable", "refused", "disable", "refused"],
            ),
            ("allow", ["disable", "allow", "refused", "allow", "refused"]),
            (
                "prefer",
                ["disable", "prefer", "refused", "prefer", "refused"],
            ),
            (
                "require",
                ["disable", "require", "require", "require", "verify-ca"],
            ),
            (
                "verify-ca",
                [
                    "disable",
                    "verify-ca",
                    "verify-ca",
                    "verify-ca",
                    "verify-ca",
                ],
            ),
            (
                "verify-full",
                [
                    "disable",
                    "verify-full",
                    "verify-full",
                    "verify-full",
                    "verify-full",
                ],
            ),
        ];
        for (asked, expected) in table {
            let wish = |plaintext, has_root| Wish {
                mode: asked.parse().ok(),
                has_root,
                plaintext,
            };
            let found = [
                mode(Peer::Socket, wish(false, false)),
                mode(Peer::Local, wish(false, false)),
                mode(Peer::Remote, wish(false, false)),
                mode(Peer::Remote, wish(true, false)),
                mode(Peer::Remote, wish(false, true)),
            ]
            .map(|outcome| outcome.map_or("refused", name));
            assert_eq!(found, expected, "sslmode={asked}");
        }
    }

    #[test]
    fn a_refusal_names_the_mode_and_the_ways_out() {
        let wish = Wish {
            mode: Some(PgSslMode::Prefer),
            ..Wish::default()
        };
        let message = mode(Peer::Remote, wish).unwrap_err().to_string();
        for part in [
            "sslmode=prefer",
            "verify-full",
            "sslrootcert=FILE",
            "DVT_PG_ALLOW_PLAINTEXT=1",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
