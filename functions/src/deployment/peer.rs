//! `Custom::HeadwaterPeer`: finds the stack in the other region, by the tags of its HTTP API.
//!
//! | property | |
//! |---|---|
//! | `Deployment` | its name, the same in both regions |
//! | `Role` | `primary` or `secondary`: of the stack that asks |
//! | `ApiId` | the HTTP API of the stack that asks |
//! | `PeerRegion` | the other region; missing or empty: there is none |
//! | `Join` | `true`: the peer must be there; `false`: it is not looked for |
//!
//! Any other property, when it changes, makes CloudFormation ask again. Attributes: see [`facts`], and `ApiId`,
//! `ApiEndpoint`, `ApiHost`; all are always there, empty without a peer. `OriginShield` and `PeerOriginShield`, the regions of
//! the shields in front of both stacks, are always known.

use std::time::Duration;

use headwater_domain::Region;
use headwater_domain::ports::{FaultKind, ListedApi, PortError, PortResult, ReadApis};
use thiserror::Error;
use tokio::time::Instant;

use super::properties::{Properties, PropertyError};
use super::role::Role;
use super::{Data, facts, shield};

/// The resource's type in the template.
pub(super) const TYPE: &str = "Custom::HeadwaterPeer";
/// Tag of an HTTP API: the deployment it belongs to.
const DEPLOYMENT: &str = "headwater:deployment";
/// Tag of an HTTP API: the role of its stack.
const ROLE: &str = "headwater:role";
/// CloudFormation's own tag with the stack's name.
const STACK: &str = "aws:cloudformation:stack-name";
/// How long a fresh role may be unknown; the resource's ServiceTimeout and the function's own leave more.
const IAM_PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const IAM_PAUSE: Duration = Duration::from_secs(3);
/// Longest deployment name, in characters; it is part of other names.
const MAX_NAME: usize = 64;

/// Why there is no peer.
#[derive(Debug, Error)]
pub(super) enum PeerError {
    #[error(
        "deployment '{deployment}' is already in {region} (HTTP API {api}{stack}); delete that stack or deploy under \
         another Deployment name"
    )]
    AlreadyThere { deployment: String, region: Region, api: String, stack: String },
    #[error("PeerRegion is {0}, the region of this stack; the two stacks of a deployment are in two regions")]
    SameRegion(Region),
    #[error("deployment '{deployment}' has no stack in {region}; deploy the primary in {region} first")]
    NoPrimary { deployment: String, region: Region },
    #[error(
        "deployment '{deployment}' has no stack in {region}; deploy the secondary in {region}, then this stack again \
         with PeerJoined=true"
    )]
    NoSecondary { deployment: String, region: Region },
    #[error(
        "deployment '{deployment}' is in {region} more than once (HTTP APIs {apis}); delete the stacks that are not \
         wanted, or deploy under another Deployment name"
    )]
    Several { deployment: String, region: Region, apis: String },
    #[error(
        "the stack of deployment '{deployment}' in {region} (HTTP API {api}) says its role is '{found}', but this one \
         is the {own}, so that must be the {}; delete one of them and deploy it with the right Role", .own.other()
    )]
    WrongRole { deployment: String, region: Region, api: String, found: String, own: Role },
    #[error("the {role} stack in {region} is not complete: {problem} {place} of API {api}; deploy it again")]
    NotComplete { role: Role, region: Region, problem: String, place: &'static str, api: String },
    #[error("cannot {} in {region}: {}", .source.action, .source.source)]
    Unreadable { region: Region, source: PortError },
}

/// What a stack asks.
#[derive(Debug)]
pub(super) struct PeerQuery {
    deployment: String,
    role: Role,
    api: String,
    /// The API it had before this update; CloudFormation deletes it afterwards.
    old_api: Option<String>,
    peer_region: Option<Region>,
    join: bool,
}

impl PeerQuery {
    pub(super) fn read(properties: &Properties, old: &Properties) -> Result<Self, PropertyError> {
        let name = |text: &str| (1..=MAX_NAME).contains(&text.chars().count()).then(|| text.to_owned());
        let region = || properties.parse("PeerRegion", "a region or empty", |text| text.parse().ok());
        let peer_region = properties.optional("PeerRegion")?.map(|_| region()).transpose()?;
        Ok(Self {
            deployment: properties.parse("Deployment", "a name of 1 to 64 characters", name)?,
            role: properties.parse("Role", "primary or secondary", Role::read)?,
            api: properties.parse("ApiId", "the id of an HTTP API", name)?,
            old_api: old.text("ApiId").ok().map(str::to_owned),
            peer_region,
            join: properties.parse("Join", "true or false", |text| text.parse().ok())?,
        })
    }
}

/// Changes only if the deployment or the other region does.
pub(super) fn physical_id(properties: &Properties) -> Option<String> {
    let region = properties.optional("PeerRegion").ok().flatten().unwrap_or("none");
    let deployment = properties.text("Deployment").ok().filter(|name| !name.is_empty())?;
    Some(format!("{deployment}/{region}"))
}

