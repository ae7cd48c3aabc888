//! What a stack tells the other region's about itself: tags on the stage `$default` of its HTTP API, one a fact.
//!
//! Tag values have at most 256 characters and no commas, so lists are separated by spaces (API Gateway developer guide,
//! "Tag restrictions").

use std::collections::BTreeMap;

use headwater_domain::Region;

use super::Data;
use super::role::Role;

/// What a value must look like, and what becomes of it.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A name: anything without spaces.
    Name,
    /// A name that begins so.
    Id(&'static str),
    /// `true` or `false`.
    Flag,
    /// A host name.
    Host,
    /// An `http` or `https` URL.
    Url,
    /// The ARN of something of this service.
    Arn(&'static str),
    /// A secret's ARN. Its replica in our region differs in the region only.
    Secret,
    /// Subnet ids, separated by spaces; they become separated by commas.
    Subnets,
}

/// Tag, attribute, shape.
type Fact = (&'static str, &'static str, Shape);

/// What every stack tells.
const EVERY: [Fact; 10] = [
    ("headwater:media-bucket", "MediaBucket", Shape::Name),
    ("headwater:cluster", "Cluster", Shape::Name),
    ("headwater:task-family", "TaskFamily", Shape::Name),
    ("headwater:subnets", "Subnets", Shape::Subnets),
    ("headwater:security-group", "SecurityGroup", Shape::Id("sg-")),
    ("headwater:task-role-arn", "TaskRoleArn", Shape::Arn("iam")),
    ("headwater:execution-role-arn", "ExecutionRoleArn", Shape::Arn("iam")),
    ("headwater:ingest-host", "IngestHost", Shape::Host),
    ("headwater:load-balancer-arn", "LoadBalancerArn", Shape::Arn("elasticloadbalancing")),
    ("headwater:rtmps", "Rtmps", Shape::Flag),
];

/// What the primary tells as well: of what there is once in a deployment.
const PRIMARY: [Fact; 7] = [
    ("headwater:table", "Table", Shape::Name),
    ("headwater:distribution-arn", "DistributionArn", Shape::Arn("cloudfront")),
    ("headwater:edge-url", "EdgeUrl", Shape::Url),
    ("headwater:admin-token-arn", "AdminTokenArn", Shape::Secret),
    ("headwater:key-pepper-arn", "KeyPepperArn", Shape::Secret),
    ("headwater:signing-key-arn", "SigningKeyArn", Shape::Secret),
    ("headwater:origin-secret-arn", "OriginSecretArn", Shape::Secret),
];

/// A fact that is not there, or not what it must be.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) tag: &'static str,
    pub(super) value: Option<String>,
}

/// All attributes, empty: `Fn::GetAtt` fails for one that is not there.
pub(super) fn none() -> Data {
    EVERY.iter().chain(&PRIMARY).map(|(_, attribute, _)| (*attribute, String::new())).collect()
}

/// The facts that a stack of this role tells with `tags`, for a stack in `own`.
pub(super) fn read(role: Role, tags: &BTreeMap<String, String>, own: &Region) -> Result<Data, Gap> {
    let only_primary = PRIMARY.iter().filter(|_| role == Role::Primary);
    let mut data = none();
    for (tag, attribute, shape) in EVERY.iter().chain(only_primary) {
        let value = tags.get(*tag);
        let read = value.and_then(|value| shape.read(value, own));
        data.insert(attribute, read.ok_or_else(|| Gap { tag, value: value.cloned() })?);
    }
    Ok(data)
}

impl Shape {
    fn read(self, value: &str, own: &Region) -> Option<String> {
        let is_name = |text: &str| !text.is_empty() && !text.contains([' ', ',']);
        let fits = match self {
            Self::Name => is_name(value),
            Self::Id(start) => is_name(value) && value.len() > start.len() && value.starts_with(start),
            Self::Flag => matches!(value, "true" | "false"),
            Self::Host => {
                is_name(value) && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
            }
            Self::Url => host_of(value).is_some(),
            Self::Arn(service) => arn(value, service).is_some(),
            Self::Secret => {
                let mut fields = arn(value, "secretsmanager")?;
                fields[3] = own.as_str();
                return Some(fields.join(":"));
            }
            Self::Subnets => {
                let ids: Vec<_> = value.split(' ').collect();
                let fine = ids.iter().all(|id| is_name(id) && id.starts_with("subnet-"));
                return fine.then(|| ids.join(","));
            }
        };
        fits.then(|| value.to_owned())
    }
}

/// The host, with a port if there is one, of an `http` or `https` URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split('/').next()?;
    (!host.is_empty() && !host.contains([' ', ',', '@'])).then_some(host)
}

/// `arn:<partition>:<service>:<region>:<account>:<resource>`; region and account may be empty.
fn arn<'a>(value: &'a str, service: &str) -> Option<[&'a str; 6]> {
    let fields: [&str; 6] = value.splitn(6, ':').collect::<Vec<_>>().try_into().ok()?;
    let fine = fields[0] == "arn" && !fields[1].is_empty() && fields[2] == service && !fields[5].is_empty();
    (fine && !value.contains([' ', ','])).then_some(fields)
}
