"""Reads calls to AWS as JSON, and prints what the services' own models, which botocore has, say against them: members that
are unknown or missing, and values that break an enumeration, a length, a range or a pattern."""

import json
import re
import sys
import urllib.parse

from botocore.loaders import Loader
from botocore.model import ServiceModel


def from_form(shape, fields, prefix):
    """A value as the query protocol flattens it, and nothing where no field begins so."""
    if not any(name == prefix or name.startswith(prefix + ".") for name in fields) and prefix:
        return None
    if shape.type_name == "structure":
        members = {}
        for name, member in shape.members.items():
            place = member.serialization.get("name", name)
            value = from_form(member, fields, f"{prefix}.{place}" if prefix else place)
            if value is not None:
                members[name] = value
        return members
    if shape.type_name == "list":
        place = shape.member.serialization.get("name", "member")
        items = []
        while (item := from_form(shape.member, fields, f"{prefix}.{place}.{len(items) + 1}")) is not None:
            items.append(item)
        return items
    if shape.type_name == "map":
        names = [one.serialization.get("name", default) for one, default in ((shape.key, "key"), (shape.value, "value"))]
        entries = {}
        while f"{prefix}.entry.{len(entries) + 1}.{names[0]}" in fields:
            entry = f"{prefix}.entry.{len(entries) + 1}"
            key = fields.pop(f"{entry}.{names[0]}")
            entries[key] = from_form(shape.value, fields, f"{entry}.{names[1]}")
        return entries
    value = fields.pop(prefix)
    if shape.type_name in ("integer", "long"):
        return int(value)
    return value == "true" if shape.type_name == "boolean" else value


def faults(shape, value, path):
    """What is wrong with a value, each with its path."""
    rules = shape.metadata
    if shape.type_name == "structure":
        for name in rules.get("required", []):
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, member in value.items():
            if name in shape.members:
                yield from faults(shape.members[name], member, f"{path}.{name}")
            else:
                yield f"{path}.{name} is unknown"
        return
    if shape.type_name == "list":
        for index, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{index}]")
    if shape.type_name == "map":
        for key, item in value.items():
            yield from faults(shape.key, key, f"{path} key")
            yield from faults(shape.value, item, f"{path}[{key}]")
    size = value if shape.type_name in ("integer", "long") else len(value) if hasattr(value, "__len__") else 0
    if size < rules.get("min", size) or size > rules.get("max", size):
        yield f"{path} has {size}, and may have {rules.get('min')} to {rules.get('max')}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"{path} is none of {rules['enum']}"
    if "pattern" in rules and not re.fullmatch(rules["pattern"].replace("\\p{", "(?:.|"), value, re.S):
        yield f"{path} does not fit {rules['pattern']}"


models = {}
refused = set()
for call in json.load(sys.stdin):
    name = call["service"]
    models[name] = models.get(name) or ServiceModel(Loader().load_service_model(name, "service-2"))
    operation = models[name].operation_model(call["operation"])
    if call["form"]:
        fields = dict(urllib.parse.parse_qsl(call["body"], keep_blank_values=True))
        for fixed in ("Action", "Version"):
            fields.pop(fixed)
        value = from_form(operation.input_shape, fields, "")
        refused |= {f"{call['operation']}: {field} is unknown" for field in fields}
    else:
        value = json.loads(call["body"])
    refused |= set(faults(operation.input_shape, value, call["operation"]))
print(json.dumps(sorted(refused)))
