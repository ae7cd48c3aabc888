//! Bodies of hooks.

use headwater_domain::paths::HookPath;
use serde_json::json;

use super::harness::{Harness, block_on, check, request, right_key};

/// The first byte chooses the hook, the rest is its body. Each is answered, and no key is quoted.
pub(crate) fn hooks(data: &[u8]) {
    let Some((&which, body)) = data.split_first() else { return };
    let Ok(body) = std::str::from_utf8(body) else { return };
    let path = HookPath::ALL[usize::from(which) % HookPath::ALL.len()].as_str();
    let headers = json!({ "content-type": "application/json" });
    let Some(request) = request("POST", path, "", headers, body) else { return };
    let secret = right_key().reveal().expose().rsplit('-').next().unwrap_or_default().to_owned();
    block_on(async {
        let hooks = Harness::seeded().await.hooks();
        let answer = hooks.handle(request).await;
        check(&answer, Some(&secret));
        let text = String::from_utf8_lossy(answer.body());
        serde_json::from_str::<serde_json::Value>(&text).expect("every answer is JSON");
    });
}
