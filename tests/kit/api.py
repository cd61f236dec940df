"""The console's API as a script asks it: Basic authentication, JSON in and out."""
import base64
import http.client
import json

from harness import check


class Api:
    def __init__(self, server, user="admin", password="admin"):
        self.port = int(server.field("console_port"))
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def open(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = None if body is None else json.dumps(body).encode()
        c.request(method, "/api/console" + path, data, {**self.headers, **({"Content-Type": "application/json"} if data else {}), **(headers or {})})
        return c, c.getresponse()

    def ask(self, method, path, body=None, expect=None):
        """The answer's JSON; `expect`: its status, None: whichever."""
        c, r = self.open(method, path, body)
        text = r.read().decode()
        c.close()
        check(expect is None or r.status == expect, f"{method} {path}: {r.status}, not {expect}: {text[:2000]}")
        if text and not r.headers["Content-Type"].startswith("application/json"):
            return {"error": {"what": text}}  # of HTTP itself: no route was reached
        return json.loads(text) if text else None

    def get(self, path, expect=200):
        return self.ask("GET", path, expect=expect)

    def post(self, path, body=None, expect=200):
        return self.ask("POST", path, body, expect)

    def put(self, path, body, expect="2xx"):
        return self._change("PUT", path, body, expect)

    def delete(self, path, expect="2xx"):
        return self._change("DELETE", path, None, expect)

    def _change(self, method, path, body, expect):
        got = self.ask(method, path, body, None if expect == "2xx" else expect)
        check(expect != "2xx" or not (got or {}).get("error"), f"{method} {path}: {got}")
        return got

    def stream(self, path, body):
        """A streamed answer, to be read line by line and closed."""
        c, r = self.open("POST", path, body)
        check(r.status == 200, f"{path}: {r.status} {r.read()[:500] if r.status != 200 else ''}")
        return r
