/** The graph: what waits for what, in layers, groups as boxes that open and close, each task with its state in the
 * run that is chosen, or in the newest. */
import { useMemo, useState } from "preact/hooks";
import { Button, Empty, Failed, useKeys } from "../../kit";
import { curve, layout, type LayoutEdge, type LayoutNode } from "../../kit/layout";
import type { Node, Run, Structure } from "./api";
import { tasksOf } from "./grid";
import { Legend, useStates, type Choose } from "./grid_view";
import { tally, together, word } from "./states";

interface Props {
    dag: string;
    structure: Structure;
    runs: Run[];
    run: string;
    task: string;
    choose: Choose;
}

const MOST = 1500; // boxes
const NAME = 26; // letters of a name in a box

function cut(text: string, most = NAME): string {
    return [...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text;
}

const wide = (text: string) => Math.min(NAME, Math.max(8, [...text].length)) * 7.2 + 40;

/** The boxes that are shown: of a closed group the group alone, with its tasks' edges. */
function boxes(structure: Structure, closed: ReadonlySet<string>): { nodes: LayoutNode[]; edges: LayoutEdge[]; of: Map<string, Node> } {
    const nodes: LayoutNode[] = [];
    const of = new Map<string, Node>();
    const home = new Map<string, string>(); // a task's box
    const walk = (list: readonly Node[], parent: string | null) => {
        for (const n of list) {
            of.set(n.id, n);
            const open = n.children && !closed.has(n.id);
            nodes.push({ id: n.id, parent, width: open ? wide(n.label) : wide(n.label), height: open ? 0 : 42, ...(open && { group: true, head: 22 }) });
            if (open) walk(n.children!, n.id);
            else for (const t of tasksOf(n)) home.set(t, n.id);
        }
    };
    walk(structure.nodes, null);
    const once = new Map<string, LayoutEdge>();
    for (const e of structure.edges) {
        const from = home.get(e.source_id);
        const to = home.get(e.target_id);
        if (from && to && from !== to) once.set(from + "\0" + to, { from, to });
    }
    return { nodes, edges: [...once.values()], of };
}

export function Graph({ dag, structure, runs, run, task, choose }: Props) {
    const [closed, setClosed] = useState<ReadonlySet<string>>(() => new Set(structure.edges.length > 3000 || structure.nodes.flatMap(tasksOf).length > 300 ? structure.nodes.filter((n) => n.children).map((n) => n.id) : []));
    const [scale, setScale] = useState(1);
    const shown = run || runs[0]?.dag_run_id || "";
    const asked = useStates(dag, shown ? [shown] : []);
    const states = asked.of.get(shown);
    const { nodes, edges, of } = useMemo(() => boxes(structure, closed), [structure, closed]);
    const placed = useMemo(() => (nodes.length > MOST ? null : layout(nodes, edges, { gap: 18, layerGap: 56, pad: 14 })), [nodes, edges]);
    useKeys("Graph", [
        { key: "+", what: "larger", run: () => setScale((s) => Math.min(2, s * 1.25)) },
        { key: "-", what: "smaller", run: () => setScale((s) => Math.max(0.2, s / 1.25)) },
    ]);
    if (!nodes.length) return <Empty title="This dag has no tasks." />;
    if (!placed) return <Empty title={`${nodes.length} boxes are too many for a picture.`}>The grid shows them; or close groups there.</Empty>;
    const fold = (id: string) => setClosed((c) => {
        const next = new Set(c);
        if (!next.delete(id)) next.add(id);
        return next;
    });
    const stateOf = (n: Node): string | null | undefined => {
        if (!states) return undefined;
        if (!n.children) return states.get(n.id)?.state;
        return together(tasksOf(n).flatMap((t) => (states.has(t) ? [states.get(t)!.state] : [])));
    };
    const width = placed.width + 4;
    const height = placed.height + 4;
    return (
        <div class="wf-graph-frame">
            <div class="wf-grid-tools">
                <span class="quiet">{shown ? <>States of <bdi class="mono">{shown}</bdi>{!run && ", the newest run"}</> : "It has not run yet."}</span>
                <span class="buttons">
                    <Button kind="bare" label="Smaller" onClick={() => setScale(Math.max(0.2, scale / 1.25))}>−</Button>
                    <Button kind="bare" onClick={() => setScale(1)}>{Math.round(scale * 100)} %</Button>
                    <Button kind="bare" label="Larger" onClick={() => setScale(Math.min(2, scale * 1.25))}>+</Button>
                </span>
            </div>
            {asked.problem && <Failed problem={asked.problem} retry={asked.retry} />}
            <div class="wf-graph" tabIndex={0} role="group" aria-label={`Graph of ${dag}: ${nodes.length} boxes, ${edges.length} edges`}>
                <svg viewBox={`-2 -2 ${width} ${height}`} width={width * scale} height={height * scale}>
                    <defs><marker id="wf-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="wf-edge-tip" d="M0 0L8 4L0 8z" /></marker></defs>
                    {nodes.filter((n) => n.group).map((n) => {
                        const p = placed.nodes.get(n.id)!;
                        const node = of.get(n.id)!;
                        return (
                            <g key={n.id} class="wf-group">
                                <rect x={p.x} y={p.y} width={p.width} height={p.height} rx="6" />
                                <foreignObject x={p.x} y={p.y} width={p.width} height="24">
                                    <button type="button" class="wf-group-name" aria-expanded="true" title={`${n.id}\n${node.tooltip ?? ""}`} onClick={() => fold(n.id)}><span aria-hidden="true">▾ </span><bdi>{cut(node.label)}</bdi></button>
                                </foreignObject>
                            </g>
                        );
                    })}
                    {placed.edges.map((e) => <path key={e.from + "\0" + e.to} class="wf-edge" d={curve(e.points)} marker-end="url(#wf-tip)" />)}
                    {nodes.filter((n) => !n.group).map((n) => {
                        const p = placed.nodes.get(n.id)!;
                        const node = of.get(n.id)!;
                        const s = stateOf(node);
                        const cell = states?.get(n.id);
                        const kind = node.children ? `${tasksOf(node).length} tasks` : (node.operator ?? "");
                        const what = cell?.child_states ? tally(cell.child_states) : s === undefined ? "" : word(s);
                        return (
                            <foreignObject key={n.id} x={p.x} y={p.y} width={p.width} height={p.height}>
                                <button type="button" class={`wf-box${n.id === task ? " is-chosen" : ""}${node.is_mapped ? " is-mapped" : ""}${node.children ? " is-closed" : ""}`} title={`${n.id}\n${kind}${what ? `\n${what}` : ""}`} {...(node.children && { "aria-expanded": false })}
                                    onClick={() => (node.children ? fold(n.id) : shown && s !== undefined && choose(shown, n.id))}>
                                    <span class={`wf-cell is-${s === undefined ? "absent" : (s ?? "none")}`} />
                                    <span class="wf-box-name"><bdi>{node.children ? "▸ " : ""}{cut(node.label)}{node.is_mapped ? " [ ]" : ""}</bdi></span>
                                    <span class="wf-box-kind">{what || kind}</span>
                                </button>
                            </foreignObject>
                        );
                    })}
                </svg>
            </div>
            <Legend />
        </div>
    );
}
