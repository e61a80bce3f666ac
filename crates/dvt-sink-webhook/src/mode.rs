/// How an event is put into a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WebhookMode {
    /// The whole event is the body, one JSON object.
    #[default]
    Structured,
    /// The payload is the body, the attributes are `ce-…` headers.
    Binary,
}
