//! ECS with the real SDK and real processes.

use super::support::{REGION, sdk_config, until};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ContainerOverride, DesiredStatus, KeyValuePair, TaskOverride};
use headwater_emulators::calls::CallLog;
use headwater_emulators::ecs::{Ecs, EcsConfig, Status, TaskDefinition};
use headwater_emulators::process::{Signal, Spawner};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

pub(super) const CLUSTER: &str = "media";

pub(super) fn definition(script: &str) -> TaskDefinition {
    TaskDefinition {
        family: "worker".to_owned(),
        container: "main".to_owned(),
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: [("BASE".to_owned(), "base".to_owned())].into(),
        stop_timeout: Duration::from_secs(30),
    }
}

pub(super) fn start(logs: &Path, definition: TaskDefinition) -> (Ecs, Client, mpsc::Receiver<Value>) {
    let (events, inbox) = mpsc::channel(64);
    let config = EcsConfig {
        region: REGION.to_owned(),
        port: 0,
        cluster: CLUSTER.to_owned(),
        logs: logs.to_owned(),
        definitions: vec![definition],
        calls: CallLog::default(),
    };
    let ecs = Ecs::start(config, Spawner::new().unwrap(), events).unwrap();
    let client = Client::from_conf(sdk_config!(aws_sdk_ecs, ecs.addr()).build());
    (ecs, client, inbox)
}

async fn run(client: &Client, token: &str) -> String {
    let run = client.run_task().cluster(CLUSTER).task_definition("worker").client_token(token);
    let answer = run.started_by("lease-1").send().await.unwrap();
    assert!(answer.failures().is_empty(), "{:?}", answer.failures());
    answer.tasks()[0].task_arn().unwrap().to_owned()
}

