import assert from "node:assert/strict";
import test from "node:test";
import { onTop, rangeOf, ranges, tailOf, type Message } from "./shape";

const want = (more: object) => ({ partition: "", q: "", where: "", committed: false, ...more });
const at = (partition: number, ...offsets: number[]) => offsets.map((offset) => ({ partition, offset }) as Message);

test("a tail's channel says what is wanted, and can be read again", () => {
    assert.deepEqual(tailOf("t", want({})), { channel: "tail:t" });
    assert.deepEqual(tailOf("t", want({ partition: "0-255", q: "50% & a+b", where: " n > 1\nAND é ", committed: true })), { channel: "tail:t?partition=0-255&q=50%25 %26 a%2bb&where=n > 1%0aAND é&committed=true" });
    const long = tailOf("t", want({ where: "x".repeat(4000) }));
    assert.ok("problem" in long && /too long/.test(long.problem.what));
});

test("partitions are chosen by ranges where they are many", () => {
    assert.deepEqual(ranges(256), [""]);
    assert.deepEqual(ranges(300), ["0-255", "256-299"]);
    assert.equal(ranges(10_000).length, 40);
    assert.deepEqual(["", "3", "256", "299", "256-299", "9999", "x"].map((p) => rangeOf(p, 300)), ["0-255", "0-255", "256-299", "256-299", "256-299", "0-255", "0-255"]);
});

test("what a tail tells again stands once", () => {
    const rows = onTop(onTop([], at(0, 1, 2), 9), at(1, 5), 9);
    assert.deepEqual(rows.map((m) => `${m.partition}:${m.offset}`), ["1:5", "0:2", "0:1"]);
    assert.deepEqual(onTop(rows, at(0, 2, 3), 3).map((m) => `${m.partition}:${m.offset}`), ["0:3", "0:2", "1:5"]);
});
