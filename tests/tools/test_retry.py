"""A batch whose answer is lost is sent again, and is in the log once."""
import pathlib
import shutil
import socket
import struct
import tempfile
import threading

from harness import Server, check, run

CUTS = 3
PRODUCE = 0


def frame(connection):
    """One length and its bytes; None when the other side is done."""
    def exactly(n):
        got = b""
        while len(got) < n:
            more = connection.recv(n - len(got))
            if not more:
                return None
            got += more
        return got
    head = exactly(4)
    body = head and exactly(struct.unpack(">i", head)[0])
    return head + body if body else None


class Cutter:
    """Stands before a broker, and hangs up after the first Produce requests went through, before their answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cuts = 0

    def start(self, broker):
        self.broker = broker
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.broker)) as server:
            while request := frame(client):
                server.sendall(request)
                answer = frame(server)
                if struct.unpack(">h", request[4:6])[0] == PRODUCE and self.cuts < CUTS:
                    self.cuts += 1
                    return
                client.sendall(answer)


def test_a_lost_answer_doubles_nothing():
    cutter = Cutter()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-retry-"))
    (folder / "pipeline.sql").write_text("-- topics only\n")
    server = Server(folder, sets=(f"kafka.advertised=127.0.0.1:{cutter.port}",)).ready()
    try:
        cutter.start(int(server.field("kafka_port")))
        at = ("--brokers", f"127.0.0.1:{cutter.port}")
        check(run("topics", "create", "t", *at).returncode == 0, "create")
        lines = [str(i) for i in range(50000)]
        r = run("produce", "t", *at, stdin="\n".join(lines))
        check(r.returncode == 0 and cutter.cuts == CUTS, f"{r} {cutter.cuts} cuts")
        check(run("consume", "t", "--until", "end", *at).stdout.split() == lines, "not each line once, in order")
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
