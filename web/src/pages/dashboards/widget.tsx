/** A widget: its statement's rows, drawn, and drawn again when the pipeline has moved. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Button, DRAWINGS, Dialog, Editor, Failed, Input, Loading, Result, Save, Segments, Select, completeSql, toast, useAgain, useSql, type Drawing, type DrawingKind } from "../../kit";
import { picture } from "./picture";
import { fill, type Widget } from "./shape";

const ROWS = 5000;

export function WidgetView({ of: w, values, tools, board }: { of: Widget; values: Record<string, string>; tools?: ComponentChildren; board: string }) {
    const text = fill(w.sql, values);
    const ran = useSql(text, ROWS);
    const body = useRef<HTMLDivElement>(null);
    useEffect(() => void ran.run(), [text]);
    useAgain(true, () => void ran.run());
    const last = ran.answer?.results.at(-1);
    const file = `${board}-${w.title || w.id}`.replaceAll(/[^\w.-]+/g, "-");
    const save = async () => {
        const done = body.current && (await picture(body.current, w.title, `${file}.png`));
        if (!done) toast("There is no chart to draw a picture of.", "warn", "Tables are saved as CSV.");
    };
    return (
        <section class={`widget widget-${w.width}`} aria-label={w.title}>
            <header class="widget-head">
                <h2><bdi>{w.title}</bdi></h2>
                <span class="widget-tools">{last && <><Button kind="bare" title="The chart as a picture" onClick={() => void save()}>PNG</Button><Save of={last} name={file} /></>}{tools}</span>
            </header>
            <div ref={body} class="widget-body">
                {ran.problem ? <Failed problem={ran.problem} retry={() => void ran.run()} /> : last ? <Result of={last} drawing={w.drawing} id={w.id} title={w.title} /> : ran.answer ? <p class="quiet">The statement has no rows.</p> : <Loading what="rows" lines={4} />}
            </div>
        </section>
    );
}

export function WidgetForm({ of, values, close, done }: { of: Widget; values: Record<string, string>; close: () => void; done: (w: Widget) => void }) {
    const [w, setW] = useState(of);
    const ran = useSql(fill(w.sql, values), ROWS);
    const last = ran.answer?.results.at(-1);
    const set = (part: Partial<Widget>) => setW((o) => ({ ...o, ...part }));
    const draw = (part: Partial<Drawing>) => set({ drawing: { ...w.drawing, ...part } });
    const columns = [{ value: "", label: "first that fits" }, ...(last?.columns ?? []).map((c) => ({ value: c.name }))];
    return (
        <Dialog wide title={of.sql === "SHOW TABLES" ? "New chart" : `Change ${of.title}`} onClose={close} foot={<><Button kind="main" onClick={() => done(w)}>Keep</Button><Button onClick={close}>Cancel</Button></>}>
            <div class="stack">
                <Input label="Title" value={w.title} set={(title) => set({ title })} />
                <Editor label="Statement" value={w.sql} set={(sql) => set({ sql })} complete={completeSql} run={() => void ran.run()} rows={5} />
                <div class="row">
                    <Button onClick={() => void ran.run()} busy={ran.busy}>Try it</Button>
                    <Select label="Drawn as" value={w.drawing.kind} set={(kind) => draw({ kind: kind as DrawingKind })} of={[...DRAWINGS]} />
                    <Select label="Along" value={w.drawing.x ?? ""} set={(x) => draw({ x })} of={columns} />
                    <Select label="Figure" value={w.drawing.y ?? ""} set={(y) => draw({ y })} of={columns} />
                    <Segments label="Width" value={String(w.width)} set={(v) => set({ width: Number(v) as 1 | 2 | 3 })} of={[{ value: "1", label: "⅓" }, { value: "2", label: "⅔" }, { value: "3", label: "all" }]} />
                </div>
                {ran.problem ? <Failed problem={ran.problem} /> : last && <Result of={last} drawing={w.drawing} id="try" title={w.title} />}
            </div>
        </Dialog>
    );
}
