"""The edge: origins, groups, caches; and the names that lead to it and to the gateways."""

import fnmatch
import json
import re

import pytest
from stack import PRIMARY, ROOT, SCENARIOS, SECONDARY, Stack

PLAYLIST_FAILOVER = [500, 502, 503, 504]
MEDIA_FAILOVER = [403, 404, 500, 502, 503, 504]
#: Managed-CachingOptimized and Managed-CachingOptimizedForUncompressedObjects ("Use managed cache policies", CloudFront
#: Developer Guide): no cookie, header or query in the key; 1 s, a day, a year.
OPTIMIZED, UNCOMPRESSED = "658327ea-f89d-4fab-a63d-7e88639e58f6", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d"
#: Managed-CORS-S3Origin ("Use managed origin request policies"): three headers, no cookie, no query.
CORS_S3_ORIGIN = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"
FORWARDED = ["Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"]


#: Addresses as the code writes them, in both regions: crates/domain/src/paths keeps the file true.
PATHS = json.loads((ROOT / "crates/domain/paths.json").read_text())
#: The origin group that each kind of address is meant for.
GROUPS = {
    "live": "playlists",
    "recorded-media": "low-latency",
    "recordings": "low-latency",
    "playlists": "playlists",
    "low-latency": "low-latency",
    "media": "media",
    "parts": "parts",
}


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


# ---------------------------------------------------------------------------------------------- edge


def edge(stack):
    return stack["Distribution"]["DistributionConfig"]


def test_every_behaviour_leads_somewhere(stack):
    if "Distribution" not in stack:
        pytest.skip("the primary owns the edge")
    config = edge(stack)
    origins = {origin["Id"] for origin in config["Origins"]}
    groups = {group["Id"]: group for group in config["OriginGroups"]["Items"]}
    assert config["OriginGroups"]["Quantity"] == len(groups)
    for group in groups.values():
        members = [member["OriginId"] for member in group["Members"]["Items"]]
        assert len(members) == group["Members"]["Quantity"] == 2
        assert set(members) <= origins
        codes = group["FailoverCriteria"]["StatusCodes"]
        assert codes["Quantity"] == len(codes["Items"])
    for behavior in [*config["CacheBehaviors"], config["DefaultCacheBehavior"]]:
        assert behavior["TargetOriginId"] in origins | set(groups)
        assert behavior["ViewerProtocolPolicy"] == "redirect-to-https"
        assert behavior.get("ResponseHeadersPolicyId")
        # CloudFront refuses groups for methods that it does not fail over.
        assert set(behavior["AllowedMethods"]) <= {"GET", "HEAD", "OPTIONS"}


def test_own_region_is_asked_first_and_the_other_one_second(joined):
    config = edge(joined)
    groups = {
        group["Id"]: (
            [m["OriginId"] for m in group["Members"]["Items"]],
            group["FailoverCriteria"]["StatusCodes"]["Items"],
        )
        for group in config["OriginGroups"]["Items"]
    }
    assert groups == {
        "playlists-a": (["api-a-try-1", "api-b-try-2"], PLAYLIST_FAILOVER),
        "playlists-b": (["api-b-try-1", "api-a-try-2"], PLAYLIST_FAILOVER),
        "low-latency-a": (["api-a-low-try-1", "api-b-low-try-2"], PLAYLIST_FAILOVER),
        "low-latency-b": (["api-b-low-try-1", "api-a-low-try-2"], PLAYLIST_FAILOVER),
        "parts-a": (["s3-a", "api-a-low-try-1"], MEDIA_FAILOVER),
        "parts-b": (["s3-b", "api-b-low-try-1"], MEDIA_FAILOVER),
        "media-a": (["s3-a", "s3-b"], MEDIA_FAILOVER),
        "media-b": (["s3-b", "s3-a"], MEDIA_FAILOVER),
        "page": (["page-a", "page-b"], MEDIA_FAILOVER),
    }
    paths = {behavior["PathPattern"]: behavior["TargetOriginId"] for behavior in config["CacheBehaviors"]}
    regions = ((PRIMARY, "a"), (SECONDARY, "b"))
    assert paths == {
        pattern.replace("{region}", region): f"{GROUPS[name]}-{letter}"
        for region, letter in reversed(regions)
        for name, pattern in PATHS["behaviors"].items()
    }
    assert paths == {
        "/live/*": "playlists-a",
        f"/{PRIMARY}/playlists/*/vod/*": "low-latency-a",
        f"/{PRIMARY}/playlists/*/index.m3u8": "low-latency-a",
        f"/{PRIMARY}/playlists/*": "playlists-a",
        f"/{PRIMARY}/low-latency/*": "low-latency-a",
        f"/{PRIMARY}/media/*": "media-a",
        f"/{PRIMARY}/parts/*": "parts-a",
        f"/{SECONDARY}/playlists/*/vod/*": "low-latency-b",
        f"/{SECONDARY}/playlists/*/index.m3u8": "low-latency-b",
        f"/{SECONDARY}/playlists/*": "playlists-b",
        f"/{SECONDARY}/low-latency/*": "low-latency-b",
        f"/{SECONDARY}/media/*": "media-b",
        f"/{SECONDARY}/parts/*": "parts-b",
    }


