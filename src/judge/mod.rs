//! History in, findings out: pure judges.
