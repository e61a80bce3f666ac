/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other numbers for each of several things that have a number.
    #[must_use]
    pub fn of(seed: u64, numbers: &[u64]) -> Self {
        let mut dice = Self(seed);
        for number in numbers {
            dice = Self(dice.next() ^ number);
        }
        dice
    }

    /// A number below `sides`; 0 if there are none.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.next().checked_rem(sides).unwrap_or(0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_gives_others() {
        let rolls = |mut dice: Dice| -> Vec<u64> { (0..8).map(|_| dice.roll(1_000)).collect() };
        assert_eq!(rolls(Dice::of(1, &[2, 3])), rolls(Dice::of(1, &[2, 3])));
        assert_ne!(rolls(Dice::of(1, &[2, 3])), rolls(Dice::of(1, &[3, 2])));
        assert_eq!(Dice::new(1).roll(0), 0);
    }
}
