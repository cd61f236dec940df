import assert from "node:assert/strict";
import test from "node:test";
import { Markdown, safeHref } from "./markdown";

/** The elements that a text becomes, as <tag>text</tag>. */
function told(node: unknown): string {
    if (node === null || node === undefined || typeof node === "boolean") return "";
    if (Array.isArray(node)) return node.map(told).join("");
    if (typeof node !== "object") return String(node);
    const v = node as { type: unknown; props: { children?: unknown; href?: string } };
    const inner = told(v.props.children);
    if (typeof v.type !== "string") return inner;
    return `<${v.type}${v.props.href ? ` ${v.props.href}` : ""}>${inner}</${v.type}>`;
}
const said = (text: string) => told((Markdown({ text }) as { props: { children: unknown } }).props.children);

test("what Markdown can say", () => {
    const rows: [string, string][] = [
        ["# A", "<h2>A</h2>"],
        ["a **b** *c* `d` ~~e~~", "<p>a <strong>b</strong> <em>c</em> <code>d</code> <del>e</del></p>"],
        ["a_b_c", "<p>a_b_c</p>"],
        ["- a\n- b\n  1. c", "<ul><li>a</li><li><p>b</p><ol><li>c</li></ol></li></ul>"],
        ["> q", "<blockquote><p>q</p></blockquote>"],
        ["```sql\nSELECT *\n```", "<pre><code>SELECT *</code></pre>"],
        ["a\n\n    b\n\n    - c\n\nd", "<p>a</p><pre><code>b\n\n- c</code></pre><p>d</p>"],
        ["[a](/topics?q=1)", "<p><a /topics?q=1>a</a></p>"],
        ["see https://a.example/b.", "<p>see <a https://a.example/b>https://a.example/b</a>.</p>"],
        ["| a | b |\n|---|--:|\n| 1 | 2 |", "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>"],
        ["a\n\n---\n\nb", "<p>a</p><hr></hr><p>b</p>"],
        ["\\*a\\*", "<p>*a*</p>"],
        ["", ""],
    ];
    for (const [text, want] of rows) assert.equal(said(text), want, text);
});

test("markup in it stays text, and links lead nowhere else", () => {
    assert.equal(said("<img src=x onerror=alert(1)>"), "<p><img src=x onerror=alert(1)></p>");
    for (const bad of ["javascript:alert(1)", " JaVaScript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example/", "/\\evil.example", "\u0001javascript:alert(1)"]) assert.equal(safeHref(bad), null, bad);
    for (const good of ["https://a.example", "/topics", "#x", "?q=1", "mailto:a@b.example", "./x"]) assert.equal(safeHref(good), good, good);
    assert.equal(said("[a](javascript:alert(1))"), "<p>a</p>");
});

test("no text takes long or goes deep", () => {
    const start = Date.now();
    for (const text of ["*".repeat(20_000), "[".repeat(20_000), "> ".repeat(5_000) + "a", "`".repeat(9_999), "- ".repeat(2_000), "_a".repeat(10_000), "a|".repeat(5_000) + "\n" + "-|".repeat(5_000), "**a ".repeat(4_000)]) assert.ok(typeof said(text) === "string");
    assert.ok(Date.now() - start < 20_000);
});
