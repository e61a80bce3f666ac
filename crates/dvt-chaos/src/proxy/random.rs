use std::time::Duration;

use super::dice::Dice;
use super::fault::{Direction, End, Fault, Message, Place, Spot};

/// Some requests suffer something, by seeded chance.
///
/// What the n-th request of the m-th connection suffers is the same in every run with the same seed.
#[derive(Debug, Clone, Copy)]
pub struct Random {
    seed: u64,
    per_mille: u32,
    menu: fn(&mut Dice) -> Fault,
}

impl Random {
    /// So many requests of a thousand suffer one of all faults that the proxy knows.
    #[must_use]
    pub fn new(seed: u64, per_mille: u32) -> Self {
        Self {
            seed,
            per_mille,
            menu: any,
        }
    }

    /// Other faults to choose from.
    #[must_use]
    pub fn with_menu(self, menu: fn(&mut Dice) -> Fault) -> Self {
        Self { menu, ..self }
    }

    /// What this request suffers.
    pub(super) fn draw(&self, connection: u64, request: u64) -> Option<Fault> {
        let mut dice = Dice::of(self.seed, &[connection, request]);
        let hit = dice.roll(1_000) < u64::from(self.per_mille);
        hit.then(|| (self.menu)(&mut dice))
    }
}

/// Any fault that does something to a request, each as likely as the others.
fn any(dice: &mut Dice) -> Fault {
    let end = match dice.roll(2) {
        0 => End::Close,
        _ => End::Reset,
    };
    let bytes = |direction, count| Fault::Cut {
        spot: Spot::Bytes { direction, count },
        end,
    };
    let at = |place, message| Fault::Cut {
        spot: Spot::at(place, message),
        end,
    };
    match dice.roll(11) {
        0 => Fault::now(End::Close),
        1 => Fault::now(End::Reset),
        2 => bytes(Direction::ToServer, dice.roll(300)),
        3 => bytes(Direction::ToClient, dice.roll(100)),
        4 | 5 => at(Place::Before, Message::COMMAND_COMPLETE),
        6 | 7 => at(Place::After, Message::COMMAND_COMPLETE),
        8 => Fault::Delay(Duration::from_millis(1 + dice.roll(50))),
        9 => Fault::Throttle {
            bytes_per_second: 2_000 + u32::try_from(dice.roll(20_000)).unwrap_or_default(),
        },
        _ => Fault::Split,
    }
}
