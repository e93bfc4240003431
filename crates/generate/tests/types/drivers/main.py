import json
from events import EVENT_TYPES

for line in open("events.txt", encoding="utf-8"):
    name, data = line.rstrip("\n").split("\t", 1)
    print(json.dumps(EVENT_TYPES[name].from_json(json.loads(data)).to_json()))
