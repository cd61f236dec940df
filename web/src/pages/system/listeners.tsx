/** The doors: where each listens, whether it asks who comes, and what came in. */
import { Command, Empty, Facts, Failed, Num, State, Table, plural, useChannel } from "../../kit";
import { placesOf, sum, type Door, type Spot } from "./shape";

const off = (d: Door) => d.listeners.length === 0;

export function Listeners() {
    const got = useChannel<Door[]>("listeners");
    if (got.problem && !got.value) return <Failed problem={got.problem} retry={got.reload} />;
    return (
        <Table label="Doors" rows={got.value} rowKey={(d) => d.name} what="the doors" tone={(d) => (off(d) ? "off" : sum(d, "refused") > 0 ? "warn" : undefined)}
            columns={[
                { key: "name", title: "Door", of: (d) => d.name, width: "minmax(84px, 0.6fr)" },
                { key: "at", title: "Listens at", of: (d) => placesOf(d), cell: (d) => (off(d) ? <State of="off" /> : <bdi class="mono" title={placesOf(d)}>{placesOf(d)}</bdi>), width: "minmax(140px, 2fr)" },
                { key: "login", title: "Login", of: (d) => (off(d) ? "" : d.login), wide: true, width: "minmax(104px, 1fr)" },
                { key: "tls", title: "TLS", of: (d) => d.listeners.some((s) => s.tls), cell: (d) => (off(d) ? <span class="none">–</span> : d.listeners.some((s) => s.tls) ? "yes" : "no"), wide: true, width: "48px" },
                { key: "connections", title: "Open", of: (d) => (off(d) ? null : sum(d, "connections")), cell: (d) => <Num of={off(d) ? null : sum(d, "connections")} live />, right: true, first: "down", width: "64px", hint: "Connections that are open now" },
                { key: "requests", title: "Requests", of: (d) => d.requests, cell: (d) => <Num of={d.requests} live />, right: true, first: "down", width: "88px" },
                { key: "errors", title: "Errors", of: (d) => d.errors, cell: (d) => <Num of={d.errors} live />, right: true, wide: true, first: "down", width: "72px", hint: "Answered with an error, or by closing the connection" },
                { key: "in", title: "In", of: (d) => (off(d) ? null : sum(d, "bytes_in")), cell: (d) => <Num of={off(d) ? null : sum(d, "bytes_in")} as="bytes" live />, right: true, wide: true, first: "down", width: "84px" },
                { key: "out", title: "Out", of: (d) => (off(d) ? null : sum(d, "bytes_out")), cell: (d) => <Num of={off(d) ? null : sum(d, "bytes_out")} as="bytes" live />, right: true, wide: true, first: "down", width: "84px" },
            ]}
            panel={(d) => <DoorPanel of={d} />}
            empty={<Empty title="No door." />}
            note="Counted since the server was started." />
    );
}

const SETTING: Record<string, string> = { api: "api.port", kafka: "kafka.port", cql: "cql.port", metrics: "metrics.port", zookeeper: "zookeeper.port", console: "console.port" };

function DoorPanel({ of: d }: { of: Door }) {
    const setting = SETTING[d.name];
    return (
        <div class="stack">
            <p>{d.about}</p>
            {off(d) ? <p><State of="off" word="switched off" /></p> : (
                <Facts of={[
                    ["Login", d.login === "none" ? "not needed: it is for everybody who can reach it" : d.login],
                    ["Requests", <Num of={d.requests} live />],
                    ["Errors", <Num of={d.errors} live />],
                ]} />
            )}
            {d.listeners.map((s) => <SpotFacts key={`${s.setting} ${s.tls}`} of={s} />)}
            {setting && (
                <>
                    <p class="quiet">{off(d) ? "A setting opens it, at the next start:" : "A setting moves it, at the next start; -1 switches it off:"}</p>
                    <Command text={`sluice up --set ${setting}=${off(d) ? "0" : (d.listeners[0]?.port ?? 0)}`} />
                </>
            )}
        </div>
    );
}

function SpotFacts({ of: s }: { of: Spot }) {
    return (
        <section class="system-spot">
            <h3 class="mono"><bdi>{s.port === null ? s.address : `${s.address}:${s.port}`}</bdi>{s.tls && <span class="badge">TLS</span>}</h3>
            <Facts of={[
                ["Setting", <code>{s.setting}</code>],
                s.page !== null && ["Opens", <a href={s.page}>{s.page}</a>],
                ["Connections", <><Num of={s.connections} live /> open, <Num of={s.accepted} live /> so far</>],
                s.refused > 0 && ["Refused", <State of="warn" word={`${plural(s.refused, "connection")} beyond the limits`} />],
                ["Bytes", <><Num of={s.bytes_in} as="bytes" live /> in, <Num of={s.bytes_out} as="bytes" live /> out</>],
            ]} />
        </section>
    );
}
