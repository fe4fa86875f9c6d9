//! History or measurement in, findings and verdicts out: pure judges. Never a socket, a clock or a print.

pub mod conform;
pub mod limiter;
pub mod load;
pub mod text;
