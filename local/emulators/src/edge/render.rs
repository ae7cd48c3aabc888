//! Writes nginx's configuration for a distribution. Pure; must not know how nginx is run.
//!
//! Two layers. A *node* has the cache and asks the *group* server over a Unix socket on a miss; the group server has
//! no cache and does the failing over. So the lock that collapses requests spans both origins of a group, and what is
//! cached is the group's answer, not its first origin's.

use super::collapse::NODE_HEADER;
use super::config::{Behavior, Distribution, Mode, Origin};
use super::error::RenderError;
use super::syntax::{gzip, pattern, plain, preflight, quoted, unquoted};
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Where things are.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) folder: &'a Path,
    pub(super) ports: &'a [u16],
    /// Who collapses for behaviours that do not want to wait for nginx.
    pub(super) collapse: SocketAddr,
    /// Answered at [`GENERATION_PATH`], so that a start can be seen to be done.
    pub(super) generation: u64,
    /// Descriptors that we may have at most.
    pub(super) files: u64,
    /// Whether we are root; nginx would otherwise turn its worker into `nobody`, who cannot read our folder.
    pub(super) root: bool,
}

/// Path under which a node tells its configuration's generation.
pub(super) const GENERATION_PATH: &str = "/.edge/generation";

/// Connections of all nodes together. A viewer who waits is two, his own and that to whom he waits for; one costs some
/// 400 bytes, used or not.
const MAX_CONNECTIONS: u64 = 16_384;
/// Connections that a node has not taken yet: viewers of one stream come at once. The kernel's limit (somaxconn) is this
/// by default.
const BACKLOG: u16 = 4_096;

/// The kinds of files a static folder has.
const TYPES: &str = "types { text/html html; text/css css; text/javascript js mjs; application/json json map; \
    image/svg+xml svg; image/png png; image/x-icon ico; font/woff2 woff2; application/wasm wasm; \
    application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }";

/// The whole file.
pub(super) fn render(layout: &Layout<'_>, distribution: &Distribution) -> Result<String, RenderError> {
    let folder = unquoted(&layout.folder.to_string_lossy())?.to_owned();
    let mut out = String::new();
    if layout.root {
        out.push_str("user root root;\n");
    }
    writeln!(
        out,
        "daemon off;\nworker_processes 1;\nerror_log {folder}/error.log warn;\npid {folder}/nginx.pid;"
    )?;
    writeln!(out, "worker_rlimit_nofile {};", layout.files.min(MAX_CONNECTIONS))?;
    writeln!(out, "events {{ worker_connections {MAX_CONNECTIONS}; }}\nhttp {{")?;
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(out, "{kind}_temp_path {folder}/temp-{kind};")?;
    }
    writeln!(out, "{TYPES}\ndefault_type application/octet-stream;")?;
    // No query in the log: playback tokens travel there.
    out.push_str("log_format edge escape=json '{\"time\":\"$time_iso8601\",\"node\":\"$server_port\",");
    out.push_str(
        "\"method\":\"$request_method\",\"path\":\"$uri\",\"status\":$status,\"bytes\":$body_bytes_sent,",
    );
    out.push_str("\"cache\":\"$upstream_cache_status\",\"seconds\":$request_time}';\n");
    writeln!(out, "access_log off;\nserver_tokens off;\nclient_max_body_size 10m;\ntcp_nodelay on;")?;
    writeln!(out, "proxy_http_version 1.1;\nproxy_set_header Connection \"\";")?;
    writeln!(out, "map $request_uri $path {{ ~^(?<bare>[^?]*) $bare; }}")?;
    // RFC 9110 §12.5.3: gzip where it is named and not refused by a weight of zero.
    writeln!(out, "map $http_accept_encoding $encoding {{")?;
    writeln!(
        out,
        "\"~*{}\" \"\"; \"~*{}\" gzip; default \"\"; }}",
        gzip("0(\\.0*)?"),
        gzip("(1(\\.0*)?|0\\.[0-9]+)")
    )?;
    // As CloudFront, which takes `//` for another path than `/`.
    writeln!(out, "merge_slashes off;")?;
    writeln!(
        out,
        "map $upstream_cache_status $x_cache {{ HIT \"Hit from edge\"; REVALIDATED \"RefreshHit from edge\"; default \"Miss from edge\"; }}"
    )?;
    for (name, origin) in &distribution.origins {
        writeln!(out, "upstream {} {{ server {} max_fails=0; keepalive 32; }}", plain(name)?, origin.addr)?;
    }
    for (index, behavior) in distribution.behaviors.iter().enumerate() {
        maps(&mut out, index, behavior, distribution)?;
    }
    group_server(&mut out, &folder, distribution)?;
    for (node, port) in layout.ports.iter().enumerate() {
        let zone = zone(node);
        writeln!(
            out,
            "proxy_cache_path {folder}/cache-{node} keys_zone={zone}:10m max_size=1g inactive=10m use_temp_path=off;"
        )?;
        writeln!(
            out,
            "server {{ listen 127.0.0.1:{port} backlog={BACKLOG}; access_log {folder}/access.log edge;"
        )?;
        writeln!(out, "location = {GENERATION_PATH} {{ return 200 \"{}\"; }}", layout.generation)?;
        for (index, behavior) in distribution.behaviors.iter().enumerate() {
            let node = Node { number: node, folder: &folder, collapse: layout.collapse };
            node_location(&mut out, &node, index, behavior, distribution)?;
        }
        if let Some(root) = &distribution.static_root {
            let root = quoted(&root.to_string_lossy())?;
            writeln!(
                out,
                "location / {{ root {root}; index index.html; limit_except GET {{ deny all; }} }}"
            )?;
        }
        writeln!(out, "}}")?;
    }
    out.push_str("}\n");
    Ok(out)
}

