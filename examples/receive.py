"""Receives what `oyez listen` and `oyez poll` hand over by HTTP, and believes neither the post nor the SET in it before it
has checked them. The post is signed as Standard Webhooks has it; the SET is the bank's own signed word.

    pip install jwcrypto                 # to check SETs too, as the second line does

    python3 receive.py --secret-file webhook.secret
    python3 receive.py --secret-file webhook.secret --jwks bank.jwks --issuer https://hedgebank.example --audience CLIENT_ID

In tpp.toml:

    [hand_over]
    to = "http"
    url = "http://127.0.0.1:8000/events"
    secret_file = "webhook.secret"      # echo whsec_$(openssl rand -base64 32) > webhook.secret
"""

import argparse
import base64
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOLERANCE_S = 300
BODY_BYTES_MAX = 1 << 20
# What the header of a SET may call critical: members that we know of, none of which we need.
UNDERSTOOD = ["http://openbanking.org.uk/" + name for name in ("iat", "iss", "tan")]


class Refused(Exception):
    """Not to be believed."""


def check_post(secret, headers, body):
    """Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""
    name, at = headers["webhook-id"], headers["webhook-timestamp"]
    if not name or not at or abs(time.time() - int(at)) > TOLERANCE_S:
        raise Refused("it is too old, or says no id and time")
    signed = f"{name}.{at}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, "sha256").digest()).decode()
    given = (headers["webhook-signature"] or "").split(" ")
    if not any(hmac.compare_digest(f"v1,{expected}", one) for one in given):
        raise Refused("its signature is not ours")


def check_set(token, keys, issuer, audience):
    """The bank's signature (T-07) and whom it is from and for; answers the claims."""
    from jwcrypto import jws
    from jwcrypto.common import JWSEHeaderParameter

    known = {name: JWSEHeaderParameter(name, True, True, None) for name in UNDERSTOOD}
    parsed = jws.JWS(header_registry=known)
    parsed.allowed_algs = ["PS256", "ES256"]
    parsed.deserialize(token)
    kid = parsed.jose_header.get("kid", "")
    key = keys.get_key(kid)
    if key is None:
        raise Refused(f"no key is called {kid}: fetch the bank's key set again")
    parsed.verify(key)
    claims = json.loads(parsed.payload)
    if claims["iss"] != issuer or claims["aud"] != audience:
        raise Refused("it is of another bank, or for somebody else")
    return claims


def receiver(secret, judge):
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["content-length"] or 0)
            if length > BODY_BYTES_MAX:
                return self.answer(413)
            body = self.rfile.read(length)
            try:
                check_post(secret, self.headers, body)
                event = json.loads(body)
                claims = judge(event["set"]) if judge else event["claims"]
            except Exception as error:  # whatever it is, it is not to be believed
                print(json.dumps({"refused": str(error)}), flush=True)
                return self.answer(401)
            # Here an application writes the event where it is safe: the bank forgets it after our answer. Its jti is a
            # good unique key; where `maybe_repeated` is true it may be there already.
            taken = {name: event[name] for name in ("bank", "jti", "via", "maybe_repeated")}
            print(json.dumps(taken | {"events": list(claims["events"])}), flush=True)
            self.answer(204)

        def answer(self, status):
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Receiver


def main():
    options = argparse.ArgumentParser(description="receives events from oyez")
    options.add_argument("--secret-file", required=True)
    options.add_argument("--port", type=int, default=8000)
    options.add_argument("--jwks", help="the bank's key set, to check SETs by oneself")
    options.add_argument("--issuer", help="`iss` of the bank's SETs")
    options.add_argument("--audience", help="the client_id")
    chosen = options.parse_args()
    secret = base64.b64decode(Path(chosen.secret_file).read_text().strip().removeprefix("whsec_"))
    judge = None
    if chosen.jwks:
        from jwcrypto import jwk

        keys = jwk.JWKSet.from_json(Path(chosen.jwks).read_text())
        judge = lambda token: check_set(token, keys, chosen.issuer, chosen.audience)
    server = ThreadingHTTPServer(("127.0.0.1", chosen.port), receiver(secret, judge))
    print(json.dumps({"listening": f"http://127.0.0.1:{server.server_port}/events"}), flush=True)
    server.serve_forever()


main()
