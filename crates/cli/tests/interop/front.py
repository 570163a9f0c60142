"""A front before `oyez listen` that asks for the bank's certificate, as some TPPs' do: Python's TLS, which is OpenSSL's.

usage: front.py CHAIN KEY ANCHORS PORT    (takes connections at a port of its own, passes them on to PORT)

Says on standard output where it listens, and then of each connection whose certificate it saw, or why it was turned away.
"""

import json
import socket
import ssl
import sys
import threading

chain, key, anchors, port = sys.argv[1:]
asks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
asks.load_cert_chain(chain, key)
asks.load_verify_locations(anchors)
asks.verify_mode = ssl.CERT_REQUIRED
calls = ssl.create_default_context(cafile=anchors)


def say(**what):
    print(json.dumps(what), flush=True)


def pass_on(source, target):
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has left


def serve(tcp):
    try:
        outside = asks.wrap_socket(tcp, server_side=True)
    except (ssl.SSLError, OSError) as error:
        return say(refused=str(error))
    names = dict(pair for part in outside.getpeercert()["subject"] for pair in part)
    say(shown=names["commonName"], version=outside.version())
    with outside, calls.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="localhost") as inside:
        answers = threading.Thread(target=pass_on, args=(inside, outside), daemon=True)
        answers.start()
        pass_on(outside, inside)
        answers.join()


door = socket.create_server(("127.0.0.1", 0))
say(listening=door.getsockname()[1])
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
