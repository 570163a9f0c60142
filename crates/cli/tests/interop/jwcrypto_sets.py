"""Judges SETs with jwcrypto, against the bank's published key set. One JSON document in, one out; see ../cli/tpp/interop."""

import json
import sys

from jwcrypto import jwk, jws
from jwcrypto.common import JWSEHeaderParameter

request = json.load(sys.stdin)
keys = jwk.JWKSet.from_json(json.dumps(request["keys"]))
critical = {name: JWSEHeaderParameter(name, True, True, None) for name in request["critical"]}


def judge(text):
    token = jws.JWS(header_registry=critical)
    token.allowed_algs = ["PS256", "ES256"]
    token.deserialize(text)
    key = keys.get_key(token.jose_header["kid"])
    if key is None:
        raise KeyError("no such key")
    token.verify(key)
    return json.loads(token.payload)


def attempt(text):
    try:
        return {"ok": judge(text)}
    except Exception as error:  # whatever the library says is the answer
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([attempt(text) for text in request["sets"]], sys.stdout)
