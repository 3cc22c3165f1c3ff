"""A server with planted faults that the fuzzer must find: planted.py PORT. The request body selects the fault."""

import http.server
import json
import os
import sys
import threading
import time

from fleet import PASSWORD

kept = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"status": "ok"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"die" in body:
            print("Fatal error: planted", flush=True)
            os._exit(3)
        if b"boom" in body:
            return self.answer(500, {"id": "shippy.api", "code": 500, "detail": "internal error", "status": "x"})
        if b"spin" in body:
            until = time.process_time() + 2.5
            while time.process_time() < until:
                pass
        if b"hold" in body:
            kept.append(b"x" * (400 << 20))
        if b"tell" in body:
            return self.answer(200, {"password": PASSWORD})
        if b"text" in body:
            return self.answer(400, {"code": 400})
        if b"long" in body:
            return self.answer(400, {"id": "shippy.api", "code": 400, "detail": "x" * 20_000, "status": "x"})
        if b"hang" in body:
            time.sleep(60)
        if b"halt" in body:
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ndate: x\r\n\r\nab")
            self.close_connection = True
            return None
        if b"note" in body:
            print(json.dumps({"level": "error", "message": "planted"}), flush=True)
        return self.answer(200, {})

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) for port in sys.argv[1:]]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()
