/** Streams: is it keeping up, and if not, which stage? */
import "./streams.css";
import { Page, Tabs, param, plural, useChannel, type PageArgs } from "../../kit";
import { Dead } from "./dead";
import { List } from "./list";
import { One } from "./one";
import { wrongWith, type DeadStage, type Stage } from "./shape";
import { UpgradePlan } from "./upgrade";

export default function Streams({ rest }: PageArgs) {
    return rest[0] !== undefined ? <One key={rest[0]} name={rest[0]} /> : <All />;
}

function All() {
    const stages = useChannel<Stage[]>("streams");
    const dead = useChannel<{ stages: DeadStage[] }>("dead");
    const view = param("view");
    const letters = dead.value?.stages.reduce((a, s) => a + s.letters, 0);
    return (
        <Page title="Streams" answer={stages.value && <Answer stages={stages.value} />}>
            <Tabs label="Views of streams" of={[
                { key: "", title: "Streams", count: stages.value?.length },
                { key: "dead", title: "Dead letters", count: letters },
                { key: "upgrade", title: "Upgrade preview" },
            ]} />
            {view === "dead" ? <Dead of={dead} /> : view === "upgrade" ? <UpgradePlan /> : <List of={stages} />}
        </Page>
    );
}

function Answer({ stages }: { stages: Stage[] }) {
    const streams = stages.filter((s) => s.kind === "stream");
    const bad = stages.filter((s) => wrongWith(s));
    const behind = streams.filter((s) => s.lag > 1000).sort((a, b) => b.lag - a.lag);
    if (bad.length) return <>{plural(bad.length, "stage needs", "stages need")} a look: {bad.slice(0, 4).map((s, i) => <span key={s.name}>{i > 0 && ", "}<a href={`/streams/${encodeURIComponent(s.name)}`}><bdi>{s.name}</bdi></a> ({wrongWith(s)})</span>)}.</>;
    if (behind.length) return <><bdi>{behind[0]!.name}</bdi> is {plural(behind[0]!.lag, "record")} behind{behind.length > 1 && `, and ${behind.length - 1} more are late`}.</>;
    return <>{streams.length ? "Every stream keeps up, and every ledger balances." : "No stream is declared."}</>;
}
