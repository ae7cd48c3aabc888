//! What Headwater decides: streams, keys, broadcasts, leases, timelines. Pure.