def test_every_address_takes_the_behaviour_that_is_meant_for_it(joined):
    behaviors = edge(joined)["CacheBehaviors"]
    for address in PATHS["edge"]:
        # Patterns are tried in their order ("Path pattern", CloudFront Developer Guide); `*` is any text, slashes too.
        first = next(b for b in behaviors if fnmatch.fnmatchcase(address["path"], b["PathPattern"]))
        letter = "b" if address["region"] == SECONDARY else "a"
        assert first["TargetOriginId"] == f"{GROUPS[address['behavior']]}-{letter}", address["path"]
    assert {address["behavior"] for address in PATHS["edge"]} == set(PATHS["behaviors"]) == set(GROUPS)


def test_origins_tell_the_try_and_prove_the_edge(joined):
    hosts = {"a": f"<HttpApi>.execute-api.{PRIMARY}.amazonaws.com", "b": "<Peer.ApiHost>"}
    seen = 0
    for origin in edge(joined)["Origins"]:
        assert (origin["ConnectionAttempts"], origin["ConnectionTimeout"]) == (1, 2), origin["Id"]
        if match := re.fullmatch(r"api-([ab])(-low)?-try-([12])", origin["Id"]):
            region, low, attempt = match.groups()
            headers = {header["HeaderName"]: header["HeaderValue"] for header in origin["OriginCustomHeaders"]}
            assert headers == {
                "X-Headwater-Try": attempt,
                "X-Headwater-Origin": "{{resolve:secretsmanager:<OriginSecret.Id>:SecretString}}",
            }
            assert origin["DomainName"] == hosts[region]
            assert origin["CustomOriginConfig"]["OriginReadTimeout"] == (6 if low else 2)
            assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
            seen += 1
        else:
            assert origin["OriginAccessControlId"] == "<OriginAccess>"
            assert origin.get("OriginPath") == ("/web" if origin["Id"].startswith("page") else None)
            bucket = (
                "<Peer.MediaBucket>.s3." + SECONDARY
                if origin["Id"].endswith("b")
                else "<MediaBucket.RegionalDomainName>"
            )
            assert origin["DomainName"].startswith(bucket)
        shield = "<Peer.PeerOriginShield>" if re.search(r"-b\b", origin["Id"]) else "<Peer.OriginShield>"
        assert origin["OriginShield"] == {"Enabled": True, "OriginShieldRegion": shield}, origin["Id"]
    assert seen == 8
    assert joined["OriginAccess"]["OriginAccessControlConfig"]["SigningBehavior"] == "always"
    # The names of the headers are the code's.
    code = read("functions", "src", "playlist", "mod.rs")
    assert '"x-headwater-try"' in code and '"x-headwater-origin"' in code


