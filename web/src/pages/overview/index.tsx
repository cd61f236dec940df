/** The pipeline itself: sources, topics, streams and tables with what they do now, dags above, and where every record
 * went in one line below. Only what is wrong is in colour. */
import "./overview.css";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Await, Command, Empty, Num, Page, Segments, Sign, Spark, count, Section, Steps, href, linkTo, param, phone, plural, setQuery, shell, short, toneOf, useChannel, useSteps, useWhy, type PageArgs, type Told, type Tone } from "../../kit";
import { useDags, withDags } from "./dags";
import { beat, rates, sample, startPast } from "./past";
import { draw, type Drawing } from "./place";
import type { Ledger, Part, Picture } from "./shape";
import { traced, wayOf, type Traced, type Way } from "./trace";

/** What is wrong with a part, in a word; null: nothing. */
function wrong(p: Part): { tone: Tone; word: string } | null {
    const tone = toneOf(p.state);
    if (tone === "bad") return { tone, word: p.state };
    if (p.trouble) return { tone: tone === "warn" ? tone : "bad", word: p.state && p.state !== "running" ? p.state : "trouble" };
    if (tone === "warn") return { tone, word: p.state };
    return null;
}

/** States that are said though nothing is wrong: paused, waiting, building. */
const quiet = (p: Part) => p.state && !(p.kind === "dag" ? [] : ["running", "waiting"]).includes(p.state) && !wrong(p);

export default function Overview(_: PageArgs) {
    const told = useChannel<Picture>("overview");
    const dags = useDags(told.value?.parts.some((p) => p.kind === "dag") ?? false);
    const got = useMemo(() => (told.value ? { ...told, value: { ...told.value, parts: withDags(told.value.parts, dags) } } : told), [told.value, told.problem, dags]);
    useEffect(startPast, []);
    useEffect(() => got.value && sample(got.value), [got.value]);
    const list = phone.value || param("as") === "list";
    const bad = (got.value?.parts ?? []).filter((p) => wrong(p));
    const has = got.value && got.value.parts.length > 0;
    const trace = traced(param("trace"));
    return (
        <Page title="Overview" answer={has ? <Answer picture={got.value!} bad={bad} /> : undefined}
            acts={has && !phone.value ? <Segments label="Show as" value={list ? "list" : "picture"} set={(v) => setQuery({ as: v === "list" ? "list" : null })} of={[{ value: "picture", label: "Picture" }, { value: "list", label: "List" }]} /> : undefined}>
            <Await of={got} what="the pipeline" lines={8}>
                {(picture) => picture.parts.length === 0 ? <None /> : (
                    <>
                        {trace ? <Trace key={param("trace")} of={trace} picture={picture} list={list} /> : list ? <List picture={picture} /> : <Drawn picture={picture} />}
                        <Sum of={picture.ledger} balanced={picture.balanced} />
                    </>
                )}
            </Await>
        </Page>
    );
}

function None() {
    return (
        <Empty title="This project has no pipeline yet." action={<Command text="sluice plan" />}>
            Sources, topics, streams and tables that pipeline.sql names are drawn here, with what passes through each of them.
            The plan tells what a pipeline.sql would do before anything starts.
        </Empty>
    );
}

/** Does it run? One line, and what needs a look, each a link. */
function Answer({ picture, bad }: { picture: Picture; bad: Part[] }) {
    const streams = picture.parts.filter((p) => p.kind === "stream").length;
    const dead = picture.ledger.dead;
    const run = streams ? plural(streams, "stream runs", "streams run") : "No stream runs";
    if (!bad.length) return dead ? <>{run}. <a href="/streams?view=dead">{plural(dead, "dead letter")}</a> to look at.</> : <>{streams ? `All is well: ${run}.` : `${run} here yet.`}</>;
    return (
        <div role="alert"><ul class="overview-wrong">
            {bad.slice(0, 8).map((p) => (
                <li key={p.id}><Sign tone={wrong(p)!.tone} /> <a href={linkTo(p.kind, p.name)}><bdi>{p.name}</bdi></a> {wrong(p)!.word}{p.trouble && <span class="quiet">: {p.trouble}</span>}</li>
            ))}
            {bad.length > 8 && <li>and {bad.length - 8} more</li>}
        </ul></div>
    );
}

/** One record's way: where it came by in the picture, and below it the steps in words. */
function Trace({ of, picture, list }: { of: Traced; picture: Picture; list: boolean }) {
    const q = { topic: of.topic, partition: String(of.partition), offset: String(of.offset) };
    const told: Told = useWhy(`why?${new URLSearchParams(q).toString()}`);
    const way = useMemo(() => wayOf(of, told.steps, picture), [told.steps, picture]);
    const message = href(linkTo("topic", of.topic), { partition: of.partition, start: "offset", offset: of.offset, row: `${of.partition}:${of.offset}` });
    return (
        <>
            {!list && <Drawn picture={picture} way={way} moves={told.done} />}
            <Section title={`The way of ${of.topic}-${of.partition}@${of.offset}`} acts={<>
                <a class="button" href={message}>The message</a>
                <button type="button" class="button" onClick={() => setQuery({ trace: null }, { step: true })}>Show all</button>
                <Command text={`sluice why ${shell(of.topic)} ${of.partition} ${of.offset}`} quiet />
            </>}><Steps of={told} /></Section>
        </>
    );
}

