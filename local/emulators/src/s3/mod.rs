//! S3 of one region: files in a folder behind the S3 protocol. Must not know what the objects are.
//!
//! Three kinds of callers, as in the deployed bucket: requests signed (SigV4) with the local key may do everything;
//! the edge, known by a secret header that stands for CloudFront's origin access control, may read objects; anybody
//! else may do nothing. The edge has no `ListBucket`, so a missing key is 403 for it, not 404 (S3 API reference,
//! GetObject, "Permissions").

mod action;
mod conditional;
mod cors;
mod key;
mod paths;

pub use cors::CorsRule;

use crate::calls::CallLog;
use crate::credentials::LocalCredentials;
use crate::fault::Failure;
use crate::listen::{Faults, Handler, ListenError, Server};
use axum::body::Body;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, Uri, header};
use paths::Paths;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// The header by which the edge shows that it is the edge.
pub const OAC_HEADER: &str = "x-headwater-oac";

/// Largest body of one request, in bytes. It is held in memory, so that an object is only locked while it is written
/// and not while it travels. Far above any segment; S3 itself takes 5 GB.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// Why the service could not be started.
#[derive(Debug, Error)]
pub enum S3Error {
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data folder.
    #[error("cannot use the data folder {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The file store could not be opened on it.
    #[error("cannot open the object store: {0}")]
    Store(String),
    /// A bucket's name is not a plain name.
    #[error("{0:?} is not a bucket name")]
    BucketName(String),
}

/// One region's S3.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// Region name, for log lines.
    pub region: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// Folder for its data: one folder a bucket.
    pub folder: PathBuf,
    /// The key pair that may do everything.
    pub credentials: LocalCredentials,
    /// Value of [`OAC_HEADER`] that lets the edge read objects.
    pub oac_secret: String,
    /// Notes who calls what.
    pub calls: CallLog,
}

/// A running S3. Dropping it closes the listener; the data stays in the folder.
#[derive(Debug)]
pub struct S3 {
    server: Server,
    cors: Arc<cors::Rules>,
    folder: PathBuf,
}

struct Front {
    /// Checks signatures.
    signed: S3Service,
    /// Checks nothing; gets only object reads by the edge.
    open: S3Service,
    oac_secret: String,
    calls: CallLog,
    cors: Arc<cors::Rules>,
    folder: PathBuf,
    paths: Paths,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Signed,
    Edge,
    Anonymous,
}

impl S3 {
    /// Opens the data folder and listens.
    pub async fn start(config: S3Config) -> Result<Self, S3Error> {
        let folder = config.folder.clone();
        std::fs::create_dir_all(&folder)
            .map_err(|source| S3Error::Folder { folder: folder.clone(), source })?;
        let store = || FileSystem::new(&folder).map_err(|error| S3Error::Store(format!("{error:?}")));
        let mut signed = S3ServiceBuilder::new(store()?);
        let LocalCredentials { access_key_id, secret_access_key } = config.credentials;
        signed.set_auth(SimpleAuth::from_single(access_key_id, secret_access_key));
        let open = S3ServiceBuilder::new(store()?).build();
        let cors = Arc::new(cors::Rules::default());
        let front = Front {
            signed: signed.build(),
            open,
            oac_secret: config.oac_secret,
            calls: config.calls,
            cors: cors.clone(),
            folder: folder.clone(),
            paths: Paths::default(),
        };
        let server = Server::start(&format!("s3 {}", config.region), config.port, Arc::new(front))?;
        Ok(Self { server, cors, folder })
    }

    /// Where it listens. Buckets are addressed by path (`force_path_style`).
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Makes sure a bucket exists.
    pub fn create_bucket(&self, name: &str) -> Result<(), S3Error> {
        if !s3s::path::check_bucket_name(name) {
            return Err(S3Error::BucketName(name.to_owned()));
        }
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|source| S3Error::Folder { folder, source })
    }

    /// Sets what sites' scripts may do with a bucket (`PutBucketCors`); without, preflights are refused.
    pub fn set_cors(&self, bucket: &str, rules: Vec<CorsRule>) {
        self.cors.set(bucket, rules);
    }

    /// Refuses connections from now on; what is stored stays. `faults().start()` undoes it.
    pub async fn stop(&self) {
        self.server.faults().stop().await;
    }

    /// Makes it fail, and counts.
    pub fn faults(&self) -> Faults {
        self.server.faults()
    }

    /// Another listener, on `port` (0: any free one), that can be cut off alone.
    pub fn secondary(&self, name: &str, port: u16) -> Result<Server, ListenError> {
        self.server.secondary(name, port)
    }
}

impl Handler for Front {
    fn handle(self: Arc<Self>, request: Request<Body>, _: SocketAddr) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let (asked, site) =
                (conditional::Conditions::of(&request), cors::BucketCorsRequest::of(&request));
            if site.is_preflight() {
                return self.cors.preflight(&site);
            }
            let answered = match self.caller(&request) {
                Caller::Anonymous => denied(),
                Caller::Signed => {
                    self.calls.record(action::call(request.method(), request.uri(), request.headers()));
                    self.call(&self.signed, request).await
                }
                Caller::Edge => match object_read(request) {
                    Some(request) => hide_missing(self.call(&self.open, request).await),
                    None => denied(),
                },
            };
            self.cors.answer(&site, asked.answer(answered))
        })
    }

    /// API reference, "Error responses".
    fn fail(&self, failure: Failure) -> Response<Body> {
        match failure {
            Failure::Internal => error_response(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Failure::Unavailable => error_response(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Failure::Throttle => error_response(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        }
    }
}

impl Front {
    fn caller(&self, request: &Request<Body>) -> Caller {
        let signed_query = request.uri().query().is_some_and(|query| query.contains("X-Amz-Signature="));
        if signed_query || request.headers().contains_key(header::AUTHORIZATION) {
            return Caller::Signed;
        }
        match request.headers().get(OAC_HEADER) {
            Some(secret) if secret.as_bytes() == self.oac_secret.as_bytes() => Caller::Edge,
            _ => Caller::Anonymous,
        }
    }

    async fn call(&self, service: &S3Service, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
            return error_response(StatusCode::BAD_REQUEST, "EntityTooLarge");
        };
        let path = parts.uri.path().to_owned();
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if !key::can_be(&path) || reads && key::is_folder(&self.folder, &path) {
            return error_response(StatusCode::NOT_FOUND, "NoSuchKey");
        }
        let request = Request::from_parts(parts, s3s::Body::from(body));
        let answered = if reads {
            let _lock = self.paths.read(&path).await;
            service.call(request).await
        } else {
            let _lock = self.paths.write(&path).await;
            service.call(request).await
        };
        match answered {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(?error, "the object store failed");
                error_response(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
        }
    }
}

/// The request without its query (which could turn it into another operation), if it reads an object.
fn object_read(mut request: Request<Body>) -> Option<Request<Body>> {
    let path = request.uri().path().to_owned();
    let names_object = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    if !names_object || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    *request.uri_mut() = path.parse::<Uri>().ok()?;
    Some(request)
}

fn hide_missing(response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::NOT_FOUND { denied() } else { response }
}

fn denied() -> Response<Body> {
    error_response(StatusCode::FORBIDDEN, "AccessDenied")
}

fn error_response(status: StatusCode, code: &str) -> Response<Body> {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    response
}
