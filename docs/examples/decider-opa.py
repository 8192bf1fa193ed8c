#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A decider for factord's rules: asks an Open Policy Agent server. Reads the question, a line of JSON, on
standard input, puts it to OPA as the input, and writes the one word that the rule there gives.

usage: decider-opa.py [URL]

It says nothing, and fails, when OPA gives anything else or does not answer: OnError= of factord's rule decides.
Run it from decider-opa.socket; a user's service can also name it itself: Decision=exec:/…/decider-opa.py.
"""

import json
import sys
import urllib.request

URL = "http://127.0.0.1:8181/v1/data/factord/decision"
VERBS = ("approve", "deny", "ask", "ignore")
QUESTION_MAX = 1024 * 1024  # bytes
TIMEOUT = 4  # seconds: less than the rule's Timeout=


def main():
    url = sys.argv[1] if len(sys.argv) > 1 else URL
    question = json.loads(sys.stdin.buffer.read(QUESTION_MAX))
    request = urllib.request.Request(
        url,
        data=json.dumps({"input": question}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    # No proxy: what a challenge says goes to OPA and nowhere else.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT) as reply:
        answer = json.load(reply)
    # A rule that is not defined gives no result.
    verb = answer.get("result")
    if verb not in VERBS:
        sys.exit(f"decider-opa: {url} gives no verb")
    print(verb)


if __name__ == "__main__":
    main()
