"""Verifies the DKIM signatures of a mail by another implementation than the server's (dkimpy).

Reads {"mail": base64, "records": {name: text}} as JSON; the records stand for the DNS. Prints, for each signature from the
top, [domain, selector, algorithm, whether it holds, the names that are signed].
"""

import base64
import json
import sys

import dkim

told = json.load(sys.stdin)
mail = base64.b64decode(told["mail"])


def look_up(name: bytes, timeout: int = 5) -> bytes | None:
    record = told["records"].get(name.decode().rstrip("."))
    return None if record is None else record.encode()


head = mail.split(b"\r\n\r\n", 1)[0]
count = sum(line.lower().startswith(b"dkim-signature:") for line in head.split(b"\r\n"))
found = []
for number in range(count):
    verifier = dkim.DKIM(mail, minkey=2048)
    try:
        holds = verifier.verify(idx=number, dnsfunc=look_up)
    except dkim.DKIMException as problem:
        holds, why = False, str(problem)
    fields = verifier.signature_fields
    names = [name.strip().lower().decode() for name in fields.get(b"h", b"").split(b":")]
    found.append([verifier.domain.decode(), verifier.selector.decode(), fields[b"a"].decode(), holds, names])
print(json.dumps(found))
