//! Cores, clocks and the CPU time of a child.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// A core each, so that neither takes time from the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) client: usize,
}

/// The first two cores that this process may use.
pub(crate) fn cores() -> io::Result<Cores> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (cores.next(), cores.next()) {
        (Some(server), Some(client)) => Ok(Cores { server, client }),
        _ => Err(io::Error::other("client and server need a core each, and there is only one")),
    }
}

/// Keeps this thread, and every process that it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// The monotonic clock.
pub(crate) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// The CPU time that this thread has had.
pub(crate) fn cpu_of_this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// What the numbers depend on.
pub(crate) fn describe(out: &mut dyn Write, cores: Cores) -> io::Result<()> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("a CPU without a name");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    writeln!(out, "{} · Linux {} · load average {load}", model.trim_start_matches(['\t', ':', ' ']), kernel.trim())?;
    writeln!(out, "server on core {}, clients on core {}", cores.server, cores.client)
}

/// A child that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// User and system time of its own, without its children's.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// Runs a command on this core to its end. What goes beyond the time is killed.
pub(crate) fn run(mut command: Command, core: usize, home: usize, at_most: Duration) -> io::Result<Ended> {
    pin(core)?;
    let started = Instant::now();
    let child = command.spawn();
    pin(home)?;
    let mut child = child?;
    loop {
        let cpu = cpu_of_dead(child.id())?;
        let late = started.elapsed() > at_most;
        if late {
            child.kill()?;
        }
        if cpu.is_some() || late {
            let wall = started.elapsed();
            return Ok(Ended { status: child.wait()?, cpu: cpu.unwrap_or_default(), wall });
        }
        // Rarely enough to disturb nobody, often enough for the length of the run.
        thread::sleep(Duration::from_millis(50));
    }
}

/// The CPU time of a child that has ended and was not waited for yet; such a child's is final.
fn cpu_of_dead(child: u32) -> io::Result<Option<Duration>> {
    /// The unit of `/proc`, whatever the kernel's own.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{child}/stat"))?;
    // The name before it is in brackets and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<u32>().ok()).unwrap_or(0);
    Ok((fields.first() == Some(&"Z")).then(|| TICK * (ticks(11) + ticks(12))))
}
