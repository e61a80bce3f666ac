use std::time::Duration;

use dvt_chaos::proxy::Dice;

use super::Kind;

/// What is done, and when after the beginning: `least` of each kind, and others up to `total`, mixed and evenly spread.
pub(crate) fn schedule(
    kinds: &[Kind],
    least: u64,
    total: u64,
    span: Duration,
    seed: u64,
) -> Vec<(Duration, Kind)> {
    let mut dice = Dice::of(seed, &[7]);
    let mut acts: Vec<Kind> = kinds
        .iter()
        .flat_map(|kind| (0..least).map(|_| *kind))
        .collect();
    while (acts.len() as u64) < total {
        match Kind::any(kinds, &mut dice) {
            Some(kind) => acts.push(kind),
            None => break,
        }
    }
    for last in (1..acts.len()).rev() {
        let other = usize::try_from(dice.roll(last as u64 + 1)).unwrap_or(last);
        acts.swap(last, other);
    }
    let step = span / u32::try_from(acts.len().max(1)).unwrap_or(u32::MAX);
    let times = (0_u32..).map(|number| step * number);
    times.zip(acts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_often_enough_and_a_seed_gives_the_same() {
        let span = Duration::from_secs(1_200);
        let acts = schedule(&Kind::POSTGRES, 12, 1_100, span, 1);

        assert_eq!(acts.len(), 1_100);
        for kind in Kind::POSTGRES {
            let times = acts.iter().filter(|(_, found)| *found == kind).count();
            assert!(times >= 12, "{kind:?}: {times}");
        }
        assert!(acts.iter().all(|(at, _)| *at < span));
        assert_eq!(acts, schedule(&Kind::POSTGRES, 12, 1_100, span, 1));
        assert_ne!(acts, schedule(&Kind::POSTGRES, 12, 1_100, span, 2));
    }
}
