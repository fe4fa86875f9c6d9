//! The wire form of the API: calls, replies, codes, bounds, the query string and `UserSig`.
//!
//! Never a socket, a clock or a choice: what the documentation leaves open lives in [`crate::model`].

pub mod call;
pub mod code;
mod duplicates;
pub mod http;
pub mod message;
mod plain;
pub mod reply;
pub mod scan;
pub mod usersig;

pub use call::{Call, Kv, MemberCalls, Operation};
pub use http::HttpRequest;
pub use reply::{ActionStatus, Defect, Extension, KeyResult, Reply};