/// Variables of one behaviour: the part of the query that counts, and how long an error is remembered.
fn maps(out: &mut String, index: usize, behavior: &Behavior, all: &Distribution) -> Result<(), RenderError> {
    for (number, (_, value)) in behavior.preflight_headers.iter().enumerate() {
        let name = preflight(index, number);
        writeln!(out, "map $request_method {name} {{ OPTIONS {}; default \"\"; }}", quoted(value)?)?;
    }
    match &behavior.mode {
        Mode::Cached { query_keys, error_ttl } => {
            let mut joined = String::new();
            for key in query_keys {
                let key = plain(key)?;
                if key.contains('-') {
                    return Err(RenderError::Unusable(key.to_owned())); // not possible in a variable's name
                }
                let name = format!("$query_{index}_{}", key.to_ascii_lowercase());
                writeln!(out, "map $arg_{key} {name} {{ \"\" \"\"; default \"&{key}=$arg_{key}\"; }}")?;
                write!(joined, "{name}")?;
            }
            writeln!(
                out,
                "map \"{joined}\" $query_{index} {{ \"~^&(?<kept_{index}>.+)$\" \"?$kept_{index}\"; default \"\"; }}"
            )?;
            writeln!(
                out,
                "map $status $error_ttl_{index} {{ ~^[45] {}; default \"\"; }}",
                error_ttl.as_secs()
            )?;
        }
        Mode::PassThrough => {
            let primary = origin(all, behavior, &behavior.primary)?.addr;
            write!(out, "upstream pass_{index} {{ server {primary} max_fails=0;")?;
            if let Some(secondary) = &behavior.secondary {
                write!(out, " server {} max_fails=0 backup;", origin(all, behavior, secondary)?.addr)?;
            }
            writeln!(out, " keepalive 32; }}")?;
        }
    }
    Ok(())
}

