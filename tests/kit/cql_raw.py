"""A raw client of Cassandra's native protocol, written from its specification: what a driver would never send, too."""
import contextlib
import socket
import struct
import zlib

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT, BATCH, CHALLENGE, RESPONSE, SUCCESS = (
    0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
ROWS = 2


def string(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def long_string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">i", len(raw)) + raw


def message(version, opcode, body=b"", stream=0, flags=0):
    return struct.pack(">BBhBi", version, flags, stream, opcode, len(body)) + body


def query(version, text, consistency=1, flags=0, rest=b""):
    return long_string(text) + struct.pack(">H", consistency) + struct.pack(">I" if version >= 5 else ">B", flags) + rest


def startup(**options):
    options = {"CQL_VERSION": "3.4.5", **options}
    return struct.pack(">H", len(options)) + b"".join(string(k) + string(v) for k, v in options.items())


def crc24(raw):
    crc = 0x875060
    for byte in raw:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def segment(payload, contained=True):
    head = (len(payload) | contained << 17).to_bytes(3, "little")
    return head + crc24(head).to_bytes(3, "little") + payload + zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca")).to_bytes(4, "little")


class Raw:
    def __init__(self, port, version=4, tls=None, name=None, source=None, timeout=20):
        self.version, self.segmented, self.kept = version, False, b""
        self.socket = socket.socket()
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def send_raw(self, raw):
        self.socket.sendall(raw)

    def send(self, opcode, body=b"", stream=0, flags=0):
        raw = message(self.version, opcode, body, stream, flags)
        if not self.segmented:
            self.send_raw(raw)
        elif len(raw) < 1 << 17:
            self.send_raw(segment(raw))
        else:
            for at in range(0, len(raw), (1 << 17) - 1):
                self.send_raw(segment(raw[at:at + (1 << 17) - 1], False))

    def exactly(self, size):
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            if not more:
                raise ConnectionError(f"closed after {len(got)} of {size} bytes")
            got += more
        return got

    def more(self, size):
        while len(self.kept) < size:
            if self.segmented:
                head = self.exactly(6)
                payload = self.exactly(int.from_bytes(head[:3], "little") & 0x1FFFF)
                self.exactly(4)
                self.kept += payload
            else:
                self.kept += self.exactly(size - len(self.kept))
        got, self.kept = self.kept[:size], self.kept[size:]
        return got

    def take(self):
        """version, flags, stream, opcode, body"""
        version, flags, stream, opcode, length = struct.unpack(">BBhBi", self.more(9))
        return version & 0x7F, flags, stream, opcode, self.more(length)

    def ask(self, opcode, body=b"", stream=0):
        self.send(opcode, body, stream)
        return self.take()

    def ready(self, user=None, password=None, **options):
        opcode = self.ask(STARTUP, startup(**options))[3]
        self.segmented = self.version >= 5
        if opcode == AUTHENTICATE:
            opcode = self.ask(RESPONSE, long_string(b"\0" + user.encode() + b"\0" + password.encode()))[3]
        if opcode not in (READY, SUCCESS):
            raise ConnectionError(f"opcode {opcode}")
        return self

    def query(self, text, stream=0):
        return self.ask(QUERY, query(self.version, text), stream)[3:]

    def error(self, body):
        """code, words"""
        code, length = struct.unpack(">iH", body[:6])
        return code, body[6:6 + length].decode()

    def closed(self, within=20):
        """Does the connection end, whatever is still said before?"""
        self.socket.settimeout(within)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
