import assert from "node:assert/strict";
import test from "node:test";
import { fill, read } from "./shape";

test("a filter is a text and never a part of the statement", () => {
    assert.equal(fill("SELECT 1 WHERE nat = {{nat}}", { nat: "x' OR 1=1 --" }), "SELECT 1 WHERE nat = 'x'' OR 1=1 --'");
});

test("a line whose filter is empty is not there", () => {
    assert.equal(fill("SELECT n FROM t\nWHERE nat = {{nat}}\nLIMIT 5", { nat: "" }), "SELECT n FROM t\nLIMIT 5");
    assert.equal(fill("SELECT n FROM t\nWHERE nat = {{nat}}", { nat: "GB" }), "SELECT n FROM t\nWHERE nat = 'GB'");
});

test("whatever a file holds is read as a board", () => {
    assert.deepEqual(read(null), { title: "", filters: [], widgets: [] });
    assert.equal(read({ widgets: [{ sql: 5, width: 9 }] }).widgets[0]!.width, 1);
});
