// Two clients talk over each transport: what is asked is answered, what is said is pushed.

import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.util.Collections;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.json.JSONArray;
import org.json.JSONObject;

class Talk {
  static final String[][] TRANSPORTS = {{"websocket"}, {"polling"}, {"polling", "websocket"}};

  static class Client {
    final BlockingQueue<JSONObject> messages = new LinkedBlockingQueue<>();
    final Socket socket;
    final String id;

    Client(String url, String name, String[] transports) throws Exception {
      socket = IO.socket(url, IO.Options.builder().setTransports(transports).setForceNew(true).build());
      socket.on("new-message", body -> messages.add((JSONObject) body[0]));
      socket.connect();
      String external = name + String.join(" ", transports);
      JSONObject user = new JSONObject().put("external_id", external).put("name", name);
      id = ask("create-user", new JSONObject().put("user", user)).getJSONObject("user").getString("id");
    }

    JSONObject ask(String event, JSONObject body) throws Exception {
      BlockingQueue<JSONObject> answers = new LinkedBlockingQueue<>();
      socket.emit(event, new Object[] {body}, (Ack) answer -> answers.add((JSONObject) answer[0]));
      return next(answers, event);
    }
  }

  static JSONObject next(BlockingQueue<JSONObject> queue, String what) throws Exception {
    JSONObject body = queue.poll(20, TimeUnit.SECONDS);
    check(body != null, "nothing came of " + what);
    return body;
  }

  static void check(boolean holds, Object what) {
    if (!holds) throw new AssertionError(what);
  }

  static JSONObject message(String chat, String text) throws Exception {
    JSONObject message = new JSONObject().put("value", text).put("type", "text");
    return new JSONObject().put("chat", new JSONObject().put("id", chat)).put("message", message);
  }

  static void talk(String url, String[] transports) throws Exception {
    Client ann = new Client(url, "ann", transports), bob = new Client(url, "bob", transports);
    JSONObject made = new JSONObject().put("chat", new JSONObject().put("name", "tea"));
    made.put("users", new JSONArray(Collections.singletonList(bob.id)));
    String chat = ann.ask("create-chat", made).getJSONObject("chat").getString("id");
    for (String text : new String[] {"hello", "Grüße, 世界 👋", "x".repeat(100_000)}) {
      JSONObject answer = ann.ask("new-message", message(chat, text));
      check(answer.getString("msg").equals(text), answer);
      for (Client client : new Client[] {ann, bob}) {
        JSONObject told = next(client.messages, "new-message");
        check(told.toString().equals(answer.toString()), told);
      }
    }
    JSONObject refused = bob.ask("new-message", message("none", "x"));
    check(!refused.getJSONObject("error").getString("code").isEmpty(), refused);
    ann.socket.disconnect();
    bob.socket.disconnect();
  }

  static void isRefused(String url) throws Exception {
    BlockingQueue<JSONObject> errors = new LinkedBlockingQueue<>();
    IO.Options wrong = IO.Options.builder().setAuth(Collections.singletonMap("token", "wrong")).build();
    Socket socket = IO.socket(url, wrong);
    socket.on(Socket.EVENT_CONNECT_ERROR, error -> errors.add((JSONObject) error[0]));
    socket.connect();
    JSONObject error = next(errors, "a wrong token");
    check(error.getJSONObject("data").getString("code").equals("unauthenticated"), error);
    socket.disconnect();
  }

  public static void main(String[] arguments) throws Exception {
    for (String[] transports : TRANSPORTS) {
      talk(arguments[0], transports);
      System.out.println("talked over " + String.join(" and ", transports));
    }
    isRefused(arguments[0]);
    System.exit(0);
  }
}