def test_one_region_waits_for_its_parts_as_well():
    config = edge(Stack.scenario("single"))
    groups = {group["Id"]: [m["OriginId"] for m in group["Members"]["Items"]] for group in config["OriginGroups"]["Items"]}
    assert groups["parts-a"] == ["s3-a", "api-a-low-try-1"]
    paths = {behavior["PathPattern"]: behavior["TargetOriginId"] for behavior in config["CacheBehaviors"]}
    assert paths[f"/{PRIMARY}/parts/*"] == "parts-a"


def test_the_edge_is_more_patient_than_the_function(joined):
    """A held answer comes before the edge gives the origin up, and is kept for no longer than the policy allows."""
    held = int(re.search(r"PATIENCE: Duration = Duration::from_secs\((\d+)\)", read("functions", "src", "playlist", "wait.rs"))[1])
    origins = {origin["Id"]: origin for origin in edge(joined)["Origins"]}
    for name in ("api-a-low-try-1", "api-b-low-try-1"):
        assert held + 2 <= origins[name]["CustomOriginConfig"]["OriginReadTimeout"]
    assert held < joined["LowLatencyFunction"]["Timeout"]
    kept = {int(age) for age in re.findall(r'"[^"]*max-age=(\d+)[^"]*"', read("functions", "src", "playlist", "output.rs"))}
    assert kept == {1, 6, 60} and max(kept) <= joined["LowLatencyCachePolicy"]["CachePolicyConfig"]["MaxTTL"]
    # With less than a second, or `no-cache`, CloudFront would not collapse requests that wait.
    assert min(kept) == 1


def test_local_edge_is_this_edge(joined):
    """The local stack's distribution has the same paths, groups and time-outs (docs say what it leaves out)."""
    text = read("local", "stack", "src", "distribution.rs")
    for name, codes in (("PLAYLIST_FAILOVER", PLAYLIST_FAILOVER), ("MEDIA_FAILOVER", MEDIA_FAILOVER)):
        found = re.search(rf"{name}: \[u16; \d+\] = \[(.*?)\]", text)[1]
        assert sorted(int(code) for code in found.split(",")) == codes
    timeout = lambda name: int(re.search(rf"{name}: Duration = Duration::from_secs\((\d+)\)", text)[1])
    origins = {origin["Id"]: origin for origin in edge(joined)["Origins"]}
    assert timeout("PLAYLIST_TIMEOUT") == origins["api-a-try-1"]["CustomOriginConfig"]["OriginReadTimeout"]
    assert timeout("LOW_LATENCY_TIMEOUT") == origins["api-a-low-try-1"]["CustomOriginConfig"]["OriginReadTimeout"]
    groups = {group["Id"]: group for group in edge(joined)["OriginGroups"]["Items"]}
    first, second = (member["OriginId"] for member in groups["parts-a"]["Members"]["Items"])
    assert (first, second) == ("s3-a", "api-a-low-try-1")
    assert 'format!("s3-{first}"), format!("api-{first}-low-try-1")' in text
    assert timeout("MEDIA_TIMEOUT") == origins["s3-a"]["S3OriginConfig"]["OriginReadTimeout"]


def test_caches_know_the_questions_of_hls_and_forget_errors(joined):
    policy = lambda name: joined[name]["CachePolicyConfig"]
    questions = {"QueryStringBehavior": "whitelist", "QueryStrings": ["_HLS_msn", "_HLS_part", "_HLS_skip"]}
    for name, asked in (("PlaylistCachePolicy", {"QueryStringBehavior": "none"}), ("LowLatencyCachePolicy", questions)):
        keys = policy(name)["ParametersInCacheKeyAndForwardedToOrigin"]
        assert keys["QueryStringsConfig"] == asked
        assert keys["EnableAcceptEncodingGzip"] is True
        assert (policy(name)["MinTTL"], policy(name)["DefaultTTL"]) == (0, 1)
    for behavior in edge(joined)["CacheBehaviors"]:
        asks = "/low-latency/" in behavior["PathPattern"]
        # What ignores a query must not be asked anew for each.
        assert asks == (behavior["CachePolicyId"] == "<LowLatencyCachePolicy>"), behavior["PathPattern"]
        # Objects never change: AWS's own policy for what is not compressed, a day by default, a second at least.
        if re.search("/(media|parts)/", behavior["PathPattern"]):
            assert (behavior["CachePolicyId"], behavior["Compress"]) == (UNCOMPRESSED, False)
    assert edge(joined)["DefaultCacheBehavior"]["CachePolicyId"] == OPTIMIZED
    for name in ("PlaylistCachePolicy", "LowLatencyCachePolicy"):
        found = policy(name)["ParametersInCacheKeyAndForwardedToOrigin"]
        assert found["CookiesConfig"]["CookieBehavior"] == "none"
        assert found["HeadersConfig"]["HeaderBehavior"] == "none"
    errors = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in edge(joined)["CustomErrorResponses"]}
    assert all(ttl <= 1 for ttl in errors.values())
    assert {400, 403, 404, 500, 502, 503, 504} == set(errors)


