"""What schemathesis sends, as a TPP sends it: with a token, and signed where the standard wants it (M-01, M-02)."""

import base64
import json
import os
from pathlib import Path

import schemathesis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from requests.auth import AuthBase

KEY = serialization.load_pem_private_key(Path(os.environ["TPP_KEY"]).read_bytes(), password=None)
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
HEADER = json.loads(os.environ["TPP_HEADER"])


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def detached(body: bytes) -> str:
    header = base64url(json.dumps(HEADER).encode())
    signature = KEY.sign(f"{header}.{base64url(body)}".encode(), PSS, hashes.SHA256())
    return f"{header}..{base64url(signature)}"


class Tpp(AuthBase):
    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {os.environ['TPP_TOKEN']}"
        if request.method in ("POST", "PUT") and not request.url.endswith("/events"):
            body = request.body or b""
            request.headers["x-jws-signature"] = detached(body.encode() if isinstance(body, str) else body)
        return request


schemathesis.auth.set_from_requests(Tpp())
