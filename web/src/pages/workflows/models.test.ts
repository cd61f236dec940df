/** Goal: what pages draw is what the API told. Method: small answers, and what becomes of them. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Cell, Instance, Node } from "./api";
import { storyOf } from "./errors";
import { confOf, fieldsOf } from "./forms";
import { gantt, ticks } from "./gantt";
import { barHeight, cellState, gridRows, inOrder, inRing, inSight } from "./grid";
import { tally, together } from "./states";

const node = (id: string, children: Node[] | null = null): Node => ({ id, label: id.split(".").pop()!, operator: null, tooltip: null, is_mapped: null, setup_teardown_type: null, children });
const cell = (task_id: string, state: string | null): [string, Cell] => [task_id, { task_id, state, child_states: null, min_start_date: null, max_end_date: null, has_note: false }];

test("the worst stands for all, as Airflow ranks them", () => {
    assert.equal(together(["success", "skipped"]), "success");
    assert.equal(together(["success", "failed", "running"]), "failed");
    assert.equal(together(["success", null]), null);
    assert.equal(together([]), undefined);
    assert.equal(tally({ success: 31, failed: 2, none: 1 }), "2 failed, 1 no state, 31 success");
});

test("a closed group is one row and has its tasks' state", () => {
    const tree = [node("g", [node("g.a"), node("g.h", [node("g.h.b")])]), node("last")];
    assert.deepEqual(gridRows(tree, new Set()).map((r) => [r.id, r.depth]), [["g", 0], ["g.a", 1], ["g.h", 1], ["g.h.b", 2], ["last", 0]]);
    const rows = gridRows(tree, new Set(["g"]));
    assert.deepEqual(rows.map((r) => r.id), ["g", "last"]);
    const run = new Map([cell("g.a", "success"), cell("g.h.b", "failed")]);
    assert.equal(cellState(rows[0]!, run), "failed");
    assert.equal(cellState(rows[1]!, run), undefined);
    assert.equal(cellState(rows[1]!, new Map([cell("last", null)])), null);
});

test("rows stand in the order in which they run", () => {
    const s = { nodes: [node("g", [node("g.b"), node("g.a")]), node("last"), node("first")], edges: [["first", "g.a"], ["g.a", "g.b"], ["g.b", "last"]].map(([a, b]) => ({ source_id: a!, target_id: b! })) };
    assert.deepEqual(gridRows(inOrder(s), new Set()).map((r) => r.id), ["first", "g", "g.a", "g.b", "last"]);
    assert.deepEqual(inOrder({ nodes: [node("x"), node("y")], edges: [{ source_id: "x", target_id: "y" }, { source_id: "y", target_id: "x" }] }).length, 2);
});

test("only columns in sight", () => {
    assert.deepEqual(inSight(365, 20, 0, 400), [0, 40]);
    assert.deepEqual(inSight(365, 20, 20, 400), [0, 40]);
    assert.deepEqual(inSight(365, 20, 6900, 400), [328, 365]);
    assert.deepEqual(inSight(3, 20, 0, 400), [0, 3]);
    for (let x = 0; x < 6000; x += 33) { // what is in sight is there, as many at each place
        const [from, to] = inSight(365, 20, x, 410, 4);
        assert.ok(from <= x / 20 && to >= Math.ceil((x + 410) / 20) && to - from === 36 && from % 4 === 0, `${x}: ${from} to ${to}`);
    }
    assert.deepEqual(inRing(8, 12, 6), [8, 9, 10, 11]);
    assert.deepEqual(inRing(9, 14, 6), [12, 13, 9, 10, 11]); // 12 takes the place of 6, 13 that of 7; 9 to 11 stay
    assert.deepEqual(inRing(3, 3, 1), []);
    assert.equal(barHeight(null, 100, 40), 3);
    assert.equal(barHeight(50, 100, 40), 20);
});

test("a run in time", () => {
    const base = { id: "", dag_id: "d", dag_run_id: "r", map_index: -1, duration: null, try_number: 1, max_tries: 0, hostname: null, pool: "", pool_slots: 1, priority_weight: 1, operator: null, scheduled_when: null, pid: null, note: null, rendered_map_index: null, rendered_fields: {} };
    const list: Instance[] = [
        { ...base, task_id: "later", state: "running", queued_when: "2026-01-01T00:00:05Z", start_date: "2026-01-01T00:00:06Z", end_date: null },
        { ...base, task_id: "first", state: "success", queued_when: "2026-01-01T00:00:00Z", start_date: "2026-01-01T00:00:01Z", end_date: "2026-01-01T00:00:05Z" },
        { ...base, task_id: "never", state: null, queued_when: null, start_date: null, end_date: null },
    ];
    const g = gantt(list, Date.parse("2026-01-01T00:00:10Z"));
    assert.deepEqual(g.bars.map((b) => [b.label, b.wait, b.run]), [["first", [0, 1000], [1000, 5000]], ["later", [5000, 6000], [6000, 10000]], ["never", null, null]]);
    assert.equal(g.span, 10000);
    assert.deepEqual(ticks(10000, 5), [0, 2000, 4000, 6000, 8000, 10000]);
    assert.equal(gantt([], 5).bars.length, 0);
});

test("params as fields, and what is filled in as conf", () => {
    const fields = fieldsOf({
        n: { value: 5, schema: { type: "integer", minimum: 1, maximum: 9 }, description: "How many" },
        full: { value: false, schema: {}, description: null },
        where: { value: "a", schema: { enum: ["a", "b", 3] }, description: null },
        note: { value: null, schema: { type: ["string", "null"] }, description: null },
        list: { value: ["x"], schema: { type: "array", items: { type: "string" } }, description: null },
        deep: { value: { a: 1 }, schema: { type: "object" }, description: null },
    });
    assert.deepEqual(fields.map((f) => f.kind), ["integer", "yes", "choice", "text", "lines", "json"]);
    assert.equal(fields[0]!.hint, "How many; 1 to 9");
    assert.deepEqual(confOf(fields, {}, ""), { conf: {} });
    assert.deepEqual(confOf(fields, { n: "7", full: "true", where: "3", note: "hello", list: "x\ny", deep: "[1]" }, '{"more": 1}'),
        { conf: { more: 1, n: 7, full: true, where: 3, note: "hello", list: ["x", "y"], deep: [1] } });
    assert.deepEqual(confOf(fields, { n: "70" }, ""), { wrong: { n: "At most 9" } });
    assert.deepEqual(confOf(fields, { n: "1.5" }, "[]"), { wrong: { "": 'An object: {"name": value}', n: "A whole number" } });
});

test("an import error's line", () => {
    const s = storyOf("error: there is no task 'b' to come after\n  at dags/x.yaml:12:9\n  hint: did you mean 'a'?", "dags/x.yaml");
    assert.deepEqual(s, { what: "there is no task 'b' to come after", file: "dags/x.yaml", line: 12, column: 9, rest: ["hint: did you mean 'a'?"] });
    assert.equal(storyOf("odd", "f").line, null);
});
