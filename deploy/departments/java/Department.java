// A department's own program in Java, written from asyncapi.json alone: every name it uses is read
// from that document. It takes work orders, signs and answers them, and survives being killed.
//
//   AMQP_URL=amqps://user:password@host/hotline DEPARTMENT=sb STATE=seen.txt ASYNCAPI=asyncapi.json \
//   java -cp '/usr/share/java/amqp-client.jar:/usr/share/java/gson.jar:/usr/share/java/slf4j-api.jar' \
//     Department.java
//
// Put your own work where `work` is. Rules 1 to 6 are those of the document (x-rules).

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

public class Department {
  static final Gson GSON = new Gson();
  static final String CODE = System.getenv("DEPARTMENT");
  static final int CONFIRM_MS = 30_000;

  /** A message in our hands; with no body: the connection has ended, and why. */
  record Taken(long tag, byte[] body, String ended) {}

  final ConnectionFactory factory = new ConnectionFactory();
  final JsonObject told;
  final String queue, exchange, key;
  final Map<String, String> names = new HashMap<>();
  final Map<String, Long> seen = new HashMap<>();
  final FileOutputStream state;

  Department(JsonObject told, Path file) throws Exception {
    this.told = told;
    JsonObject orders = at(told, "channels", "workorders"), replies = at(told, "channels", "replies");
    queue = own(orders);
    key = own(replies);
    exchange = at(replies, "bindings", "amqp", "exchange").get("name").getAsString();
    for (String name : orders.getAsJsonObject("messages").keySet()) names.put(typeOf(name), name);
    String url = System.getenv("AMQP_URL");
    factory.setUri(url);
    factory.setConnectionTimeout(10_000);
    factory.setRequestedHeartbeat(10);
    factory.setAutomaticRecoveryEnabled(false); // `main` begins anew, and so does what is unacked
    if (url.startsWith("amqps:")) verified();
    remember(file);
    state = new FileOutputStream(file.toFile(), true);
    if (Files.size(file) > 0) state.write('\n'); // ends a torn line
  }

  static JsonObject at(JsonObject inside, String... path) {
    for (String name : path) inside = inside.getAsJsonObject(name);
    return inside;
  }

  static String own(JsonObject channel) {
    return channel.get("address").getAsString().replace("{department}", CODE);
  }

  String typeOf(String message) {
    JsonObject payload = at(told, "components", "messages", message, "payload", "properties", "type");
    return payload.get("const").getAsString();
  }

  /** amqps:// alone would trust anybody: the certificate and its name are verified here. */
  void verified() throws GeneralSecurityException {
    factory.useSslProtocol(SSLContext.getDefault());
    factory.setSocketConfigurator(socket -> {
      SSLParameters wanted = ((SSLSocket) socket).getSSLParameters();
      wanted.setEndpointIdentificationAlgorithm("HTTPS");
      ((SSLSocket) socket).setSSLParameters(wanted);
    });
  }

  // What is to be done with a work order: the answers to send, in their order.
  static List<Map<String, String>> work(String name, JsonObject order) {
    if (!name.equals("offered")) return List.of(); // urged, supervised, extended, withdrawn
    String result = "已核实：" + order.get("summary").getAsString();
    return List.of(
        Map.of("event", "signed", "by", "值班员"),
        Map.of("event", "replied", "by", "值班员", "result", result, "measures", ""));
  }

  // Rule 2: the highest version settled, by work order; one line each, on disk before the ack.
  void remember(Path file) throws IOException {
    String text = Files.exists(file) ? Files.readString(file) : "";
    for (String line : text.substring(0, text.lastIndexOf('\n') + 1).split("\n")) { // no torn one
      String[] said = line.split(" ");
      if (said.length == 2) seen.merge(said[0], Long.valueOf(said[1]), Math::max);
    }
  }

  void settle(String number, long version) throws IOException {
    state.write((number + " " + version + "\n").getBytes(StandardCharsets.UTF_8));
    state.getFD().sync();
    seen.merge(number, version, Math::max);
  }

