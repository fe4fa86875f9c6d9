//! The load path's own HTTP/1.1 client: its reader against hyper's on the same bytes, its connections on real sockets.

mod connection;
mod hyper_client;
mod response;
