//! TLS in front of a service that has none, so that clients do their handshakes. Must not know what is said.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::measure::output;

/// Where systems keep the certificates that they trust: a client reads all of them when it starts.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A certificate of 127.0.0.1, and a bundle of everything that the system trusts and this one.
pub(crate) struct Certificate {
    acceptor: TlsAcceptor,
    bundle: PathBuf,
}

impl Certificate {
    pub(crate) async fn make(folder: &Path) -> anyhow::Result<Self> {
        let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        // RSA, as AWS's own endpoints have it.
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
        ]);
        openssl.args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        output(&mut openssl).await?;
        let own = std::fs::read(&certificate)?;
        let trusted = TRUSTED.iter().find_map(|path| std::fs::read(path).ok());
        let bundle = folder.join("trusted.pem");
        std::fs::write(&bundle, [trusted.context("no bundle of trusted certificates")?, own].concat())?;
        let chain = CertificateDer::pem_file_iter(&certificate)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&key)?;
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), bundle })
    }

    pub(crate) fn bundle(&self) -> &Path {
        &self.bundle
    }
}

/// Takes TLS and passes on what is in it, until it is dropped.
pub(crate) struct Terminator {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Terminator {
    pub(crate) async fn start(certificate: &Certificate, to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, acceptor) = (listener.local_addr()?, certificate.acceptor.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect(to).await else { return };
                    let _ = server.set_nodelay(true);
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Ok(Self { address, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
