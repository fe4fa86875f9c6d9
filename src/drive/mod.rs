//! Talks to the target.
