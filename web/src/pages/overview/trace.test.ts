import assert from "node:assert/strict";
import test from "node:test";
import type { Picture } from "./shape";
import { traced, wayOf } from "./trace";

const part = (id: string) => ({ id, kind: id.split(":")[0], name: id.split(":")[1], rate: 1, lag: 0, dead: 0, state: "running", trouble: null });
const picture = {
    parts: ["source:api", "topic:events", "stream:load", "table:k.t", "stream:count", "table:k.n", "stream:other"].map(part),
    edges: [["source:api", "topic:events"], ["topic:events", "stream:load"], ["stream:load", "table:k.t"], ["topic:events", "stream:count"], ["stream:count", "table:k.n"]],
} as unknown as Picture;
const step = (stream: string | null, word: string, text = "") => ({ stream, step: word, known: "stored", text });
const at = { topic: "events", partition: 0, offset: 5 };

test("a record's place in the address bar", () => {
    assert.deepEqual(traced("events/0/5"), at);
    for (const bad of ["", "events", "events/0", "events/x/5", "a/b/0/5", "events/0/-1"]) assert.equal(traced(bad), null, bad);
});

test("the way ends where the record did", () => {
    const way = wayOf(at, [step(null, "record"), step(null, "fetch", "page 1"), step("load", "WHERE"), step("load", "row"), step("load", "in the table"), step("count", "WHERE"), step("count", "filtered")], picture);
    assert.deepEqual([...way.parts], [["source:api", ""], ["topic:events", ""], ["stream:load", ""], ["table:k.t", "its row is here"], ["stream:count", "filtered"]]);
    assert.deepEqual([...way.lines], [["source:api>topic:events", 0], ["topic:events>stream:load", 1], ["stream:load>table:k.t", 2], ["topic:events>stream:count", 1]]);
});

test("what was not read, and what a client produced", () => {
    const way = wayOf(at, [step(null, "fetch", "none: a client produced the record"), step("load", "not read yet"), step("count", "dead letter"), step("gone", "in the table")], picture);
    assert.deepEqual([...way.parts], [["topic:events", ""], ["stream:load", "not read yet"], ["stream:count", "dead letter"]]);
    assert.deepEqual([...way.lines.keys()], ["topic:events>stream:count"]);
});
