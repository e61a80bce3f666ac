use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The members of a JSON object, each as it is written: versions of a tool differ in types and members, and whatever
/// is not as expected counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Those of a value; none, if it is no object.
    pub(crate) fn of(raw: Option<&'a RawValue>) -> Self {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
            .map(Self)
            .unwrap_or_default()
    }

    /// A member that is an object; empty if it is not.
    pub(crate) fn object(&self, name: &str) -> Fields<'a> {
        Fields::of(self.0.get(name).copied())
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A member that is true or false.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A member as it is written, unless it says nothing: null, an empty text, list or object.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        let raw: &'a RawValue = self.0.get(name)?;
        Some(raw.get()).filter(|text| !matches!(*text, "null" | "\"\"" | "[]" | "{}"))
    }

    /// A member that is a number, or a text that says one.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let raw = self.0.get(name)?.get();
        raw.trim_matches('"').parse().ok()
    }

    /// All members, by their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, raw)| (&**name, *raw))
    }
}
