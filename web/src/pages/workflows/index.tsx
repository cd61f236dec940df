/** Workflows: did it run, and if not, why. The list of dags, what belongs to all of them, and a dag's own page. */
import "./workflows.css";
import { Page, Tabs, may, param, type Got } from "../../kit";
import type { PageArgs } from "../../kit/page";
import { channel, useList, type Dag, type ImportError } from "./api";
import { Assets } from "./assets";
import { Connections } from "./connections";
import { DagPage } from "./dag";
import { Dags } from "./dags";
import { Errors } from "./errors_view";
import { Pools } from "./pools";
import { Variables } from "./variables";

export default function Workflows({ rest }: PageArgs) {
    return rest[0] === undefined ? <Home /> : <DagPage key={rest[0]} id={rest[0]} />;
}

function Home() {
    const view = param("view");
    const dags = useList<Dag>("/ui/dags", "dags", { dag_runs_limit: 14, order_by: "dag_id" }, channel("dags"));
    const errors = useList<ImportError>("/api/v2/importErrors", "import_errors", {}, channel("dags"));
    const wrong = errors.value?.total ?? 0;
    return (
        <Page title="Workflows" answer={<Answer of={dags} wrong={wrong} />}>
            <Tabs label="Workflows" of={[
                { key: "", title: "Dags", count: dags.value?.total },
                { key: "errors", title: "Import errors", count: wrong || null },
                { key: "connections", title: "Connections" },
                { key: "variables", title: "Variables" },
                { key: "pools", title: "Pools" },
                { key: "assets", title: "Assets" },
            ]} />
            {view === "errors" ? <Errors of={errors} /> : view === "connections" ? <Connections /> : view === "variables" ? <Variables />
                : view === "pools" ? <Pools /> : view === "assets" ? <Assets /> : <Dags of={dags} />}
        </Page>
    );
}

/** "12 dags: 2 run now, the last run of 1 has failed, 3 are paused." */
function Answer({ of, wrong }: { of: Got<{ rows: Dag[]; total: number }>; wrong: number }) {
    const rows = of.value?.rows;
    if (!rows) return null;
    const last = rows.map((d) => d.latest_dag_runs[0]?.state);
    const n = (what: (i: number) => boolean) => rows.filter((_, i) => what(i)).length;
    const run = n((i) => last[i] === "running" || last[i] === "queued");
    const failed = n((i) => last[i] === "failed");
    const paused = n((i) => rows[i]!.is_paused);
    const parts = [
        run ? `${run} ${run === 1 ? "runs" : "run"} now` : "none runs now",
        failed ? `the last run of ${failed} has failed` : rows.length ? "no last run has failed" : "",
        paused ? `${paused} ${paused === 1 ? "is" : "are"} paused` : "",
        wrong ? `${wrong} import ${wrong === 1 ? "error" : "errors"}` : "",
    ].filter(Boolean);
    return <>{of.value!.total} {of.value!.total === 1 ? "dag" : "dags"}: {parts.join(", ")}.{!may("User") && " You may look; acting needs the role User."}</>;
}
