"""What viewers get of both regions, and what a task that parses hostile media may not do."""

import json
from urllib.parse import urljoin

from deployment import STACKS
from emulator import wait_for
from stack import PRIMARY, SECONDARY

from proof_steps.report import check, say


def watch(proof, token, stream, broadcast):
    """Playlists from both regions, media from both buckets."""
    secret = proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, "OriginSecret"))[
        "SecretString"
    ]
    edge = lambda attempt: {"X-Headwater-Try": attempt, "X-Headwater-Origin": secret}
    path = f"/live/{stream['id']}/index.m3u8"
    status, _, text = wait_for(
        lambda: (found := proof.call(PRIMARY, "GET", path, headers=edge("1")))[0] == 200 and found,
        90,
        "the multivariant playlist",
    )
    check("#EXT-X-STREAM-INF" in text, "the multivariant playlist is there", text)
    media = urljoin(path, next(line for line in text.splitlines() if line.endswith(".m3u8") and not line.startswith("#")))
    status, _, text = wait_for(
        lambda: (
            (found := proof.call(PRIMARY, "GET", media, headers=edge("1")))[0] == 200
            and "#EXTINF" in found[2]
            and found
        ),
        60,
        "the media playlist",
    )
    named = [line for line in text.splitlines() if line.endswith(".m4s")]
    segments = [urljoin(media, line) for line in named]
    check(segments, "the primary's media playlist names segments", text)
    status, _, other = wait_for(
        lambda: (
            (found := proof.call(SECONDARY, "GET", media, headers=edge("2")))[0] == 200
            and named[0] in found[2]
            and found
        ),
        60,
        "the other region's playlist",
    )
    check(status == 200, "the secondary's playlist names them too")
    status, _, _ = proof.call(PRIMARY, "GET", path, headers={"X-Headwater-Try": "1", "X-Headwater-Origin": "guessed"})
    check(status == 403, "playlists are for the edge only", status)
    for region in STACKS:
        bucket = proof.outputs(region)["RetainedBucket"]
        body = wait_for(
            lambda: proof.client("s3", region).get_object(Bucket=bucket, Key=segments[0].lstrip("/"))["Body"].read(),
            30,
            f"the segment in {bucket}",
        )
        check(body[4:8] in (b"styp", b"moof"), f"the segment is in {region}'s bucket", body[:16])
    status, _, text = proof.call(SECONDARY, "GET", f"/v1/streams/{stream['id']}", token=token)
    check(json.loads(text)["broadcast"]["state"] == "live", "the secondary's API says live", text)


def hostile_transcoder(proof, broadcast):
    """What the transcoder's role may not do, though it parses hostile media. The emulator knows no dynamodb:LeadingKeys;
    that it may write TIMELINE# only is seen on the template (test_policies.py)."""
    role = proof.role(PRIMARY, "TranscoderRole")
    table, bucket = proof.outputs(PRIMARY)["RetainedTable"], proof.outputs(PRIMARY)["RetainedBucket"]
    dynamodb, s3 = proof.client("dynamodb", PRIMARY, role), proof.client("s3", PRIMARY, role)
    item = lambda pk: {"PK": {"S": pk}, "SK": {"S": "x"}}
    attempts = {
        "read the timeline": lambda: dynamodb.query(
            TableName=table,
            KeyConditionExpression="PK = :p",
            ExpressionAttributeValues={":p": {"S": f"TIMELINE#{broadcast}"}},
        ),
        "delete from it": lambda: dynamodb.delete_item(TableName=table, Key=item("TIMELINE#x")),
        "read media": lambda: s3.get_object(Bucket=bucket, Key=f"{PRIMARY}/media/x"),
        "replace the player page": lambda: s3.put_object(Bucket=bucket, Key="web/index.html", Body=b"x"),
        "write the other region's media": lambda: s3.put_object(Bucket=bucket, Key=f"{SECONDARY}/media/x", Body=b"x"),
        "read a secret": lambda: proof.client("secretsmanager", PRIMARY, role).get_secret_value(
            SecretId=proof.physical(PRIMARY, "SigningKey")
        ),
        "start a task": lambda: proof.client("ecs", PRIMARY, role).run_task(
            cluster="headwater", taskDefinition="headwater-transcoder"
        ),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
            refused = False
        except Exception as error:  # noqa: BLE001: botocore makes its classes at run time
            refused = "AccessDenied" in str(error)
        check(refused, f"the transcoder's role may not {what}")
    dynamodb.put_item(TableName=table, Item=item("TIMELINE#proof"))
    say("ok  it may put a timeline entry")
