import assert from "node:assert/strict";
import test from "node:test";
import { ago, bytes, count, duration, grouped, percent, plural, rate, short, toMs } from "./format";

test("numbers are grouped, short ones keep three digits, what is not there is a dash", () => {
    const rows: [string, string][] = [
        [count(120394), "120,394"], [count(0), "0"], [count(9.25), "9.3"], [count(null), "–"], [count(NaN), "–"], [count(-1204), "-1,204"],
        [short(9999), "9,999"], [short(12345), "12.3 k"], [short(1234567), "1.23 M"], [short(1e12), "1 T"], [short(undefined), "–"],
        [rate(1204.4), "1,204/s"], [rate(null), "–"], [percent(0.1234), "12.3 %"], [plural(1, "topic"), "1 topic"], [plural(1200, "topic"), "1,200 topics"],
    ];
    for (const [got, want] of rows) assert.equal(got, want);
});

test("numbers are grouped as Intl groups them", () => {
    for (const digits of [0, 1, 3]) {
        const intl = new Intl.NumberFormat("en-US", { maximumFractionDigits: digits });
        for (const n of [0, 1, 12, 999, 1000, 123456, 1234567.891, 2.5, 9.25, 0.0625, 1e15, 0.5, 999.96, 99999.5]) {
            assert.equal(grouped(n, digits), intl.format(n));
            if (n >= 1) assert.equal(grouped(-n, digits), intl.format(-n));
        }
    }
});

test("sizes are powers of 1024", () => {
    assert.equal(bytes(1023), "1,023 B");
    assert.equal(bytes(1536), "1.5 KiB");
    assert.equal(bytes(150 * 2 ** 20), "150 MiB");
    assert.equal(bytes(2 ** 50 * 3), "3 PiB");
});

test("lengths of time have two units at most", () => {
    const rows: [number, string][] = [[0, "0 ms"], [0.25, "0.25 ms"], [12, "12 ms"], [1500, "1.5 s"], [42_000, "42 s"], [93_500, "1 m 34 s"], [59_999, "60 s"], [3_599_999, "1 h"], [5_400_000, "1 h 30 m"], [86_400_000 * 3, "3 d"]];
    for (const [ms, want] of rows) assert.equal(duration(ms), want);
});

test("times are told from now, one unit, both ways", () => {
    const now = 1_700_000_000_000;
    const rows: [number, string][] = [[0, "now"], [-12_000, "12 s ago"], [-61_000, "1 m ago"], [-7_200_000, "2 h ago"], [180_000, "in 3 m"], [-86_400_000 * 400, "1 y ago"]];
    for (const [by, want] of rows) assert.equal(ago(now + by, now), want);
    assert.equal(toMs("2026-11-22T01:00:00Z"), Date.UTC(2026, 10, 22, 1));
    assert.equal(toMs("nonsense"), null);
    assert.equal(toMs(12), 12);
});
