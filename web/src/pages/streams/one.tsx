/** One source or stream: how it is, its plan, its ledger, what its epochs did, its letters, its SQL. */
import { Await, Command, Facts, Failed, Figures, Loading, Num, Page, Section, Tabs, at, bytes, count, duration, linkTo, param, plural, shell, useChannel, useGet } from "../../kit";
import { Acts } from "./acts";
import { Letters } from "./dead";
import { batch, facts, StageState } from "./list";
import { LedgerLine, LedgerWhole } from "./ledger";
import { Plan } from "./plan";
import { ProgressHistory } from "./progress";
import { wrongWith, type Stage, type StreamLive, type StreamOne } from "./shape";

export function One({ name }: { name: string }) {
    const live = useChannel<StreamLive>(`stream:${name}`);
    const once = useGet<StreamOne>(`streams/${encodeURIComponent(name)}`);
    const back = { href: at("streams"), title: "Streams" };
    const stage = live.value?.stage ?? once.value?.stage;
    if (!stage) return <Page title={name} back={back}>{once.problem ? <Failed problem={once.problem} retry={once.reload} /> : <Loading what={`stream ${name}`} />}</Page>;
    const graph = live.value?.graph ?? once.value?.graph ?? null;
    const view = param("view");
    const stream = stage.kind === "stream";
    return (
        <Page title={name} back={back} answer={<Answer of={stage} />} acts={<><Acts of={stage} open /><Command text={`sluice streams describe ${shell(name)}`} quiet /></>}>
            {stage.trouble && <p class="note note-bad" role="alert"><span>{stage.trouble}</span></p>}
            {stage.note && <p class="note note-quiet"><span>{stage.note}</span></p>}
            <Figures of={[
                { title: "Rate", value: <Num of={stage.rate} as="rate" live /> },
                ...(stream ? [{ title: "Behind", value: <span class="num" data-live="lag">{count(stage.lag)}</span>, note: "records" }] : []),
                { title: "In", value: <span class="num" data-live="in">{count(stage.ledger.in)}</span>, note: `${count(stage.ledger.rows_out)} rows out` },
                { title: "Dead", value: <span class="num" data-live="dead">{count(stage.ledger.dead)}</span>, tone: stage.ledger.dead ? "bad" as const : undefined, href: at("streams", name) + "?view=dead" },
                ...(stream ? [{ title: "Batch", value: batch(stage) === null ? "–" : duration(batch(stage)!), note: `${count(stage.epochs)} epochs, ${stage.form}` }] : []),
                ...(stage.state_rows ? [{ title: "State", value: count(stage.state_rows), note: bytes(stage.state_bytes) }] : []),
            ]} />
            <Tabs label={`Views of ${name}`} of={[
                { key: "", title: stream ? "Plan" : "State" },
                { key: "ledger", title: "Ledger" },
                ...(stream ? [{ key: "progress", title: "Progress" }] : []),
                { key: "dead", title: "Dead letters", count: stage.ledger.dead || null },
                ...(stream ? [{ key: "sql", title: "SQL" }] : []),
            ]} />
            {view === "ledger" ? <LedgerWhole of={stage} /> :
             view === "progress" && stream ? <ProgressHistory name={name} last={live.value?.progress} /> :
             view === "dead" ? <Letters stage={name} ledgerDead={stage.ledger.dead} declared /> :
             view === "sql" && stream ? <Await of={once} what="its SQL">{(o) => <Sql of={o} />}</Await> : (
                <div class="stack">
                    {graph && <Plan of={graph} dead={stage.ledger.dead} />}
                    <LedgerLine of={stage.ledger} balanced={stage.balanced} />
                    <Section title="Now"><div class="streams-narrow"><Facts of={facts(stage)} /></div></Section>
                    {once.value && <Links of={once.value} />}
                </div>
            )}
        </Page>
    );
}

function Answer({ of: s }: { of: Stage }) {
    const wrong = wrongWith(s);
    if (wrong) return <StageState of={s} />;
    if (s.state === "paused") return <>Paused{s.kind === "stream" && s.lag ? <>; {plural(s.lag, "record waits", "records wait")}</> : null}.</>;
    if (s.kind === "source") return <>{s.state === "ended" ? "It has brought all there is." : "It brings records."}</>;
    return <>{s.lag > 1000 ? `It is ${plural(s.lag, "record")} behind.` : "It keeps up."}</>;
}

function Links({ of }: { of: StreamOne }) {
    const s = of.stage;
    return (
        <p class="streams-links">
            {of.topics.map((t) => <a key={t} href={linkTo("topic", t)}>topic <bdi>{t}</bdi></a>)}
            {of.table.length === 2 && <a href={at("tables", ...of.table)}>table <bdi>{of.table.join(".")}</bdi></a>}
            {s.sink === "topic" && s.into && <a href={linkTo("topic", s.into)}>topic <bdi>{s.into}</bdi></a>}
            {s.kind === "stream" && <a href={linkTo("group", `sluice-${s.name}`)}>group <bdi>sluice-{s.name}</bdi></a>}
        </p>
    );
}

function Sql({ of }: { of: StreamOne }) {
    return (
        <div class="stack">
            <Section title="As it runs"><pre class="streams-code" tabIndex={0}>{of.sql}</pre></Section>
            <Section title="Its plan" acts={<Command text="sluice plan" quiet />}><pre class="streams-code" tabIndex={0}>{of.plan}</pre></Section>
        </div>
    );
}