  // Rules 3, 4 and 6: persistent, mandatory, in our own name, under an id that is the same each time.
  void send(Channel channel, Set<String> returned, JsonObject order, Map<String, String> answer)
      throws Exception {
    String said = order.get("work_order") + "/" + order.get("version") + "/" + answer.get("event");
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(said.getBytes(StandardCharsets.UTF_8));
    String id = HexFormat.of().formatHex(hash).substring(0, 40);
    JsonObject data = GSON.toJsonTree(answer).getAsJsonObject();
    data.add("work_order", order.get("work_order"));
    data.add("version", order.get("version"));
    data.addProperty("department", CODE);
    JsonObject event = new JsonObject();
    event.addProperty("specversion", "1.0");
    event.addProperty("id", id);
    event.addProperty("source", "urn:department:" + CODE);
    event.addProperty("type", typeOf(answer.get("event")));
    event.addProperty("time", Instant.now().toString());
    event.add("data", data);
    JsonObject message = at(told, "components", "messages", answer.get("event"));
    BasicProperties properties = new BasicProperties.Builder()
        .deliveryMode(2).userId(factory.getUsername()).messageId(id)
        .contentType(message.get("contentType").getAsString()).build();
    byte[] body = GSON.toJson(event).getBytes(StandardCharsets.UTF_8);
    channel.basicPublish(exchange, key, true, properties, body);
    channel.waitForConfirmsOrDie(CONFIRM_MS);
    if (returned.remove(id)) throw new IOException("the hotline takes no replies at the moment");
  }

  void handle(Channel channel, Set<String> returned, Taken taken) throws Exception {
    String text, name;
    JsonObject order;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(taken.body)).toString();
      JsonObject event = JsonParser.parseString(text).getAsJsonObject();
      name = names.get(event.get("type").getAsString());
      order = name == null ? null : event.getAsJsonObject("data");
      if (name != null && order == null) throw new JsonParseException("no data");
    } catch (CharacterCodingException | RuntimeException unreadable) {
      channel.basicReject(taken.tag, false); // rule 5: parked, where the hotline sees it
      return;
    }
    JsonElement version = order == null ? null : order.get("version");
    if (order != null && version == null) {
      System.err.println(name + " " + text); // of no version: a reply was refused, and why
    } else if (order != null) {
      String number = order.get("work_order").getAsString();
      if (version.getAsLong() > seen.getOrDefault(number, 0L)) {
        for (Map<String, String> answer : work(name, order)) send(channel, returned, order, answer);
        settle(number, version.getAsLong());
        System.out.println(number + " v" + version + " " + name);
      }
    }
    channel.basicAck(taken.tag, false); // also what is a repetition, and what we do not know (rule 1)
  }

  // One connection's life; whatever goes wrong ends it, and what was not acked comes again.
  void live() throws Exception {
    BlockingQueue<Taken> arrived = new LinkedBlockingQueue<>();
    Set<String> returned = ConcurrentHashMap.newKeySet();
    try (Connection connection = factory.newConnection()) {
      Channel channel = connection.createChannel();
      channel.confirmSelect();
      channel.addReturnListener((code, why, from, to, properties, body) ->
          returned.add(properties.getMessageId()));
      channel.basicQos(1);
      channel.basicConsume(queue, false, new DefaultConsumer(channel) {
        @Override
        public void handleDelivery(String tag, Envelope at, BasicProperties is, byte[] body) {
          arrived.add(new Taken(at.getDeliveryTag(), body, null));
        }

        @Override
        public void handleCancel(String tag) {
          arrived.add(new Taken(0, null, "the queue is gone"));
        }

        @Override
        public void handleShutdownSignal(String tag, ShutdownSignalException why) {
          arrived.add(new Taken(0, null, why.getMessage()));
        }
      });
      for (Taken taken = arrived.take(); ; taken = arrived.take()) {
        if (taken.body == null) throw new IOException(taken.ended);
        handle(channel, returned, taken);
      }
    }
  }

  public static void main(String[] none) throws Exception {
    JsonObject told = JsonParser.parseString(
        Files.readString(Path.of(System.getenv("ASYNCAPI")))).getAsJsonObject();
    Department department = new Department(told, Path.of(System.getenv("STATE")));
    while (true) {
      try {
        department.live();
      } catch (Exception problem) {
        System.err.println(problem.getMessage());
      }
      TimeUnit.SECONDS.sleep(1);
    }
  }
}
