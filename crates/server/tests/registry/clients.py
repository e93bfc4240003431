"""Confluent's serialisers for Python against a running system: what they write is published, pulled, and
read by them again. The only argument is the URL of the system; prints a line for each that went well."""

import base64
import json
import sys
import urllib.request

from confluent_kafka.schema_registry import SchemaReference, Schema, SchemaRegistryClient, SchemaRegistryError, ServerConfig
from confluent_kafka.schema_registry.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

URL = sys.argv[1]
CLIENT = SchemaRegistryClient({"url": URL + "/registry", "basic.auth.user.info": "me:" + sys.argv[2]})
HEADERS = {"authorization": "Bearer " + sys.argv[2]}
NUMBER = [0]


def send(path, body, headers):
    request = urllib.request.Request(URL + path, data=body, headers={**HEADERS, **headers}, method="POST")
    with urllib.request.urlopen(request) as response:
        text = response.read()
        return json.loads(text) if text else None


def there_and_back(event, payload, wanted):
    """Publishes bytes; pulls them as they are, or as JSON."""
    NUMBER[0] += 1
    headers = {
        "ce-specversion": "1.0", "ce-type": event, "ce-source": "/python", "ce-id": str(NUMBER[0]),
        "content-type": "application/octet-stream",
    }
    send("/v1/events", payload, headers)
    body = json.dumps({"max": 1, "wait": "20s", "payload": wanted}).encode()
    pulled = send("/v1/consumers/reader/%s/pull" % event, body, {"content-type": "application/json"})
    (delivery,) = pulled["deliveries"]
    done = json.dumps({"outcome": "done"}).encode()
    send("/v1/leases/" + delivery["lease"], done, {"content-type": "application/json"})
    return delivery["event"]


def both_ways(name, event, serialise, deserialise, value, plain):
    context = SerializationContext(event, MessageField.VALUE)
    framed = serialise(value, context)
    assert framed[0] == 0, framed
    raw = there_and_back(event, framed, "raw")
    assert base64.b64decode(raw["data_base64"]) == framed, raw
    assert deserialise(framed, context) == value
    decoded = there_and_back(event, framed, "json")
    assert decoded["data"] == plain, decoded
    assert decoded["datacontenttype"] == "application/json", decoded
    print("ok", name, flush=True)


def avro():
    base = json.dumps({
        "type": "record", "name": "Money", "namespace": "base",
        "fields": [{"name": "unit", "type": "string"}, {"name": "cents", "type": "long"}],
    })
    CLIENT.register_schema("base.Money", Schema(base, "AVRO"))
    order = json.dumps({
        "type": "record", "name": "Order", "namespace": "shop",
        "fields": [{"name": "id", "type": "string"}, {"name": "total", "type": "base.Money"},
                   {"name": "note", "type": ["null", "string"], "default": None}],
    })
    schema = Schema(order, "AVRO", [SchemaReference("base.Money", "base.Money", 1)])
    value = {"id": "1", "total": {"unit": "EUR", "cents": 250}, "note": "x"}
    # The design has no note and has a count with a default: its reader resolves what was written.
    plain = {"id": "1", "total": {"unit": "EUR", "cents": 250}, "count": 1}
    both_ways("avro", "AvroOrder", AvroSerializer(CLIENT, schema), AvroDeserializer(CLIENT), value, plain)


def json_schema():
    CLIENT.register_schema("http://shop.example/money.json", Schema(json.dumps({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://shop.example/money.json", "type": "object", "required": ["unit", "cents"],
        "properties": {"unit": {"type": "string"}, "cents": {"type": "integer"}}, "additionalProperties": False,
    }), "JSON"))
    order = json.dumps({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "required": ["id", "total"],
        "properties": {"id": {"type": "string"}, "total": {"$ref": "http://shop.example/money.json"}},
    })
    schema = Schema(order, "JSON", [
        SchemaReference("http://shop.example/money.json", "http://shop.example/money.json", 1)])
    value = {"id": "1", "total": {"unit": "EUR", "cents": 250}}
    both_ways("json", "JsonOrder", JSONSerializer(schema, CLIENT), JSONDeserializer(schema, schema_registry_client=CLIENT),
              value, value)


def protobuf():
    """Descriptors as a compiler makes them; clients register those and no source."""
    string, int64, message = 9, 3, 11
    money = descriptor_pb2.FileDescriptorProto(name="base/money.proto", package="base", syntax="proto3")
    one = money.message_type.add(name="Money")
    one.field.add(name="unit", number=1, type=string, label=1)
    one.field.add(name="cents", number=2, type=int64, label=1)
    order = descriptor_pb2.FileDescriptorProto(
        name="shop/order.proto", package="shop", syntax="proto3", dependency=["base/money.proto"])
    order.message_type.add(name="Unused")
    outer = order.message_type.add(name="Order")
    outer.field.add(name="order_id", number=1, type=string, label=1)
    outer.field.add(name="total", number=2, type=message, type_name=".base.Money", label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(money.SerializeToString())
    pool.AddSerializedFile(order.SerializeToString())
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))
    value = kind(order_id="1")
    value.total.unit = "EUR"
    value.total.cents = 250
    settings = {"use.deprecated.format": False}
    both_ways("protobuf", "ProtoOrder", ProtobufSerializer(kind, CLIENT, settings),
              ProtobufDeserializer(kind, settings, CLIENT), value,
              {"orderId": "1", "total": {"unit": "EUR", "cents": "250"}})


def refusals():
    for ask, code in [
        (lambda: CLIENT.get_schema(999_999), 40403),
        (lambda: CLIENT.get_latest_version("nobody"), 40401),
        (lambda: CLIENT.get_version("AvroOrder-value", 99), 40402),
        (lambda: CLIENT.register_schema("bad", Schema("{", "AVRO")), 42201),
        (lambda: CLIENT.set_config("AvroOrder-value", ServerConfig(compatibility=ConfigCompatibilityLevel.NONE)), 42205),
    ]:
        try:
            ask()
        except SchemaRegistryError as error:
            assert error.error_code == code, (error.error_code, code, str(error))
        else:
            raise AssertionError("not refused: %d" % code)
    latest = CLIENT.get_latest_version("AvroOrder-value")
    broken = json.loads(latest.schema.schema_str)
    broken["fields"].append({"name": "due", "type": "long"})
    schema = Schema(json.dumps(broken), "AVRO", latest.schema.references)
    assert CLIENT.test_compatibility("AvroOrder-value", schema) is False
    try:
        CLIENT.register_schema("AvroOrder-value", schema)
    except SchemaRegistryError as error:
        assert error.http_status_code == 409 and "due" in str(error), str(error)
    print("ok refusals", flush=True)


avro()
json_schema()
protobuf()
refusals()
