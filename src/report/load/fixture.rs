//! Tallies for the tests of the renderers.

use std::time::Duration;

use crate::history::Class;
use crate::judge::load::tally::Tally;

/// Accepted calls that took from 1 to 7.5 ms, one in a hundred up to ten times as long; refused ones 0.3 ms.
pub(super) fn tally(accepted: u64, refused: u64) -> Tally {
    let sent = accepted + refused;
    let mut tally = Tally { planned: sent, sent, ..Tally::default() };
    tally.classes[Class::Accepted as usize] = accepted;
    tally.classes[Class::Refused as usize] = refused;
    tally.codes.extend([(0, accepted), (60007, refused)].into_iter().filter(|(_, calls)| *calls > 0));
    for call in 0..accepted {
        let slow = if call % 200 == 0 { 10 } else { 1 };
        let time = Duration::from_micros((1000 + call * 13 % 6500) * slow);
        tally.service[Class::Accepted as usize].record(time);
        tally.response[Class::Accepted as usize].record(time + Duration::from_micros(50));
    }
    for _ in 0..refused {
        tally.service[Class::Refused as usize].record(Duration::from_micros(300));
        tally.response[Class::Refused as usize].record(Duration::from_micros(350));
    }
    (0..sent).for_each(|call| tally.lag.record(Duration::from_micros(20 + call % 30)));
    (0..sent).for_each(|_| tally.wait.record(Duration::ZERO));
    tally
}
