"""Makes the first inputs of every target of a folder of shared data: python3 seed.py DATA.

Of it are read: compat/cases/*.jsonl, asyncapi, cloudevents; and the designs in examples. What is
absent is passed over."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(sys.argv[1])
MOST = 16_000
counts = {}


def put(target, text):
    raw = text if isinstance(text, bytes) else text.encode()
    if not raw or len(raw) > MOST:
        return
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    number = counts.get(target, 0)
    counts[target] = number + 1
    (folder / f"seed-{number:05}").write_bytes(raw)


def text_of(schema):
    return schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False)


for path in sorted((DATA / "compat/cases").glob("*.jsonl")):
    for line in path.read_text().splitlines():
        case = json.loads(line)
        if "old" not in case or "new" not in case:
            continue
        old, new = text_of(case["old"]), text_of(case["new"])
        pair = f"{old}\n---\n{new}"
        kind = case.get("format", "")
        if "avro" in kind:
            put("avro", pair)
        elif "proto" in kind:
            put("protobuf", pair)
        else:
            put("json_compat", pair)
            put("json_schema", old + '\n---\n{"a": 1}\n---\n[1, "b"]')
for path in sorted((DATA / "asyncapi").rglob("*.y*ml")) + sorted((DATA / "asyncapi").rglob("*.json")):
    put("asyncapi", path.read_bytes())
for path in sorted((HERE.parent / "examples").rglob("*.yaml")):
    put("design", path.read_bytes())
for folder in [DATA / "cloudevents"]:
    for path in sorted(folder.rglob("*.json")):
        put("envelope", path.read_bytes())
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"a": [1.5, "é"]}}
put("envelope", json.dumps(EVENT))
put("envelope", json.dumps({**EVENT, "time": "2026-01-01T00:00:00Z", "ext": "x", "data_base64": "AAE="} | {"data": None}))
put("envelope", b"id:1\nsource:/s\ntype:t\n\0{\"a\": 1}")
put("wire", b"\x02a\x00\x00\x00\x01\x02\x03\x04\x00\x00\x02\x01")
put("wire", b"\x0a\x01a\x12\x03\x0a\x01b\x1a\x05\x0a\x01k\x12\x00\x20\x05")
put("asyncapi", '{"queues": [{"name": "q", "vhost": "/", "arguments": {"x-queue-type": "quorum"}}], "exchanges": [{"name": "x", "vhost": "/", "type": "topic"}], "bindings": [{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue", "routing_key": "a.#", "arguments": {}}], "policies": []}')
print(counts)
