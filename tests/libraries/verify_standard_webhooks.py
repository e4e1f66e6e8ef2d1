"""Verifies signatures with the real PyPI package standardwebhooks. Reads {"secret", "headers", "body"} on each
line, "body" being the text as received, and prints `valid` or `invalid: reason` for each.

    python verify_standard_webhooks.py < LINES
"""

import json
import sys

from standardwebhooks.webhooks import Webhook

for line in sys.stdin.buffer:
    signed = json.loads(line)
    try:
        Webhook(signed["secret"]).verify(signed["body"], signed["headers"], json_parse=False)
        print("valid")
    except Exception as error:  # the library lets some of its own mistakes through, a ValueError for one
        print(f"invalid: {error}")
