"""Proves that Segue takes what the real segment-analytics-python sends, once as plain text and once with gzip:
every call, with values that lose something in careless hands. Prints the messages as they were on the wire, and
the status of each request.

    python send_python.py BASE_URL WRITE_KEY
"""

import gzip
import json
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from segment.analytics import request
from segment.analytics.client import Client

TEXT = {
    "empty": "", "greek": "Ζωή", "emoji": "👩🏽‍🚀", "cut": "half an emoji \ud83d",
    "combined": "e\u0301", "separators": "a\u2028b\u2029c", "control": "\x00\x01\t\r\n\x7f",
    "quotes": '"\\"/</script>', "bom": "\ufeff",
}
NUMBERS = {
    "negative_zero": -0.0, "tenth": 0.1, "small": 1e-7, "large": 1e21, "round": 1e16, "one": 1.0,
    "odd": 9007199254740993, "huge": 10**40, "decimal": Decimal("12.30"),
    "exact": Decimal("0.1000000000000000055511151231257827"), "least": 5e-324,
}
KEYS = {
    "b": 1, "10": "ten", "9": "nine", "01": "text", 7: "a number", "": "empty", "a.b": "dot", '"\\': "quoted", "ключ 🔑": 1,
}
NESTED = {
    "tuple": (1, (2, (3,))), "list": [[], {}, [None, True, False]], "nothing": None, "__proto__": {"polluted": True},
    "at": datetime(2024, 2, 29, 23, 59, 59, 999999, timezone(timedelta(hours=2))),
    "naive": datetime(2024, 2, 29), "day": date(2024, 2, 29),
}


def record(post, messages, statuses):
    """Sends as the library does, and writes down what Segue took."""

    def recorded(url, data, headers, **more):
        response = post(url, data=data, headers=headers, **more)
        statuses.append(response.status_code)
        if response.ok:
            plain = gzip.decompress(data) if headers.get("Content-Encoding") == "gzip" else data
            messages.extend(json.loads(plain)["batch"])
        return response

    return recorded


def deep():
    value = None
    for _ in range(40):
        value = {"d": [value]}
    return value


def send(client):
    when = datetime(2024, 2, 29, 23, 59, 59, 999999, timezone.utc)
    client.identify("user-1", {"email": "zoe@example.org", **TEXT, **NESTED})
    client.identify("", KEYS, anonymous_id="anonymous-1")
    client.track("user-1", "Text", TEXT)
    client.track("user-1", "Numbers 🔢", NUMBERS)
    client.track("user-1", "Keys", KEYS)
    client.track(42, "A number as the user id", {"deep": deep()})
    client.track("user-1", "Long", {"text": "long" * 5 * 1024})
    client.track(
        "user-1", "All fields", {}, {"ip": "203.0.113.7", "active": False}, when, "anonymous-1",
        {"All": False, "Webhooks": True, "Mixpanel": {"token": "x"}}, f"my-own-message-id-{client.gzip}",
    )
    client.page("user-1", "Docs", "Index", {"url": "https://example.org/", "title": ""})
    client.screen("user-1", "Phone", "Main", NESTED)
    client.group("user-1", 12, {"name": "Ünïcode & Söhne", "employees": 3})
    client.alias(13, "user-1")
    return 12


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python send_python.py BASE_URL WRITE_KEY")
    host, write_key = sys.argv[1:]
    messages, statuses, problems = [], [], []
    request._session.post = record(request._session.post, messages, statuses)

    calls = 0
    for compressed in (False, True):
        client = Client(
            write_key, host=host, gzip=compressed, send=True, upload_size=5, max_total_backoff_duration=10,
            on_error=lambda error, batch: problems.append(f"{len(batch)} messages: {error}"),
        )
        calls += send(client)
        client.shutdown()
        if problems:
            break

    if len(messages) != calls:
        problems.append(f"{calls} messages were handed over, {len(messages)} were taken")
    if problems:
        sys.exit(f"send_python.py: {'; '.join(problems)}; statuses: {statuses}")
    print(json.dumps({"messages": messages, "statuses": statuses}))


main()
