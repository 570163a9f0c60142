"""Judges SETs with joserfc, against the bank's published key set. One JSON document in, one out; see ../cli/tpp/interop."""

import json
import sys

from joserfc import jws
from joserfc.jwk import KeySet
from joserfc.registry import HeaderParameter

request = json.load(sys.stdin)
keys = KeySet.import_key_set(request["keys"])
types = {"http://openbanking.org.uk/iat": "int"}
critical = {name: HeaderParameter(name, types.get(name, "str")) for name in request["critical"]}
registry = jws.JWSRegistry(header_registry=critical, algorithms=["PS256", "ES256"])


def attempt(text):
    try:
        return {"ok": json.loads(jws.deserialize_compact(text, keys, registry=registry).payload)}
    except Exception as error:  # whatever the library says is the answer
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([attempt(text) for text in request["sets"]], sys.stdout)
