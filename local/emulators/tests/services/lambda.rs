//! The Lambda host with a real function binary.

use super::support::{REGION, credentials, example, until};
use bytes::Bytes;
use headwater_emulators::lambda::{FunctionConfig, InvokeError, Lambda, LambdaConfig};
use headwater_emulators::process::Spawner;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

pub(super) fn host(logs: &Path, account_concurrency: usize) -> Lambda {
    let config = LambdaConfig {
        region: REGION.to_owned(),
        port: 0,
        logs: logs.to_owned(),
        credentials: credentials(),
        account_concurrency,
        idle_after: Duration::from_secs(600),
    };
    Lambda::start(config, Spawner::new().unwrap()).unwrap()
}

pub(super) fn echo() -> FunctionConfig {
    FunctionConfig::new("echo", example("echo_function"))
}

async fn invoke(lambda: &Lambda, event: Value) -> Result<Value, InvokeError> {
    let answer = lambda.invoke("echo", Bytes::from(event.to_string())).await?;
    Ok(serde_json::from_slice(&answer.payload).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_its_environment_and_its_slot_is_used_again() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 10);
    let mut config = echo();
    config.env.insert("OWN".to_owned(), "yes".to_owned());
    lambda.register(config);
    let first = invoke(&lambda, json!({ "do": "environment" })).await.unwrap();
    let expected = json!({
        "pid": first["pid"], "function": "echo", "version": "$LATEST", "memory": 256, "region": "us-east-1",
        "arn": "arn:aws:lambda:us-east-1:000000000000:function:echo", "own": "yes",
    });
    assert_eq!(first, expected);
    assert_eq!(invoke(&lambda, json!({ "do": "environment" })).await.unwrap()["pid"], first["pid"]);
    let stats = lambda.stats("echo").unwrap();
    assert_eq!((stats.invocations, stats.cold_starts), (2, 1));
    assert!(stats.last_init > Duration::ZERO);
    assert!(logs.path().join("echo.log").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_keeps_the_slot_a_crash_or_a_timeout_ends_it() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 10);
    let mut config = echo();
    config.timeout = Duration::from_secs(2);
    lambda.register(config);
    let pid = invoke(&lambda, json!({ "do": "environment" })).await.unwrap()["pid"].clone();
    let failed = invoke(&lambda, json!({ "do": "fail" })).await.unwrap_err();
    assert!(
        matches!(&failed, InvokeError::Function(error) if error.error_message == "asked to fail"),
        "{failed:?}"
    );
    assert_eq!(invoke(&lambda, json!({ "do": "environment" })).await.unwrap()["pid"], pid);

    let crashed = invoke(&lambda, json!({ "do": "crash" })).await.unwrap_err();
    assert!(matches!(crashed, InvokeError::Crashed(_)), "{crashed:?}");
    assert_eq!(crashed.status(), 502);
    let second = invoke(&lambda, json!({ "do": "environment" })).await.unwrap()["pid"].clone();
    assert_ne!(second, pid);

    let late = invoke(&lambda, json!({ "do": "hang" })).await.unwrap_err();
    assert!(matches!(late, InvokeError::TimedOut(_)), "{late:?}");
    assert!(!Path::new(&format!("/proc/{second}")).exists(), "a slot that timed out is killed");
    invoke(&lambda, json!({ "do": "echo" })).await.unwrap();
    assert_eq!(lambda.stats("echo").unwrap().cold_starts, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_functions_or_the_accounts_concurrency_it_is_throttled() {
    for (account, reserved) in [(10, Some(1)), (1, None)] {
        let logs = tempfile::tempdir().unwrap();
        let lambda = host(logs.path(), account);
        let mut config = echo();
        config.timeout = Duration::from_secs(3);
        config.reserved_concurrency = reserved;
        lambda.register(config);
        let busy = tokio::spawn({
            let lambda = lambda.clone();
            async move { invoke(&lambda, json!({ "do": "hang" })).await }
        });
        while lambda.stats("echo").unwrap().invocations == 0 {
            tokio::task::yield_now().await;
        }
        let refused = invoke(&lambda, json!({})).await.unwrap_err();
        assert_eq!(refused.status(), 429, "{refused:?}");
        assert_eq!(lambda.stats("echo").unwrap().throttled, 1);
        assert!(matches!(busy.await.unwrap(), Err(InvokeError::TimedOut(_))));
        invoke(&lambda, json!({})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_function_reserves_the_others_neither_take_nor_have() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 3);
    let named =
        |name: &str, reserved| FunctionConfig { name: name.into(), reserved_concurrency: reserved, ..echo() };
    lambda.register(named("kept", Some(1)));
    lambda.register(named("kept", Some(2)));
    lambda.register(named("other", None));
    let slow = |name: &'static str| {
        let (lambda, event) = (lambda.clone(), json!({ "do": "hang" }).to_string());
        tokio::spawn(async move { lambda.invoke(name, Bytes::from(event)).await })
    };
    let busy = slow("other");
    until("the account's last place is taken", || lambda.stats("other").unwrap().invocations == 1).await;
    let event = Bytes::from(json!({ "do": "echo" }).to_string());
    let refused = lambda.invoke("other", event.clone()).await.unwrap_err();
    assert_eq!(refused.status(), 429, "of three places two are kept for another: {refused:?}");
    let both = (lambda.invoke("kept", event.clone()), lambda.invoke("kept", event.clone()));
    let both = tokio::join!(both.0, both.1);
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    busy.abort();

    // Given back, the others have them.
    lambda.register(named("kept", None));
    let busy = slow("kept");
    until("one place of three is taken", || lambda.stats("kept").unwrap().invocations == 1).await;
    lambda.invoke("other", event).await.unwrap();
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_reserved_that_is_gone_the_others_have() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 1);
    let event = Bytes::from(json!({ "do": "echo" }).to_string());
    lambda.register(echo());
    for round in 0..3 {
        let kept = FunctionConfig { name: format!("kept-{round}"), reserved_concurrency: Some(1), ..echo() };
        lambda.register(kept);
        assert_eq!(lambda.invoke("echo", event.clone()).await.unwrap_err().status(), 429, "{round}");
        lambda.unregister(&format!("kept-{round}")).await;
        lambda.invoke("echo", event.clone()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_short_requests_needs_few_slots() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 200);
    lambda.register(echo());
    let crowd = futures::future::join_all((0..200).map(|_| invoke(&lambda, json!({ "do": "echo" })))).await;
    assert!(crowd.iter().all(Result::is_ok), "{crowd:?}");
    let stats = lambda.stats("echo").unwrap();
    assert_eq!((stats.invocations, stats.throttled), (200, 0));
    // A slot that has become free is taken before one that would have to start.
    assert!(stats.cold_starts < 100, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_start_is_an_error_and_not_a_hang() {
    let logs = tempfile::tempdir().unwrap();
    let lambda = host(logs.path(), 10);
    let mut config = echo();
    config.env.insert("FAIL_INIT".to_owned(), "1".to_owned());
    lambda.register(config);
    let failed = invoke(&lambda, json!({})).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Crashed(_)), "{failed:?}");
    lambda.register(FunctionConfig::new("absent", "/nonexistent/bootstrap"));
    assert!(matches!(lambda.invoke("absent", Bytes::new()).await, Err(InvokeError::Spawn(_))));
    assert!(matches!(lambda.invoke("unknown", Bytes::new()).await, Err(InvokeError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_slots_end_and_a_stopped_host_refuses() {
    let logs = tempfile::tempdir().unwrap();
    let config = LambdaConfig {
        region: REGION.to_owned(),
        port: 0,
        logs: logs.path().to_owned(),
        credentials: credentials(),
        account_concurrency: 10,
        idle_after: Duration::from_millis(100),
    };
    let lambda = Lambda::start(config, Spawner::new().unwrap()).unwrap();
    lambda.register(echo());
    let pid = invoke(&lambda, json!({ "do": "environment" })).await.unwrap()["pid"].clone();
    let process = format!("/proc/{pid}");
    until("an idle slot ends", || !Path::new(&process).exists()).await;
    lambda.stop().await;
    assert_eq!(invoke(&lambda, json!({})).await.unwrap_err().status(), 503);
    lambda.faults().start().unwrap();
    invoke(&lambda, json!({})).await.unwrap();
}
