//! One versioned report and its renderers.
