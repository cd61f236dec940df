"""The console's API from outside: one asker with cookies, and one who reads a live stream."""
import base64
import http.client
import json


class Console:
    def __init__(self, port, host="127.0.0.1"):
        self.port, self.host = int(port), host
        self.cookie = self.csrf = self.basic = None

    def ask(self, method, path, body=None, headers=None, raw=None):
        """status, headers, the answer: JSON where it is, else bytes"""
        h = {"Cookie": self.cookie} if self.cookie else {}
        if self.basic:
            h["Authorization"] = "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()
        if self.csrf and method != "GET":
            h["X-CSRF-Token"] = self.csrf
        data = raw if raw is not None else None if body is None else json.dumps(body)
        if data is not None:
            h["Content-Type"] = "application/json"
        c = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            c.request(method, path if path.startswith("/") else "/api/console/" + path, data, {**h, **(headers or {})})
            r = c.getresponse()
            text = r.read()
            told = r.getheader("Content-Type", "").startswith("application/json")
            return r.status, r.headers, json.loads(text) if told and text else text
        finally:
            c.close()

    def get(self, path):
        status, _, answer = self.ask("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {answer}")
        return answer

    def login(self, name="admin", password="admin"):
        status, headers, answer = self.ask("POST", "login", {"name": name, "password": password})
        if status == 200:
            self.cookie, self.csrf = headers["Set-Cookie"].split(";")[0], answer["csrf"]
        return status, headers, answer


class Live:
    """A stream of events, from a Console that is logged in."""

    def __init__(self, console, *channels, timeout=20):
        self.connection = http.client.HTTPConnection(console.host, console.port, timeout=timeout)
        self.connection.request("GET", "/api/console/live?" + "&".join("c=" + c for c in channels), headers={"Cookie": console.cookie or ""})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def next(self):
        """(channel, value); None at the end. Comments and retry lines are passed over."""
        event, data = None, None
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and event:
                return event, data

    def close(self):
        self.connection.close()
