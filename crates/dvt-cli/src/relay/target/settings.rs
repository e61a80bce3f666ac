//! What belongs to a sink besides its URL: flags, files of secrets, the environment.

use std::fs;
use std::path::Path;

use dvt_sink_nats::NatsSettings;
use dvt_sink_webhook::{Secrets, WebhookMode, WebhookSettings};

use crate::args::{self, SinkArgs};
use crate::failure::{Failure, chain};

pub(super) fn nats(
    to: &str,
    args: &SinkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<NatsSettings, Failure> {
    let mut settings = NatsSettings::from_url(to).map_err(|error| usage(&error))?;
    if let Some(stream) = &args.nats_stream {
        settings = settings.with_stream(stream);
    }
    if args.nats_create_stream {
        settings = settings.with_stream_created();
    }
    if let Some(password) = password(args, variable)? {
        settings = settings.with_password(password);
    }
    if let Some(file) = &args.nats_credentials {
        readable(file)?;
        settings = settings.with_credentials_file(file);
    }
    if let Some(file) = &args.sink_ca {
        readable(file)?;
        settings = settings.with_root_certificates(file);
    }
    Ok(settings)
}

pub(super) fn webhook(
    to: &str,
    args: &SinkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<WebhookSettings, Failure> {
    let mut settings = WebhookSettings::from_url(to)
        .map_err(|error| usage(&error))?
        .with_mode(args.webhook_mode.into())
        .with_private_addresses(args.allow_private)
        .with_plaintext(args.allow_http);
    let secrets = match &args.webhook_secrets_file {
        Some(file) => Some(readable(file)?),
        None => variable("DVT_WEBHOOK_SECRETS"),
    };
    if let Some(secrets) = secrets {
        let secrets = Secrets::parse(&secrets).map_err(|error| usage(&error))?;
        settings = settings.with_secrets(secrets);
    }
    if let Some(value) = variable("DVT_WEBHOOK_AUTHORIZATION") {
        settings = settings
            .with_header("authorization", &value)
            .map_err(|error| usage(&error))?;
    }
    if let Some(file) = &args.sink_ca {
        settings = settings
            .with_root_certificate(readable(file)?.as_bytes())
            .map_err(|error| usage(&error))?;
    }
    Ok(settings)
}

impl From<args::WebhookMode> for WebhookMode {
    fn from(mode: args::WebhookMode) -> Self {
        match mode {
            args::WebhookMode::Structured => Self::Structured,
            args::WebhookMode::Binary => Self::Binary,
        }
    }
}

/// The password, from its file or the environment.
fn password(
    args: &SinkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Failure> {
    match &args.sink_password_file {
        Some(file) => readable(file).map(Some),
        None => Ok(variable("DVT_SINK_PASSWORD")),
    }
}

/// What a file of secrets says, without the line end that editors add.
fn readable(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(Failure::Usage(format!(
            "cannot read {}: {error}",
            file.display()
        ))),
    }
}

fn usage(error: &dyn std::error::Error) -> Failure {
    Failure::Usage(chain(error))
}
