import assert from "node:assert/strict";
import test from "node:test";
import { joined, placesOf, share, sourceWord, variableOf, wanted, type Door, type LogLine, type Setting } from "./shape";

const spot = (address: string, port: number | null, tls = false) => ({ address, port, tls, setting: "", page: null, connections: 0, accepted: 0, refused: 0, bytes_in: 0, bytes_out: 0 });
const door = (...listeners: Door["listeners"]): Door => ({ name: "d", about: "", login: "", requests: null, errors: null, listeners });
const line = (seq: number, level = "info", room = "flow", message = "up", rest = ""): LogLine => ({ seq, time: "t", level, room, message, rest });

test("places name the address once", () => {
    assert.equal(placesOf(door(spot("127.0.0.1", 8080), spot("127.0.0.1", 9021), spot("127.0.0.1", 9093, true))), "127.0.0.1:8080, 9021, TLS 9093");
    assert.equal(placesOf(door(spot("::1", 80))), "[::1]:80");
    assert.equal(placesOf(door(spot("/data/control.sock", null))), "/data/control.sock");
    assert.equal(placesOf(door()), "");
});

test("a share is said as top says it", () => {
    assert.deepEqual([null, 0, 0.00377, 0.0999, 0.42, 1.537].map(share), ["–", "0 %", "0.4 %", "10 %", "42 %", "154 %"]);
});

test("settings name their variable and their source", () => {
    assert.equal(variableOf("kafka.tls_port"), "SLUICE_KAFKA_TLS_PORT");
    const from = (source: string) => sourceWord({ source } as Setting);
    assert.deepEqual(["default", "sluice.yaml:3", "SLUICE_API_PORT", "--set"].map(from), ["default", "sluice.yaml:3", "environment, SLUICE_API_PORT", "command line, --set"]);
});

test("lines that come are judged and joined", () => {
    assert.ok(wanted(line(1, "warn"), "flow", "warn", "MSG=\"up\""));
    assert.ok(!wanted(line(1, "info"), "", "warn", ""));
    assert.ok(!wanted(line(1), "store", "", ""));
    assert.ok(!wanted(line(1), "", "", "down"));
    assert.deepEqual(joined([line(1), line(2)], [line(2), line(3), line(4)], 3).map((l) => l.seq), [2, 3, 4]);
});
