"""Real receivers on 127.0.0.1: of webhooks, and of mail."""

import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import orjson
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b"s3cret: what only this machine can see"


class Got(NamedTuple):
    id: str
    path: str
    host: str
    body: dict


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        Webhook(SECRET).verify(text, dict(self.headers))  # else the connection breaks
        owner = self.server.owner
        owner.got.append(
            Got(self.headers["webhook-id"], self.path, self.headers["host"], orjson.loads(text))
        )
        owner.answer(self)

    def do_GET(self):  # after a redirect
        self.server.owner.got.append(Got("", self.path, self.headers["host"], {}))
        self.server.owner.answer(self)

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        self.owner.broken += 1


class Receiver:
    """A receiver of webhooks. `answer` is given the handler of each request; by default it
    answers `status`."""

    def __init__(self, host="127.0.0.1", answer=None, status=204, headers=()):
        self.got, self.broken = [], 0
        self.status, self.headers = status, headers
        if answer is not None:
            self.answer = answer
        self._server = _Server((host, 0), _Handler)
        self._server.owner = self
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def answer(self, handler):
        handler.send_response(self.status)
        for name, value in self.headers:
            handler.send_header(name, value)
        body = b"" if self.status == 204 else BODY
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def ids(self):
        return [one.id for one in self.got]

    def secure(self, context):
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        return self

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Mail(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline().strip().decode():
            word = line.split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.mails.append(text)
                self.say("250 taken")
            else:
                self.say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    return

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_sink():
    """A mail server that keeps what it is given: its port, and the mails."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail) as server:
        server.daemon_threads, server.mails = True, []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1], server.mails
        finally:
            server.shutdown()
            thread.join(10)
