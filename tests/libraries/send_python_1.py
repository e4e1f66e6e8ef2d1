"""Proves that Segue takes what the older analytics-python 1.4 sends, once as plain text and once with gzip: every
call, with ids as its users pass them.

    python send_python_1.py BASE_URL WRITE_KEY
"""

import sys
from datetime import datetime, timedelta, timezone

from analytics.client import Client


def send(client):
    client.identify(42, {"name": "Zoë 🎿", "createdAt": datetime(2024, 2, 29)})
    client.identify(user_id="", anonymous_id="anonymous-1", traits={"plan": None})
    client.track("user-1", "Order Completed", {"total": 1e-7, "items": [{"id": "a.b"}]})
    client.track(
        "user-1", "All fields", {}, {"ip": "203.0.113.7"},
        datetime(2024, 2, 29, 23, 59, 59, 999999, timezone(timedelta(hours=2))), "anonymous-1",
        {"All": False, "Webhooks": True}, f"python-1-own-id-{client.consumers[0].gzip}",
    )
    client.page("user-1", "Docs", "Index", {"url": "https://example.org/?a=1&b=ü"})
    client.screen("user-1", "Phone", "Main")
    client.group("user-1", 12, {"employees": 3})
    client.alias(13, "user-2")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python send_python_1.py BASE_URL WRITE_KEY")
    host, write_key = sys.argv[1:]
    failures = []
    for compressed in (False, True):
        client = Client(
            write_key, host=host, gzip=compressed, upload_size=3, upload_interval=0.05, max_retries=2,
            on_error=lambda error, batch: failures.append(f"{len(batch)} messages: {error}"),
        )
        send(client)
        client.flush()
        client.join()
    if failures:
        sys.exit(f"send_python_1.py: {'; '.join(failures)}")


main()
