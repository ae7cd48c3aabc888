//! For tests: written fakes of the ports, the conformance suites that fake and adapter both pass, and sample values.

pub mod conformance;
pub mod deployment;
pub mod fakes;
pub mod parts;
pub mod samples;
