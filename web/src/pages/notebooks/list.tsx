/** The project's notebooks; one is begun, brought in, taken away. */
import { useRef, useState } from "preact/hooks";
import { Ago, Button, Confirm, Empty, Failed, FormDialog, Icon, Input, Num, Page, Table, api, at, go, may, toast, toastProblem, useGet } from "../../kit";
import { emptyNotebook } from "./shape";

interface File {
    name: string;
    path: string;
    version: string;
    size: number;
    changed: string;
}

export const to = (name: string): string => at("notebooks", name).slice(1);

export function List() {
    const got = useGet<File[]>("notebooks");
    const [make, setMake] = useState(false);
    const [drop, setDrop] = useState<File>();
    const pick = useRef<HTMLInputElement>(null);
    const allowed = may("User");
    const why = allowed ? undefined : "This needs the role User";
    const bring = async (file: globalThis.File) => {
        let content: unknown;
        try {
            content = JSON.parse(await file.text());
        } catch (e) {
            return toastProblem({ status: 0, code: "ERR_JSON", what: `${file.name} is no notebook.`, why: (e as Error).message });
        }
        const name = file.name.replace(/\.ipynb$/i, "");
        const done = await api.put(to(name), { content });
        if (!done.ok) return toastProblem(done.problem);
        toast(`${name} is in the project.`);
        go(at("notebooks", name));
    };
    const begin = <Button kind="main" disabled={!allowed} title={why} onClick={() => setMake(true)}><Icon name="plus" /> New notebook</Button>;
    return (
        <Page title="Notebooks" answer="SQL and words side by side, kept in the project." acts={<><Button disabled={!allowed} title={why} onClick={() => pick.current?.click()}>Bring in .ipynb</Button>{begin}</>}>
            <input ref={pick} type="file" accept=".ipynb,application/json" hidden aria-label="A notebook's file" onChange={(e) => { const f = e.currentTarget.files?.[0]; e.currentTarget.value = ""; if (f) void bring(f); }} />
            {got.problem ? <Failed problem={got.problem} retry={got.reload} /> : (
                <Table label="Notebooks" rows={got.value} rowKey={(f) => f.name} sort="-changed" what="the notebooks" open={(f) => go(at("notebooks", f.name))} href={(f) => at("notebooks", f.name)}
                    columns={[
                        { key: "name", title: "Notebook", width: "minmax(160px, 2fr)", of: (f) => f.name, cell: (f) => <bdi>{f.name}</bdi> },
                        { key: "path", title: "File", width: "minmax(160px, 2fr)", mono: true, wide: true, of: (f) => f.path },
                        { key: "size", title: "Size", width: "96px", right: true, of: (f) => f.size, cell: (f) => <Num of={f.size} as="bytes" /> },
                        { key: "changed", title: "Changed", width: "104px", right: true, first: "down", of: (f) => f.changed, cell: (f) => <Ago at={f.changed} /> },
                        { key: "drop", title: "", width: "48px", sort: false, of: () => null, cell: (f) => <Button kind="bare" label={`Delete ${f.name}`} disabled={!allowed} title={why} onClick={(e) => { e.preventDefault(); e.stopPropagation(); setDrop(f); }}><Icon name="trash" /></Button> },
                    ]}
                    empty={<Empty title="No notebooks yet." action={begin}>They are files in notebooks/, which Jupyter opens too.</Empty>} />
            )}
            {make && <Make close={() => setMake(false)} />}
            {drop && (
                <Confirm title={`Delete notebook ${drop.name}`} verb="Delete notebook" name={drop.name} act={() => api.delete(to(drop.name))} onDone={() => (toast("The notebook is deleted."), setDrop(undefined), got.reload())} onClose={() => setDrop(undefined)}>
                    <p>The file {drop.path} is removed from the project.</p>
                </Confirm>
            )}
        </Page>
    );
}

function Make({ close }: { close: () => void }) {
    const [name, setName] = useState("");
    return (
        <FormDialog title="New notebook" verb="Begin" close={close} done={() => go(at("notebooks", name.trim()))} act={() => api.put(to(name.trim()), { content: emptyNotebook() })}>
            <Input label="Name" value={name} set={setName} required focus hint="It becomes notebooks/NAME.ipynb" />
        </FormDialog>
    );
}
