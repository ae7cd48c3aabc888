"""The REST API and the hooks of both regions, as those may use them who may."""

import json

from deployment import STACKS
from emulator import wait_for
from stack import PRIMARY, ROOT, SECONDARY

from proof_steps.report import ARTIFACTS, check


def rest_api(proof):
    """Create in one region, read in the other; keys; nobody without the token."""
    token = proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, "AdminToken"))[
        "SecretString"
    ]
    status, _, text = proof.call(PRIMARY, "POST", "/v1/streams", {"name": "Proof", "settings": {"listed": True}}, token)
    check(status == 201, "a stream is created in the primary", text)
    stream = json.loads(text)
    status, _, text = wait_for(
        lambda: (found := proof.call(SECONDARY, "GET", f"/v1/streams/{stream['id']}", token=token))[0] == 200 and found,
        30,
        "the stream in the other region",
    )
    check(json.loads(text)["name"] == "Proof", "and read in the secondary, with the same token")
    for bad in (None, "wrong"):
        status, _, text = proof.call(SECONDARY, "GET", "/v1/streams", token=bad)
        check(status in (401, 403), f"no entry with token {bad}", status)
    path = f"/v1/streams/{stream['id']}/keys"
    status, _, text = proof.call(SECONDARY, "POST", path, {"label": "second"}, token)
    check(status == 201, "a second key is made in the secondary", text)
    key = json.loads(text)
    status, _, text = proof.call(SECONDARY, "DELETE", f"{path}/{key['id']}", token=token)
    check(status == 204, "and revoked", text)
    status, headers, text = proof.call(PRIMARY, "GET", "/v1/openapi.json")
    check(status == 200 and json.loads(text)["openapi"].startswith("3.1"), "the API describes itself", text[:200])
    return token, stream, key["value"]


def hooks(proof, revoked):
    """The hooks take signed calls of the roles that may, and nobody else's."""
    question = {
        "gateway": {"region": PRIMARY, "source": "http://127.0.0.1:9"},
        "session": "0000000000000001",
        "app": "live",
        "key": revoked,
        "address": "203.0.113.7:5000",
        "query": {},
    }
    gateway, transcoder = proof.role(PRIMARY, "GatewayRole"), proof.role(PRIMARY, "TranscoderRole")
    status, answer = proof.hook(PRIMARY, "/hooks/publish", question, gateway)
    check(status == 200 and answer["decision"] == "deny", "the publish hook denies a revoked key", answer)
    status, answer = proof.hook(SECONDARY, "/hooks/publish", question, gateway)
    check(status == 200 and answer["decision"] == "deny", "the gateway may ask the other region's hook", answer)
    status, _ = proof.hook(PRIMARY, "/hooks/publish", question, transcoder)
    check(status == 403, "a transcoder may not call the publish hook", status)
    status, _, _ = proof.call(PRIMARY, "POST", "/hooks/publish", question)
    check(status == 403, "an unsigned call is refused", status)


def every_event(proof):
    """Every sample event works with the deployed function that it is for."""
    functions = proof.client("lambda", PRIMARY)
    count = 0
    for path in sorted((ROOT / "events").glob("*.json")):
        name = path.name.split("-")[0]
        if name == "deployment":
            continue  # They carry an answer address of AWS; the stacks themselves have called that function.
        answer = functions.invoke(
            FunctionName=proof.physical(PRIMARY, f"{name.title()}Function"), Payload=path.read_bytes()
        )
        payload = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise AssertionError(f"{path.name}: {payload}")
        count += 1
    check(count > 20, f"{count} sample events work with the deployed functions")


def schedule(proof):
    """EventBridge's minute rule reaches the lifecycle function."""
    logs = proof.client("logs", PRIMARY)
    group = proof.physical(PRIMARY, "FunctionLogs")

    def swept():
        return [e for e in logs.filter_log_events(logGroupName=group)["events"] if "sweep finished" in e["message"]]

    check(wait_for(swept, 100, "the sweep"), "the sweep has fired")


def logs_are_clean(proof, token, stream):
    """No key, token or secret is in any log."""
    secrets = [token, stream["stream_key"]["value"]]
    for logical in ("AdminToken", "KeyPepper", "SigningKey", "OriginSecret"):
        secrets.append(
            proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, logical))[
                "SecretString"
            ]
        )
    read = 0
    for region in STACKS:
        logs = proof.client("logs", region)
        for logical in ("FunctionLogs", "AccessLogs"):
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=proof.physical(region, logical)):
                for event in page["events"]:
                    read += 1
                    assert not any(secret in event["message"] for secret in secrets), event["message"][:200]
    for name in ("gateway.log", "transcoder.log"):
        text = (ARTIFACTS / name).read_text()
        read += text.count("\n")
        assert not any(secret in text for secret in secrets), name
    check(read > 20, f"{read} log lines hold no secret")
