//! What the documents say of the repository: links lead somewhere, names that they give exist, decisions have their form,
//! one version is named everywhere, and words that were given up stay away. Reads files, runs nothing of ours.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod decisions;
mod links;
mod names;
mod repository;
mod versions;
mod vocabulary;
