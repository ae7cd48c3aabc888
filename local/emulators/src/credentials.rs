//! The one access key of the local stack. Every stand-in that checks signatures knows this pair and no other.

use std::fmt;

/// An access key pair; `Debug` does not show the secret.
#[derive(Clone)]
pub struct LocalCredentials {
    /// Access key id, as in `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// Secret, as in `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
}

impl LocalCredentials {
    /// A pair from its two halves.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into() }
    }

    /// The environment variables by which an AWS SDK finds this pair and `region`.
    pub fn environment(&self, region: &str) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.as_str()),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl fmt::Debug for LocalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalCredentials({}, ****)", self.access_key_id)
    }
}
