//! Room for connections among the descriptors that the system allows a process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The system allows too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{needed} file descriptors are needed for {connections} connections, and the system allows {allowed}: raise the limit (ulimit -n), or take fewer connections"
)]
pub struct TooFewDescriptors {
    connections: u32,
    needed: u64,
    allowed: u64,
}

/// Descriptors beside those of a run's connections: files, timers, the connections of the probe.
const OTHER_DESCRIPTORS: u64 = 100;

/// Makes room for so many connections, of each so many ends, where the system lets this process raise its own limit.
pub fn make_room(connections: u32, ends: u64) -> Result<(), TooFewDescriptors> {
    let needed = u64::from(connections) * ends + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(limit.maximum.map_or(needed, |most| most.min(needed))), ..limit };
    // What counts is what is allowed afterwards.
    let _ = setrlimit(Resource::Nofile, raised);
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(TooFewDescriptors { connections, needed, allowed }),
        _ => Ok(()),
    }
}