/** A record on its way, once: along each line after the one before. */
function Moving({ drawing, way }: { drawing: Drawing; way: Way }) {
    return <>{drawing.lines.map((l) => {
        const n = way.lines.get(`${l.from}>${l.to}`);
        return n === undefined ? null : <span key={`${l.from}>${l.to}`} class="way-dot" aria-hidden="true" style={{ offsetPath: `path("${l.d}")`, animationDelay: `${n * STEP_MS}ms`, animationDuration: `${STEP_MS}ms` }} />;
    })}</>;
}
const STEP_MS = 700;

/** The room there is for the picture. */
function useRoom() {
    const box = useRef<HTMLDivElement>(null);
    const [room, setRoom] = useState(0);
    useLayoutEffect(() => {
        const b = box.current!;
        const size = new ResizeObserver(() => setRoom(b.clientWidth));
        size.observe(b);
        setRoom(b.clientWidth);
        return () => size.disconnect();
    }, []);
    return { box, room };
}

function Drawn({ picture, way, moves }: { picture: Picture; way?: Way; moves?: boolean }) {
    const { box, room } = useRoom();
    const shape = picture.parts.map((p) => p.id).join("\n") + "\n\n" + picture.edges.map((e) => e.join(">")).join("\n");
    const drawing = useMemo<Drawing>(() => draw(picture, room || 1000), [shape, room]);
    const parts = new Map(picture.parts.map((p) => [p.id, p]));
    const [near, setNear] = useState<string | null>(null);
    const apart = drawing.apart.map((id) => parts.get(id)).filter((p) => p !== undefined);
    useSteps("Parts", box, "a.part");
    return (
        <div ref={box}>
            <div class="overview-scroll" onMouseLeave={() => setNear(null)}>
                {room > 0 && (
                    <div class={`overview-picture${way ? " is-traced" : ""}`} style={{ inlineSize: `${drawing.width}px`, blockSize: `${drawing.height}px` }}>
                        <svg class="overview-lines" width={drawing.width} height={drawing.height} aria-hidden="true">
                            <defs>
                                <marker id="arrow" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5L5.5 3L0 5.5z" /></marker>
                            </defs>
                            {drawing.lines.map((l) => {
                                const flows = Math.min(parts.get(l.from)?.rate ?? 0, Infinity);
                                return <path key={`${l.from}>${l.to}`} d={l.d} marker-end="url(#arrow)" class={`line${l.above ? " line-dag" : ""}${flows > 0 ? " line-flows" : ""}${near === l.from || near === l.to ? " line-near" : ""}${way?.lines.has(`${l.from}>${l.to}`) ? " line-way" : ""}`}
                                    style={l.above ? undefined : { strokeWidth: `${(1 + Math.min(2, Math.log10(1 + Math.max(0, flows)) * 0.45)).toFixed(2)}px` }} />;
                            })}
                        </svg>
                        {drawing.spots.map((s) => {
                            const p = parts.get(s.id);
                            return p && <Box key={s.id} part={p} near={setNear} {...(way && { came: way.parts.get(p.id) ?? null })} style={{ left: `${s.x}px`, top: `${s.y}px`, width: `${s.width}px`, height: `${s.height}px` }} />;
                        })}
                        {way && moves && <Moving drawing={drawing} way={way} />}
                    </div>
                )}
            </div>
            {!way && apart.length > 0 && (
                <section class="overview-apart">
                    <h2>Apart from the pipeline</h2>
                    <div class="overview-grid">{apart.slice(0, 24).map((p) => <Box key={p.id} part={p} near={setNear} />)}</div>
                    {apart.length > 24 && <p><a href="/topics">{count(apart.length - 24)} more</a></p>}
                </section>
            )}
        </div>
    );
}

