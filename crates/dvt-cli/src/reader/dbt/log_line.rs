use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reader::fields::Fields;
use crate::reader::json_error;

/// One line of dbt's log.
#[derive(Debug)]
pub(super) struct LogLine<'a> {
    /// The kind of line: `info.name`.
    pub(super) name: String,
    info: Fields<'a>,
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

impl<'a> LogLine<'a> {
    /// Reads what all lines have in common; `data` is read only if somebody asks.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if !text.trim_ascii_start().starts_with('{') {
            return Err(
                "expected a line of dbt's JSON log (--log-format json), found other text".into(),
            );
        }
        let envelope: Envelope<'a> =
            serde_json::from_str(text).map_err(|error| json_error::reason(&error))?;
        let info = Fields::of(envelope.info);
        let name = info
            .text("name")
            .ok_or("expected a line of dbt's JSON log, found no info.name")?;
        Ok(Self {
            name,
            info,
            data: envelope.data,
        })
    }

    /// What is particular to the kind of line.
    pub(super) fn data(&self) -> Fields<'a> {
        Fields::of(self.data)
    }

    /// The run.
    pub(super) fn invocation_id(&self) -> Result<String, String> {
        self.info
            .text("invocation_id")
            .ok_or_else(|| "found no info.invocation_id".into())
    }

    /// The moment.
    pub(super) fn ts(&self) -> Result<String, String> {
        self.info
            .text("ts")
            .ok_or_else(|| "found no info.ts".into())
    }

    /// The words for people.
    pub(super) fn message(&self) -> String {
        self.info.text("msg").unwrap_or_default()
    }

    /// The thread that wrote the line.
    pub(super) fn thread(&self) -> Option<&'a str> {
        self.info.raw("thread")
    }
}
