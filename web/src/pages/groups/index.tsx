/** Groups: who is behind. One of them: where it stands in each partition, over time, who is in, and moving it. */
import "./groups.css";
import { useState } from "preact/hooks";
import { Await, Button, Command, Confirm, Empty, Figures, Num, Page, Section, State, Table, TimeRange, Chart, api, count, go, linkTo, may, plural, shell, toast, useActs, useChannel, useHistory, type Column, type PageArgs, type Past } from "../../kit";
import { Reset } from "./reset";
import { words, type Group, type GroupRow, type Member, type Place } from "./shape";

export default function Groups({ rest }: PageArgs) {
    return rest[0] === undefined ? <List /> : <One key={rest[0]} name={rest[0]} />;
}

const COLUMNS: Column<GroupRow>[] = [
    { key: "name", title: "Group", of: (g) => g.name, width: "minmax(160px, 2fr)" },
    { key: "lag", title: "Lag", of: (g) => g.lag, cell: (g) => <Num of={g.lag} live />, right: true, width: "104px", first: "down", hint: "records behind, over all partitions" },
    { key: "state", title: "State", of: (g) => words(g.state), cell: (g) => (g.stream ? <span class="quiet">of a stream</span> : <State of={words(g.state)} />), width: "minmax(96px, 176px)" },
    { key: "members", title: "Members", of: (g) => g.member_count, right: true, width: "80px", first: "down" },
    { key: "topics", title: "Topics", of: (g) => g.topics.join(", "), width: "minmax(120px, 2fr)", wide: true, cell: (g) => <>{g.topics.map((t, i) => <span key={t}>{i > 0 && ", "}<a href={linkTo("topic", t)}><bdi>{t}</bdi></a></span>)}</> },
    { key: "stream", title: "Stream", of: (g) => g.stream, width: "minmax(96px, 1fr)", wide: true, cell: (g) => (g.stream ? <a href={linkTo("stream", g.stream)}><bdi>{g.stream}</bdi></a> : <span class="none">–</span>), hint: "a stream of the project, which mirrors its place here" },
];

function List() {
    const got = useChannel<{ groups: GroupRow[] }>("groups");
    const groups = got.value?.groups ?? [];
    const behind = groups.filter((g) => g.lag > 0).sort((a, b) => b.lag - a.lag);
    return (
        <Page title="Groups" answer={groups.length > 0 && (behind.length ? <><a href={linkTo("group", behind[0]!.name)}><bdi>{behind[0]!.name}</bdi></a> is {plural(behind[0]!.lag, "record")} behind{behind.length > 1 && `, ${plural(behind.length - 1, "other")} less`}.</> : "Nobody is behind.")}>
            <Await of={got} what="the groups" lines={6}>
                {(value) => <Table label="Groups" rows={value.groups} rowKey={(g) => g.name} columns={COLUMNS} href={(g) => linkTo("group", g.name)} open={(g) => go(linkTo("group", g.name))} sort="-lag"
                    empty={<Empty title="There are no consumer groups." action={<Command text="sluice consume TOPIC --group my-group" />}>A Kafka consumer with a group id makes one, and so does a stream of the project with its first commit.</Empty>} />}
            </Await>
        </Page>
    );
}

const PLACES: Column<Place>[] = [
    { key: "topic", title: "Topic", of: (p) => p.topic, width: "minmax(120px, 2fr)", cell: (p) => <a href={linkTo("topic", p.topic)}><bdi>{p.topic}</bdi></a> },
    { key: "partition", title: "Part.", of: (p) => p.partition, right: true, width: "48px", hint: "partition" },
    { key: "lag", title: "Lag", of: (p) => p.lag, cell: (p) => <Num of={p.lag} live />, right: true, width: "88px", first: "down" },
    { key: "position", title: "Position", of: (p) => p.position, cell: (p) => (p.position === null ? <span class="none">–</span> : <a class="num live" href={`${linkTo("topic", p.topic)}?partition=${p.partition}&start=offset&offset=${p.position}`}>{count(p.position)}</a>), right: true, width: "96px", hint: "the next record it wants" },
    { key: "end", title: "End", of: (p) => p.end, cell: (p) => <Num of={p.end} live />, right: true, width: "96px", wide: true },
    { key: "member", title: "Read by", of: (p) => p.member, width: "minmax(96px, 2fr)", wide: true },
];

