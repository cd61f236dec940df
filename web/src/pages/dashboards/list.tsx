/** The project's dashboards. */
import { useState } from "preact/hooks";
import { Ago, Button, Confirm, Empty, Failed, FormDialog, Icon, Input, Page, Table, api, at, go, may, toast, useGet } from "../../kit";

interface File {
    name: string;
    path: string;
    changed: string;
}
export const to = (name: string): string => at("dashboards", name).slice(1);

export function List() {
    const got = useGet<File[]>("dashboards");
    const [make, setMake] = useState(false);
    const [drop, setDrop] = useState<File>();
    const allowed = may("User");
    const why = allowed ? undefined : "This needs the role User";
    const begin = <Button kind="main" disabled={!allowed} title={why} onClick={() => setMake(true)}><Icon name="plus" /> New dashboard</Button>;
    return (
        <Page title="Dashboards" answer="Charts from SQL, live." acts={begin}>
            {got.problem ? <Failed problem={got.problem} retry={got.reload} /> : (
                <Table label="Dashboards" rows={got.value} rowKey={(f) => f.name} sort="name" what="the dashboards" open={(f) => go(at("dashboards", f.name))} href={(f) => at("dashboards", f.name)}
                    columns={[
                        { key: "name", title: "Dashboard", width: "minmax(160px, 2fr)", of: (f) => f.name, cell: (f) => <bdi>{f.name}</bdi> },
                        { key: "path", title: "File", width: "minmax(160px, 2fr)", mono: true, wide: true, of: (f) => f.path },
                        { key: "changed", title: "Changed", width: "104px", right: true, first: "down", of: (f) => f.changed, cell: (f) => <Ago at={f.changed} /> },
                        { key: "drop", title: "", width: "48px", sort: false, of: () => null, cell: (f) => <Button kind="bare" label={`Delete ${f.name}`} disabled={!allowed} title={why} onClick={(e) => { e.preventDefault(); e.stopPropagation(); setDrop(f); }}><Icon name="trash" /></Button> },
                    ]}
                    empty={<Empty title="No dashboards yet." action={begin}>They are files in dashboards/; the examples have one ready for their pipeline.</Empty>} />
            )}
            {make && <Make close={() => setMake(false)} />}
            {drop && (
                <Confirm title={`Delete dashboard ${drop.name}`} verb="Delete dashboard" name={drop.name} act={() => api.delete(to(drop.name))} onDone={() => (toast("The dashboard is deleted."), setDrop(undefined), got.reload())} onClose={() => setDrop(undefined)}>
                    <p>The file {drop.path} is removed from the project.</p>
                </Confirm>
            )}
        </Page>
    );
}

function Make({ close }: { close: () => void }) {
    const [name, setName] = useState("");
    return (
        <FormDialog title="New dashboard" verb="Begin" close={close} done={() => go(at("dashboards", name.trim()) + "?edit=1")} act={() => api.put(to(name.trim()), { content: { title: name.trim(), filters: [], widgets: [] } })}>
            <Input label="Name" value={name} set={setName} required focus hint="It becomes dashboards/NAME.json" />
        </FormDialog>
    );
}
