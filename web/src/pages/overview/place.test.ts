import assert from "node:assert/strict";
import test from "node:test";
import { draw } from "./place";
import type { Part, Picture } from "./shape";

const part = (id: string): Part => ({ id, kind: id.split(":")[0] as Part["kind"], name: id.slice(id.indexOf(":") + 1), rate: 1, lag: 0, dead: 0, state: "running", trouble: null });
const picture = (ids: string[], edges: [string, string][]): Picture => ({
    parts: ids.map(part), edges, balanced: true, healthy: true,
    ledger: { in: 0, applied: 0, filtered: 0, deduplicated: 0, late: 0, dead: 0, expired: 0, held: 0, rows_out: 0 },
});

test("the way of a record goes from left to right, dags stand above what they lead", () => {
    const d = draw(picture(["source:a", "topic:a", "stream:a", "table:a.b", "dag:a", "topic:alone"], [["source:a", "topic:a"], ["topic:a", "stream:a"], ["stream:a", "table:a.b"], ["dag:a", "stream:a"]]), 1000);
    const at = new Map(d.spots.map((s) => [s.id, s]));
    const xs = ["source:a", "topic:a", "stream:a", "table:a.b"].map((id) => at.get(id)!.x);
    assert.deepEqual([...xs].sort((a, b) => a - b), xs);
    assert.equal(at.get("dag:a")!.x, at.get("stream:a")!.x);
    assert.ok(at.get("dag:a")!.y + at.get("dag:a")!.height < at.get("stream:a")!.y);
    assert.deepEqual(d.apart, ["topic:alone"]);
    assert.equal(d.lines.length, 4);
    assert.ok(d.width <= 1000);
});

test("edges to what is not there, circles and nothing at all are drawn too", () => {
    assert.equal(draw(picture(["topic:a"], [["topic:a", "stream:gone"]]), 800).lines.length, 0);
    assert.equal(draw(picture(["topic:a", "stream:s"], [["topic:a", "stream:s"], ["stream:s", "topic:a"]]), 800).spots.length, 2);
    assert.deepEqual(draw(picture([], []), 800).spots, []);
    assert.equal(draw(picture(["dag:a", "dag:b"], []), 800).spots.length, 2);
});
