use std::io;
use std::time::Duration;

use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, Info};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use crate::settings::NatsSettings;

/// For the whole of connecting and looking around.
const DEADLINE: Duration = Duration::from_secs(10);

/// A retry after a lost acknowledgement comes within minutes.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// Why a sink cannot begin. Nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsConnectError {
    /// The server does not let us in, or is not there.
    #[error("cannot connect to {server}")]
    Connect {
        /// The server.
        server: String,
        /// What the client says.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server did not answer within 10 s.
    #[error("{server} does not answer")]
    Silent {
        /// The server.
        server: String,
    },
    /// The credentials cannot be read.
    #[error("cannot read the credentials")]
    Credentials(#[source] io::Error),
    /// The server has no JetStream, or not for this account.
    #[error(
        "{server} has no JetStream for this account: start it with nats-server -js, or enable it for the account"
    )]
    NoJetStream {
        /// The server.
        server: String,
        /// What the client says.
        #[source]
        source: jetstream::context::RequestError,
    },
    /// No stream takes the subjects.
    #[error(
        "no stream takes the subjects {subjects}: nats stream add {name} --subjects '{subjects}' --storage file \
         --dupe-window 10m --defaults"
    )]
    NoStream {
        /// The subjects, with wildcards.
        subjects: String,
        /// What the stream was to be called.
        name: String,
    },
    /// Several streams take some of the subjects.
    #[error("several streams take subjects of {subjects}: {streams}; name one with stream=NAME")]
    SeveralStreams {
        /// The subjects, with wildcards.
        subjects: String,
        /// The streams.
        streams: String,
    },
    /// The stream stores without saying so.
    #[error(
        "the stream {stream} acknowledges nothing, so nobody knows what is stored: nats stream edit {stream} --ack"
    )]
    Unacknowledged {
        /// The stream.
        stream: String,
    },
    /// The stream takes nothing.
    #[error(
        "the stream {stream} is sealed or mirrors another one: it takes no messages; use another one"
    )]
    ReadOnly {
        /// The stream.
        stream: String,
    },
    /// JetStream said something else.
    #[error("cannot ask {server} for its streams")]
    Ask {
        /// The server.
        server: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A stream that takes our subjects.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) context: Context,
    pub(crate) stream: jetstream::stream::Stream<()>,
    pub(crate) name: String,
    /// The greatest message that it takes, if it has a limit of its own.
    pub(crate) max_message: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Names {
    streams: Option<Vec<String>>,
}

pub(crate) async fn connect(settings: &NatsSettings) -> Result<Found, NatsConnectError> {
    let whole = async {
        let client = client(settings).await?;
        find(settings, client).await
    };
    tokio::time::timeout(DEADLINE, whole)
        .await
        .map_err(|_| NatsConnectError::Silent {
            server: settings.server(),
        })?
}

async fn client(settings: &NatsSettings) -> Result<Client, NatsConnectError> {
    let mut options = ConnectOptions::new()
        .name("dvt-relay")
        .require_tls(settings.tls)
        .request_timeout(Some(settings.ack_timeout))
        // A relay probes on its own; what matters is that the connection is there when it does.
        .reconnect_delay_callback(|attempt| Duration::from_millis(50 << attempt.min(5)));
    let password = settings.password.as_ref().map(|one| one.expose_secret());
    options = match (&settings.user, password) {
        (Some(user), password) => {
            options.user_and_password(user.clone(), password.unwrap_or_default().to_owned())
        }
        (None, Some(token)) => options.token(token.to_owned()),
        (None, None) => options,
    };
    if let Some(file) = &settings.root_certificates {
        options = options.add_root_certificates(file.clone());
    }
    if let Some(file) = &settings.credentials_file {
        options = options
            .credentials_file(file)
            .await
            .map_err(NatsConnectError::Credentials)?;
    }
    let server = settings.server();
    options
        .connect(&server)
        .await
        .map_err(|source| NatsConnectError::Connect { server, source })
}

async fn find(settings: &NatsSettings, client: Client) -> Result<Found, NatsConnectError> {
    let context = jetstream::ContextBuilder::new()
        .timeout(settings.ack_timeout)
        .build(client);
    let subjects = settings.subject.with_all_as("*");
    let filter = json!({ "subject": subjects });
    let reply: Response<Names> =
        context
            .request("STREAM.NAMES", &filter)
            .await
            .map_err(|source| NatsConnectError::NoJetStream {
                server: settings.server(),
                source,
            })?;
    let names = match reply {
        Response::Ok(names) => names.streams.unwrap_or_default(),
        Response::Err { error } => return Err(ask(settings, error)),
    };
    let name = match choose(settings, subjects, names) {
        Err(NatsConnectError::NoStream { subjects, name }) if settings.creates_stream => {
            create(settings, &context, subjects, name).await?
        }
        chosen => chosen?,
    };
    let reply: Response<Info> = context
        .request(format!("STREAM.INFO.{name}"), &json!({}))
        .await
        .map_err(|error| ask(settings, error))?;
    let config = match reply {
        Response::Ok(info) => info.config,
        Response::Err { error } => return Err(ask(settings, error)),
    };
    if config.no_ack {
        return Err(NatsConnectError::Unacknowledged { stream: name });
    }
    if config.sealed || config.mirror.is_some() {
        return Err(NatsConnectError::ReadOnly { stream: name });
    }
    let stream = context
        .get_stream_no_info(&name)
        .await
        .map_err(|error| ask(settings, error))?;
    Ok(Found {
        context,
        stream,
        name,
        max_message: usize::try_from(config.max_message_size)
            .ok()
            .filter(|limit| *limit > 0),
    })
}

fn choose(
    settings: &NatsSettings,
    subjects: String,
    mut names: Vec<String>,
) -> Result<String, NatsConnectError> {
    if let Some(wanted) = &settings.stream {
        names.retain(|name| name == wanted);
    }
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (Some(last), false) => {
            names.push(last);
            Err(NatsConnectError::SeveralStreams {
                subjects,
                streams: names.join(", "),
            })
        }
        (None, _) => Err(NatsConnectError::NoStream {
            subjects,
            name: settings.new_stream(),
        }),
    }
}

async fn create(
    settings: &NatsSettings,
    context: &Context,
    subjects: String,
    name: String,
) -> Result<String, NatsConnectError> {
    let config = Config {
        name: name.clone(),
        subjects: vec![subjects],
        duplicate_window: DUPLICATE_WINDOW,
        ..Config::default()
    };
    let made = context.create_stream(config).await;
    made.map_err(|error| ask(settings, error))?;
    Ok(name)
}

fn ask(
    settings: &NatsSettings,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> NatsConnectError {
    NatsConnectError::Ask {
        server: settings.server(),
        source: source.into(),
    }
}
