//! A gateway that is replaced behind a load balancer, as ECS does it: deregister, wait for the delay, SIGTERM, and after the
//! stop time-out SIGKILL. The balancer here resets what is left when its deadline comes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_rtmp::amf::{Properties, Value};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::{PATIENCE, Rig, rig, rig_with};

/// Passes connections on to the target that it has when they come.
struct Balancer {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    /// Connections that it resets when this is cancelled: those that are open then.
    deadline: CancellationToken,
    flows: watch::Sender<Flows>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Flows {
    begun: usize,
    ended: usize,
    reset: usize,
}

impl Balancer {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let balancer = Self {
            address: listener.local_addr().unwrap(),
            target: Arc::new(Mutex::new(target)),
            deadline: CancellationToken::new(),
            flows: watch::Sender::default(),
        };
        let (target, deadline) = (balancer.target.clone(), balancer.deadline.clone());
        let flows = balancer.flows.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, deadline, flows) = (*target.lock().unwrap(), deadline.clone(), flows.clone());
                flows.send_modify(|flows| flows.begun += 1);
                tokio::spawn(async move {
                    let is_reset = pass(client, target, deadline).await;
                    flows.send_modify(|flows| {
                        flows.ended += 1;
                        flows.reset += usize::from(is_reset);
                    });
                });
            }
        });
        balancer
    }

    /// New connections go to `next` from now on; those that there are stay.
    fn deregister(&self, next: SocketAddr) {
        *self.target.lock().unwrap() = next;
    }

    fn flows(&self) -> Flows {
        *self.flows.borrow()
    }
}

/// Passes bytes both ways; whether that was ended by a reset.
async fn pass(mut client: TcpStream, target: SocketAddr, deadline: CancellationToken) -> bool {
    let mut server = TcpStream::connect(target).await.unwrap();
    let passed = deadline.run_until_cancelled(copy_bidirectional(&mut client, &mut server)).await;
    if passed.is_none() {
        client.set_zero_linger().unwrap();
        server.set_zero_linger().unwrap();
    }
    passed.is_none()
}

/// An old gateway with an encoder of each kind, and the one that replaces it.
struct Deployment {
    old: Rig,
    new: Rig,
    balancer: Balancer,
    /// Those that can be asked to go elsewhere, each in its way, and one that cannot.
    encoders: [Publisher; 3],
}

impl Deployment {
    async fn begin() -> Self {
        // Encoders that were asked have the time to go by themselves.
        let old = rig_with(Policy::Allow, |limits| limits.move_timeout = PATIENCE).await;
        let new = rig().await;
        let balancer = Balancer::start(old.gateway.rtmp_addr()).await;
        let kinds: [Properties; 3] = [
            vec![("supportsGoAway".to_owned(), Value::Boolean(true))],
            vec![("capsEx".to_owned(), Value::Number(1.0))],
            Properties::new(),
        ];
        let mut encoders = Vec::new();
        for kind in kinds {
            let mut encoder = Publisher::ask(balancer.address, kind).await;
            encoder.hears("NetStream.Publish.Start").await;
            encoder.headers().await;
            encoders.push(encoder);
        }
        let encoders = encoders.try_into().map_err(|_| "three").unwrap();
        Self { old, new, balancer, encoders }
    }
}

#[tokio::test]
async fn a_gateway_that_is_drained_has_sent_its_encoders_on_before_the_balancer_resets_anything() {
    let Deployment { old, new, balancer, encoders } = Deployment::begin().await;
    balancer.deregister(new.gateway.rtmp_addr());
    // The delay: encoders are left alone, their media is taken.
    let [mut by_go_away, mut by_reconnect, mut plain] = encoders;
    for encoder in [&mut by_go_away, &mut by_reconnect, &mut plain] {
        encoder.gops(0, 4, 1_000).await;
    }
    while old.health().await["buffered_bytes"].as_u64().unwrap() < 15_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(balancer.flows(), Flows { begun: 3, ended: 0, reset: 0 });

    // SIGTERM.
    old.shutdown.cancel();
    by_go_away.hears(b"\x02\0\0\0\0\0\0\x20").await;
    by_reconnect.hears("NetConnection.Connect.ReconnectRequest").await;
    let heard = plain.closed().await;
    assert!(heard.contains("gateway is leaving"), "who cannot be asked is told: {heard}");
    // They connect again at once, and reach the new gateway, whose number is the balancer's next.
    for old_one in [Some(by_go_away), Some(by_reconnect), None] {
        Publisher::start(balancer.address).await.finish().await;
        if let Some(old_one) = old_one {
            old_one.finish().await;
        }
    }
    new.hooks.until(|record| record.published.len() == 3).await;
    old.leave().await;
    let all = balancer.flows.subscribe().wait_for(|flows| flows.ended == 6).await.map(|flows| *flows);
    // The deadline: there is nobody left.
    balancer.deadline.cancel();
    assert_eq!(all.unwrap(), Flows { begun: 6, ended: 6, reset: 0 });
    assert_eq!(new.hooks.record().published.len(), 3);
    new.leave().await;
}

#[tokio::test]
async fn a_balancer_that_ends_connections_itself_comes_before_the_gateway_s_word() {
    let Deployment { old, new, balancer, encoders } = Deployment::begin().await;
    balancer.deregister(new.gateway.rtmp_addr());
    // Connection termination on: at the end of the delay, and then SIGTERM.
    balancer.deadline.cancel();
    for encoder in encoders {
        let heard = encoder.closed().await;
        assert!(!heard.contains("leaving") && !heard.contains("ReconnectRequest"), "{heard}");
    }
    assert_eq!(balancer.flows(), Flows { begun: 3, ended: 3, reset: 3 });
    old.leave().await;
    new.leave().await;
}

#[tokio::test]
async fn an_encoder_that_stays_is_cut_off_within_what_the_gateway_has() {
    let mut within = Duration::ZERO;
    let old = rig_with(Policy::Allow, |limits| {
        limits.move_timeout = Duration::from_millis(200);
        within = limits.leaves_within();
    })
    .await;
    let balancer = Balancer::start(old.gateway.rtmp_addr()).await;
    let can_be_asked = vec![("capsEx".to_owned(), Value::Number(1.0))];
    let mut stays = Publisher::ask(balancer.address, can_be_asked).await;
    stays.hears("NetStream.Publish.Start").await;
    let deadline = balancer.deadline.clone();
    old.shutdown.cancel();
    let resets = tokio::spawn(async move {
        tokio::time::sleep(within).await;
        deadline.cancel();
    });
    let heard = stays.closed().await;
    assert!(heard.contains("ReconnectRequest") && heard.contains("gateway is leaving"), "{heard}");
    old.leave().await;
    resets.abort();
    assert_eq!(balancer.flows().reset, 0);
}
