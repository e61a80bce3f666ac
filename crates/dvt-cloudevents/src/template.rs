use std::fmt;

use dvt_contracts::{RunEvent, RunKey};

use crate::encoding::encode;

/// How a subject, routing key or path is made from an event: text with `{tenant}`, `{run}`, `{step}` and `{event_type}` in it.
///
/// What takes the place of a placeholder is [`encode`]d, and two placeholders have a character between them that no encoded
/// text holds. So different values never make the same text: two runs never share a subject. An event of the run itself has
/// `RUN` in the place of its step, which is no step's id.
///
/// ```
/// use dvt_cloudevents::Template;
///
/// let template: Template = "dvt.{tenant}.{run}".parse()?;
/// assert!(template.is_per_run());
/// assert_eq!(template.with_all_as("*"), "dvt.*.*");
/// assert!("dvt.{tenant}{run}".parse::<Template>().is_err());
/// # Ok::<(), dvt_cloudevents::InvalidTemplate>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Tenant,
    Run,
    Step,
    EventType,
}

/// A text that is no [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// There is nothing in it.
    #[error("the template is empty: write something like dvt.{{tenant}}.{{run}}")]
    Empty,
    /// A brace that is not part of a placeholder.
    #[error("{template:?} has a brace that stands alone")]
    Brace {
        /// The template.
        template: String,
    },
    /// A placeholder that is none.
    #[error(
        "{{{name}}} in {template:?} is unknown: use {{tenant}}, {{run}}, {{step}} or {{event_type}}"
    )]
    Placeholder {
        /// The template.
        template: String,
        /// The name between the braces.
        name: String,
    },
    /// Two placeholders that nothing keeps apart.
    #[error(
        "nothing in {template:?} keeps two placeholders apart: write a dot or a slash between them"
    )]
    Adjacent {
        /// The template.
        template: String,
    },
}

impl Placeholder {
    const ALL: [Self; 4] = [Self::Tenant, Self::Run, Self::Step, Self::EventType];

    fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Run => "run",
            Self::Step => "step",
            Self::EventType => "event_type",
        }
    }

    fn value<'a>(self, run: &'a RunKey, stored: &'a RunEvent) -> &'a str {
        match self {
            Self::Tenant => run.tenant_id.as_str(),
            Self::Run => run.run_id.as_str(),
            Self::Step => stored.event.step_id().map_or("RUN", |step| step.as_str()),
            Self::EventType => stored.event.event_type().as_str(),
        }
    }
}

impl Template {
    /// What it makes of an event.
    #[must_use]
    pub fn render(&self, run: &RunKey, stored: &RunEvent) -> String {
        self.fill(|placeholder| encode(placeholder.value(run, stored)))
    }

    /// What it is with the same text in all places of placeholders, such as a wildcard.
    #[must_use]
    pub fn with_all_as(&self, text: &str) -> String {
        self.fill(|_| text.to_owned())
    }

    /// Whether all events of a run, and those of no other run, make the same text.
    #[must_use]
    pub fn is_per_run(&self) -> bool {
        let has = |placeholder| self.parts.contains(&Part::Value(placeholder));
        has(Placeholder::Tenant)
            && has(Placeholder::Run)
            && !has(Placeholder::Step)
            && !has(Placeholder::EventType)
    }

    fn fill(&self, value: impl Fn(Placeholder) -> String) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Value(placeholder) => filled.push_str(&value(*placeholder)),
            }
        }
        filled
    }
}

impl std::str::FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(template: &str) -> Result<Self, InvalidTemplate> {
        let owned = || template.to_owned();
        if template.is_empty() {
            return Err(InvalidTemplate::Empty);
        }
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(InvalidTemplate::Brace { template: owned() });
            };
            let known = Placeholder::ALL.into_iter().find(|one| one.name() == name);
            let Some(placeholder) = known else {
                return Err(InvalidTemplate::Placeholder {
                    template: owned(),
                    name: name.to_owned(),
                });
            };
            let follows_another = matches!(parts.last(), Some(Part::Value(_)));
            if follows_another && !keeps_apart(before) {
                return Err(InvalidTemplate::Adjacent { template: owned() });
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Value(placeholder));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let stray = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
        if parts.iter().any(stray) {
            return Err(InvalidTemplate::Brace { template: owned() });
        }
        Ok(Self { parts })
    }
}

/// Whether the text has a character that [`encode`] never writes.
fn keeps_apart(text: &str) -> bool {
    text.bytes()
        .any(|byte| !byte.is_ascii_alphanumeric() && !b"_-%".contains(&byte))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill(|placeholder| format!("{{{}}}", placeholder.name())))
    }
}

#[cfg(test)]
mod tests {
    use dvt_contracts::{Event, EventType, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn stored(event_type: EventType, step: Option<&str>) -> RunEvent {
        let step = step.map(|step| step.parse().unwrap());
        let event = Event::new(event_type, step, "key".parse().unwrap(), Timestamp::MIN).unwrap();
        RunEvent {
            run_seq: 1,
            persisted_at: Timestamp::MIN,
            event,
        }
    }

    fn run(tenant: &str, run: &str) -> RunKey {
        RunKey::new(tenant.parse().unwrap(), run.parse().unwrap())
    }

    #[test]
    fn placeholders_take_encoded_values() {
        let template: Template = "a.{tenant}.{run}/{step}-.{event_type}".parse().unwrap();

        let started = template.render(
            &run("shop.eu", "r 1"),
            &stored(EventType::StepStarted, Some("löad")),
        );
        let queued = template.render(&run("shop", "r1"), &stored(EventType::RunQueued, None));

        assert_eq!(started, "a.shop%2Eeu.r%201/l%C3%B6ad-.StepStarted");
        assert_eq!(queued, "a.shop.r1/RUN-.RunQueued");
        assert_eq!(
            template.to_string(),
            "a.{tenant}.{run}/{step}-.{event_type}"
        );
        assert!(!template.is_per_run());
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let refused = |template: &str| template.parse::<Template>().unwrap_err();
        let template = str::to_owned;
        assert_eq!(refused(""), InvalidTemplate::Empty);
        for alone in ["a{", "a}b", "{run}}", "a{run"] {
            assert_eq!(
                refused(alone),
                InvalidTemplate::Brace {
                    template: template(alone)
                }
            );
        }
        for unknown in ["{Run}", "{}", "{ run}"] {
            assert_eq!(
                refused(unknown),
                InvalidTemplate::Placeholder {
                    template: template(unknown),
                    name: unknown.trim_matches(['{', '}']).to_owned(),
                }
            );
        }
        for adjacent in ["{tenant}{run}", "{tenant}_a-%{run}"] {
            assert_eq!(
                refused(adjacent),
                InvalidTemplate::Adjacent {
                    template: template(adjacent)
                }
            );
        }
    }

    proptest! {
        #[test]
        fn two_runs_never_share_a_text(a in "[^|\\p{Cc}]{1,8}", b in "[^|\\p{Cc}]{1,8}", c in "[^|\\p{Cc}]{1,8}", d in "[^|\\p{Cc}]{1,8}") {
            let template: Template = "x{tenant}-.{run}y".parse().unwrap();
            let event = stored(EventType::RunStarted, None);
            let (one, other) = (run(&a, &b), run(&c, &d));
            prop_assert_eq!(one == other, template.render(&one, &event) == template.render(&other, &event));
        }
    }
}
