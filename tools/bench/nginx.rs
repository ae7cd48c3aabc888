//! The peer: Debian's nginx with its RTMP module.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use headwater_emulators::ports;
use tokio::process::{Child, Command};

/// A running nginx-rtmp.
pub(crate) struct Nginx {
    pub(crate) rtmp: u16,
    /// Where its HLS files are.
    pub(crate) hls: PathBuf,
    child: Child,
}

impl Nginx {
    /// Starts one; with `ladder` an ffmpeg per stream makes the same three rungs.
    pub(crate) async fn start(folder: &Path, ladder: bool) -> anyhow::Result<Self> {
        let folder = folder.join(if ladder { "nginx-ladder" } else { "nginx" });
        let hls = folder.join("hls");
        std::fs::create_dir_all(&hls)?;
        let rtmp = ports::free(1)?.first().context("one was asked for")?.port();
        let exec = if ladder {
            let rung = |height: u32, kbps: u32| {
                format!(
                    "-map 0:v -map 0:a -c:v libx264 -preset veryfast -vf scale=-2:{height} -b:v {kbps}k -g 60 -sc_threshold 0 -c:a aac -f hls -hls_time 2 -hls_list_size 10 {}/$name-{height}.m3u8 ",
                    hls.display()
                )
            };
            format!(
                "exec ffmpeg -loglevel error -i rtmp://127.0.0.1:{rtmp}/live/$name {}{}{};",
                rung(360, 800),
                rung(270, 500),
                rung(180, 300)
            )
        } else {
            String::new()
        };
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; {user} pid {f}/nginx.pid; error_log {f}/error.log; worker_processes 1;\n\
             load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\nevents {{}}\n\
             rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096; application live {{ live on; {exec} }} }} }}\n",
            f = folder.display()
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(folder.join("start.log"))
            .kill_on_drop(true)
            .spawn()?;
        let nginx = Self { rtmp, hls, child };
        while tokio::net::TcpStream::connect(("127.0.0.1", rtmp)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(nginx)
    }

    /// Its worker process.
    pub(crate) fn worker(&self) -> Option<u32> {
        let master = self.child.id()?;
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Ends it with its children.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        rustix::process::kill_process(pid.context("it runs")?, rustix::process::Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }
}