def test_players_on_any_site_may_read(joined):
    cors = joined["StreamHeaders"]["ResponseHeadersPolicyConfig"]["CorsConfig"]
    assert cors["AccessControlAllowOrigins"] == {"Items": ["*"]} and cors["AccessControlAllowCredentials"] is False
    assert cors["AccessControlAllowHeaders"] == {"Items": ["*"]} and cors["OriginOverride"] is True
    assert {"GET", "HEAD"} <= set(cors["AccessControlAllowMethods"]["Items"])


def test_preflights_of_players_are_answered(joined):
    """OPTIONS passes, says what it is about, is not cached, and every origin answers it with success."""
    for behavior in edge(joined)["CacheBehaviors"]:
        path = behavior["PathPattern"]
        assert set(behavior["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS"}, path
        assert "OPTIONS" not in behavior.get("CachedMethods", []), path
        assert behavior["OriginRequestPolicyId"] == CORS_S3_ORIGIN, path
        assert behavior["ResponseHeadersPolicyId"] == "<StreamHeaders>", path
        # A function would cost more than all the rest of a viewer's requests.
        assert not behavior.get("FunctionAssociations") and not behavior.get("LambdaFunctionAssociations"), path
    (rule,) = joined["MediaBucket"]["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedOrigins"], rule["AllowedHeaders"]) == (["*"], ["*"])
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD"}
    # The HTTP API answers them itself where no route takes OPTIONS or ANY.
    viewed = [r["RouteKey"] for r in joined.of_type("AWS::ApiGatewayV2::Route").values() if re.search("Playlist|LowLatency", r["Target"])]
    assert len(viewed) == 10 and all(key.split(" ")[0] in ("GET", "HEAD") for key in viewed)
    assert joined["HttpApi"]["CorsConfiguration"]["AllowOrigins"] == ["*"]


def test_local_stack_says_the_same_to_other_sites(joined):
    text = read("local", "stack", "src", "distribution.rs")
    questions = re.search(r"CORS_QUESTIONS: \[&str; \d\] =\s+\[(.*?)\];", text, re.S)[1]
    assert re.findall(r'"([^"]+)"', questions) == FORWARDED
    said = dict(re.findall(r'_header\("(Access-Control-[A-Za-z-]+)", "([^"]*)"\)', text))
    policy = joined["StreamHeaders"]["ResponseHeadersPolicyConfig"]["CorsConfig"]
    assert said == {
        "Access-Control-Allow-Origin": ", ".join(policy["AccessControlAllowOrigins"]["Items"]),
        "Access-Control-Allow-Headers": ", ".join(policy["AccessControlAllowHeaders"]["Items"]),
        "Access-Control-Allow-Methods": ", ".join(policy["AccessControlAllowMethods"]["Items"]),
        "Access-Control-Expose-Headers": ", ".join(policy["AccessControlExposeHeaders"]["Items"]),
        "Access-Control-Max-Age": str(policy["AccessControlMaxAgeSec"]),
    }
    text = read("local", "stack", "src", "cors.rs")
    api, media = text.split("fn of_media")
    lists = dict(re.findall(r"(allow_[a-z]+|expose_headers): list\(&\[(.*?)\]\)", api))
    config = joined["HttpApi"]["CorsConfiguration"]
    for name, key in (
        ("allow_origins", "AllowOrigins"),
        ("allow_methods", "AllowMethods"),
        ("allow_headers", "AllowHeaders"),
        ("expose_headers", "ExposeHeaders"),
    ):
        assert re.findall(r'"([^"]+)"', lists[name]) == config[key], name
    (rule,) = joined["MediaBucket"]["CorsConfiguration"]["CorsRules"]
    assert re.findall(r"Method::([A-Z]+)", media) == rule["AllowedMethods"]
    age = int(re.search(r"MAX_AGE: Duration = Duration::from_secs\(([0-9_]+)\)", text)[1])
    assert age == rule["MaxAge"] == config["MaxAge"] == policy["AccessControlMaxAgeSec"]


