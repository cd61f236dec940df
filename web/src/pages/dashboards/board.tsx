/** One dashboard: filters on top, widgets below; live, in full screen, each saved as a picture or as rows. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Await, Button, Empty, Icon, Input, Page, Select, api, at, may, param, runSql, setQuery, toast, toastProblem, useGet } from "../../kit";
import { to } from "./list";
import { newWidget, read, type Board, type Filter, type Widget } from "./shape";
import { WidgetForm, WidgetView } from "./widget";

interface Content {
    path: string;
    version: string;
    content: unknown;
}

export function BoardPage({ name }: { name: string }) {
    const got = useGet<Content>(to(name));
    return <Await of={got} what="the dashboard">{(v) => <View name={name} of={v} reload={got.reload} key={v.version} />}</Await>;
}

function View({ name, of, reload }: { name: string; of: Content; reload: () => void }) {
    const [board, setBoard] = useState<Board>(() => read(of.content));
    const [form, setForm] = useState<Widget>();
    const version = useRef(of.version);
    const whole = useRef<HTMLDivElement>(null);
    const allowed = may("User");
    const edit = param("edit") === "1" && allowed;
    const values = Object.fromEntries(board.filters.map((f) => [f.name, param(`f.${f.name}`, f.value)]));
    const keep = async (next: Board) => {
        setBoard(next);
        const known = (of.content ?? {}) as Record<string, unknown>;
        const done = await api.put<{ version: string }>(to(name), { content: { ...known, ...next }, version: version.current });
        if (done.ok) version.current = done.value.version;
        else if (done.problem.status === 409) toast("Somebody else has changed it: this is theirs now.", "warn"), reload();
        else toastProblem(done.problem);
    };
    const put = (w: Widget) => void keep({ ...board, widgets: board.widgets.some((o) => o.id === w.id) ? board.widgets.map((o) => (o.id === w.id ? w : o)) : [...board.widgets, w] });
    const move = (i: number, by: number) => {
        const widgets = [...board.widgets];
        const [w] = widgets.splice(i, 1);
        widgets.splice(i + by, 0, w!);
        void keep({ ...board, widgets });
    };
    return (
        <Page title={board.title || name} back={{ href: at("dashboards"), title: "Dashboards" }} answer={<code>{of.path}</code>}
            acts={<><Button disabled={!allowed} title={allowed ? undefined : "This needs the role User"} pressed={edit} onClick={() => setQuery({ edit: edit ? null : 1 })}><Icon name="edit" /> Edit</Button><Button onClick={() => void fullScreen(whole.current)}>Full screen</Button></>}>
            <div ref={whole} class="board">
                {board.filters.length > 0 && <div class="board-filters">{board.filters.map((f) => <FilterField key={f.name} of={f} value={values[f.name] ?? ""} />)}</div>}
                <div class="board-grid">
                    {board.widgets.map((w, i) => (
                        <WidgetView key={w.id} of={w} values={values} board={name}
                            tools={edit && <><Button kind="bare" label={`${w.title} to the front`} disabled={i === 0} onClick={() => move(i, -1)}>←</Button><Button kind="bare" label={`${w.title} to the back`} disabled={i === board.widgets.length - 1} onClick={() => move(i, 1)}>→</Button><Button kind="bare" label={`Change ${w.title}`} onClick={() => setForm(w)}><Icon name="edit" /></Button><Button kind="bare" label={`Remove ${w.title}`} onClick={() => void keep({ ...board, widgets: board.widgets.filter((o) => o.id !== w.id) })}><Icon name="trash" /></Button></>} />
                    ))}
                </div>
                {!board.widgets.length && <Empty title="Nothing on it yet." action={allowed && <Button kind="main" onClick={() => setForm(newWidget(0))}><Icon name="plus" /> Add a chart</Button>} />}
                {edit && board.widgets.length > 0 && <Button onClick={() => setForm(newWidget(board.widgets.length))}><Icon name="plus" /> Add a chart</Button>}
            </div>
            {form && <WidgetForm of={form} values={values} close={() => setForm(undefined)} done={(w) => (setForm(undefined), put(w))} />}
        </Page>
    );
}

function FilterField({ of: f, value }: { of: Filter; value: string }) {
    const [choices, setChoices] = useState<string[]>();
    const [wrong, setWrong] = useState<string>();
    useEffect(() => {
        if (!f.choices) return undefined;
        const stop = new AbortController();
        void runSql(f.choices, 500, stop.signal).then((a) => {
            if (stop.signal.aborted) return;
            setWrong(a.ok ? undefined : a.problem.what);
            if (a.ok) setChoices([...new Set((a.value.results[0]?.rows ?? []).map((r) => String(r[0] ?? "")))].filter(Boolean).sort());
        });
        return () => stop.abort();
    }, [f.choices]);
    const set = (v: string) => setQuery({ [`f.${f.name}`]: v || null });
    return f.choices ? <Select label={f.label} value={value} set={set} wrong={wrong} of={[{ value: "", label: "all" }, ...(choices ?? (value ? [value] : []))]} /> : <Input label={f.label} value={value} set={set} placeholder="all" />;
}

async function fullScreen(of: HTMLElement | null): Promise<void> {
    try {
        if (!of?.requestFullscreen) throw new Error("This browser has no full screen for a part of a page.");
        await of.requestFullscreen();
    } catch (e) {
        toast((e as Error).message, "warn");
    }
}
