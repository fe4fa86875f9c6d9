//! What all `OpenMetrics` 1.0 texts have in common.

use std::io::{self, Write};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The last line of each text.
pub const END: &[u8] = b"# EOF\n";

/// What a metric is, before its samples.
pub fn family(out: &mut dyn Write, name: &str, kind: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# TYPE {name} {kind}\n# HELP {name} {help}")
}

/// A label's value.
pub fn escaped(label: &str) -> String {
    label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