def test_preflights_of_the_api_need_no_token(stack):
    """A route for ANY hands preflights to its authorizer, so each has one for OPTIONS beside it."""
    routes = {route["RouteKey"]: route for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
    for key in [key for key in routes if key.startswith("ANY ")]:
        own = routes[key.replace("ANY", "OPTIONS")]
        assert own["AuthorizationType"] == "NONE" and "Api" in own["Target"], key
    for key in [key for key in routes if key.startswith("GET ")]:
        assert routes[key.replace("GET", "HEAD")]["Target"] == routes[key]["Target"], key
    assert not [key for key in routes if key.endswith("/")], "no route key may end with a slash"


def test_own_names_certificate_and_web_acl_are_optional():
    plain, full = edge(Stack.scenario("joined")), edge(Stack.scenario("everything"))
    assert "Aliases" not in plain and "WebACLId" not in plain
    assert plain["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert full["Aliases"] == ["live.example.com"] and full["WebACLId"].startswith("arn:aws:wafv2:us-east-1")
    assert full["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


# ---------------------------------------------------------------------------------------------- names


def test_names_are_shared_by_latency_or_weight_with_health_checks():
    stack = Stack({**SCENARIOS["everything"], "GlobalAccelerator": "false"})
    for record in ("ApiRecord", "IngestRecord"):
        assert stack[record]["Region"] == PRIMARY and "Weight" not in stack[record]
        assert stack[record]["HealthCheckId"] in ("<ApiHealthCheck>", "<IngestHealthCheck>")
    weighted = Stack.scenario("secondary with names")
    assert weighted["IngestRecord"]["Weight"] == "100" and "Region" not in weighted["IngestRecord"]
    out = Stack({**SCENARIOS["secondary with names"], "InService": "false"})
    assert "IngestRecord" not in out and "ApiRecord" not in out


def test_accelerator_leads_to_both_regions():
    stack = Stack.scenario("everything")
    groups = {
        g["EndpointGroupRegion"]: g["EndpointConfigurations"]
        for g in stack.of_type("AWS::GlobalAccelerator::EndpointGroup").values()
    }
    assert (
        groups[PRIMARY][0]["EndpointId"] == "<Balancer>"
        and groups[SECONDARY][0]["EndpointId"] == "<Peer.LoadBalancerArn>"
    )
    assert [r["FromPort"] for r in stack["AcceleratorListener"]["PortRanges"]] == [1935, 443]
    # The name then leads to the accelerator, not to one balancer.
    assert "IngestRecord" not in stack and stack["AcceleratorRecord"]["Name"] == "ingest.example.com"


def test_encoders_are_sent_to_one_name_or_to_both_regions():
    url = lambda scenario: Stack.scenario(scenario)["ApiFunction"]["Environment"]["Variables"]["INGEST_RTMP"]
    assert url("single") == url("primary") == "rtmp://<Balancer.DNSName>/live"
    assert url("joined") == "rtmp://<Balancer.DNSName>/live,rtmp://<Peer.IngestHost>/live"
    assert url("everything") == "rtmp://ingest.example.com/live"
