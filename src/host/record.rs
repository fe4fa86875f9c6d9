//! When each set call came in and how long it took, as the server saw it: what a client's own times are held against.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// 80 MB. Memory is taken as calls come in.
const MOST: usize = 5_000_000;

/// One set call. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Served {
    /// On the monotonic clock, which all processes of a machine share.
    arrived: u64,
    /// From then to the moment that its reply was ready to be written.
    service: u64,
}

/// The first calls of a server, up to a bound.
#[derive(Debug)]
pub struct Record {
    most: usize,
    calls: Mutex<(Vec<Served>, u64)>,
}

impl Default for Record {
    fn default() -> Record {
        Record::of_at_most(MOST)
    }
}

impl Record {
    /// Room is set aside at once: growing it would hold up the calls that come in meanwhile.
    fn of_at_most(most: usize) -> Record {
        Record { most, calls: Mutex::new((Vec::with_capacity(most), 0)) }
    }

    /// Takes down one call, where there is room for it.
    pub fn add(&self, arrived: Duration, answered: Duration) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let served = Served { arrived: nanoseconds(arrived), service: nanoseconds(answered.saturating_sub(arrived)) };
        let (calls, left_out) = &mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < self.most {
            calls.push(served);
        } else {
            *left_out += 1;
        }
    }

    /// How many calls there was no room for.
    pub fn left_out(&self) -> u64 {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// One line a call, in the order in which they were answered.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "arrived_ns,service_ns")?;
        let (calls, _) = &*self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().try_for_each(|Served { arrived, service }| writeln!(out, "{arrived},{service}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_kept_up_to_the_bound_and_counted_beyond_it() {
        let record = Record::of_at_most(2);
        for arrived in [3, 5, 8] {
            record.add(Duration::from_micros(arrived), Duration::from_micros(arrived + 1));
        }
        let mut csv = Vec::new();
        record.write_csv(&mut csv).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "arrived_ns,service_ns\n3000,1000\n5000,1000\n");
        assert_eq!(record.left_out(), 1);
    }
}
