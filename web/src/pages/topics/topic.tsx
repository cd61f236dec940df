/** One topic: how fast, how much; then its messages, partitions, readers, settings. */
import { useState } from "preact/hooks";
import { Await, Button, Confirm, Failed, Figures, Icon, Loading, Num, Page, Tabs, api, bytes, count, go, may, param, plural, rate, shell, toast, useActs, useChannel, useGet } from "../../kit";
import { Messages } from "./messages";
import { Partitions } from "./partitions";
import { Produce } from "./produce";
import { Readers } from "./readers";
import { Settings } from "./settings";
import { keeps, type Topic } from "./shape";

interface Loss {
    records: number;
    bytes: number;
    partitions: number;
    used_by: string | null;
    internal: boolean;
    groups: string[];
}

export function TopicPage({ name }: { name: string }) {
    const got = useChannel<Topic>(`topic:${name}`);
    const [window, setWindow] = useState<"produce" | "delete" | null>(null);
    const view = param("view");
    const t = got.value;
    const close = () => setWindow(null);
    const own = t && !t.internal;
    useActs([
        { title: `Produce into ${name}`, kind: "action", run: () => setWindow("produce") },
        { title: `Delete topic ${name}`, kind: "action", run: () => setWindow("delete") },
    ]);
    const acts = own && (
        <>
            <a class="button" href={`/schemas/${encodeURIComponent(name)}`}>Schema</a>
            <Button onClick={() => setWindow("produce")} disabled={!may("user")} title={may("user") ? undefined : "This needs the role User."}><Icon name="plus" /> Produce</Button>
            <Button onClick={() => setWindow("delete")} disabled={!may("op")} title={may("op") ? undefined : "This needs the role Op."}><Icon name="trash" /> Delete</Button>
        </>
    );
    return (
        <Page title={name} back={{ href: "/topics", title: "Topics" }} acts={acts} answer={t && <>{t.writers.length ? `Written by ${t.writers.join(", ")}` : "Written by Kafka clients"}; {t.readers.length ? `read by ${t.readers.join(", ")}` : "no stream reads it"}.</>}>
            <Await of={got} what="the topic" lines={8}>
                {(value) => (
                    <>
                        <Figures of={[
                            { title: "Records", value: count(value.records) },
                            { title: "Come in", value: rate(value.rate), note: value.bytes_rate === null ? undefined : `${bytes(value.bytes_rate)}/s` },
                            { title: "Size", value: bytes(value.bytes) },
                            { title: "Partitions", value: count(value.partition_count) },
                            { title: "Keeps", value: keeps(value) },
                        ]} />
                        <Tabs label="Views of the topic" of={[{ key: "", title: "Messages" }, { key: "partitions", title: "Rates and partitions", count: value.partition_count }, { key: "readers", title: "Readers" }, { key: "settings", title: "Configuration" }]} />
                        {view === "partitions" ? <Partitions of={value} /> : view === "readers" ? <Readers topic={name} /> : view === "settings" ? <Settings topic={name} internal={value.internal} /> : <Messages topic={name} partitions={value.partition_count} internal={value.internal} produce={() => setWindow("produce")} />}
                    </>
                )}
            </Await>
            {window === "produce" && t && <Produce topic={name} partitions={t.partition_count} onClose={close} />}
            {window === "delete" && <Delete name={name} onClose={close} />}
        </Page>
    );
}

/** What goes, in numbers, from the server; a topic that a stream lives on stays. */
function Delete({ name, onClose }: { name: string; onClose: () => void }) {
    const loss = useGet<Loss>(`topics/${encodeURIComponent(name)}/loss`);
    const l = loss.value;
    const stays = l?.used_by ? `${l.used_by} of pipeline.sql lives on it: take that out first.` : l?.internal ? "It is the coordinators' own." : null;
    return (
        <Confirm title={`Delete topic ${name}`} verb="Delete topic" name={name} command={`sluice topics delete ${shell(name)} --yes`} onClose={onClose}
            act={() => api.delete(`topics/${encodeURIComponent(name)}`)}
            onDone={() => (toast(`Topic ${name} is deleted.`), go("/topics"))}>
            {loss.problem ? <Failed problem={loss.problem} retry={loss.reload} /> : !l ? <Loading what="what would go" lines={2} /> : (
                <>
                    <p><b><Num of={l.records} /></b> {l.records === 1 ? "record" : "records"} in {plural(l.partitions, "partition")} (<Num of={l.bytes} as="bytes" />) go for good.</p>
                    {l.groups.length > 0 && <p>With them what {plural(l.groups.length, "group")} {l.groups.length === 1 ? "has" : "have"} committed: {l.groups.slice(0, 5).join(", ")}{l.groups.length > 5 && " …"}.</p>}
                    {stays && <p class="field-error">It can not be deleted: {stays}</p>}
                </>
            )}
        </Confirm>
    );
}
