use dvt_contracts::{InvalidIdentifier, RunId};

use super::{Item, Ownership, Reader};

mod documents;
mod execution;
mod history;
mod payload;

use self::documents::{Document, Documents};
use self::execution::Execution;
use self::history::History;

/// Reads workflow histories as the Temporal command line prints them (`temporal workflow show -o json`), one after another:
/// one run per workflow execution, one step per activity.
#[derive(Debug)]
pub(crate) struct TemporalReader {
    owner: Ownership,
    documents: Documents,
    histories: u64,
}

/// Far more than a line of a history that is printed for people, and enough for one that is printed on a single line:
/// Temporal ends a workflow at 50 MiB of history.
const LINE_LIMIT: usize = documents::LIMIT;

/// What is said of a history that was cut short.
const NO_END: &str = "the history that begins here has no end: print it again";

impl TemporalReader {
    /// A reader for the histories of one tenant and environment.
    pub(crate) fn new(owner: Ownership) -> Self {
        Self {
            owner,
            documents: Documents::default(),
            histories: 0,
        }
    }

    fn read(&mut self, document: &Document, items: &mut Vec<Item>) -> Result<(), String> {
        let history = History::parse(&document.text)?;
        let mut execution = Execution::new(&self.owner, &history, document.line)
            .map_err(|error: InvalidIdentifier| error.to_string())?;
        self.histories += 1;
        for event in &history.events {
            // One event that cannot be taken is no reason to lose the others.
            if let Err(reason) = execution.take(event, items) {
                items.push(Item::Rejected {
                    line: document.line,
                    reason: format!("event {}: {reason}", event.id),
                });
            }
        }
        Ok(())
    }
}

impl Reader for TemporalReader {
    fn line_limit(&self) -> usize {
        LINE_LIMIT
    }

    fn line(&mut self, number: u64, text: &str, items: &mut Vec<Item>) {
        if let Some(line) = self.documents.interrupted_by(text) {
            items.push(Item::Rejected {
                line,
                reason: NO_END.into(),
            });
        }
        let mut rest = text;
        while !rest.is_empty() {
            match self.documents.take(number, &mut rest) {
                Ok(None) => {}
                Ok(Some(document)) => {
                    if let Err(reason) = self.read(&document, items) {
                        items.push(Item::Rejected {
                            line: document.line,
                            reason,
                        });
                    }
                }
                Err((line, reason)) => items.push(Item::Rejected { line, reason }),
            }
        }
    }

    fn finish(&mut self, items: &mut Vec<Item>) {
        if let Some(line) = self.documents.unfinished() {
            items.push(Item::Rejected {
                line,
                reason: NO_END.into(),
            });
        }
    }

    fn hint(&self) -> Option<String> {
        (self.histories == 0).then(|| {
            "the input holds no workflow history: temporal workflow show --workflow-id ID -o json prints one"
                .to_owned()
        })
    }
}

/// The run's id of an execution.
fn run_id(text: &str) -> Result<RunId, InvalidIdentifier> {
    RunId::new(text)
}

#[cfg(test)]
mod tests;
