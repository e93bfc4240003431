import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Reads events with the generated types and writes them again, with a JSON reader of its own. */
public final class Main {
  private static final Map<String, Function<Object, shop.Json.Writable>> READERS = new HashMap<>();

  private final String text;
  private int at;

  private Main(String text) {
    this.text = text;
  }

  public static void main(String[] arguments) throws Exception {
// READERS
    for (String line : Files.readAllLines(Path.of("events.txt"))) {
      String[] parts = line.split("\t", 2);
      StringBuilder out = new StringBuilder();
      write(READERS.get(parts[0]).apply(new Main(parts[1]).value()).toJson(), out);
      System.out.println(out);
    }
  }

  private Object value() {
    char c = text.charAt(at);
    if (c == '{') {
      Map<String, Object> map = new LinkedHashMap<>();
      at++;
      while (text.charAt(at) != '}') {
        if (text.charAt(at) == ',') {
          at++;
        }
        String key = string();
        at++;
        map.put(key, value());
      }
      at++;
      return map;
    }
    if (c == '[') {
      List<Object> list = new ArrayList<>();
      at++;
      while (text.charAt(at) != ']') {
        if (text.charAt(at) == ',') {
          at++;
        }
        list.add(value());
      }
      at++;
      return list;
    }
    if (c == '"') {
      return string();
    }
    for (String word : List.of("null", "true", "false")) {
      if (text.startsWith(word, at)) {
        at += word.length();
        return word.equals("null") ? null : Boolean.valueOf(word);
      }
    }
    int start = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String number = text.substring(start, at);
    if (number.matches("-?[0-9]+")) {
      return Long.valueOf(number);
    }
    return Double.valueOf(number);
  }

  private String string() {
    StringBuilder out = new StringBuilder();
    at++;
    while (text.charAt(at) != '"') {
      char c = text.charAt(at++);
      if (c == '\\') {
        char escaped = text.charAt(at++);
        if (escaped == 'u') {
          out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
          at += 4;
        } else {
          int known = "bfnrt".indexOf(escaped);
          out.append(known < 0 ? escaped : "\b\f\n\r\t".charAt(known));
        }
      } else {
        out.append(c);
      }
    }
    at++;
    return out.toString();
  }

  private static void write(Object value, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      String end = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(end);
        write(entry.getKey(), out);
        out.append(':');
        write(entry.getValue(), out);
        end = ",";
      }
      out.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof List<?> list) {
      String end = "[";
      for (Object inner : list) {
        out.append(end);
        write(inner, out);
        end = ",";
      }
      out.append(list.isEmpty() ? "[]" : "]");
    } else if (value instanceof String string) {
      out.append('"');
      for (char c : string.toCharArray()) {
        out.append(c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
      }
      out.append('"');
    } else {
      out.append(value);
    }
  }
}
