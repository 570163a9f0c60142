"""A receiver written from RFC 8936 alone: it knows nothing of Open Banking.

usage: rfc8936.py URL CA PAIR JWKS < token

Polls until it has had every SET once, in the three ways of section 2.4: poll only, acknowledge and poll, and acknowledge
alone; reports one SET as an error first. Prints the jtis it took, a line each, with their events.
"""

import json
import ssl
import sys
import urllib.request
from pathlib import Path

from jwcrypto import jwk, jws

url, authority, pair, keys = sys.argv[1:]
token = sys.stdin.read().strip()
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(pair)
keys = jwk.JWKSet.from_json(Path(keys).read_text())


def poll(**request):
    """Section 2.2: a POST of a JSON object; every member may be absent."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    body = json.dumps(request).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), context=context) as answer:
        assert answer.status == 200, answer.status
        assert answer.headers.get_content_type() == "application/json"
        answer = json.load(answer)
    assert isinstance(answer["sets"], dict)
    return answer["sets"], answer.get("moreAvailable", False)


def verified(jti, text):
    token = jws.JWS()
    token.deserialize(text)
    token.verify(keys.get_key(token.jose_header["kid"]))
    claims = json.loads(token.payload)
    assert claims["jti"] == jti
    return claims


taken = {}
refused = None
acks = []
# Poll only, then acknowledge and poll, one at a time, so that moreAvailable has something to say.
while True:
    sets, more = poll(maxEvents=1, ack=acks, returnImmediately=True)
    acks = []
    for jti, text in sets.items():
        if refused is None:
            # Section 2.3: an error is an object with `err`; here without the description that implementations leave out.
            refused = jti
            none, _ = poll(maxEvents=0, setErrs={jti: {"err": "invalid_request"}})
            assert none == {}
            continue
        taken[jti] = verified(jti, text)
        acks.append(jti)
    if not sets and not more:
        break
    if set(sets) == {refused} and not more:
        break
assert refused in taken, "what was refused is offered again"
# Acknowledge alone: maxEvents 0, answered at once though nothing says so.
assert poll(maxEvents=0, ack=acks) == ({}, False)
# And a request with no member at all.
assert poll() == ({}, False)
for jti, claims in taken.items():
    print(jti, *claims["events"])
