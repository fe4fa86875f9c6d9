//! What a stretch of load came to, in numbers: counts and latency histograms, of one size however long it lasted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize, de, ser};

use crate::history::Class;

/// The longest time that a histogram tells apart; longer ones count here and as `beyond`.
pub const LONGEST: Duration = Duration::from_mins(1);
/// Codes that are counted; the documentation knows far fewer.
const MOST_CODES: usize = 200;
/// Decimal digits that a histogram keeps.
const DIGITS: u8 = 3;

/// Times in microseconds, 1 µs to a minute, to three digits. It grows to the longest time seen, at most to 140 KB.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    /// Times beyond the range; they are counted in the histogram as its longest.
    beyond: u64,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { histogram: Histogram::new(DIGITS).expect("a constant"), beyond: 0 }
    }
}

impl Latency {
    pub fn record(&mut self, time: Duration) {
        self.record_us(in_us(time));
    }

    /// As [`Latency::record`], for a number of nanoseconds.
    pub fn record_ns(&mut self, nanoseconds: u64) {
        self.record_us((nanoseconds + 500) / 1000);
    }

    fn record_us(&mut self, microseconds: u64) {
        self.beyond += u64::from(microseconds > in_us(LONGEST));
        self.histogram.record(microseconds.min(in_us(LONGEST))).expect("it grows as it must");
    }

    pub fn add(&mut self, other: &Latency) {
        if other.count() > 0 {
            self.histogram.add(&other.histogram).expect("it grows as it must");
            self.beyond += other.beyond;
        }
    }

    /// Empties it, and keeps its memory.
    pub fn clear(&mut self) {
        if self.count() > 0 {
            self.histogram.reset();
            self.beyond = 0;
        }
    }

    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The time within which so large a share (0 to 1) lies; zero where nothing was recorded.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.histogram.value_at_quantile(share))
    }

    pub fn max(&self) -> Duration {
        Duration::from_micros(self.histogram.max())
    }

    pub fn min(&self) -> Duration {
        Duration::from_micros(self.histogram.min())
    }

    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.histogram.mean() / 1e6)
    }

    /// The bare histogram, in microseconds, for those who write it out.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Reads what [`Latency::hdr`] has written.
    pub fn read(hdr: &str) -> Result<Latency, String> {
        of_hdr(hdr).map(|histogram| Latency { histogram, beyond: 0 })
    }

    /// The histogram in HDR V2 form, deflated, in base 64, as an interval log holds it.
    pub fn hdr(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes).expect("a vector takes everything");
        STANDARD.encode(bytes)
    }
}

/// Reads what [`Latency::hdr`] has written.
pub fn of_hdr(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
    let mut histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
    histogram.auto(true);
    Ok(histogram)
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct WrittenLatency {
    histogram: String,
    beyond: u64,
}

impl Serialize for Latency {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenLatency { histogram: self.hdr(), beyond: self.beyond }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Latency, D::Error> {
        let WrittenLatency { histogram, beyond } = WrittenLatency::deserialize(deserializer)?;
        Ok(Latency { beyond, ..Latency::read(&histogram).map_err(de::Error::custom)? })
    }
}

fn in_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Counts and times of the calls that were due in a stretch of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls that were due.
    pub planned: u64,
    /// Calls that went out; each has a class, but for those that were given up.
    pub sent: u64,
    /// Calls that were still under way when the run was ended before its plan was: nobody's fault, and no reply either.
    pub given_up: u64,
    /// Calls left out because the generator was too late for them (limit tests never catch up).
    pub skipped: u64,
    /// Calls for which no connection came free before the run ended.
    pub unsent: u64,
    /// Indexed by `Class as usize`.
    pub classes: [u64; Class::COUNT],
    /// Code to calls: the top-level code, or the first key's that is not 0. At most 200 codes.
    pub codes: BTreeMap<i64, u64>,
    /// Cause to calls without a reply.
    pub losses: BTreeMap<String, u64>,
    /// Actual send minus the time from which it could have been sent: the generator's own fault.
    pub lag: Latency,
    /// Time in line for a free connection.
    pub wait: Latency,
    /// Received minus sent, by class.
    pub service: [Latency; Class::COUNT],
    /// Received minus due, by class; of a lost call the time until it was given up.
    pub response: [Latency; Class::COUNT],
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.planned += other.planned;
        self.sent += other.sent;
        self.given_up += other.given_up;
        self.skipped += other.skipped;
        self.unsent += other.unsent;
        self.classes.iter_mut().zip(other.classes).for_each(|(sum, more)| *sum += more);
        other.codes.iter().for_each(|(code, calls)| self.count_code(*code, *calls));
        other.losses.iter().for_each(|(cause, calls)| *self.losses.entry(cause.clone()).or_default() += calls);
        self.lag.add(&other.lag);
        self.wait.add(&other.wait);
        self.service.iter_mut().zip(&other.service).for_each(|(sum, more)| sum.add(more));
        self.response.iter_mut().zip(&other.response).for_each(|(sum, more)| sum.add(more));
    }

    /// Counts a code. A target that has ever new ones is told by those that it had first.
    pub fn count_code(&mut self, code: i64, calls: u64) {
        if self.codes.len() < MOST_CODES || self.codes.contains_key(&code) {
            *self.codes.entry(code).or_default() += calls;
        }
    }

    /// Empties it, and keeps its memory.
    pub fn clear(&mut self) {
        (self.planned, self.sent, self.given_up, self.skipped, self.unsent) = (0, 0, 0, 0, 0);
        self.classes = [0; Class::COUNT];
        self.codes.clear();
        self.losses.clear();
        self.lag.clear();
        self.wait.clear();
        self.service.iter_mut().chain(&mut self.response).for_each(Latency::clear);
    }

    pub fn of(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }

    /// Service times of one class, or of all calls.
    pub fn service(&self, class: Option<Class>) -> Cow<'_, Latency> {
        selected(&self.service, class)
    }

    /// Response times of one class, or of all calls.
    pub fn response(&self, class: Option<Class>) -> Cow<'_, Latency> {
        selected(&self.response, class)
    }
}

fn selected(times: &[Latency; Class::COUNT], class: Option<Class>) -> Cow<'_, Latency> {
    if let Some(class) = class {
        return Cow::Borrowed(&times[class as usize]);
    }
    let mut recorded = times.iter().filter(|times| times.count() > 0);
    let first = Cow::Borrowed(recorded.next().unwrap_or(&times[0]));
    recorded.fold(first, |mut sum, more| {
        sum.to_mut().add(more);
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_range_is_counted_and_not_lost() {
        let mut latency = Latency::default();
        latency.record(Duration::from_secs(61));
        latency.record(Duration::from_mins(1));
        latency.record_ns(1_499);
        assert_eq!((latency.count(), latency.beyond()), (3, 1));
        assert_eq!(latency.min(), Duration::from_micros(1));
        assert!(latency.max() >= Duration::from_secs(59));
    }

    #[test]
    fn what_is_added_and_cleared_is_as_if_recorded_anew() {
        let mut tally = Tally { planned: 2, sent: 2, ..Tally::default() };
        tally.classes[Class::Lost as usize] = 1;
        tally.response[Class::Lost as usize].record(Duration::from_secs(3));
        let mut sum = tally.clone();
        sum.add(&tally);
        assert_eq!((sum.sent, sum.of(Class::Lost), sum.response(None).count()), (4, 2, 2));
        assert_eq!(sum.response(Some(Class::Accepted)).count(), 0);
        tally.clear();
        sum.add(&tally);
        assert_eq!((tally.sent, tally.response(None).count(), sum.sent), (0, 0, 4));
    }
}
