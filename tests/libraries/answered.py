"""Shows what a library does on an answer: for each CASE it hands one message to a client of its own, whose requests go
to BASE_URL/CASE. The server there counts them.

    python answered.py LIBRARY BASE_URL CASE...

LIBRARY: python or python-1. A library that waits for long by default is told to wait less.
"""

import logging
import sys
from threading import Thread

import analytics.client
import segment.analytics.client

# Longer than an answer takes on a busy machine.
TIME_OUT = 1.5
LIBRARIES = {"python": segment.analytics.client.Client, "python-1": analytics.client.Client}


def send(library, base, name):
    client = LIBRARIES[library](name, host=f"{base}/{name}", upload_interval=0.05, max_retries=2, timeout=TIME_OUT)
    client.track("user-1", name, message_id=name)
    client.flush()
    client.join()


def main():
    library, base, *cases = sys.argv[1:] or [None, None]
    if library not in LIBRARIES or not cases:
        sys.exit(f"usage: python answered.py {'|'.join(LIBRARIES)} BASE_URL CASE...")
    logging.disable(logging.CRITICAL)
    threads = [Thread(target=send, args=(library, base, name)) for name in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
