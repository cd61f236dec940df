/** A dag's runs as a list. */
import { Ago, Empty, Failed, Table, type Column, type Got } from "../../kit";
import type { Run } from "./api";
import type { Choose } from "./grid_view";
import { Lasted, TaskState, lasted } from "./parts";

export function Runs({ of, choose }: { of: Got<{ rows: Run[]; total: number }>; choose: Choose }) {
    if (of.problem) return <Failed problem={of.problem} retry={of.reload} />;
    const columns: Column<Run>[] = [
        { key: "run", title: "Run", width: "minmax(160px, 3fr)", mono: true, of: (r) => r.dag_run_id },
        { key: "state", title: "State", width: "110px", of: (r) => r.state, cell: (r) => <TaskState of={r.state} /> },
        { key: "type", title: "Type", width: "96px", wide: true, of: (r) => r.run_type.replaceAll("_", " ") },
        { key: "after", title: "Due", width: "96px", first: "down", wide: true, of: (r) => r.run_after, cell: (r) => <Ago at={r.run_after} /> },
        { key: "start", title: "Started", width: "96px", first: "down", of: (r) => r.start_date, cell: (r) => <Ago at={r.start_date} /> },
        { key: "took", title: "Took", width: "96px", right: true, first: "down", of: (r) => lasted(r.start_date, r.end_date), cell: (r) => <Lasted start={r.start_date} end={r.end_date} /> },
        { key: "who", title: "By", width: "minmax(80px, 1fr)", wide: true, of: (r) => r.triggering_user_name ?? r.triggered_by },
    ];
    return <Table id="runs" label="Runs" rows={of.value?.rows} rowKey={(r) => r.dag_run_id} columns={columns} sort="-after" open={(r) => choose(r.dag_run_id)} what="the runs"
        tone={(r) => (r.state === "failed" ? "bad" : undefined)} empty={<Empty title="It has not run yet.">Trigger it, or turn it on and wait for its schedule.</Empty>}
        note={of.value && of.value.total > of.value.rows.length ? `The newest ${of.value.rows.length} of ${of.value.total}.` : undefined} />;
}
