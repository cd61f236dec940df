/** One message: a line of it for the list, and all of it for the panel. */
import { useState } from "preact/hooks";
import { Ago, Await, Button, Command, Facts, Json, Segments, bytes, copy, count, exact, parseJson, shell, toast, tracePath, useGet } from "../../kit";
import { type Bytes, type Message } from "./shape";

/** What is odd about a message; "" for a usual one. */
export function kindWord(kind: string): string {
    return ({ aborted: "aborted", open: "not committed", commit_mark: "end of a transaction: commit", abort_mark: "end of a transaction: abort", unreadable: "can not be opened" } as Record<string, string>)[kind] ?? "";
}

/** A line of a key or value. */
export function Preview({ of: b, most }: { of: Bytes; most?: number }) {
    if (b.type === "null") return <span class="none">null</span>;
    const whole = b.text ?? "";
    const text = most !== undefined && whole.length > most ? whole.slice(0, most) : whole; // what no screen is wide enough for need not be set in type
    const more = (b.cut || text.length < whole.length) && "…";
    if (b.type === "binary") return <span><span class="badge">hex</span> {text}{more}</span>;
    if (text === "") return <span class="none">(empty)</span>;
    return <bdi>{text}{more}</bdi>;
}

const HEX_ROW = 8; // as many fit the panel

/** Bytes as hex with their letters beside them. */
function Hex({ text }: { text: string }) {
    const pairs = text.match(/../g) ?? [];
    const shown = pairs.slice(0, 4096);
    const rows = Array.from({ length: Math.ceil(shown.length / HEX_ROW) }, (_, i) => shown.slice(i * HEX_ROW, (i + 1) * HEX_ROW));
    return (
        <>
            <pre class="hex" tabIndex={0}>{rows.map((r, i) => {
                const letters = r.map((h) => parseInt(h, 16)).map((c) => (c >= 32 && c < 127 ? String.fromCharCode(c) : "·")).join("");
                return `${(i * HEX_ROW).toString(16).padStart(6, "0")}  ${r.join(" ").padEnd(HEX_ROW * 3 - 1)}  ${letters}\n`;
            }).join("")}</pre>
            {pairs.length > shown.length && <p class="quiet">{count(pairs.length - shown.length)} more bytes are not shown.</p>}
        </>
    );
}

/** A key or value, whole: a tree when it is JSON, else text; bytes as hex. */
function Whole({ name, of: b }: { name: string; of: Bytes }) {
    const [as, setAs] = useState<"tree" | "text">("tree");
    const json = b.type === "json" && b.text !== null ? parseJson(b.text) : undefined;
    const pretty = json === undefined ? b.text : indent(b.text!);
    return (
        <section class="record-part" aria-label={name}>
            <header class="row">
                <h3>{name}</h3>
                <span class="quiet">{b.type === "null" ? "null" : `${b.type}, ${bytes(b.size)}`}</span>
                {json !== undefined && <Segments label={`Show ${name.toLowerCase()} as`} value={as} set={setAs} of={[{ value: "tree", label: "Tree" }, { value: "text", label: "Text" }]} />}
                {b.text !== null && <Button kind="bare" onClick={async () => toast((await copy(b.text!)) ? `${name} copied.` : "The browser gives no clipboard here.")}>Copy</Button>}
            </header>
            {b.schema_id !== undefined && <p class="quiet">It begins as Confluent's serializers begin, with schema {b.schema_id}. The registry that would tell what it means comes next; until then its bytes stand here.</p>}
            {b.type === "null" ? null : b.type === "binary" ? <Hex text={b.text ?? ""} /> : json !== undefined && as === "tree" ? <Json of={json} /> : <pre class="record-text" tabIndex={0}><bdi>{pretty}</bdi></pre>}
            {b.cut && <p class="quiet">Only its first {bytes(8 << 20)} are shown.</p>}
        </section>
    );
}

/** JSON on several lines, its scalars as they were written. */
function indent(text: string): string {
    let out = "";
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
        const c = text[i]!;
        const line = () => (out += "\n" + "  ".repeat(depth));
        if (c === '"') {
            const from = i++;
            while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
            out += text.slice(from, i + 1);
        } else if (c === "{" || c === "[") {
            const next = text.slice(i + 1).match(/^\s*([\]}])/);
            if (next) ((out += c + next[1]), (i += next[0].length));
            else (out += c, depth++, line());
        } else if (c === "}" || c === "]") (depth--, line(), (out += c));
        else if (c === ",") ((out += c), line());
        else if (c === ":") out += ": ";
        else if (!/\s/.test(c)) out += c;
    }
    return out;
}

export function Detail({ topic, partition, offset }: { topic: string; partition: number; offset: number }) {
    const got = useGet<Message>(`topics/${encodeURIComponent(topic)}/messages/${partition}/${offset}`);
    return (
        <Await of={got} what="the message" lines={5}>
            {(m) => (
                <div class="stack">
                    {kindWord(m.kind) && <p class="note">{m.kind === "unreadable" ? `The batch from offset ${m.offset} to ${m.last_offset} can not be opened.` : m.kind === "aborted" ? "Its transaction was aborted: no consumer of committed records gets it." : m.kind === "open" ? "Its transaction is open: consumers of committed records do not see it yet." : "No record: it ends a transaction."}</p>}
                    <Facts of={[
                        ["Time", m.time ? <><span class="num">{exact(m.time_ms)}</span> <span class="quiet">(<Ago at={m.time_ms} />, the {m.time_of}'s)</span></> : null],
                        ["Compression", m.codec],
                        m.producer_id !== null && ["Producer id", <span class="num">{m.producer_id}</span>],
                    ]} />
                    <Whole name="Key" of={m.key} />
                    <Whole name="Value" of={m.value} />
                    {m.headers.length > 0 && (
                        <section class="record-part" aria-label="Headers">
                            <h3>Headers</h3>
                            <dl class="facts">{m.headers.map((h, i) => <div key={i}><dt><bdi>{h.name}</bdi></dt><dd class="mono"><Preview of={h.value} /></dd></div>)}</dl>
                        </section>
                    )}
                    <Command text={`sluice consume ${shell(topic)} --partition ${partition} --from ${offset} --count 1 --json`} />
                    <p class="quiet"><a href={tracePath(`${topic}/${partition}/${offset}`)}>Trace it through the pipeline</a> · <a href={`/topics/${encodeURIComponent(topic)}?partition=${partition}&start=offset&offset=${offset}&row=${partition}:${offset}`}>Messages from here on</a></p>
                </div>
            )}
        </Await>
    );
}
