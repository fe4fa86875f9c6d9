//! What the benches need: clients, a server that is faster than they are, and the machine's own clocks.

pub(crate) mod bare;
pub(crate) mod clients;
pub(crate) mod cpu;
pub(crate) mod lag;
pub(crate) mod machine;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod tls;
