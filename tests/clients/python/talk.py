"""Two clients talk over each transport: what is asked is answered, what is said is pushed."""

import queue
import sys

import socketio

PATIENCE = 20
TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


class Client:
    def __init__(self, url, name, transports):
        self.messages = queue.Queue()
        self.socket = socketio.Client()
        self.socket.on("new-message", self.messages.put)
        self.socket.connect(url, transports=transports, wait_timeout=PATIENCE)
        self.id = self.ask("create-user", {"user": {"external_id": f"{name} {transports}", "name": name}})["user"]["id"]

    def ask(self, event, body):
        return self.socket.call(event, body, timeout=PATIENCE)


def talk(url, transports):
    ann, bob = Client(url, "ann", transports), Client(url, "bob", transports)
    assert ann.socket.transport() == transports[-1]
    made = ann.ask("create-chat", {"chat": {"name": "tea"}, "users": [bob.id]})
    chat = {"id": made["chat"]["id"]}
    for text in ["hello", "Grüße, 世界 👋", "x" * 100_000]:
        body = {"chat": chat, "message": {"value": text, "type": "text"}}
        answer = ann.ask("new-message", body)
        assert answer["msg"] == text
        assert ann.messages.get(timeout=PATIENCE) == answer
        assert bob.messages.get(timeout=PATIENCE) == answer
    refused = bob.ask("new-message", {"chat": {"id": "none"}, "message": {"value": "x", "type": "text"}})
    assert refused["error"]["code"], refused
    for client in (ann, bob):
        client.socket.disconnect()


def main():
    url = sys.argv[1]
    for transports in TRANSPORTS:
        talk(url, transports)
        print("talked over", " and ".join(transports))
    refused = socketio.Client(reconnection=False)
    told = queue.Queue()
    refused.on("connect_error", told.put)
    try:
        refused.connect(url, auth={"token": "wrong"}, wait_timeout=PATIENCE)
    except socketio.exceptions.ConnectionError:
        assert told.get(timeout=PATIENCE)["data"]["code"] == "unauthenticated"
    else:
        raise AssertionError("a wrong token was taken")


main()
