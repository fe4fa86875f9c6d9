//! How urgent a thread is.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// The nice value of a thread that gives way to every other.
const LEAST_URGENT: i32 = 19;

/// Where another thread wants the core, this one can wait. Only a thread of its own can be lowered: none may raise itself again.
/// Where it cannot, it is merely less polite.
pub fn give_way() {
    let _ = setpriority_process(Some(gettid()), LEAST_URGENT);
}
