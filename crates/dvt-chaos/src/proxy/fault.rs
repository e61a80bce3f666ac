use std::time::Duration;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Requests.
    ToServer,
    /// Replies.
    ToClient,
}

/// How a connection ends, for both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Closed in order: both sides read what was passed on, and then the end.
    Close,
    /// Reset (RST): both sides get an error.
    Reset,
    /// Left open. Nothing passes any more, until the connection gets another rule.
    Silence,
}

/// A message of the protocol, by its direction and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Message {
    /// Which way it goes.
    pub direction: Direction,
    /// The type byte: `b'C'` is the server's `CommandComplete`. What a client says before it is let in has none, and is no message here.
    pub tag: u8,
    /// What its body begins with, at most 64 bytes: `"COMMIT"` is one kind of `CommandComplete`.
    pub begins: &'static str,
}

impl Message {
    /// The server has done a statement. For one that is alone in its transaction, it has committed.
    pub const COMMAND_COMPLETE: Self = Self::new(Direction::ToClient, b'C');
    /// The end of a reply.
    pub const READY_FOR_QUERY: Self = Self::new(Direction::ToClient, b'Z');
    /// The parameters of a prepared statement.
    pub const BIND: Self = Self::new(Direction::ToServer, b'B');
    /// The end of a request.
    pub const SYNC: Self = Self::new(Direction::ToServer, b'S');

    /// All messages of a type.
    #[must_use]
    pub const fn new(direction: Direction, tag: u8) -> Self {
        Self {
            direction,
            tag,
            begins: "",
        }
    }

    /// Only those whose body begins so.
    #[must_use]
    pub const fn beginning(self, begins: &'static str) -> Self {
        Self { begins, ..self }
    }
}

/// Where in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Nothing of it is passed on.
    Before,
    /// So many of its bytes are passed on, its type byte and length included. A message that is not longer passes.
    Within(u32),
    /// It is passed on, and nothing after it.
    After,
}

/// Where a connection is cut. What is counted is counted from the moment when the connection got its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spot {
    /// At once.
    Now,
    /// After exactly so many bytes of a direction; after none, before the next one.
    Bytes {
        /// Which way they go.
        direction: Direction,
        /// How many are passed on.
        count: u64,
    },
    /// At a message.
    Message {
        /// Which ones count.
        message: Message,
        /// Which one of them: 1 is the next.
        nth: u64,
        /// Where in it.
        place: Place,
    },
}

impl Spot {
    /// At the next message of a kind.
    #[must_use]
    pub const fn at(place: Place, message: Message) -> Self {
        Self::Message {
            message,
            nth: 1,
            place,
        }
    }
}

/// What is done to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nobody listens: who connects is refused. Does nothing to connections that are there.
    Refuse,
    /// The connection ends.
    Cut {
        /// Where.
        spot: Spot,
        /// How.
        end: End,
    },
    /// Nothing passes in these directions as long as the rule holds. A connection that comes is accepted and never answered.
    Silence {
        /// Whether requests are held back.
        to_server: bool,
        /// Whether replies are held back.
        to_client: bool,
    },
    /// Whatever arrives is passed on so much later.
    Delay(Duration),
    /// So many bytes pass in a second, each way.
    Throttle {
        /// At least 1.
        bytes_per_second: u32,
    },
    /// Every byte is written by itself.
    Split,
}

impl Fault {
    /// Nothing passes.
    pub const BLACK_HOLE: Self = Self::Silence {
        to_server: true,
        to_client: true,
    };
    /// Requests arrive, replies do not.
    pub const MUTE: Self = Self::Silence {
        to_server: false,
        to_client: true,
    };

    /// All bytes end at once.
    #[must_use]
    pub const fn now(end: End) -> Self {
        Self::Cut {
            spot: Spot::Now,
            end,
        }
    }

    /// What kind of fault it is, to count by.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Cut { spot, end } => match (spot, end) {
                (Spot::Now, End::Close) => "close",
                (Spot::Now, End::Reset) => "reset",
                (Spot::Now, End::Silence) => "silence",
                (Spot::Bytes { direction, .. }, _) => match direction {
                    Direction::ToServer => "cut in a request",
                    Direction::ToClient => "cut in a reply",
                },
                (Spot::Message { message, place, .. }, _) => match (message.tag, place) {
                    (b'C', Place::Before) => "cut before CommandComplete",
                    (b'C', Place::After) => "cut after CommandComplete",
                    (_, Place::Before) => "cut before a message",
                    (_, Place::Within(_)) => "cut within a message",
                    (_, Place::After) => "cut after a message",
                },
            },
            Self::Silence {
                to_server: true, ..
            } => "black hole",
            Self::Silence { .. } => "mute",
            Self::Delay(_) => "delay",
            Self::Throttle { .. } => "throttle",
            Self::Split => "split",
        }
    }
}
