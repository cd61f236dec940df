"""Kafka's protocol by hand, in old versions that need few lines: what no client library would send."""
import base64
import hashlib
import hmac
import socket
import struct

PRODUCE, FETCH, METADATA, HANDSHAKE, VERSIONS, CREATE_TOPICS, DELETE_RECORDS, AUTHENTICATE = 0, 1, 3, 17, 18, 19, 21, 36


def string(text):
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def bytes32(raw):
    return struct.pack(">i", len(raw)) + raw


def table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


TABLE = table()


def crc32c(raw):
    crc = 0xFFFFFFFF
    for b in raw:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 255]
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = n << 1 ^ n >> 63
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def record(index, key, value):
    body = b"\0" + varint(0) + varint(index) + varint(len(key)) + key + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(values, codec=0, packed=None, count=None):
    """A record batch; `packed` puts other bytes in the records' place."""
    records = packed if packed is not None else b"".join(record(i, b"k", v) for i, v in enumerate(values))
    n = count or len(values)
    rest = struct.pack(">hiqqqhii", codec, n - 1, 1700000000000, 1700000000000, -1, -1, -1, n) + records
    return struct.pack(">qiibI", 0, len(rest) + 9, 0, 2, crc32c(rest)) + rest


class Raw:
    """One connection."""

    def __init__(self, port, host="127.0.0.1", source=None, tls=None, timeout=10, name=None):
        self.socket = socket.create_connection((host, int(port)), timeout=timeout, source_address=(source, 0) if source else None)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name or host)
        self.number = 0

    def send_raw(self, raw):
        self.socket.sendall(raw)

    def send_frame(self, raw):
        self.send_raw(bytes32(raw))

    def send(self, api, version, body=b""):
        self.number += 1
        self.send_frame(struct.pack(">hhi", api, version, self.number) + string("raw") + body)

    def read(self, n):
        got = b""
        while len(got) < n:
            some = self.socket.recv(n - len(got))
            if not some:
                raise EOFError(f"closed after {len(got)} of {n} bytes")
            got += some
        return got

    def receive_frame(self):
        return self.read(struct.unpack(">i", self.read(4))[0])

    def receive(self):
        raw = self.receive_frame()
        number = struct.unpack(">i", raw[:4])[0]
        if number != self.number:
            raise ValueError(f"an answer to {number}, not {self.number}")
        return raw[4:]

    def ask(self, api, version, body=b""):
        self.send(api, version, body)
        return self.receive()

    def closed(self):
        """Waits for the other side to end the connection; what still comes is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    # --- requests

    def create_topic(self, name, partitions=1):
        body = struct.pack(">i", 1) + string(name) + struct.pack(">ihii", partitions, 1, 0, 0) + struct.pack(">ib", 10000, 0)
        answer = self.ask(CREATE_TOPICS, 2, body)
        return struct.unpack(">h", answer[8 + 2 + len(name):][:2])[0]

    def delete_records(self, topic, before, partition=0):
        """The partition's new low watermark, and the error's number."""
        body = struct.pack(">i", 1) + string(topic) + struct.pack(">iiqi", 1, partition, before, 10000)
        return struct.unpack(">qh", self.ask(DELETE_RECORDS, 0, body)[-10:])

    def metadata(self, *topics):
        return self.ask(METADATA, 0, struct.pack(">i", len(topics)) + b"".join(map(string, topics)))

    def produce_body(self, topic, records, partition=0, acks=-1):
        return (struct.pack(">hhii", -1, acks, 10000, 1) + string(topic) + struct.pack(">ii", 1, partition) + bytes32(records))

    def produce(self, topic, records, partition=0):
        """(error, base offset)"""
        answer = self.ask(PRODUCE, 3, self.produce_body(topic, records, partition))
        return struct.unpack(">hq", answer[4 + 2 + len(topic) + 4 + 4:][:10])

    def fetch_body(self, topic, offset=0, partition=0, most=1 << 20, wait=0):
        return (struct.pack(">iiiib", -1, wait, 1, most, 0) + struct.pack(">i", 1) + string(topic)
                + struct.pack(">iiqi", 1, partition, offset, most))

    def fetch(self, topic, offset=0, partition=0, most=1 << 20):
        """(error, the records' bytes)"""
        answer = self.ask(FETCH, 4, self.fetch_body(topic, offset, partition, most))
        at = 4 + 4 + 2 + len(topic) + 4 + 4
        error = struct.unpack(">h", answer[at:at + 2])[0]
        at += 2 + 8 + 8
        aborted = struct.unpack(">i", answer[at:at + 4])[0]
        at += 4 + max(aborted, 0) * 16
        size = struct.unpack(">i", answer[at:at + 4])[0]
        return error, answer[at + 4:at + 4 + max(size, 0)]

    # --- logins

    def handshake(self, mechanism, version=1):
        """(error, mechanisms)"""
        answer = self.ask(HANDSHAKE, version, string(mechanism))
        error, count = struct.unpack(">hi", answer[:6])
        names, at = [], 6
        for _ in range(count):
            n = struct.unpack(">h", answer[at:at + 2])[0]
            names.append(answer[at + 2:at + 2 + n].decode())
            at += 2 + n
        return error, names

    def token(self, raw):
        """(error, words, token)"""
        answer = self.ask(AUTHENTICATE, 0, bytes32(raw))
        error, n = struct.unpack(">hh", answer[:4])
        words = answer[4:4 + max(n, 0)].decode()
        rest = answer[4 + max(n, 0):]
        return error, words, rest[4:]

    def raw_token(self, raw):
        """After SaslHandshake 0: the tokens are the frames."""
        self.send_frame(raw)
        return self.receive_frame()

    def plain(self, user, password):
        return self.token(f"\0{user}\0{password}".encode())


def scram(say, user, password, digest="sha256"):
    """The client's side of SCRAM; `say` sends a token and answers the server's. True: the server is genuine, too."""
    first = f"n={user},r=clientnonce"
    answer = say(("n,," + first).encode()).decode()
    fields = dict(f.split("=", 1) for f in answer.split(","))
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.new(salted, b"Client Key", digest).digest()
    stored = hashlib.new(digest, key).digest()
    bare = f"c=biws,r={fields['r']}"
    auth = f"{first},{answer},{bare}".encode()
    proof = bytes(a ^ b for a, b in zip(key, hmac.new(stored, auth, digest).digest()))
    last = say(f"{bare},p={base64.b64encode(proof).decode()}".encode()).decode()
    server = hmac.new(hmac.new(salted, b"Server Key", digest).digest(), auth, digest).digest()
    return last == "v=" + base64.b64encode(server).decode()
