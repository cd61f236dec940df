"""Answers against an OpenAPI 3.0 description: the part of JSON Schema that ours uses, and nothing is let pass."""
import re

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
KNOWN = {"type", "format", "nullable", "items", "properties", "required", "additionalProperties", "$ref", "allOf", "description"}
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def faults(value, schema, whole, at="answer"):
    """What does not fit, a line each."""
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"{at}: the validator does not know {unknown}"]
    if value is None and schema.get("nullable"):
        return []
    if "$ref" in schema:
        target = whole["components"]["schemas"].get(schema["$ref"].rsplit("/", 1)[1])
        return faults(value, target, whole, at) if target else [f"{at}: {schema['$ref']} is not there"]
    if "allOf" in schema:
        return [f for s in schema["allOf"] for f in faults(value, s, whole, at)]
    kind = schema.get("type")
    if not kind:
        return []
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{at}: {value!r:.80} is no {kind}"]
    if schema.get("format") == "date-time" and not RFC3339.match(value):
        return [f"{at}: {value!r} is no time"]
    if kind == "array":
        return [f for i, v in enumerate(value) for f in faults(v, schema["items"], whole, f"{at}[{i}]")]
    if kind != "object":
        return []
    more, own = schema.get("additionalProperties", True), schema.get("properties", {})
    found = [f"{at}.{n} is missing" for n in schema.get("required", []) if n not in value]
    for name, v in value.items():
        if name in own:
            found += faults(v, own[name], whole, f"{at}.{name}")
        elif more is False:
            found.append(f"{at}.{name} is not described")
        elif isinstance(more, dict):
            found += faults(v, more, whole, f"{at}.{name}")
    return found
