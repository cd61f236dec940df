/** A value of any form, to be read: indented, with long texts and deep parts folded; and given as a file. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { count, plural } from "./format";

/** A number by its text: 12345678901234567890 stays what it is. */
class Exact {
    constructor(readonly text: string) {}
}

/** What `text` holds, with its numbers as they were written; undefined: it is no JSON. */
export function parseJson(text: string): unknown {
    type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
    const keep: Reviver = (_key, v, c) => (typeof v === "number" ? new Exact(c?.source ?? String(v)) : v);
    try {
        return JSON.parse(text, keep as (key: string, value: unknown) => unknown);
    } catch {
        return undefined;
    }
}

const LONG = 2000;
const MANY = 100;

function Fold({ head, children, open }: { head: ComponentChildren; children: () => ComponentChildren; open: boolean }) {
    const [is, set] = useState(open);
    return (
        <>
            <button type="button" class="json-fold" aria-expanded={is} onClick={() => set(!is)}>{is ? "−" : "+"} {head}</button>
            {is && <div class="json-in">{children()}</div>}
        </>
    );
}

function Value({ of, depth }: { of: unknown; depth: number }) {
    const [all, setAll] = useState(false);
    if (of === null || of === undefined) return <span class="json-null">null</span>;
    if (typeof of === "string") {
        const cut = !all && of.length > LONG;
        return <span class="json-text"><bdi>"{cut ? of.slice(0, LONG) : of}"</bdi>{cut && <button type="button" class="json-fold" onClick={() => setAll(true)}>and {count(of.length - LONG)} more characters</button>}</span>;
    }
    if (of instanceof Exact) return <span class="json-plain">{of.text}</span>;
    if (typeof of !== "object") return <span class="json-plain">{String(of)}</span>;
    const list = Array.isArray(of);
    const entries: [string, unknown][] = list ? of.map((v, i) => [String(i), v]) : Object.entries(of);
    if (!entries.length) return <span class="json-plain">{list ? "[]" : "{}"}</span>;
    const shown = all ? entries : entries.slice(0, MANY);
    return (
        <Fold head={<span class="quiet">{plural(entries.length, list ? "item" : "field")}</span>} open={depth < 3 && entries.length <= MANY}>
            {() => (
                <>
                    {shown.map(([name, v]) => (
                        <div class="json-row" key={name}>
                            <bdi class="json-name">{name}</bdi> <Value of={v} depth={depth + 1} />
                        </div>
                    ))}
                    {shown.length < entries.length && <button type="button" class="json-fold" onClick={() => setAll(true)}>and {count(entries.length - shown.length)} more</button>}
                </>
            )}
        </Fold>
    );
}

/** `of`: a value, or its JSON text (then what is no JSON is shown as it is). */
export function Json({ of, text }: { of?: unknown; text?: string }) {
    if (text !== undefined) {
        const value = parseJson(text);
        return value === undefined ? <pre class="json-raw"><bdi>{text}</bdi></pre> : <Json of={value} />;
    }
    return <div class="json mono"><Value of={of} depth={0} /></div>;
}

/** Gives the browser a file to keep. */
export function saveAs(name: string, content: string | Blob, type = "text/plain"): void {
    const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    const a = document.createElement("a");
    a.href = url;
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