/// What is to be known of the peer.
pub(super) async fn find(
    apis: &impl ReadApis,
    own: &Region,
    question: &PeerQuery,
) -> Result<Data, PeerError> {
    let there = of_deployment(apis, own, question).await?;
    let is_ours = |api: &&ListedApi| api.id == question.api || Some(&api.id) == question.old_api.as_ref();
    if let Some(other) = there.iter().find(|api| !is_ours(api)) {
        return Err(PeerError::AlreadyThere {
            deployment: question.deployment.clone(),
            region: own.clone(),
            api: other.id.clone(),
            stack: other.tags.get(STACK).map(|name| format!(" of stack {name}")).unwrap_or_default(),
        });
    }
    let api = match &question.peer_region {
        Some(region) if question.join => Some((region, the_peer(apis, own, region, question).await?)),
        _ => None,
    };
    let Some((region, api)) = api else {
        return Ok(with_shields(with_api(facts::none(), "", "", ""), own, question));
    };
    let role = question.role.other();
    let not_complete = |problem, place| PeerError::NotComplete {
        role,
        region: region.clone(),
        problem,
        place,
        api: api.id.clone(),
    };
    let host = facts::host_of(&api.endpoint)
        .ok_or_else(|| not_complete(format!("'{}' is no endpoint", api.endpoint), "for clients"))?;
    let tags = patiently(|| apis.stage_tags(region, &api.id)).await;
    let tags = tags.map_err(|source| unreadable(region, source))?;
    let facts = facts::read(role, &tags, own).map_err(|gap| {
        let problem = match gap.value {
            None => format!("no tag {}", gap.tag),
            Some(value) => format!("no good tag {} (it is '{value}')", gap.tag),
        };
        not_complete(problem, "on stage $default")
    })?;
    Ok(with_shields(with_api(facts, &api.id, &api.endpoint, host), own, question))
}

/// The one API of the other role in the other region.
async fn the_peer(
    apis: &impl ReadApis,
    own: &Region,
    region: &Region,
    question: &PeerQuery,
) -> Result<ListedApi, PeerError> {
    if region == own {
        return Err(PeerError::SameRegion(region.clone()));
    }
    let (deployment, region) = (question.deployment.clone(), region.clone());
    let mut there = of_deployment(apis, &region, question).await?;
    if there.len() > 1 {
        let apis = there.iter().map(|api| api.id.as_str()).collect::<Vec<_>>().join(", ");
        return Err(PeerError::Several { deployment, region, apis });
    }
    match (there.pop(), question.role) {
        (None, Role::Primary) => Err(PeerError::NoSecondary { deployment, region }),
        (None, Role::Secondary) => Err(PeerError::NoPrimary { deployment, region }),
        (Some(api), own) => {
            let found = api.tags.get(ROLE).cloned().unwrap_or_default();
            if Role::read(&found) == Some(own.other()) {
                return Ok(api);
            }
            Err(PeerError::WrongRole { deployment, region, api: api.id, found, own })
        }
    }
}

async fn of_deployment(
    apis: &impl ReadApis,
    region: &Region,
    question: &PeerQuery,
) -> Result<Vec<ListedApi>, PeerError> {
    let mut all = patiently(|| apis.apis(region)).await.map_err(|source| unreadable(region, source))?;
    all.retain(|api| api.tags.get(DEPLOYMENT) == Some(&question.deployment));
    Ok(all)
}

/// Asks again while permission is refused: the role of this very function was made a moment ago, and IAM takes its time to
/// tell everybody ("Changes that I make are not always immediately visible", IAM User Guide).
async fn patiently<T, F: Future<Output = PortResult<T>>>(ask: impl Fn() -> F) -> PortResult<T> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.kind == FaultKind::Forbidden && begun.elapsed() < IAM_PATIENCE => {
                tracing::info!(reason = %error.source, "the permission is not known everywhere yet");
                tokio::time::sleep(IAM_PAUSE).await;
            }
            answer => return answer,
        }
    }
}

fn unreadable(region: &Region, source: PortError) -> PeerError {
    PeerError::Unreadable { region: region.clone(), source }
}

fn with_api(mut data: Data, id: &str, endpoint: &str, host: &str) -> Data {
    let attributes = [("ApiId", id), ("ApiEndpoint", endpoint), ("ApiHost", host)];
    data.extend(attributes.map(|(name, value)| (name, value.to_owned())));
    data
}

fn with_shields(mut data: Data, own: &Region, question: &PeerQuery) -> Data {
    data.insert("OriginShield", shield::nearest(own));
    data.insert("PeerOriginShield", shield::nearest(question.peer_region.as_ref().unwrap_or(own)));
    data
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn refused(kind: FaultKind) -> PortError {
        PortError {
            kind,
            action: "list the HTTP APIs",
            source: "AccessDeniedException: not authorized".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_is_not_known_everywhere_yet_is_waited_for() {
        let asked = AtomicU32::new(0);
        let known_after_a_while = || {
            ready(match asked.fetch_add(1, Ordering::Relaxed) {
                0..15 => Err(refused(FaultKind::Forbidden)),
                _ => Ok("facts"),
            })
        };
        assert_eq!(patiently(known_after_a_while).await.unwrap(), "facts");
        assert_eq!(asked.into_inner(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_refused_is_told_in_time_and_what_fails_otherwise_at_once() {
        let begun = Instant::now();
        assert!(patiently(|| ready(Err::<(), _>(refused(FaultKind::Refused)))).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(patiently(|| ready(Err::<(), _>(refused(FaultKind::Forbidden)))).await.is_err());
        assert!(begun.elapsed() <= IAM_PATIENCE + IAM_PAUSE);
    }
}
