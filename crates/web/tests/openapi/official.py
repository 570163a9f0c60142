"""Ours beside the standard's own OpenAPI files.

usage: official.py FOLDER OURS INTENDED ANSWERS

FOLDER holds the official files; OURS is our documents by version, ANSWERS the live answers of a server, a JSON object per
line. Says every difference between the documents that INTENDED does not list, every entry of INTENDED that is none, and every
answer that the official schema of its operation does not allow. Exits with 1 if there was any.
"""

import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, FormatChecker

# The newest official file of each resource in each version; callback-urls have none in v4.0.
FILES = {
    ("v3.1", "event-subscriptions"): "v3.1.11-events.yaml",
    ("v3.1", "events"): "v3.1.11-events.yaml",
    ("v3.1", "callback-urls"): "v3.1.5-callback-urls.yaml",
    ("v4.0", "event-subscriptions"): "v4.0-events.yaml",
    ("v4.0", "events"): "v4.0-events.yaml",
    ("v4.0", "callback-urls"): "v3.1.5-callback-urls.yaml",
}
# Said in prose only; a machine has nothing to compare.
PROSE = {"description", "summary", "title", "example", "format", "tags", "operationId", "x-namespaced-enum"}


def resolve(document, node):
    while isinstance(node, dict) and "$ref" in node:
        steps = node["$ref"].removeprefix("#/").split("/")
        node = document
        for step in steps:
            node = node[step]
    return node


def media(document, holder):
    """The schema of a body of JSON, whatever the media type is called."""
    content = resolve(document, holder).get("content", {})
    for name, body in content.items():
        if name.replace(" ", "").lower().startswith("application/json"):
            return resolve(document, body["schema"])
    return None


def facts(document, schema, at, found):
    """A schema as a flat set of what it demands, member by member."""
    schema = resolve(document, schema)
    for name, value in schema.items():
        if name in PROSE or name in ("properties", "items", "required"):
            continue
        if name == "additionalProperties" and isinstance(value, dict):
            facts(document, value, f"{at}.*", found)
        elif not isinstance(value, dict):
            found.add(f"{at} {name}={json.dumps(value)}")
    for name in schema.get("required", []):
        found.add(f"{at}.{name} required")
    for name, member in schema.get("properties", {}).items():
        found.add(f"{at}.{name} known")
        facts(document, member, f"{at}.{name}", found)
    if "items" in schema:
        facts(document, schema["items"], f"{at}[]", found)
    return found


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "delete"):
                segments = path.strip("/").split("/")
                yield (segments[0], len(segments), method), operation


def described(document, operation):
    found = set()
    for status, response in operation["responses"].items():
        body = media(document, response)
        found.add(f"{status} {'with' if body else 'without'} body")
        if body:
            # Errors all look alike.
            facts(document, body, str(status) if int(status) < 400 else "error", found)
    if "requestBody" in operation:
        body = media(document, operation["requestBody"])
        facts(document, body, "request", found)
    for parameter in operation.get("parameters", []):
        parameter = resolve(document, parameter)
        if parameter["in"] == "header" and parameter["name"] != "Authorization":
            needed = "required" if parameter.get("required") else "optional"
            found.add(f"header {parameter['name'].lower()} {needed}")
    return found


def differences(api, ours, load):
    own = dict(operations(ours))
    theirs = {}
    for (version, resource), file in FILES.items():
        if version == api:
            document = load(file)
            theirs |= {key: (document, one) for key, one in operations(document) if key[0] == resource}
    for key in sorted(own.keys() | theirs.keys()):
        name = f"{api} {key[2].upper()} {key[0]}{'/{id}' if key[1] > 1 else ''}"
        if key not in own or key not in theirs:
            yield f"{name}: only {'ours' if key in own else 'theirs'}"
            continue
        mine = described(ours, own[key])
        official = described(*theirs[key])
        yield from (f"{name}: + {fact}" for fact in sorted(mine - official))
        yield from (f"{name}: - {fact}" for fact in sorted(official - mine))


def refused(answer, load):
    """What the official schema has against an answer."""
    document = load(FILES[answer["api"], answer["resource"]])
    key = (answer["resource"], answer["segments"], answer["method"])
    operation = dict(operations(document))[key]
    response = operation["responses"].get(str(answer["status"]))
    if response is None:
        return ["the standard has no such status"]
    schema = media(document, response)
    body = answer["body"]
    if schema is None or body is None:
        return [] if body is None else ["the standard has no body there"]
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(body)]


def main():
    folder, ours, intended, answers = map(Path, sys.argv[1:])
    cache = {}

    def load(file):
        if file not in cache:
            cache[file] = yaml.safe_load((folder / file).read_text())
            # A key that YAML reads as a number is one of a status.
            for _, operation in operations(cache[file]):
                operation["responses"] = {str(k): v for k, v in operation["responses"].items()}
        return cache[file]

    intended = json.loads(intended.read_text())
    expected = {pattern for entry in intended["differences"] for pattern in entry["are"]}
    met = set()
    faults = []
    for api, document in json.loads(ours.read_text()).items():
        for difference in differences(api, document, load):
            fits = {pattern for pattern in expected if pattern in difference}
            met |= fits
            if not fits:
                faults.append(f"not intended: {difference}")
    faults += [f"no difference any more: {pattern}" for pattern in sorted(expected - met)]
    count = 0
    for line in answers.read_text().splitlines():
        answer = json.loads(line)
        count += 1
        name = f"{answer['api']} {answer['method'].upper()} {answer['resource']} {answer['status']}"
        for fault in refused(answer, load):
            if not any(pattern in f"{name}: {fault}" for pattern in intended["answers"]):
                faults.append(f"answer not allowed: {name}: {fault}")
    print("\n".join(faults) or f"{count} answers, {len(met)} kinds of intended differences")
    sys.exit(bool(faults))


main()
