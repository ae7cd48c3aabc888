//! RTMP server protocol, sans-IO, and FLV tags. Pure.
