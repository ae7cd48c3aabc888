//! TLS for `rtmps://`, with the ring provider.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::gateway::config::RtmpsConfig;
use crate::gateway::error::GatewayError;

/// Loads certificate and key.
pub fn acceptor(config: &RtmpsConfig) -> Result<TlsAcceptor, GatewayError> {
    let chain = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| unusable(&config.certificate, source))?;
    let key = PrivateKeyDer::from_pem_file(&config.private_key)
        .map_err(|source| unusable(&config.private_key, source))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|source| unusable(&config.certificate, source))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> GatewayError {
    GatewayError::Certificate { path: path.to_owned(), source: Box::new(source) }
}
