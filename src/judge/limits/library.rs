//! Probes that there are to choose from, made for what is most likely.

use std::time::Duration;

use super::foresight::{FORESEEN, lasting};
use super::probe::{Probe, ProbeStage};
use super::suspect::Suspect;
use super::{Inquiry, PAIRS, UNLIKELY, rest_name};

impl Inquiry {
    /// Probes that tell kinds apart, made for what is most likely now.
    pub(super) fn library(&self) -> Vec<Probe> {
        let Some(level) = self.seen.level() else { return Vec::new() };
        let mut windows: Vec<Duration> = Vec::new();
        for weighed in self.weighed.iter().take(FORESEEN) {
            let window = lasting(&weighed.suspect, level);
            if !windows.iter().any(|other| other.abs_diff(window) * 50 < window) && windows.len() < 2 {
                windows.push(window);
            }
        }
        let mut probes: Vec<Probe> = windows.into_iter().flat_map(|window| self.kinds_apart(level, window)).collect();
        probes.extend(self.rates_apart());
        probes
    }

    /// Probes that tell rates apart of a bucket that cannot save up, or that counts refused calls: faster than it fills, it
    /// admits far fewer calls than come free.
    fn rates_apart(&self) -> Vec<Probe> {
        let likely = self.weighed.iter().filter(|weighed| weighed.weight >= UNLIKELY).map(|weighed| weighed.suspect);
        let tight = likely.filter(Suspect::is_tight);
        let mut rates: Vec<f64> = tight.map(|suspect| suspect.rate()).collect();
        rates.sort_by(f64::total_cmp);
        let middle = rates.get(rates.len() / 2).copied();
        let between = rates.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).step_by((rates.len() / 3).max(1));
        let going_on = |rate: f64, calls: u64| {
            let rate = rate.clamp(0.1, self.setting.rate);
            Probe::new(format!("{calls} calls at {rate:.3}/s"), vec![self.fill(), ProbeStage::burst(calls, rate)])
        };
        let mut probes: Vec<Probe> = between.chain(middle).flat_map(|rate| [going_on(rate, 40), going_on(rate, 400)]).collect();
        // Where calls overtake each other, only many of them tell.
        let most = self.most_in_one();
        probes.extend(middle.map(|rate| going_on(rate * 2.5, most)));
        probes.extend(middle.map(|_| going_on(self.setting.rate, most)));
        probes
    }

    /// Probes that tell kinds apart whose limit is free again after about this time.
    pub(super) fn kinds_apart(&self, level: u64, window: Duration) -> Vec<Probe> {
        let fresh = self.fresh_fill(window);
        let some = |calls: u64| ProbeStage::burst(calls.max(1), self.setting.rate);
        let rested = |share: u32| window * share / 100;
        let first = ProbeStage { calls: (level / 2).max(1), ..fresh.clone() };
        let beyond = self.beyond(window);
        let long = ProbeStage {
            calls: (beyond.calls * 4).clamp(400, self.most_in_one()),
            rate: (beyond.rate / 1.8).max(1.0),
            ..beyond.clone()
        };
        let full = ProbeStage::burst((level * 5).clamp(400, self.most_in_one()), self.setting.rate);
        let going_on = |stage: ProbeStage| Probe::new(format!("going on at {:.1}/s", stage.rate), vec![fresh.clone(), stage]);
        let mut probes: Vec<Probe> = [104, 97, 90, 70, 50, 30, 15, 150]
            .map(|share| Probe::new(rest_name(rested(share)), vec![fresh.clone(), self.fill().after(rested(share))]))
            .to_vec();
        probes.extend([
            Probe::new(
                "half now, half later",
                vec![first.clone(), some(level / 2).after(rested(50)), self.fill().after(rested(54))],
            ),
            Probe::new(
                "one call, and a burst late after it",
                vec![ProbeStage { calls: 1, ..first }, self.fill().after(rested(150)), self.fill().after(rested(60))],
            ),
            Probe::new(
                "whether refused calls count",
                vec![fresh.clone(), some(level.div_ceil(3)).after(rested(50)), self.fill().after(rested(55))],
            ),
            going_on(beyond),
            going_on(long),
            going_on(full),
            Probe::new("whether pairs count", vec![fresh.clone().of_pairs(PAIRS)]),
        ]);
        probes
    }
}
