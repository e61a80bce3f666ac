/// What is under way on a connection, by its messages.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// How many have begun.
    begun: u64,
    /// Ended by the client, and their `ReadyForQuery` not yet passed on.
    unanswered: u64,
    /// Whether the client is in the middle of one.
    unfinished: bool,
    /// Whether the client was let in.
    let_in: bool,
    /// Questions for encryption without an answer: it is one byte that is no message.
    negotiations: u32,
    /// Whether the bytes are encrypted from now on.
    encrypted: bool,
    /// For which request a fault was last decided, of which version, and whether it is done.
    touched: Option<(u64, u64, bool)>,
}

impl Requests {
    /// Operations in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.unanswered + u64::from(self.unfinished)
    }

    /// The client says something that has a type. The number of the request, if one begins.
    pub(super) fn client_says(&mut self, tag: u8) -> Option<u64> {
        let idle = self.in_flight() == 0;
        match tag {
            // Query, FunctionCall, Sync
            b'Q' | b'F' | b'S' => {
                self.unanswered += 1;
                self.unfinished = false;
            }
            // Parse, Bind, Describe, Execute, Close, Flush
            b'P' | b'B' | b'D' | b'E' | b'C' | b'H' => self.unfinished = true,
            // Passwords, data to be copied, a goodbye
            _ => return None,
        }
        if !idle {
            return None;
        }
        self.begun += 1;
        Some(self.begun)
    }

    pub(super) fn server_says(&mut self, tag: u8) {
        match tag {
            b'Z' if self.let_in => self.unanswered = self.unanswered.saturating_sub(1),
            b'Z' => self.let_in = true,
            _ => {}
        }
    }

    /// The client asks for encryption.
    pub(super) fn asks_for_encryption(&mut self) {
        self.negotiations += 1;
    }

    /// Whether what the server says next begins with an answer about encryption: this byte.
    pub(super) fn answers_about_encryption(&mut self, byte: u8) -> bool {
        // An old server answers with an error, which is a message.
        let answers = self.negotiations > 0 && byte != b'E';
        self.negotiations = self.negotiations.saturating_sub(1);
        self.encrypted |= answers && byte != b'N';
        answers
    }

    pub(super) fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// Decides once for each request and version of a fault.
    pub(super) fn touch(&mut self, version: u64, decide: impl FnOnce() -> bool) -> bool {
        match self.touched {
            Some((request, of, decided)) if (request, of) == (self.begun, version) => decided,
            _ => {
                let decided = decide();
                self.touched = Some((self.begun, version, decided));
                decided
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_in_flight_from_its_first_message_to_the_end_of_its_reply() {
        let mut requests = Requests::default();
        requests.server_says(b'Z');

        let begun: Vec<_> = b"PDSBES"
            .iter()
            .map(|tag| requests.client_says(*tag))
            .collect();

        // Both requests at once: the second began before the first was answered.
        assert_eq!(begun, [Some(1), None, None, None, None, None]);
        assert_eq!(requests.in_flight(), 2);
        requests.server_says(b'Z');
        requests.server_says(b'C');
        assert_eq!(requests.in_flight(), 1);
        requests.server_says(b'Z');
        assert_eq!(requests.in_flight(), 0);
        assert_eq!(requests.client_says(b'X'), None);
        assert_eq!(requests.client_says(b'Q'), Some(2));
    }

    #[test]
    fn the_answer_about_encryption_is_one_byte() {
        let mut requests = Requests::default();
        requests.asks_for_encryption();
        assert!(requests.answers_about_encryption(b'N'));
        assert!(!requests.encrypted());
        assert!(!requests.answers_about_encryption(b'R'));
        requests.asks_for_encryption();
        assert!(requests.answers_about_encryption(b'S'));
        assert!(requests.encrypted());
    }

    #[test]
    fn a_fault_is_decided_once_for_a_request() {
        let mut requests = Requests::default();
        requests.client_says(b'Q');
        assert!(requests.touch(1, || true));
        assert!(requests.touch(1, || false));
        assert!(!requests.touch(2, || false));
        requests.server_says(b'Z');
        requests.server_says(b'Z');
        requests.client_says(b'Q');
        assert!(requests.touch(2, || true));
    }
}
