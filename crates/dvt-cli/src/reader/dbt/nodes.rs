use std::collections::HashMap;

use dvt_contracts::Attempt;

/// The nodes of one invocation that have started.
///
/// A microbatch model starts once for itself and, inside that, once for each batch, all under the same id, and
/// batches run side by side. Only the outer start and end are the node's.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<String, Node>);

#[derive(Debug)]
struct Node {
    attempt: Attempt,
    /// The `node_started_at` of the outer start, which the outer end repeats.
    started_at: String,
    /// How many starts have no end yet, the outer one among them.
    open: u32,
}

/// What an end is the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The node's attempt.
    Node(Attempt),
    /// One batch.
    Batch,
    /// Nothing: the node has ended before.
    Nothing,
}

impl Nodes {
    /// A node starts. Gives its attempt, or nothing for a batch.
    pub(super) fn start(&mut self, unique_id: &str, started_at: String) -> Option<Attempt> {
        let attempt = match self.0.get_mut(unique_id) {
            Some(node) if node.open > 0 => {
                node.open += 1;
                return None;
            }
            Some(node) => {
                Attempt::new(node.attempt.get().saturating_add(1)).unwrap_or(node.attempt)
            }
            None => Attempt::FIRST,
        };
        self.0.insert(
            unique_id.to_owned(),
            Node {
                attempt,
                started_at,
                open: 1,
            },
        );
        Some(attempt)
    }

    /// A node ends. One whose start is not in the log ends in its first attempt.
    pub(super) fn end(&mut self, unique_id: &str, started_at: &str) -> End {
        let Some(node) = self.0.get_mut(unique_id) else {
            let node = Node {
                attempt: Attempt::FIRST,
                started_at: String::new(),
                open: 0,
            };
            self.0.insert(unique_id.to_owned(), node);
            return End::Node(Attempt::FIRST);
        };
        // An interrupted node ends while batches are open.
        let is_outer = !started_at.is_empty() && started_at == node.started_at;
        match node.open {
            0 => End::Nothing,
            open if open == 1 || is_outer => {
                node.open = 0;
                End::Node(node.attempt)
            }
            _ => {
                node.open -= 1;
                End::Batch
            }
        }
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.0 = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u32 = 2;

    #[test]
    fn batches_are_told_from_their_node() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.start("m", "1".into()), Some(Attempt::FIRST));
        assert_eq!(nodes.start("m", "2".into()), None);
        assert_eq!(nodes.start("m", "3".into()), None);
        assert_eq!(nodes.end("m", "3"), End::Batch);
        assert_eq!(nodes.end("m", "2"), End::Batch);
        assert_eq!(nodes.end("m", "1"), End::Node(Attempt::FIRST));
        assert_eq!(nodes.end("m", "1"), End::Nothing);
    }

    #[test]
    fn an_interrupted_node_ends_with_open_batches() {
        let mut nodes = Nodes::default();
        nodes.start("m", "1".into());
        nodes.start("m", "2".into());
        assert_eq!(nodes.end("m", "1"), End::Node(Attempt::FIRST));
    }

    #[test]
    fn a_node_that_starts_again_is_in_its_next_attempt() {
        let mut nodes = Nodes::default();
        nodes.start("m", String::new());
        assert_eq!(nodes.end("m", ""), End::Node(Attempt::FIRST));
        assert_eq!(nodes.start("m", String::new()), Attempt::new(SECOND).ok());
    }
}
