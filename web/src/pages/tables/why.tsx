/** Why a row is there, or what became of a record: step by step, as they are found. */
import { useEffect, useState } from "preact/hooks";
import { Button, Command, Failed, Icon, Page, Section, at, linkTo, param, percent, send, shell, type Problem, type Query } from "../../kit";
import { quoted, type Step } from "./shape";

type Line = { step?: Step; progress?: { done: number; of: number }; error?: Problem };
interface Told {
    steps: Step[];
    progress: { done: number; of: number } | null;
    problem: Problem | undefined;
    done: boolean;
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

function useWhy(to: string): Told {
    const [told, setTold] = useState<Told>({ steps: [], progress: null, problem: undefined, done: false });
    useEffect(() => {
        const stop = new AbortController();
        setTold({ steps: [], progress: null, problem: undefined, done: false });
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
    }, [to]);
    return told;
}

function Steps({ of: t }: { of: Told }) {
    let stream: string | null = null;
    return (
        <div class="stack" aria-live="polite" aria-busy={!t.done}>
            <ol class="tables-steps">
                {t.steps.map((s, i) => {
                    const head = s.stream !== stream && s.stream;
                    stream = s.stream;
                    return (
                        <li key={i} data-step={s.step} data-known={s.known} class={s.known === "no longer knowable" ? "is-gone" : undefined}>
                            {head && <p class="tables-stream">stream <a href={at("streams", s.stream!)}><bdi>{s.stream}</bdi></a></p>}
                            <span class="tables-step">{s.step}{s.known !== "stored" && <span class="quiet"> {s.known}</span>}</span>
                            <bdi class="tables-text">{s.text}</bdi>
                        </li>
                    );
                })}
            </ol>
            {!t.done && <p class="quiet" role="status">{t.progress ? `Records are run again: ${percent(t.progress.of ? t.progress.done / t.progress.of : 0)}` : t.steps.length ? "Looking further" : "Waiting for the lineage"}</p>}
            {t.problem && <Failed problem={t.problem} />}
        </div>
    );
}

export function RowWhy({ keyspace, name, words }: { keyspace: string; name: string; words: string[] }) {
    const [asked, setAsked] = useState(param("why") === "1");
    const command = `sluice why ${shell(`${quoted(keyspace)}.${quoted(name)}`)} ${words.map(shell).join(" ")}`;
    return (
        <section class="tables-why" aria-label="Why this row">
            <h3>Why this row</h3>
            {asked ? <Asked to={`why?keyspace=${encodeURIComponent(keyspace)}&table=${encodeURIComponent(name)}${words.map((w) => `&key=${encodeURIComponent(w)}`).join("")}`} /> : <p><Button onClick={() => setAsked(true)}><Icon name="search" /> Why this row?</Button></p>}
            <Command text={command} />
        </section>
    );
}

function Asked({ to }: { to: string }) {
    return <Steps of={useWhy(to)} />;
}

/** A record forward: /tables/why?topic=…&partition=…&offset=… */
export function RecordWhy() {
    const q: Query = { topic: param("topic"), partition: param("partition"), offset: param("offset") };
    const told = useWhy(`why?${new URLSearchParams(q as Record<string, string>).toString()}`);
    return (
        <Page title={`${q["topic"]}-${q["partition"]}@${q["offset"]}`} back={{ href: linkTo("topic", String(q["topic"])), title: String(q["topic"]) }} answer="What became of this record, through each stream that reads it."
            acts={<Command text={`sluice why ${shell(String(q["topic"]))} ${q["partition"]} ${q["offset"]}`} quiet />}>
            <Section title="Its way"><Steps of={told} /></Section>
        </Page>
    );
}
