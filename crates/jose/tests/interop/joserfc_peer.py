"""Verifies our tokens, and signs tokens for us, with joserfc. One JSON document in, one out; see ../interop.rs."""

import json
import sys

from joserfc import jws
from joserfc.jwk import JWKRegistry
from joserfc.registry import HeaderParameter


class Registry(jws.JWSRegistry):
    # The default, 512, is less than the header of a detached signature with a long issuer.
    max_header_length = 1024


def registry(names):
    types = {"http://openbanking.org.uk/iat": "int", "b64": "bool"}
    members = {name: HeaderParameter(name, types.get(name, "str")) for name in names}
    return Registry(header_registry=members, algorithms=["PS256", "ES256"])


def verify(case, keys, names):
    payload = None if case["form"] == "compact" else case["payload"]
    token = jws.deserialize_compact(
        case["token"], keys[case["key"]], registry=registry(names), payload=payload
    )
    if token.payload != case["payload"].encode():
        raise ValueError("another payload")
    if token.headers() != case["header"]:
        raise ValueError("another header")


def sign(case, keys, names):
    token = jws.serialize_compact(
        case["header"], case["payload"], keys[case["key"]], registry=registry(names)
    )
    return jws.detach_content(token) if case["form"] == "encoded" else token


def attempt(work, *arguments):
    try:
        return {"ok": work(*arguments)}
    except Exception as error:  # whatever the library says is the answer
        return {"error": f"{type(error).__name__}: {error}"}


request = json.load(sys.stdin)
keys = {kid: JWKRegistry.import_key(key) for kid, key in request["keys"].items()}
names = request["critical"]
json.dump(
    {
        "verified": [attempt(verify, case, keys, names) for case in request["verify"]],
        "signed": [attempt(sign, case, keys, names) for case in request["sign"]],
    },
    sys.stdout,
)
