"""Confluent's serialisers and deserialisers on Kafka, with a schema registry that wants a password.

Arguments: what to do, bootstrap servers, URL and password of the registry, and for `send` bytes in hex.
`write` publishes an event with each of them, and prints, not sent, one whose schema nobody has asked for yet;
`send` publishes bytes; `read` prints the events of Tidegate.
"""

import json
import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.json_format import MessageToDict

what, servers, url, password = sys.argv[1:5]
registry = SchemaRegistryClient({"url": url, "basic.auth.user.info": "me:" + password})


def order(*more):
    """An order as this producer has it: what it knows more has a default."""
    fields = [{"name": "id", "type": "string"}, *more]
    return json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": fields})


def optional(name):
    return {"name": name, "type": ["null", "string"], "default": None}


def invoice():
    """The second message of its file, as a compiler describes it."""
    file = descriptor_pb2.FileDescriptorProto(name="invoice.proto", package="shop", syntax="proto3")
    file.message_type.add(name="Unused")
    message = file.message_type.add(name="Invoice")
    message.field.add(name="order_id", number=1, type=9, label=1)
    message.field.add(name="cents", number=2, type=3, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Invoice"))


NOTE = json.dumps({
    "$schema": "http://json-schema.org/draft-07/schema#", "title": "Note", "type": "object",
    "required": ["text"], "properties": {"text": {"type": "string"}},
})


def produce(records):
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    failed = []
    for topic, key, value, headers in records:
        told = lambda error, _: failed.append(str(error)) if error else None
        producer.produce(topic, value, key=key, headers=headers, on_delivery=told)
    producer.flush(60)
    assert not failed, failed


def write():
    context = SerializationContext("OrderPlaced", MessageField.VALUE)
    prefix = AvroSerializer(registry, order(optional("note")))({"id": "prefix", "note": "x"}, context)
    assert prefix[0] == 0
    beside = SerializationContext("OrderPlaced", MessageField.VALUE, [])
    schema = order(optional("note"))
    serialise = AvroSerializer(registry, schema, conf={"schema.id.serializer": header_schema_id_serializer})
    header = serialise({"id": "header", "note": None}, beside)
    Invoice = invoice()
    protobuf = ProtobufSerializer(Invoice, registry, {"use.deprecated.format": False})
    sent = protobuf(Invoice(order_id="a", cents=250), SerializationContext("InvoiceSent", MessageField.VALUE))
    note = JSONSerializer(NOTE, registry)
    written = note({"text": "hi"}, SerializationContext("NoteWritten", MessageField.VALUE))
    produce([
        # No schema has this id. Those of its key would wait behind it.
        ("OrderPlaced", b"bad", b"\0\0\x0f\x42\x3fhm", []),
        ("OrderPlaced", b"k", prefix, []),
        ("OrderPlaced", b"k", header, beside.headers),
        ("InvoiceSent", b"k", sent, []),
        ("NoteWritten", b"k", written, []),
    ])
    later = AvroSerializer(registry, order(optional("note"), optional("more")))
    print(later({"id": "later", "note": None, "more": "y"}, context).hex())


def read():
    """As deserialisers do that know the registry alone."""
    Invoice = invoice()
    readers = {
        "OrderPlaced": AvroDeserializer(registry),
        "InvoiceSent": ProtobufDeserializer(Invoice, {"use.deprecated.format": False}, registry),
        "NoteWritten": JSONDeserializer(None, schema_registry_client=registry),
    }
    consumer = Consumer({
        "bootstrap.servers": servers, "group.id": "read", "auto.offset.reset": "earliest",
        "isolation.level": "read_committed", "enable.auto.commit": False,
    })
    consumer.subscribe(list(readers))
    found = {}
    while len(found) < len(readers):
        message = consumer.poll(60)
        assert message is not None and message.error() is None, message
        headers = dict(message.headers() or [])
        if headers.get("ce_source") != b"/test":
            continue
        topic = message.topic()
        value = readers[topic](message.value(), SerializationContext(topic, MessageField.VALUE))
        found[topic] = value if isinstance(value, dict) else MessageToDict(value)
    consumer.close()
    print(json.dumps(found, sort_keys=True))


if what == "write":
    write()
elif what == "send":
    produce([("OrderPlaced", b"k", bytes.fromhex(sys.argv[5]), [])])
else:
    read()
