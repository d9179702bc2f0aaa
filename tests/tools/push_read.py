"""A browser's half of Web Push, by other implementations than the server's (http-ece, cryptography).

    push_read.py new     prints the keys of a subscription: {"private", "p256dh", "auth"}
    push_read.py read    reads {"private", "auth", "body" (base64), "authorization", "audience"} as JSON and prints
                         {"said": what was encrypted, "claims": those of the signed word, "key": whose signature holds}
"""

import base64
import json
import os
import sys

import http_ece
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if sys.argv[1] == "new":
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    number = key.private_numbers().private_value
    print(json.dumps({"private": str(number), "p256dh": encoded(point), "auth": encoded(os.urandom(16))}))
    sys.exit()

told = json.load(sys.stdin)
key = ec.derive_private_key(int(told["private"]), ec.SECP256R1())
body = base64.b64decode(told["body"])
said = http_ece.decrypt(body, private_key=key, auth_secret=decoded(told["auth"]), version="aes128gcm")

scheme, _, rest = told["authorization"].partition(" ")
assert scheme == "vapid", scheme
parts = dict(part.strip().split("=", 1) for part in rest.split(","))
signed, _, signature = parts["t"].rpartition(".")
head, claims = (json.loads(decoded(part)) for part in signed.split("."))
assert head == {"typ": "JWT", "alg": "ES256"}, head
raw = decoded(signature)
assert len(raw) == 64, len(raw)
r, s = (int.from_bytes(half) for half in (raw[:32], raw[32:]))
server = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
server.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
print(json.dumps({"said": json.loads(said), "claims": claims, "key": parts["k"], "record": int.from_bytes(body[16:20])}))
