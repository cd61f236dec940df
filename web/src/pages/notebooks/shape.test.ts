import assert from "node:assert/strict";
import test from "node:test";
import { emptyNotebook, printed, promotable, read, statement, write } from "./shape";

const FILE = {
    nbformat: 4, nbformat_minor: 4, metadata: { kernelspec: { name: "python3", language: "python", display_name: "Python 3" }, kept: 1 },
    cells: [
        { cell_type: "markdown", id: "a", metadata: { tags: ["x"] }, source: ["# Title\n", "text"] },
        { cell_type: "code", id: "b", metadata: {}, execution_count: 3, outputs: [{ output_type: "stream", name: "stdout", text: ["hello"] }], source: "print('hello')" },
        { cell_type: "code", id: "c", metadata: { sluice: { live: true, drawing: { kind: "bars" } } }, execution_count: null, outputs: [], source: ["%%sql\n", "SELECT 1"] },
    ],
};

test("what is not ours goes through unchanged", () => {
    const back = write(read(FILE)) as typeof FILE;
    assert.deepEqual(back.cells[1], { ...FILE.cells[1], source: ["print('hello')"] });
    assert.deepEqual(back.metadata, FILE.metadata);
    assert.deepEqual(back.cells[0], FILE.cells[0]);
});

test("sql cells of a foreign kernel are known by their magic word", () => {
    const n = read(FILE);
    assert.deepEqual(n.cells.map((c) => c.kind), ["markdown", "other", "sql"]);
    assert.equal(statement(n.cells[2]!.text), "SELECT 1");
    assert.equal(n.cells[2]!.live, true);
    assert.deepEqual(n.cells[2]!.drawing, { kind: "bars" });
});

test("results are kept, at most a hundred rows, with a text for other programs", () => {
    const n = read(emptyNotebook());
    n.cells[1]!.result = { columns: [{ name: "n", type: "int" }], rows: Array.from({ length: 150 }, (_, i) => [i]), more: false };
    const again = read(JSON.parse(JSON.stringify(write(n))));
    assert.equal(again.cells[1]!.result!.rows.length, 100);
    assert.equal(again.cells[1]!.result!.more, true);
});

test("what another program's run has left of an SQL cell stays until it runs here", () => {
    const left = [{ output_type: "execute_result", execution_count: 4, metadata: {}, data: { "text/plain": ["   n\n", "0  7"] } }];
    const n = read({ ...FILE, cells: [{ ...FILE.cells[2]!, execution_count: 4, outputs: left }] });
    assert.deepEqual((write(n).cells as { outputs: unknown }[])[0]!.outputs, left);
    assert.equal(printed(n.cells[0]!.raw), "   n\n0  7");
    n.cells[0]!.text = "%%sql\nSELECT 2";
    assert.deepEqual((write(n).cells as { outputs: unknown }[])[0]!.outputs, []);
});

test("one SELECT can be promoted", () => {
    assert.ok(promotable("-- people\nSELECT a FROM t"));
    assert.ok(promotable("WATCH LAST 5 SELECT a FROM t"));
    assert.ok(!promotable("SHOW TABLES"));
});
