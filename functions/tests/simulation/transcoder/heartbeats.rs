//! The task's heartbeats: tell the health, bring the orders.

use std::rc::Rc;

use headwater_domain::heartbeat::Activity;
use headwater_domain::hooks::{HeartbeatRequest, TranscoderHeartbeat, TranscoderOrder};

use super::Task;
use crate::calls;
use crate::executor::{self, sleep};
use crate::simulation;

/// How often orders are asked for while there is no media to work on.
const WAITING_EVERY: u64 = 500;
/// Without an answer for so long a task gives up.
const ABANDONED_AFTER: u64 = 300_000;
/// How often it looks whether something is to be told at once.
const LOOK_EVERY: u64 = 200;

pub(super) async fn run(task: Rc<Task>) {
    let mut answered = executor::now();
    loop {
        let every = match task.state.borrow().health.activity {
            Activity::Transcoding => 2_000,
            Activity::Waiting | Activity::Leaving => WAITING_EVERY,
        };
        match say(&task).await {
            Some(order) => {
                answered = executor::now();
                task.state.borrow_mut().order = Some(order);
            }
            None if executor::now() - answered > ABANDONED_AFTER => {
                task.state.borrow_mut().order = Some(TranscoderOrder::Stop { reason: "abandoned".into() });
            }
            None => {}
        }
        let next = executor::now() + every;
        while executor::now() < next && !std::mem::take(&mut task.state.borrow_mut().rung) {
            if task.state.borrow().done {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

pub(super) async fn say(task: &Task) -> Option<TranscoderOrder> {
    let heartbeat = TranscoderHeartbeat {
        claim: calls::signing().lease_claim(&task.broadcast.stream(), &task.broadcast, &task.lease),
        stream: task.broadcast.stream(),
        broadcast: task.broadcast.clone(),
        lease: task.lease.clone(),
        fencing_token: task.fencing_token.clone(),
        health: task.state.borrow().health.clone(),
    };
    if simulation::with(|sim| sim.tasks[&task.lease].deaf_until > executor::now()) {
        sleep(calls::ANSWER_WITHIN).await;
        return None;
    }
    calls::ask_once(task.side, "/hooks/heartbeat", &HeartbeatRequest::Transcoder(heartbeat)).await
}
