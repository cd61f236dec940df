/** Why a row is there, or what became of a record: step by step, as they are found. */
import { Command, Icon, Button, Page, Section, Steps, linkTo, param, shell, tracePath, useWhy, type Query } from "../../kit";
import { useState } from "preact/hooks";
import { quoted } from "./shape";

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
            acts={<><a class="button" href={tracePath(`${q["topic"]}/${q["partition"]}/${q["offset"]}`)}>In the picture</a><Command text={`sluice why ${shell(String(q["topic"]))} ${q["partition"]} ${q["offset"]}`} quiet /></>}>
            <Section title="Its way"><Steps of={told} /></Section>
        </Page>
    );
}
