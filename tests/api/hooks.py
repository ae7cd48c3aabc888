"""What JSON Schema cannot say of a valid request, put into the requests that are made to be valid.

It must not change requests that are made to be refused.
"""

from itertools import count

import schemathesis

used = count(1)


def is_meant_to_be_valid(case):
    return case.meta is not None and case.meta.generation.mode.value == "positive"


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_meant_to_be_valid(case):
        return
    # A key that was used with another body is refused (422).
    for name in list(case.headers or ()):
        if name.lower() == "idempotency-key":
            case.headers[name] = f"{case.headers[name][:200]}{next(used)}"
    if not isinstance(case.body, dict):
        return
    # A key expires in the future, and before the year 10000 in UTC.
    expires_at = case.body.get("expires_at")
    if expires_at and not "2100" <= expires_at < "9999":
        case.body["expires_at"] = "2100-01-01" + expires_at[10:]
    # A ladder goes from the highest rung to the lowest, each height once.
    settings = case.body.get("settings")
    if settings and settings.get("ladder"):
        by_height = {rung["height"]: rung for rung in settings["ladder"]}
        settings["ladder"] = [by_height[height] for height in sorted(by_height, reverse=True)]
