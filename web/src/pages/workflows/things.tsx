/** What connections, variables and pools share: a list with a panel, a form in a window, deletion that asks. */
import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Button, Command, Confirm, Failed, Forbidden, Icon, Table, api, may, shell, toast, type Column } from "../../kit";
import { channel, useList } from "./api";

interface ThingsProps<T> {
    label: string; // "Variables"
    one: string; // "variable"
    path: string; // of the list
    list: string; // its name in the answer
    keyOf: (t: T) => string;
    columns: Column<T>[];
    panel: (t: T) => ComponentChildren;
    form: (t: T | null, done: () => void, close: () => void) => ComponentChildren;
    at: (key: string) => string;
    command: string; // "sluice variables"
    empty: ComponentChildren;
    fixed?: (t: T) => string | undefined; // why it can not be deleted
    given?: (t: T) => Given | undefined; // it is somebody else's to change
}
export interface Given {
    why: string;
    command: string; // that shows it
}

export function Things<T>(p: ThingsProps<T>) {
    const allowed = may("Op");
    const got = useList<T>(allowed ? p.path : null, p.list, {}, channel("dags"));
    const [edit, setEdit] = useState<T | null | undefined>();
    const [drop, setDrop] = useState<T>();
    if (!allowed) return <Forbidden role="Op" />;
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    const done = () => (setEdit(undefined), got.reload());
    return (
        <>
            <Table id={p.list} label={p.label} rows={got.value?.rows} rowKey={p.keyOf} columns={p.columns} what={`the ${p.label.toLowerCase()}`} empty={p.empty}
                tools={<Button onClick={() => setEdit(null)}><Icon name="plus" /> New {p.one}</Button>}
                panel={(t) => (
                    <div class="stack">
                        {p.panel(t)}
                        {p.given?.(t) ? <p class="note note-quiet"><span>{p.given(t)!.why}</span></p> : (
                            <div class="buttons">
                                <Button onClick={() => setEdit(t)}><Icon name="edit" /> Change</Button>
                                <Button kind="danger" disabled={Boolean(p.fixed?.(t))} title={p.fixed?.(t)} onClick={() => setDrop(t)}><Icon name="trash" /> Delete</Button>
                            </div>
                        )}
                        <Command text={p.given?.(t)?.command ?? `${p.command} get ${shell(p.keyOf(t))}`} />
                    </div>
                )} />
            {edit !== undefined && p.form(edit, done, () => setEdit(undefined))}
            {drop && (
                <Confirm title={`Delete ${p.one} ${p.keyOf(drop)}`} verb={`Delete ${p.one}`} name={p.keyOf(drop)} command={`${p.command} delete ${shell(p.keyOf(drop))}`}
                    act={() => api.delete(p.at(p.keyOf(drop)))} onDone={() => (toast(`The ${p.one} is deleted.`), setDrop(undefined), got.reload())} onClose={() => setDrop(undefined)}>
                    <p>Tasks that ask for it will fail from then on. It can not be brought back.</p>
                </Confirm>
            )}
        </>
    );
}
