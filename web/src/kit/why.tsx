/** Why a row is there, or what became of a record, as GET /why tells it: step by step, as they are found. */
import { useEffect, useState } from "preact/hooks";
import { send, type Problem } from "./api";
import { percent } from "./format";
import { at, href } from "./router";
import { Failed } from "./states";

export interface Step {
    known: string;
    stream: string | null;
    step: string;
    text: string;
}
type Line = { step?: Step; progress?: { done: number; of: number }; error?: Problem };
export interface Told {
    steps: Step[];
    progress: { done: number; of: number } | null;
    problem: Problem | undefined;
    done: boolean;
    again: () => void;
}

/** Lines of JSON, each as it comes. */
async function lines(response: Response, each: (l: Line) => void): Promise<void> {
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read();
        rest += value ?? "";
        const parts = rest.split("\n");
        rest = parts.pop()!;
        for (const p of parts) if (p.trim()) each(JSON.parse(p) as Line);
        if (done) break;
    }
    if (rest.trim()) each(JSON.parse(rest) as Line);
}

const NOTHING: Omit<Told, "again"> = { steps: [], progress: null, problem: undefined, done: false };

export function useWhy(to: string): Told {
    const [told, setTold] = useState<Omit<Told, "again">>(NOTHING);
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        setTold(NOTHING);
        const fail = (problem: Problem) => !stop.signal.aborted && setTold((t) => ({ ...t, problem, done: true }));
        void send("GET", to, { signal: stop.signal }).then(async (a) => {
            if (!a.ok) return fail(a.problem);
            try {
                await lines(a.value, (l) => {
                    if (l.step) setTold((t) => ({ ...t, steps: [...t.steps, l.step!], progress: null }));
                    else if (l.progress) setTold((t) => ({ ...t, progress: l.progress! }));
                    else if (l.error) fail({ ...l.error, status: 500 });
                });
            } catch (e) {
                return fail({ status: 0, code: "ERR_ANSWER", what: "The answer broke off.", why: (e as Error).message });
            }
            if (!stop.signal.aborted) setTold((t) => ({ ...t, done: true }));
            return undefined;
        });
        return () => stop.abort();
    }, [to, turn]);
    return { ...told, again: () => setTurn((t) => t + 1) };
}

const PLACE = /[\w.-]+\/\d+ offset \d+/;
const NAMES_RECORDS = ["origin", "record", "overwritten", "duplicate"];

/** "events/0 offset 5" in the words of a step that names a record leads to that record's own way. */
function Words({ of: s }: { of: Step }) {
    const found = NAMES_RECORDS.includes(s.step) ? PLACE.exec(s.text) : null;
    if (!found) return <>{s.text}</>;
    return <>{s.text.slice(0, found.index)}<a href={tracePath(found[0])} title="Trace this record">{found[0]}</a>{s.text.slice(found.index + found[0].length)}</>;
}

/** The picture with a record's way in it; of "TOPIC/PARTITION offset OFFSET". */
export function tracePath(place: string): string {
    return href("/", { trace: place.replace(" offset ", "/") });
}

const sameLabel = (a: Step | undefined, b: Step): boolean => a?.step === b.step && a.known === b.known && a.stream === b.stream;

/** Steps of one kind that follow each other (a stream's two dozen outputs) have one label to look at. */
export function Steps({ of: t }: { of: Told }) {
    let stream: string | null = null;
    return (
        <div class="stack" aria-live="polite" aria-busy={!t.done}>
            <ol class="why-steps">
                {t.steps.map((s, i) => {
                    const head = s.stream !== stream && s.stream;
                    const again = sameLabel(t.steps[i - 1], s);
                    stream = s.stream;
                    return (
                        <li key={i} data-step={s.step} data-known={s.known} class={[s.known === "no longer knowable" && "is-gone", again && "is-again"].filter(Boolean).join(" ") || undefined}>
                            {head && <p class="why-stream">stream <a href={at("streams", s.stream!)}><bdi>{s.stream}</bdi></a></p>}
                            <span class={again ? "hidden" : "why-step"}>{s.step}{s.known !== "stored" && <span class="quiet"> {s.known}</span>}</span>
                            <bdi class="why-text"><Words of={s} /></bdi>
                        </li>
                    );
                })}
            </ol>
            {!t.done && <p class="quiet" role="status">{t.progress ? `Records are run again: ${percent(t.progress.of ? t.progress.done / t.progress.of : 0)}` : t.steps.length ? "Looking further" : "Waiting for the lineage"}</p>}
            {t.done && !t.problem && !t.steps.length && <p class="quiet">Nothing is told of it.</p>}
            {t.problem && <Failed problem={t.problem} retry={t.again} />}
        </div>
    );
}
