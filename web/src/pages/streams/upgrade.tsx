/** What starting the files as they are on disk would change, stream by stream, before anything does. */
import { Await, Button, Command, Empty, Finding, Section, State, plural, useGet, type Tone } from "../../kit";
import type { Upgrade } from "./shape";

const WORDS: Record<string, { word: string; tone: Tone | null }> = {
    same: { word: "unchanged", tone: null },
    new: { word: "new", tone: null },
    in_place: { word: "goes on with the new text", tone: null },
    swap: { word: "built anew, then swapped", tone: "warn" },
    stopped: { word: "does not start", tone: "bad" },
    conflict: { word: "conflict", tone: "bad" },
    gone: { word: "declared no more", tone: "warn" },
};

export function UpgradePlan() {
    const got = useGet<Upgrade>("upgrade");
    return (
        <div class="stack">
            <p class="buttons"><Button onClick={got.reload} busy={got.busy}>Read pipeline.sql again</Button><Command text="sluice plan" /></p>
            <Await of={got} what="the project's files to be checked">{(u) => <Whole of={u} />}</Await>
        </div>
    );
}

function Whole({ of: u }: { of: Upgrade }) {
    const changed = u.streams.filter((s) => s.change !== "same");
    return (
        <div class="stack">
            <p class="streams-verdict">
                {u.errors ? <State of="failed" word={`It would not start: ${plural(u.errors, "error")}`} /> : changed.length ? `It would start, and change ${plural(changed.length, "stream")}.` : "What is on disk is what runs."}
                {u.warnings ? <span class="quiet"> {plural(u.warnings, "warning")}.</span> : null}{u.notes ? <span class="quiet"> {plural(u.notes, "note")}.</span> : null}
            </p>
            {u.findings.filter((f) => f.severity === "error").map((f, i) => <Finding key={i} of={f} />)}
            {u.streams.length === 0 && !u.errors && <Empty title="No stream is declared on disk, and none has left anything." />}
            {u.streams.map((s) => {
                const w = WORDS[s.change] ?? { word: s.change, tone: null };
                return (
                    <section key={s.name} class="streams-change" data-stream={s.name} data-change={s.change}>
                        <h2><bdi>{s.name}</bdi> {w.tone ? <State of={w.word} tone={w.tone} /> : <span class="quiet">{w.word}</span>}</h2>
                        {s.change !== "same" && <p>{s.says}</p>}
                        {s.why && <p>{s.why}</p>}
                        {s.instead && <p class="quiet">{s.instead}</p>}
                        {s.change !== "same" && s.was !== s.now && <Diff was={s.was} now={s.now} />}
                    </section>
                );
            })}
            {u.findings.some((f) => f.severity !== "error") && (
                <Section title="To look at">{u.findings.filter((f) => f.severity !== "error").map((f, i) => <Finding key={i} of={f} />)}</Section>
            )}
            {u.plan && <Section title="The whole plan"><pre class="streams-code" tabIndex={0}>{u.plan}</pre></Section>}
        </div>
    );
}

/** Lines that went and lines that came, by their longest common course. */
function Diff({ was, now }: { was: string | null; now: string | null }) {
    const a = was === null ? [] : was.split("\n");
    const b = now === null ? [] : now.split("\n");
    if (a.length * b.length > 400_000) return <pre class="streams-code" tabIndex={0}>{now}</pre>;
    const best = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--) for (let k = b.length - 1; k >= 0; k--) best[i]![k] = a[i] === b[k] ? best[i + 1]![k + 1]! + 1 : Math.max(best[i + 1]![k]!, best[i]![k + 1]!);
    const lines: { sign: string; text: string }[] = [];
    let i = 0;
    let k = 0;
    while (i < a.length || k < b.length) {
        if (i < a.length && k < b.length && a[i] === b[k]) (lines.push({ sign: " ", text: a[i]! }), i++, k++);
        else if (k >= b.length || (i < a.length && best[i + 1]![k]! >= best[i]![k + 1]!)) lines.push({ sign: "−", text: a[i++]! });
        else lines.push({ sign: "+", text: b[k++]! });
    }
    return (
        <pre class="streams-code streams-diff" tabIndex={0} aria-label="What ran, and what is on disk">
            {lines.map((l, n) => <span key={n} class={l.sign === "+" ? "is-new" : l.sign === "−" ? "is-old" : undefined}>{l.sign} {l.text}{"\n"}</span>)}
        </pre>
    );
}
