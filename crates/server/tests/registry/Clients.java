import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pulsar.kafka.shade.avro.Schema;
import org.apache.pulsar.kafka.shade.avro.generic.GenericData;
import org.apache.pulsar.kafka.shade.avro.generic.GenericRecord;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.schemaregistry.ParsedSchema;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.serializers.KafkaAvroDeserializer;
import org.apache.pulsar.kafka.shade.io.confluent.kafka.serializers.KafkaAvroSerializer;

/** Confluent's Avro serialiser and client for Java, as Apache Pulsar ships them, against a running system. */
public class Clients {
  static final HttpClient HTTP = HttpClient.newHttpClient();
  static String url;
  static String token;

  static String send(String path, byte[] body, String... headers) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
        .header("authorization", "Bearer " + token)
        .POST(HttpRequest.BodyPublishers.ofByteArray(body));
    HttpResponse<String> response = HTTP.send(request.headers(headers).build(), HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IllegalStateException(path + ": " + response.statusCode() + " " + response.body());
    }
    return response.body();
  }

  static void check(boolean holds, Object shown) {
    if (!holds) {
      throw new IllegalStateException("not so: " + shown);
    }
  }

  static String field(String json, String name) {
    int at = json.indexOf("\"" + name + "\":\"");
    check(at >= 0, json);
    int from = at + name.length() + 4;
    return json.substring(from, json.indexOf('"', from));
  }

  public static void main(String[] arguments) throws Exception {
    url = arguments[0];
    token = arguments[1];
    String registry = url + "/registry";
    Map<String, Object> settings = new HashMap<>();
    settings.put("schema.registry.url", registry);
    settings.put("basic.auth.credentials.source", "USER_INFO");
    settings.put("basic.auth.user.info", "me:" + token);
    CachedSchemaRegistryClient client = new CachedSchemaRegistryClient(registry, 100, settings);

    Schema schema = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
        + "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"total\",\"type\":{\"type\":\"record\",\"name\":\"Money\","
        + "\"namespace\":\"base\",\"fields\":[{\"name\":\"unit\",\"type\":\"string\"},{\"name\":\"cents\",\"type\":\"long\"}]}}]}");
    GenericRecord total = new GenericData.Record(schema.getField("total").schema());
    total.put("unit", "EUR");
    total.put("cents", 250L);
    GenericRecord order = new GenericData.Record(schema);
    order.put("id", "1");
    order.put("total", total);

    KafkaAvroSerializer serializer = new KafkaAvroSerializer(client, settings);
    KafkaAvroDeserializer deserializer = new KafkaAvroDeserializer(client, settings);
    byte[] framed = serializer.serialize("AvroOrder", order);
    check(framed[0] == 0, framed[0]);
    send("/v1/events", framed, "ce-specversion", "1.0", "ce-type", "AvroOrder", "ce-source", "/java", "ce-id", "1",
        "content-type", "application/octet-stream");
    String pulled = send("/v1/consumers/reader/AvroOrder/pull", "{\"max\":1,\"wait\":\"20s\"}".getBytes(),
        "content-type", "application/json");
    byte[] back = Base64.getDecoder().decode(field(pulled, "data_base64"));
    GenericRecord read = (GenericRecord) deserializer.deserialize("AvroOrder", back);
    check(read.get("id").toString().equals("1"), read);
    check(((GenericRecord) read.get("total")).get("cents").equals(250L), read);
    send("/v1/leases/" + field(pulled, "lease"), "{\"outcome\":\"done\"}".getBytes(), "content-type", "application/json");
    System.out.println("ok avro");

    ParsedSchema money = new AvroSchema("{\"type\":\"record\",\"name\":\"Price\",\"namespace\":\"java\",\"fields\":["
        + "{\"name\":\"cents\",\"type\":\"long\"}]}");
    int id = client.register("java.Price", money);
    check(id == client.register("java.Price", money), "the same schema has one id");
    List<SchemaReference> references = new ArrayList<>();
    references.add(new SchemaReference("java.Price", "java.Price", 1));
    Map<String, String> resolved = new HashMap<>();
    resolved.put("java.Price", money.canonicalString());
    ParsedSchema line = new AvroSchema("{\"type\":\"record\",\"name\":\"Line\",\"namespace\":\"java\",\"fields\":["
        + "{\"name\":\"price\",\"type\":\"java.Price\"}]}", references, resolved, null);
    int lineId = client.register("java.Line", line);
    CachedSchemaRegistryClient other = new CachedSchemaRegistryClient(registry, 100, settings);
    check(other.getSchemaById(lineId).rawSchema().toString().contains("Price"), "a schema with a reference");
    check(other.getAllSubjects().contains("java.Line"), other.getAllSubjects());
    check(other.testCompatibility("java.Price", money), "it reads itself");
    ParsedSchema wider = new AvroSchema("{\"type\":\"record\",\"name\":\"Price\",\"namespace\":\"java\",\"fields\":["
        + "{\"name\":\"cents\",\"type\":\"long\"},{\"name\":\"unit\",\"type\":\"string\"}]}");
    check(!other.testCompatibility("java.Price", wider), "a field without a default");
    try {
      other.register("java.Price", wider);
      check(false, "it was registered");
    } catch (RestClientException error) {
      check(error.getStatus() == 409 && error.getErrorCode() == 40901, error);
    }
    check(other.updateCompatibility("java.Price", "NONE").equals("NONE"), "the level");
    check(other.register("java.Price", wider) > lineId, "it is taken now");
    check(other.getAllVersions("java.Price").size() == 2, other.getAllVersions("java.Price"));
    System.out.println("ok client");
  }
}
