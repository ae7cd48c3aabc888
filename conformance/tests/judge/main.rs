//! Whether the judge is right: good streams pass, each broken one breaks the rule that it breaks, and what is recorded over
//! HTTP is what was served.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod broken;
mod good;
mod http;
mod required;
mod support;
