//! The histograms of a run, interval by interval, as an HDR V2 log that `HdrHistogram`'s own tools read.
//!
//! Values are microseconds. So is each line's third number, the interval's maximum, which is there for people: the log's
//! value divisor is 1. (`HistogramLogProcessor -outputValueUnitRatio 1000` shows milliseconds.) Times of intervals are
//! seconds since the base time, which is the run's start; a phase's is where it was planned to begin.

use std::io::{self, BufRead};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};

use crate::history::Class;
use crate::judge::load::tally::{Latency, Tally};
use crate::judge::text::printable;

/// Lines of a log, one interval after the other.
pub struct IntervalLines<W> {
    out: W,
    serializer: V2DeflateSerializer,
}

/// Writes a log of a run that started then, of lines that are each in the order of time. A reader that is asked for a span of
/// time stops at the first interval beyond it, so that all of them have to be in that order together.
pub fn write(mut out: &mut dyn io::Write, started: SystemTime, seconds: impl BufRead, phases: impl BufRead) -> io::Result<()> {
    IntervalLogWriterBuilder::new()
        .add_comment("[Logged with msgext; values in microseconds]")
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(started)
        .with_base_time(started)
        .begin_log_with(&mut out, &mut V2DeflateSerializer::new())?;
    let (mut seconds, mut phases) = (seconds.lines(), phases.lines());
    let mut next = [seconds.next().transpose()?, phases.next().transpose()?];
    loop {
        let phase_is_next = match &next {
            [None, None] => return Ok(()),
            [Some(second), Some(phase)] => start(phase) <= start(second),
            [second, _] => second.is_none(),
        };
        let following = if phase_is_next { phases.next() } else { seconds.next() };
        let line = std::mem::replace(&mut next[usize::from(phase_is_next)], following.transpose()?);
        writeln!(out, "{}", line.unwrap_or_default())?;
    }
}

/// Seconds, as they stand behind the tag.
fn start(line: &str) -> f64 {
    line.split(',').nth(1).and_then(|start| start.parse().ok()).unwrap_or_default()
}

impl<W: io::Write> IntervalLines<W> {
    pub fn new(out: W) -> IntervalLines<W> {
        IntervalLines { out, serializer: V2DeflateSerializer::new() }
    }

    /// One interval, which began so long after the run's start: a line for each timing of which there is anything, and for
    /// each class, so that a class's lines add up to all of its calls. `scope`, such as a phase's name, stands before each tag.
    pub fn write(&mut self, scope: Option<&str>, at: Duration, length: Duration, tally: &Tally) -> io::Result<()> {
        // A tag with one of these would be left out, and the phase's line taken for a second's.
        let scope = scope.map(|scope| format!("{}-", printable(scope).replace([' ', ','], "_"))).unwrap_or_default();
        let (response, service) = (tally.response(None), tally.service(None));
        let timings = [("lag", &tally.lag), ("wait", &tally.wait), ("service", &service), ("response", &response)];
        timings.into_iter().try_for_each(|(tag, latency)| self.line(&format!("{scope}{tag}"), at, length, latency))?;
        Class::ALL.into_iter().try_for_each(|class| {
            let (service, response) = (&tally.service[class as usize], &tally.response[class as usize]);
            self.line(&format!("{scope}service-{}", class.word()), at, length, service)?;
            self.line(&format!("{scope}response-{}", class.word()), at, length, response)
        })
    }

    /// Gives back what it was written to, flushed.
    pub fn end(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, tag: &str, at: Duration, length: Duration, latency: &Latency) -> io::Result<()> {
        if latency.count() == 0 {
            return Ok(());
        }
        // A writer without a header of its own adds nothing but the line.
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.out, &mut self.serializer)?
            .write_histogram(latency.histogram(), at, length, Tag::new(tag))
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })
    }
}

impl<W> std::fmt::Debug for IntervalLines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IntervalLines").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::report::load::fixture::tally;

    #[test]
    fn what_is_written_reads_back_by_tag_with_its_times_and_values() {
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (mut seconds, mut phases) = (IntervalLines::new(Vec::new()), IntervalLines::new(Vec::new()));
        let (first, second) = (tally(100, 0), tally(50, 20));
        seconds.write(None, Duration::ZERO, Duration::from_secs(1), &first).unwrap();
        seconds.write(None, Duration::from_secs(1), Duration::from_millis(500), &second).unwrap();
        phases.write(Some("hold"), Duration::ZERO, Duration::from_secs(1), &first).unwrap();
        phases.write(Some("hot, then\ncold"), Duration::ZERO, Duration::from_secs(1), &first).unwrap();
        phases.write(Some("late"), Duration::from_millis(700), Duration::from_secs(1), &second).unwrap();
        let (seconds, phases) = (seconds.end().unwrap(), phases.end().unwrap());
        let mut text = Vec::new();
        write(&mut text, started, seconds.as_slice(), phases.as_slice()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("StartTime:").count(), 1, "{text}");

        let mut read: Vec<(String, Duration, Duration, Histogram<u64>)> = Vec::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            match entry.unwrap() {
                LogEntry::Interval(line) => {
                    let encoded = STANDARD.decode(line.encoded_histogram()).unwrap();
                    let histogram = Deserializer::new().deserialize(&mut encoded.as_slice()).unwrap();
                    read.push((line.tag().unwrap().as_str().to_owned(), line.start_timestamp(), line.duration(), histogram));
                }
                LogEntry::StartTime(time) | LogEntry::BaseTime(time) => assert_eq!(time, Duration::from_secs(1_700_000_000)),
            }
        }
        assert!(read.is_sorted_by_key(|(_, at, ..)| *at), "{text}");
        assert_eq!(read.len(), text.lines().filter(|line| line.starts_with("Tag=")).count());
        let of = |tag: &str| read.iter().filter(|(own, ..)| own == tag).collect::<Vec<_>>();
        assert_eq!((of("response").len(), of("response-accepted").len(), of("response-refused").len()), (2, 2, 1));
        assert_eq!((of("hold-response").len(), of("hold-response-accepted").len()), (1, 1));
        assert_eq!(of(r"hot__then\ncold-response").len(), 1);
        assert_eq!((of("lag").len(), of("wait").len(), of("response-lost").len()), (2, 2, 0));
        assert_eq!(&of("response")[0].3, first.response[0].histogram());
        assert_eq!((of("late-response").len(), of("late-response")[0].1), (1, Duration::from_millis(700)));
        let (_, at, length, refused) = of("response-refused")[0];
        assert_eq!((*at, *length, refused.len()), (Duration::from_secs(1), Duration::from_millis(500), 20));
        assert_eq!(refused.max(), 350);
    }
}
