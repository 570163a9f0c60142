"""Reads OTLP requests as the messages that OpenTelemetry publishes say, and prints them as JSON, one a line.

usage: decode.py KIND=FILE…, where KIND is `traces` or `metrics`
"""

import json
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}


def unknown(message):
    """What no published message has."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    found = [field.field_number for field in UnknownFieldSet(message)]
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            values = value if descriptor.is_repeated else [value]
            for one in values:
                found += unknown(one)
    return found


for argument in sys.argv[1:]:
    kind, path = argument.split("=", 1)
    request = KINDS[kind]()
    with open(path, "rb") as file:
        request.ParseFromString(file.read())
    assert not unknown(request), unknown(request)
    print(json.dumps({"kind": kind, "request": MessageToDict(request)}))
