//! The reference endpoint on wiremock and on hyper: thin hosts of [`crate::model`].
