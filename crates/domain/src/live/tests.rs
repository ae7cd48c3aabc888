//! Tests of the life of a broadcast.