const MEMBERS: Column<Member>[] = [
    { key: "client", title: "Client", of: (m) => m.client, width: "minmax(120px, 1fr)" },
    { key: "host", title: "From", of: (m) => m.host, width: "minmax(96px, 1fr)" },
    { key: "partitions", title: "Partitions", of: (m) => m.partition_count, right: true, width: "80px" },
    { key: "id", title: "Id", of: (m) => m.id, width: "minmax(160px, 2fr)", mono: true, wide: true },
    { key: "instance", title: "Instance", of: (m) => m.instance, width: "minmax(80px, 1fr)", wide: true, hint: "group.instance.id" },
];

function One({ name }: { name: string }) {
    const got = useChannel<Group>(`group:${name}`);
    const [window, setWindow] = useState<"reset" | "delete" | null>(null);
    const g = got.value;
    const close = () => setWindow(null);
    useActs([{ title: `Reset group ${name}`, kind: "action", run: () => setWindow("reset") }]);
    const acts = g && !g.stream && (
        <>
            <Button onClick={() => setWindow("reset")} disabled={!may("user")} title={may("user") ? undefined : "This needs the role User."}>Reset</Button>
            <Button onClick={() => setWindow("delete")} disabled={!may("op")} title={may("op") ? undefined : "This needs the role Op."}>Delete</Button>
        </>
    );
    return (
        <Page title={name} back={{ href: "/groups", title: "Groups" }} acts={acts} answer={g && (g.stream ? <>It mirrors where the stream <a href={linkTo("stream", g.stream)}><bdi>{g.stream}</bdi></a> stands.</> : g.lag ? <>It is {plural(g.lag, "record")} behind.</> : "It is not behind.")}>
            <Await of={got} what="the group" lines={8}>
                {(value) => (
                    <>
                        <Figures of={[
                            { title: "Lag", value: count(value.lag), note: "records" },
                            { title: "State", value: <State of={words(value.state)} /> },
                            { title: "Members", value: count(value.member_count), note: value.protocol || undefined },
                            { title: "Partitions", value: count(value.partition_count) },
                        ]} />
                        <Lag of={value} />
                        <Section title="Partitions"><Table label="Partitions" id="p" rows={value.partitions} rowKey={(p) => `${p.topic}/${p.partition}`} columns={PLACES} sort="-lag" height="44vh" empty={<Empty title="It stands nowhere yet: its members have committed nothing." />} /></Section>
                        <Section title="Members"><Table label="Members" id="m" rows={value.members} rowKey={(m) => m.id} columns={MEMBERS} filter={false} height="32vh" empty={<Empty title={value.stream ? "A stream reads for itself: there are no members." : "Nobody is in."} />} /></Section>
                        <Command text={`sluice groups describe ${shell(name)}`} />
                    </>
                )}
            </Await>
            {window === "reset" && g && <Reset of={g} onClose={close} />}
            {window === "delete" && g && (
                <Confirm title={`Delete group ${name}`} verb="Delete group" name={name} command={`sluice groups delete ${shell(name)} --yes`} onClose={close} act={() => api.delete(`groups/${encodeURIComponent(name)}`)} onDone={() => (toast(`Group ${name} is deleted.`), go("/groups"))}>
                    <p>Its positions in {plural(g.partitions.filter((p) => p.position !== null).length, "partition")} of {plural(g.topics.length, "topic")} go for good: who joins it next begins as a new group does.</p>
                    {g.member_count > 0 && <p class="field-error">{plural(g.member_count, "member")} {g.member_count === 1 ? "is" : "are"} in: stop {g.member_count === 1 ? "it" : "them"} first.</p>}
                </Confirm>
            )}
        </Page>
    );
}

const LINES = 4;

/** Lag over time: of the partitions that are most behind, and of all. */
function Lag({ of: g }: { of: Group }) {
    const past = useHistory(`group:${g.name}`);
    const all = past.of("lag");
    const last = (p: Past) => p.values.findLast((v) => v !== null) ?? 0;
    const parts = past.all.filter((p) => p.metric.startsWith("lag ")).sort((a, b) => last(b) - last(a)).slice(0, LINES);
    const beside = (p: Past) => {
        const known = new Map(p.times.map((t, i) => [t, p.values[i] ?? null]));
        return all.times.map((t) => known.get(t) ?? null);
    };
    const series = parts.length > 1 ? parts.map((p) => ({ label: p.metric.slice(4), values: beside(p) })) : [{ label: "lag", values: all.values }];
    return (
        <Section title="Lag over time" acts={<TimeRange />}>
            <Chart title="Records behind" times={all.times} series={series} say={count} from={past.from} to={past.to} fill />
        </Section>
    );
}
