//! A custom resource's properties: texts, of which each resource makes what it wants.

use serde_json::{Map, Value};
use thiserror::Error;

/// A property is missing or wrong.
#[derive(Debug, Error)]
pub(super) enum PropertyError {
    #[error("property {0} is missing or no text")]
    Missing(&'static str),
    #[error("property {name} is '{value}'; it must be {wanted}")]
    Wrong { name: &'static str, value: String, wanted: &'static str },
}

/// A resource's properties.
#[derive(Debug, Default)]
pub(super) struct Properties(pub(super) Map<String, Value>);

impl Properties {
    /// A property that may be missing; empty counts as missing.
    pub(super) fn optional(&self, name: &'static str) -> Result<Option<&str>, PropertyError> {
        let given = self.0.get(name).map(|value| value.as_str().ok_or(PropertyError::Missing(name)));
        Ok(given.transpose()?.filter(|text| !text.is_empty()))
    }

    /// A property that may be empty.
    pub(super) fn text(&self, name: &'static str) -> Result<&str, PropertyError> {
        self.0.get(name).and_then(Value::as_str).ok_or(PropertyError::Missing(name))
    }

    /// A property that `read` makes a value of; `wanted` says of which.
    pub(super) fn parse<T>(
        &self,
        name: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, PropertyError> {
        let value = self.text(name)?;
        read(value).ok_or_else(|| PropertyError::Wrong { name, value: value.to_owned(), wanted })
    }
}