async fn event(inbox: &mut mpsc::Receiver<Value>, status: &str) -> Value {
    loop {
        let event = inbox.recv().await.unwrap();
        if event["detail"]["lastStatus"] == status {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_with_its_overrides_and_its_end_is_an_event() {
    let logs = tempfile::tempdir().unwrap();
    let (_ecs, client, mut inbox) = start(logs.path(), definition("exit 1"));
    let pair = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
    let main = ContainerOverride::builder().name("main").environment(pair("LEASE", "7"));
    let main = main.command("-c").command("echo $BASE $LEASE; exit 9").build();
    let run = client.run_task().cluster(CLUSTER).task_definition("worker:1").started_by("lease-7");
    let run = run.overrides(TaskOverride::builder().container_overrides(main).build()).send().await.unwrap();
    let arn = run.tasks()[0].task_arn().unwrap().to_owned();
    assert_eq!(run.tasks()[0].last_status(), Some("PROVISIONING"));

    let event = event(&mut inbox, "STOPPED").await;
    let detail = &event["detail"];
    let id = arn.rsplit('/').next().unwrap();
    let expected = json!({
        "version": "0",
        "id": event["id"],
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "000000000000",
        "time": event["time"],
        "region": "us-east-1",
        "resources": [arn],
        "detail": {
            "taskArn": arn,
            "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/media",
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/worker:1",
            "connectivity": "CONNECTED",
            "containers": [{
                "containerArn": format!("arn:aws:ecs:us-east-1:000000000000:container/media/{id}/main"),
                "taskArn": arn,
                "name": "main",
                "lastStatus": "STOPPED",
                "networkInterfaces": [],
                "exitCode": 9,
            }],
            "overrides": { "containerOverrides": [{
                "name": "main",
                "command": ["-c", "echo $BASE $LEASE; exit 9"],
                "environment": [{ "name": "LEASE", "value": "7" }],
            }] },
            "group": "family:worker",
            "launchType": "FARGATE",
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "startedBy": "lease-7",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "version": 4,
            "createdAt": detail["createdAt"],
            "startedAt": detail["startedAt"],
            "stoppedAt": detail["stoppedAt"],
            "updatedAt": detail["updatedAt"],
        },
    });
    assert_eq!(event, expected);
    assert!(detail["stoppedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(std::fs::read_to_string(logs.path().join(format!("{id}.log"))).unwrap(), "base 7\n");
    let described =
        client.describe_tasks().cluster(CLUSTER).tasks(&arn).tasks("unknown").send().await.unwrap();
    assert_eq!(described.tasks()[0].containers()[0].exit_code(), Some(9));
    assert!(described.tasks()[0].stopped_at().is_some());
    assert_eq!(described.failures()[0].reason(), Some("MISSING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_token_starts_one_task_and_refuses_other_parameters() {
    let logs = tempfile::tempdir().unwrap();
    let (ecs, client, _inbox) = start(logs.path(), definition("exec sleep 600"));
    let first = run(&client, "token").await;
    assert_eq!(run(&client, "token").await, first);
    let other = client.run_task().cluster(CLUSTER).task_definition("worker").client_token("token");
    let refused = other.started_by("lease-2").send().await.unwrap_err().into_service_error();
    assert!(refused.is_conflict_exception(), "{refused:?}");
    assert_ne!(run(&client, "another").await, first);
    assert_eq!(ecs.tasks().len(), 2);
    let listed = client.list_tasks().cluster(CLUSTER).started_by("lease-1").send().await.unwrap();
    assert_eq!(listed.task_arns().len(), 2);
    let unknown = client.run_task().cluster(CLUSTER).task_definition("unknown").send().await.unwrap_err();
    assert!(unknown.into_service_error().is_client_exception());
    let unknown = client.run_task().cluster("unknown").task_definition("worker").send().await.unwrap_err();
    assert!(unknown.into_service_error().is_cluster_not_found_exception());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_delay_is_kept_and_can_be_shortened() {
    let logs = tempfile::tempdir().unwrap();
    let (ecs, client, _inbox) = start(logs.path(), definition("exec sleep 600"));
    ecs.set_start_delay(Duration::from_secs(3600));
    let asked = Instant::now();
    let task = run(&client, "a").await;
    assert_eq!(ecs.pid(&task), None);
    ecs.set_start_delay(Duration::from_millis(400));
    assert!(ecs.reached(&task, Status::Running).await);
    assert!(asked.elapsed() >= Duration::from_millis(400));
    assert!(Path::new(&format!("/proc/{}", ecs.pid(&task).unwrap())).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_sigterm_then_sigkill_and_kill_is_a_crash() {
    let logs = tempfile::tempdir().unwrap();
    let polite = "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done";
    let (ecs, client, mut inbox) = start(logs.path(), definition(polite));
    let task = run(&client, "a").await;
    let log = logs.path().join(format!("{}.log", task.rsplit('/').next().unwrap()));
    until("the task is up", || std::fs::read_to_string(&log).unwrap_or_default().contains("up")).await;
    client.stop_task().cluster(CLUSTER).task(&task).reason("lease lost").send().await.unwrap();
    let detail = event(&mut inbox, "STOPPED").await["detail"].take();
    assert_eq!(
        (&detail["stopCode"], &detail["stoppedReason"]),
        (&json!("UserInitiated"), &json!("lease lost"))
    );
    assert_eq!(detail["containers"][0]["exitCode"], 5);
    assert!(detail["stoppingAt"].is_string());
    let listed =
        client.list_tasks().cluster(CLUSTER).desired_status(DesiredStatus::Stopped).send().await.unwrap();
    assert_eq!(listed.task_arns(), [task]);

    let crashed = run(&client, "b").await;
    assert!(ecs.reached(&crashed, Status::Running).await);
    assert!(ecs.kill(&crashed, Signal::KILL).await);
    let detail = event(&mut inbox, "STOPPED").await["detail"].take();
    assert_eq!(detail["stopCode"], "EssentialContainerExited");
    assert_eq!(detail["containers"][0]["exitCode"], 137);
    assert_eq!(ecs.pid(&crashed), None);

    let mut deaf = definition("trap '' TERM; while :; do sleep 0.05; done");
    deaf.stop_timeout = Duration::from_millis(300);
    let (ecs, client, mut inbox) = start(logs.path(), deaf);
    let task = run(&client, "c").await;
    assert!(ecs.reached(&task, Status::Running).await);
    client.stop_task().cluster(CLUSTER).task(&task).send().await.unwrap();
    let detail = event(&mut inbox, "STOPPED").await["detail"].take();
    assert!(detail["containers"][0]["exitCode"].as_i64().unwrap() > 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_reported_in_the_answer_and_start_nothing() {
    let logs = tempfile::tempdir().unwrap();
    let (ecs, client, mut inbox) = start(logs.path(), definition("exec sleep 600"));
    let ask = || client.run_task().cluster(CLUSTER).task_definition("worker").client_token("t").send();
    ecs.set_failure(Some("RESOURCE:ENI"));
    assert_eq!(ask().await.unwrap().failures()[0].reason(), Some("RESOURCE:ENI"));
    ecs.set_failure(None);
    ecs.set_max_tasks(Some(0));
    assert!(ask().await.unwrap().failures()[0].reason().unwrap().starts_with("Capacity is unavailable"));
    assert!(ecs.tasks().is_empty());
    ecs.set_max_tasks(None);
    assert_eq!(ask().await.unwrap().tasks().len(), 1, "a failed request does not use its token up");
    ecs.stop_all("over").await;
    assert!(ecs.tasks().is_empty());
    event(&mut inbox, "STOPPED").await;

    let mut missing = definition("");
    missing.program = "/nonexistent/program".into();
    let (_ecs, client, mut inbox) = start(logs.path(), missing);
    run(&client, "m").await;
    let detail = event(&mut inbox, "STOPPED").await["detail"].take();
    assert_eq!(detail["stopCode"], "TaskFailedToStart");
}
