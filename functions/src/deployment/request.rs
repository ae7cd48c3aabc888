//! A custom resource's request, read leniently: whatever is wrong with it, it must be answered (CloudFormation user
//! guide, "Custom resource request objects"). Must not know what the resources do.

use std::fmt;

use serde_json::Value;

use super::properties::Properties;
use super::{peer, site};

/// What is to happen to the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestKind {
    Create,
    Update,
    Delete,
    Unknown(String),
}

/// A request; fields that it lacks are empty.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: RequestKind,
    /// Where the answer goes. A credential.
    pub(super) url: String,
    pub(super) stack: String,
    pub(super) request: String,
    pub(super) logical: String,
    pub(super) physical: Option<String>,
    pub(super) resource_type: String,
    pub(super) properties: Properties,
    pub(super) old_properties: Properties,
}

/// For the log: no URL, no properties.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {} of {}", self.kind, self.resource_type, self.logical, self.stack)
    }
}

impl Request {
    /// `None`: it does not say where to answer.
    pub(super) fn read(event: &Value) -> Option<Self> {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let properties = |name: &str| Properties(event[name].as_object().cloned().unwrap_or_default());
        let url = text("ResponseURL");
        let kind = match text("RequestType").as_str() {
            "Create" => RequestKind::Create,
            "Update" => RequestKind::Update,
            "Delete" => RequestKind::Delete,
            other => RequestKind::Unknown(other.to_owned()),
        };
        (!url.is_empty()).then(|| Self {
            kind,
            url,
            stack: text("StackId"),
            request: text("RequestId"),
            logical: text("LogicalResourceId"),
            physical: event["PhysicalResourceId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
            resource_type: text("ResourceType"),
            properties: properties("ResourceProperties"),
            old_properties: properties("OldResourceProperties"),
        })
    }

    /// The resource's id in the answer. An id that changes makes CloudFormation delete what had the old one, so it
    /// stays unless the resource is to be another one, and that was made.
    pub(super) fn physical_id(&self, made: bool) -> String {
        let identity = |properties: &Properties| match self.resource_type.as_str() {
            peer::TYPE => peer::physical_id(properties),
            site::TYPE => site::physical_id(properties),
            _ => None,
        };
        let wanted = identity(&self.properties);
        let old = identity(&self.old_properties);
        let is_another = made && self.kind == RequestKind::Update && old.is_some() && wanted != old;
        let given = self.physical.clone().filter(|_| !is_another);
        given.or(wanted).unwrap_or_else(|| format!("{}/none", self.logical))
    }
}
