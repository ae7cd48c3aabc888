//! CloudFormation's custom resources of a deployment: `Custom::HeadwaterPeer` finds the stack in the other region,
//! `Custom::HeadwaterSite` puts the player page into the media bucket.
//!
//! CloudFormation waits an hour for an answer that does not come, and again when it rolls back. So every way through
//! this function ends in an answer: mistakes, panics and lack of time become FAILED with a sentence for the operator,
//! and a delete always succeeds. Must not know what the resources' properties are used for.

mod answer;
mod facts;
mod peer;
mod properties;
mod request;
mod role;
mod shield;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headwater_aws::callback::Callback;
use headwater_domain::ports::{PortError, ReadApis, WriteSite};
use headwater_domain::{ClockReader, Region, Timestamp};
use serde_json::Value;
use thiserror::Error;

use answer::ResourceAnswer;
use properties::PropertyError;
use request::{Request, RequestKind};

/// Time kept for the answer itself, with its retries.
const FOR_THE_ANSWER: Duration = Duration::from_secs(12);
/// Time kept for returning an error before Lambda cuts us off.
const FOR_RETURNING: Duration = Duration::from_millis(500);

/// A custom resource's attributes, for `Fn::GetAtt`.
type Data = BTreeMap<&'static str, String>;

/// The deployment function.
#[derive(Debug, Clone)]
pub struct DeploymentFunction<A, S> {
    /// The region it runs in.
    pub region: Region,
    /// HTTP APIs of both regions.
    pub apis: A,
    /// Where the player page goes.
    pub site: S,
    /// The folder with the player page's files.
    pub site_folder: PathBuf,
    /// How CloudFormation is answered. No port: tests have a server for it.
    pub callback: Callback,
    /// The wall clock.
    pub clock: ClockReader,
}

/// CloudFormation could not be answered; Lambda will try the whole request again.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// There is no telling where to.
    #[error("the event has no ResponseURL; it is not a custom resource request")]
    NoUrl,
    /// The answer was not taken.
    #[error("CloudFormation's answer was not taken")]
    NotTaken(#[from] PortError),
    /// The answer was not taken in time.
    #[error("CloudFormation's answer was not taken in time")]
    TooLate,
}

/// Why a resource cannot be made. Each is a sentence that the operator reads in the stack's events.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Property(#[from] PropertyError),
    #[error(transparent)]
    Peer(#[from] peer::PeerError),
    #[error(transparent)]
    Site(#[from] site::SiteError),
    #[error("the deployment function has no resource type {0}; is the template of another version?")]
    UnknownType(String),
    #[error("the deployment function does not know the request type '{0}'")]
    UnknownRequest(String),
    #[error("the deployment function panicked, which is a bug of Headwater: {0}")]
    Panicked(String),
    #[error("it took longer than {} s, so the deployment function gave up; try again", .0.as_secs())]
    OutOfTime(Duration),
    #[error("the answer is longer than CloudFormation takes ({0} bytes)")]
    TooLong(usize),
}

impl<A: ReadApis + 'static, S: WriteSite + 'static> DeploymentFunction<A, S> {
    /// Does what a request asks for and answers it before `deadline`.
    pub async fn handle(self: Arc<Self>, event: Value, deadline: SystemTime) -> Result<(), Unanswered> {
        let left = || Timestamp::from(deadline).since((self.clock)());
        let request = Arc::new(Request::read(&event).ok_or(Unanswered::NoUrl)?);
        let outcome = self.clone().attempt(request.clone(), left()).await;
        match &outcome {
            Ok(_) => tracing::info!(%request, "a custom resource is as asked"),
            Err(failure) => tracing::error!(%request, %failure, "a custom resource is not as asked"),
        }
        let body = ResourceAnswer::new(&request, outcome).into_body();
        let put = self.callback.put(&request.url, body);
        let time = left().saturating_sub(FOR_RETURNING);
        tokio::time::timeout(time, put).await.map_err(|_| Unanswered::TooLate)??;
        Ok(())
    }

    /// Runs the work in a task of its own, so that a panic in it is an outcome.
    async fn attempt(self: Arc<Self>, request: Arc<Request>, left: Duration) -> Result<Data, Failure> {
        // A function with a short time limit shares it evenly.
        let time = left.saturating_sub(FOR_THE_ANSWER).max(left / 2);
        let mut work = tokio::spawn(async move { self.work(&request).await });
        match tokio::time::timeout(time, &mut work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(ended)) => Err(Failure::Panicked(panic_message(ended))),
            Err(_) => {
                work.abort();
                Err(Failure::OutOfTime(time))
            }
        }
    }

    async fn work(&self, request: &Request) -> Result<Data, Failure> {
        if let RequestKind::Unknown(kind) = &request.kind {
            return Err(Failure::UnknownRequest(kind.clone()));
        }
        match request.resource_type.as_str() {
            // There is nothing of it that could be deleted.
            peer::TYPE if request.kind == RequestKind::Delete => Ok(Data::new()),
            peer::TYPE => {
                let question = peer::PeerQuery::read(&request.properties, &request.old_properties)?;
                Ok(peer::find(&self.apis, &self.region, &question).await?)
            }
            site::TYPE => {
                let location = site::SiteLocation::read(&request.properties)?;
                match request.kind {
                    RequestKind::Delete => site::remove(&self.site, &location, &self.site_folder).await?,
                    _ => site::put(&self.site, &location, &site::list(&self.site_folder)?).await?,
                }
                Ok(Data::new())
            }
            other => Err(Failure::UnknownType(other.to_owned())),
        }
    }
}

fn panic_message(ended: tokio::task::JoinError) -> String {
    let Ok(panic) = ended.try_into_panic() else { return "it was cancelled".into() };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap_or_else(|_| Box::new("(no message)"))).to_owned(),
    }
}
