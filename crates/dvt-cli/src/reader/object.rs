use dvt_contracts::{Payload, SafeText};

/// Builds a JSON object from values that are JSON already.
#[derive(Debug)]
pub(super) struct Object(String);

impl Object {
    /// One without members.
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a member that is JSON, if there is one.
    pub(super) fn raw(mut self, name: &str, json: Option<&str>) -> Self {
        if let Some(json) = json {
            let comma = if self.0.len() > 1 { "," } else { "" };
            // A name may be anything.
            let name = serde_json::Value::from(name);
            self.0.push_str(&format!("{comma}{name}:{json}"));
        }
        self
    }

    /// Adds a member that is a text, if there is one.
    pub(super) fn text(self, name: &str, text: Option<&str>) -> Self {
        // Texts come from anywhere, messages above all: bounded, and without what no store can hold.
        let json = text.and_then(|text| serde_json::to_string(SafeText::new(text).as_str()).ok());
        self.raw(name, json.as_deref())
    }

    /// Members that no store takes (a NUL in a text, say) make the payload `null` rather than lose the event.
    pub(super) fn payload(mut self) -> Payload {
        self.0.push('}');
        Payload::new(&self.0).unwrap_or_default()
    }

    /// The object as JSON, to be a member of another; none, if it has no member.
    pub(super) fn json(mut self) -> Option<String> {
        (self.0.len() > 1).then(|| {
            self.0.push('}');
            self.0
        })
    }
}
