//! A client: writes chunks of every legal form.