/** `came`: what became there of the record that is traced; null: it did not come by. */
function Box({ part: p, style, near, came }: { part: Part; style?: Record<string, string>; near: (id: string | null) => void; came?: string | null }) {
    const w = wrong(p);
    void beat.value;
    const line = rates(p.id);
    const dot = p.kind === "table" ? p.name.indexOf(".") : -1; // a table's keyspace stands with its kind
    return (
        <a class={`part part-${p.kind}${w ? ` part-${w.tone}` : ""}${came === undefined || came === null ? "" : " is-way"}`} href={linkTo(p.kind, p.name)} style={style} title={p.trouble ? `${p.name}: ${p.trouble}` : p.name}
            onMouseEnter={() => near(p.id)} onFocus={() => near(p.id)} onBlur={() => near(null)}>
            <span class="part-top"><span class="part-kind cut">{p.kind}{dot > 0 && <> in <bdi>{p.name.slice(0, dot)}</bdi></>}</span>{p.kind !== "dag" && p.rate !== null && <span class="part-rate"><Num of={p.rate} as="rate" live /></span>}</span>
            <bdi class="part-name">{p.name.slice(dot + 1)}</bdi>
            {came ? <span class="part-foot"><b class={`part-came${/dead/.test(came) ? " part-dead" : ""}`}>{came}</b></span> : <span class="part-foot">
                {w ? <span class={`sign sign-${w.tone}`}><Sign tone={w.tone} />{w.word}</span> : quiet(p) ? <span class="quiet"><Sign tone={toneOf(p.state)} /> {p.state}</span> : null}
                {!w && p.kind === "stream" && p.lag !== null && <span class="live">{p.lag ? `${short(p.lag)} behind` : "caught up"}</span>}
                {w && p.lag && !p.dead ? <span class="live num">{short(p.lag)}{w.word === "behind" ? "" : " behind"}</span> : null}
                {p.dead ? <span class="part-dead num live">{short(p.dead)} dead</span> : null}
                {p.kind !== "dag" && !(w && (p.lag || p.dead)) && <Spark of={line} width={56} height={16} />}
            </span>}
        </a>
    );
}

const ORDER = ["source", "topic", "stream", "table", "dag"] as const;
const HEAD = { source: "Sources", topic: "Topics", stream: "Streams", table: "Tables", dag: "Dags" } as const;

function List({ picture }: { picture: Picture }) {
    const leads = new Map<string, string[]>();
    for (const [f, t] of picture.edges) leads.set(f, [...(leads.get(f) ?? []), t.slice(t.indexOf(":") + 1)]);
    const box = useRef<HTMLDivElement>(null);
    useSteps("Parts", box, "a.item");
    void beat.value;
    return (
        <div class="overview-list" ref={box}>
            {ORDER.map((kind) => ({ kind, parts: picture.parts.filter((p) => p.kind === kind) })).filter((g) => g.parts.length).map((g) => (
                <section key={g.kind}>
                    <h2>{HEAD[g.kind]}</h2>
                    <ul>
                        {g.parts.map((p) => {
                            const w = wrong(p);
                            return (
                                <li key={p.id}>
                                    <a class={`item${w ? ` part-${w.tone}` : ""}`} href={linkTo(p.kind, p.name)}>
                                        <span class="item-name"><bdi>{p.name}</bdi>{leads.get(p.id) && <span class="quiet"> → {leads.get(p.id)!.map((n, i) => <>{i > 0 && ", "}<bdi>{n}</bdi></>)}</span>}</span>
                                        {p.kind !== "dag" && p.rate !== null && <><Spark of={rates(p.id)} width={56} height={16} /><Num of={p.rate} as="rate" live /></>}
                                        <span class="item-state">
                                            {w ? <span class={`sign sign-${w.tone}`}><Sign tone={w.tone} />{w.word}</span> : quiet(p) ? <span class="quiet">{p.state}</span> : null}
                                            {p.lag ? <span class="num live">{short(p.lag)} behind</span> : null}
                                            {p.dead ? <span class="part-dead num live">{short(p.dead)} dead</span> : null}
                                        </span>
                                    </a>
                                </li>
                            );
                        })}
                    </ul>
                </section>
            ))}
        </div>
    );
}

const TERMS = ["applied", "filtered", "deduplicated", "late", "dead", "expired", "held"] as const;

/** in = applied + filtered + …: where every record went. */
function Sum({ of, balanced }: { of: Ledger; balanced: boolean }) {
    const terms = TERMS.filter((t) => t === "applied" || of[t]);
    const off = of.in - TERMS.reduce((a, t) => a + of[t], 0);
    return (
        <p class={`overview-sum num${balanced ? "" : " is-off"}`} aria-label="Ledger of all streams">
            {!balanced && <Sign tone="bad" />}
            <span>in <b class="live" data-term="in">{count(of.in)}</b></span>
            <span>{balanced ? "=" : "≠"}</span>
            {terms.map((t, i) => (
                <span key={t}>{i > 0 && "+ "}{t === "dead" ? <a href="/streams?view=dead">dead</a> : t} <b class={`live${t === "dead" || t === "expired" ? " is-wrong" : ""}`} data-term={t}>{count(of[t])}</b></span>
            ))}
            {!balanced && <span class="sign-bad">{off ? `${plural(Math.abs(off), "record")} ${off > 0 ? "missing" : "too many"}` : "a stream's own sum is off"}</span>}
        </p>
    );
}
