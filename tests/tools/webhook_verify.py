"""Verifies a Standard Webhooks 1.0 delivery by another implementation than the server's.

Reads {"secret", "id", "timestamp", "signature", "body"} as JSON and prints which of the space-separated signatures hold.
"""

import base64
import hashlib
import hmac
import json
import sys

told = json.load(sys.stdin)
key = base64.b64decode(told["secret"].removeprefix("whsec_"))
content = f'{told["id"]}.{told["timestamp"]}.{told["body"]}'.encode()
wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
held = []
for number, signature in enumerate(told["signature"].split(" ")):
    version, _, value = signature.partition(",")
    if version == "v1" and hmac.compare_digest(value, wanted):
        held.append(number)
print(json.dumps(held))
