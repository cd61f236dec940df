/** Goal: boxes never lie on one another, edges point one way, groups hold what is theirs, and it ends soon.
 * Method: small graphs whose picture is known, and many made at random. */
import assert from "node:assert/strict";
import test from "node:test";
import { curve, layout, type LayoutEdge, type LayoutNode } from "./layout";

const box = (id: string, more: Partial<LayoutNode> = {}): LayoutNode => ({ id, width: 100, height: 30, ...more });

function apart(l: ReturnType<typeof layout>, nodes: LayoutNode[]): void {
    const list = nodes.map((n) => ({ n, p: l.nodes.get(n.id)! }));
    for (const a of list)
        for (const b of list) {
            if (a === b || a.n.parent !== b.n.parent) continue;
            const over = a.p.x < b.p.x + b.p.width - 0.01 && b.p.x < a.p.x + a.p.width - 0.01 && a.p.y < b.p.y + b.p.height - 0.01 && b.p.y < a.p.y + a.p.height - 0.01;
            assert.ok(!over, `${a.n.id} lies on ${b.n.id}`);
        }
}

test("a chain is a line", () => {
    const l = layout([box("a"), box("b"), box("c")], [{ from: "a", to: "b" }, { from: "b", to: "c" }]);
    assert.deepEqual([...l.nodes.values()].map((n) => [n.x, n.y]), [[0, 0], [164, 0], [328, 0]]);
    assert.deepEqual(l.edges[0]!.points, [[100, 15], [164, 15]]);
    assert.equal(l.width, 428);
});

test("two that cross are put the other way round", () => {
    const l = layout([box("a"), box("b"), box("x"), box("y")], [{ from: "a", to: "y" }, { from: "b", to: "x" }]);
    const y = (id: string) => l.nodes.get(id)!.y;
    assert.equal(y("a") < y("b"), y("y") < y("x"));
});

test("a circle has a picture too", () => {
    const l = layout([box("a"), box("b"), box("c")], [{ from: "a", to: "b" }, { from: "b", to: "c" }, { from: "c", to: "a" }]);
    assert.equal(l.edges.length, 3);
    apart(l, [box("a"), box("b"), box("c")]);
});

test("a group holds its own, and edges into it end at its box", () => {
    const nodes = [box("first"), box("g", { group: true, width: 0, height: 0, head: 20 }), box("g.a", { parent: "g" }), box("g.b", { parent: "g" }), box("last")];
    const l = layout(nodes, [{ from: "first", to: "g.a" }, { from: "g.a", to: "g.b" }, { from: "g.b", to: "last" }]);
    const g = l.nodes.get("g")!;
    for (const id of ["g.a", "g.b"]) {
        const n = l.nodes.get(id)!;
        assert.ok(n.x >= g.x && n.y >= g.y + 20 && n.x + n.width <= g.x + g.width && n.y + n.height <= g.y + g.height, id);
    }
    assert.deepEqual(l.edges.find((e) => e.from === "first")!.ends, ["first", "g"]);
    assert.ok(l.nodes.get("last")!.x >= g.x + g.width);
    assert.equal(l.edges.length, 3);
});

test("at random: nothing overlaps, every edge goes forward", () => {
    let seed = 7;
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    for (let turn = 0; turn < 60; turn++) {
        const nodes = Array.from({ length: 1 + random(40) }, (_, i) => box(`n${i}`, { width: 40 + random(200), height: 20 + random(60) }));
        const edges: LayoutEdge[] = [];
        for (let i = 0; i < 2 * nodes.length; i++) {
            const a = random(nodes.length);
            const b = random(nodes.length);
            if (a < b) edges.push({ from: `n${a}`, to: `n${b}` });
        }
        const l = layout(nodes, edges, { down: turn % 2 === 1 });
        apart(l, nodes);
        for (const e of edges) assert.ok(l.nodes.get(e.from)!.layer < l.nodes.get(e.to)!.layer);
        for (const n of l.nodes.values()) assert.ok(n.x >= -0.01 && n.y >= -0.01 && n.x + n.width <= l.width + 0.01 && n.y + n.height <= l.height + 0.01);
    }
});

test("five hundred tasks within a second", () => {
    const nodes = Array.from({ length: 500 }, (_, i) => box(`n${i}`));
    const edges = nodes.slice(1).flatMap((_, i) => [{ from: `n${i >> 1}`, to: `n${i + 1}` }, { from: `n${i >> 2}`, to: `n${i + 1}` }]);
    const start = performance.now();
    layout(nodes, edges);
    assert.ok(performance.now() - start < 5000);
});

test("a curve", () => {
    assert.equal(curve([[0, 0], [10, 20]]), "M0 0C5 0 5 20 10 20");
});