/// The second layer: origins and failing over, no cache.
fn group_server(out: &mut String, folder: &str, all: &Distribution) -> Result<(), RenderError> {
    writeln!(out, "server {{ listen unix:{}; proxy_buffering off;", socket(folder))?;
    for (index, behavior) in all.behaviors.iter().enumerate() {
        if behavior.mode == Mode::PassThrough {
            continue;
        }
        writeln!(out, "location ~ {} {{", pattern(&behavior.pattern)?)?;
        if behavior.secondary.is_some() {
            // 502 and 504 are also what nginx itself says of an origin that refuses or does not answer in time.
            let mut statuses: BTreeSet<_> = behavior.failover.iter().copied().collect();
            statuses.extend([502, 504]);
            let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
            writeln!(out, "proxy_intercept_errors on; error_page {} = @second_{index};", statuses.join(" "))?;
        }
        ask_origin(out, index, behavior, &behavior.primary, all)?;
        writeln!(out, "}}")?;
        if let Some(secondary) = &behavior.secondary {
            writeln!(out, "location @second_{index} {{")?;
            ask_origin(out, index, behavior, secondary, all)?;
            writeln!(out, "}}")?;
        }
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn ask_origin(
    out: &mut String,
    index: usize,
    behavior: &Behavior,
    name: &str,
    all: &Distribution,
) -> Result<(), RenderError> {
    let origin = origin(all, behavior, name)?;
    writeln!(out, "proxy_pass http://{}{}$request_uri;", plain(name)?, unquoted(&origin.path)?)?;
    timeouts(out, origin)?;
    writeln!(out, "proxy_set_header Host {}; proxy_set_header Connection \"\";", origin.addr)?;
    for (header, value) in &origin.headers {
        writeln!(out, "proxy_set_header {} {};", plain(header)?, quoted(value)?)?;
    }
    // Outranks the origin's Cache-Control at the node, and is not passed on from there.
    writeln!(out, "add_header X-Accel-Expires $error_ttl_{index} always;")?;
    Ok(())
}

/// A cache node.
struct Node<'a> {
    number: usize,
    folder: &'a str,
    collapse: SocketAddr,
}

/// The first layer: what viewers talk to.
fn node_location(
    out: &mut String,
    node: &Node<'_>,
    index: usize,
    behavior: &Behavior,
    all: &Distribution,
) -> Result<(), RenderError> {
    writeln!(out, "location ~ {} {{", pattern(&behavior.pattern)?)?;
    for header in &behavior.hidden_headers {
        writeln!(out, "proxy_hide_header {};", plain(header)?)?;
    }
    for (header, value) in &behavior.response_headers {
        writeln!(out, "proxy_hide_header {0}; add_header {0} {1} always;", plain(header)?, quoted(value)?)?;
    }
    for (number, (header, _)) in behavior.preflight_headers.iter().enumerate() {
        let value = preflight(index, number);
        writeln!(out, "proxy_hide_header {0}; add_header {0} {value} always;", plain(header)?)?;
    }
    writeln!(out, "add_header Via \"1.1 edge\" always; add_header X-Cache $x_cache always;")?;
    match &behavior.mode {
        Mode::Cached { .. } => {
            writeln!(out, "limit_except GET OPTIONS {{ deny all; }}")?;
            if behavior.prompt {
                writeln!(out, "proxy_pass http://{}$path$query_{index};", node.collapse)?;
                writeln!(out, "proxy_set_header {NODE_HEADER} {};", node.number)?;
            } else {
                writeln!(out, "proxy_pass http://unix:{}:$path$query_{index};", socket(node.folder))?;
            }
            writeln!(out, "proxy_pass_request_headers off; proxy_set_header User-Agent \"Headwater Edge\";")?;
            writeln!(out, "proxy_set_header Host edge; proxy_set_header Connection \"\";")?;
            writeln!(
                out,
                "proxy_set_header Accept-Encoding $encoding; proxy_set_header X-Forwarded-For $remote_addr;"
            )?;
            for header in &behavior.forwarded_headers {
                let variable = plain(header)?.to_ascii_lowercase().replace('-', "_");
                writeln!(out, "proxy_set_header {header} $http_{variable};")?;
            }
            writeln!(
                out,
                "proxy_cache {}; proxy_cache_key \"{index} $encoding $path$query_{index}\";",
                zone(node.number)
            )?;
            // The key has all that answers may differ by. A viewer that leaves must not cut the others' answer.
            writeln!(
                out,
                "proxy_ignore_headers Vary Set-Cookie; proxy_ignore_client_abort on; proxy_cache_revalidate on;"
            )?;
            writeln!(
                out,
                "proxy_force_ranges on; proxy_buffers 32 32k; proxy_buffer_size 32k; proxy_busy_buffers_size 64k;"
            )?;
            let patience = seconds(patience(behavior, all)?);
            let lock = if behavior.prompt { "off" } else { "on" };
            writeln!(
                out,
                "proxy_cache_lock {lock}; proxy_cache_lock_timeout {patience}; proxy_cache_lock_age {patience};"
            )?;
            writeln!(out, "proxy_read_timeout {patience};")?;
        }
        Mode::PassThrough => {
            let origin = origin(all, behavior, &behavior.primary)?;
            writeln!(out, "proxy_pass http://pass_{index}{}$request_uri;", unquoted(&origin.path)?)?;
            timeouts(out, origin)?;
            let tries = "error timeout http_500 http_502 http_503 http_504";
            writeln!(out, "proxy_next_upstream {tries}; proxy_buffering off; proxy_request_buffering on;")?;
            writeln!(out, "proxy_set_header Host {}; proxy_set_header Connection \"\";", origin.addr)?;
            writeln!(out, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")?;
            let own: BTreeSet<_> = origin.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            let others = all.origins.values().flat_map(|origin| &origin.headers);
            let forged: BTreeSet<_> = others.map(|(name, _)| name.to_ascii_lowercase()).collect();
            for header in forged.difference(&own) {
                writeln!(out, "proxy_set_header {} \"\";", plain(header)?)?;
            }
            for (header, value) in &origin.headers {
                writeln!(out, "proxy_set_header {} {};", plain(header)?, quoted(value)?)?;
            }
        }
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn origin<'a>(all: &'a Distribution, behavior: &Behavior, name: &str) -> Result<&'a Origin, RenderError> {
    let unknown =
        || RenderError::UnknownOrigin { pattern: behavior.pattern.clone(), origin: name.to_owned() };
    all.origins.get(name).ok_or_else(unknown)
}

/// How long a node waits for its group: both origins may use up their limits, and a second for good measure.
fn patience(behavior: &Behavior, all: &Distribution) -> Result<Duration, RenderError> {
    let mut total = Duration::from_secs(1);
    for name in std::iter::once(&behavior.primary).chain(&behavior.secondary) {
        let origin = origin(all, behavior, name)?;
        total += origin.connect_timeout + origin.response_timeout;
    }
    Ok(total)
}

fn timeouts(out: &mut String, origin: &Origin) -> fmt::Result {
    let (connect, read) = (seconds(origin.connect_timeout), seconds(origin.response_timeout));
    writeln!(out, "proxy_connect_timeout {connect}; proxy_read_timeout {read};")
}

fn seconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

/// The cache of a node.
fn zone(node: usize) -> String {
    format!("node_{node}")
}

/// The socket between the layers.
pub(super) fn socket(folder: &str) -> String {
    format!("{folder}/group.sock")
}
