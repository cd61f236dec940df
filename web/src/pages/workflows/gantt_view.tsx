/** A run in time: how long each task waited and ran, and what was at once. */
import { Await, Empty, Select, clock, duration, now } from "../../kit";
import { channel, runAt, useList, type Instance, type Run } from "./api";
import { gantt } from "./gantt";
import type { Choose } from "./grid_view";
import { word } from "./states";

export function GanttView({ dag, runs, run, choose }: { dag: string; runs: Run[]; run: string; choose: Choose }) {
    const shown = run || runs[0]?.dag_run_id || "";
    const got = useList<Instance>(shown ? runAt(dag, shown, "taskInstances") : null, "task_instances", {}, shown ? channel("run", dag, shown) : null);
    if (!shown) return <Empty title="It has not run yet." />;
    return (
        <>
            <div class="wf-grid-tools"><Select label="Run" value={shown} set={(r) => choose(r)} of={runs.slice(0, 100).map((r) => ({ value: r.dag_run_id, label: `${r.dag_run_id} · ${word(r.state)}` }))} /></div>
            <Await of={got} what="the run's tasks">{(v) => <Bars of={v.rows} choose={(i) => choose(shown, i.task, { map: i.index >= 0 ? i.index : null })} chosen={shown} />}</Await>
        </>
    );
}

function Bars({ of, choose, chosen }: { of: Instance[]; choose: (i: { task: string; index: number }) => void; chosen: string }) {
    const live = of.some((i) => i.start_date && !i.end_date);
    const g = gantt(of, live ? now.value : Date.now());
    const part = (ms: number) => `${((100 * ms) / g.span).toFixed(3)}%`;
    return (
        <div class="wf-gantt" role="table" aria-label={`Tasks of ${chosen} in time`}>
            <div class="wf-gantt-row wf-gantt-head" role="row">
                <span role="columnheader" class="wf-gantt-name"><span class="hidden">Task</span></span>
                <span role="columnheader" class="wf-gantt-room">
                    <span class="hidden">From {clock(g.from)}</span>
                    {g.ticks.map((t) => <span key={t} class="wf-tick num" style={{ left: part(t) }} aria-hidden="true">{t === 0 ? clock(g.from) : `+${duration(t)}`}</span>)}
                </span>
            </div>
            {g.bars.map((b) => (
                <div class="wf-gantt-row" role="row" key={b.id}>
                    <span class="wf-gantt-name" role="rowheader"><button type="button" class="wf-link" title={b.label} onClick={() => choose(b)}><bdi>{b.label}</bdi></button></span>
                    <span class="wf-gantt-room" role="cell">
                        <span class="hidden">{word(b.state)}{b.run ? `, from +${duration(b.run[0])}, for ${duration(b.run[1] - b.run[0])}` : ""}</span>
                        {g.ticks.map((t) => <i key={t} class="wf-rule" style={{ left: part(t) }} />)}
                        {b.wait && b.wait[1] > b.wait[0] && <i class="wf-wait" style={{ left: part(b.wait[0]), width: part(b.wait[1] - b.wait[0]) }} title={`waited ${duration(b.wait[1] - b.wait[0])}`} />}
                        {b.run && <i class={`wf-took is-${b.state ?? "none"}`} style={{ left: part(b.run[0]), width: part(Math.max(b.run[1] - b.run[0], g.span / 400)) }} title={`${b.label}: ${word(b.state)}, ${duration(b.run[1] - b.run[0])}`} />}
                        {b.run && <span class="wf-took-word num" style={b.run[1] / g.span > 0.8 ? { right: part(g.span - b.run[0]) } : { left: part(b.run[1]) }} aria-hidden="true">{duration(b.run[1] - b.run[0])}</span>}
                    </span>
                </div>
            ))}
        </div>
    );
}
