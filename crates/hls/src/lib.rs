//! HLS playlists as RFC 8216bis has them: pure rendering. Pure.
