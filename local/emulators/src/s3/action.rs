//! The IAM action of a request, and the resource it is on (Service Authorization Reference, Amazon S3). Must not know
//! whether it is allowed.

use http::{HeaderMap, Method, Uri};

use crate::calls::Call;

/// The call that a request is. Buckets are addressed by path here.
pub(super) fn call(method: &Method, uri: &Uri, headers: &HeaderMap) -> Call {
    let path = uri.path().trim_start_matches('/');
    let query = uri.query().unwrap_or_default();
    let on_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let action = match (on_object, method.as_str()) {
        (true, "GET" | "HEAD") => "s3:GetObject",
        (true, "DELETE") if query.contains("uploadId=") => "s3:AbortMultipartUpload",
        (true, "DELETE") => "s3:DeleteObject",
        // Multipart uploads, too.
        (true, _) => "s3:PutObject",
        (false, "GET" | "HEAD") => "s3:ListBucket",
        (false, "POST") => "s3:DeleteObject",
        (false, "DELETE") => "s3:DeleteBucket",
        (false, _) => "s3:CreateBucket",
    };
    Call::new(headers, action, format!("arn:aws:s3:::{}", path.trim_end_matches('/')))
}
