"""Verifies our tokens, and signs tokens for us, with jwcrypto. One JSON document in, one out; see ../interop.rs."""

import json
import sys

from jwcrypto import jwk, jws
from jwcrypto.common import JWSEHeaderParameter

ALGORITHMS = ["PS256", "ES256"]


def registry(names):
    """Every private member registered: protected, understood, no check of its own."""
    return {name: JWSEHeaderParameter(name, True, True, None) for name in names}


def verify(case, keys, names):
    token = jws.JWS(header_registry=registry(names))
    token.allowed_algs = ALGORITHMS
    token.deserialize(case["token"])
    if case["form"] == "compact":
        token.verify(keys[case["key"]])
        payload = token.payload
    else:
        token.verify(keys[case["key"]], detached_payload=case["payload"])
        payload = case["payload"].encode()
    if payload != case["payload"].encode():
        raise ValueError("another payload")
    if json.loads(token.objects["protected"]) != case["header"]:
        raise ValueError("another header")


def sign(case, keys, names):
    token = jws.JWS(case["payload"].encode(), header_registry=registry(names))
    token.allowed_algs = ALGORITHMS
    token.add_signature(keys[case["key"]], None, json.dumps(case["header"]), None)
    if case["form"] != "compact":
        token.detach_payload()
    return token.serialize(compact=True)


def attempt(work, *arguments):
    try:
        return {"ok": work(*arguments)}
    except Exception as error:  # whatever the library says is the answer
        return {"error": f"{type(error).__name__}: {error}"}


request = json.load(sys.stdin)
keys = {kid: jwk.JWK(**key) for kid, key in request["keys"].items()}
names = request["critical"]
json.dump(
    {
        "verified": [attempt(verify, case, keys, names) for case in request["verify"]],
        "signed": [attempt(sign, case, keys, names) for case in request["sign"]],
    },
    sys.stdout,
)
