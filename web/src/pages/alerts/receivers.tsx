/** Who is told: webhooks, Slack, mail; tried out with one click. */
import { useState } from "preact/hooks";
import { Button, Confirm, Empty, Facts, Failed, FormDialog, Icon, Input, Select, Table, api, at, may, toast, toastProblem, useGet } from "../../kit";
import { addressOf, kindOf, type Receiver } from "./shape";

const to = (name: string): string => at("alerts", "receivers", name).slice(1);
const WORDS = { webhook: "Webhook", slack: "Slack", mail: "Mail" };

export function Receivers() {
    const got = useGet<{ receivers: Receiver[] }>("alerts/receivers");
    const [edit, setEdit] = useState<Receiver | null | undefined>();
    const [drop, setDrop] = useState<Receiver>();
    const [busy, setBusy] = useState("");
    const allowed = may("Op");
    const why = allowed ? undefined : "This needs the role Op";
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    const tryOut = async (r: Receiver) => {
        setBusy(r.name);
        const said = await api.post(`${to(r.name)}/try`);
        setBusy("");
        if (said.ok) toast(`${r.name} took the message.`);
        else toastProblem(said.problem);
    };
    const make = <Button disabled={!allowed} title={why} onClick={() => setEdit(null)}><Icon name="plus" /> New receiver</Button>;
    return (
        <>
            <Table id="receivers" label="Receivers" rows={got.value?.receivers} rowKey={(r) => r.name} what="the receivers" tools={make}
                columns={[
                    { key: "name", title: "Receiver", width: "minmax(120px, 1fr)", of: (r) => r.name, cell: (r) => <bdi>{r.name}</bdi> },
                    { key: "kind", title: "Kind", width: "96px", of: (r) => WORDS[kindOf(r)] },
                    { key: "address", title: "Address", width: "minmax(160px, 2fr)", mono: true, wide: true, of: (r) => addressOf(r), cell: (r) => <bdi>{addressOf(r)}</bdi> },
                    { key: "origin", title: "From", width: "112px", wide: true, of: (r) => (r.origin === "console" ? "made here" : r.origin) },
                ]}
                panel={(r) => (
                    <div class="stack">
                        <Facts of={[["Kind", WORDS[kindOf(r)]], ["Address", <bdi class="mono">{addressOf(r)}</bdi>], kindOf(r) === "mail" && ["Connection", r.conn_id || "smtp_default"]]} />
                        {kindOf(r) !== "mail" && <p class="quiet">An address may be a password: only its host is shown.</p>}
                        <div class="buttons">
                            <Button disabled={!allowed} title={why} busy={busy === r.name} onClick={() => tryOut(r)}>Send a message now</Button>
                            <Button disabled={!allowed || r.origin !== "console"} title={r.origin === "console" ? why : "It stands in alerts.yaml: change it there"} onClick={() => setEdit(r)}><Icon name="edit" /> Change</Button>
                            {r.origin === "console" && <Button kind="danger" disabled={!allowed} title={why} onClick={() => setDrop(r)}><Icon name="trash" /> Remove</Button>}
                        </div>
                    </div>
                )}
                empty={<Empty title="Nobody is told yet." action={make}>Rules are judged all the same: see History. Receivers can also stand in alerts.yaml.</Empty>} />
            {edit !== undefined && <Form of={edit} done={() => (setEdit(undefined), got.reload())} close={() => setEdit(undefined)} />}
            {drop && (
                <Confirm title={`Remove receiver ${drop.name}`} verb="Remove receiver" act={() => api.delete(to(drop.name))} onDone={() => (toast("The receiver is removed."), setDrop(undefined), got.reload())} onClose={() => setDrop(undefined)}>
                    <p>Nothing is sent there any more.</p>
                </Confirm>
            )}
        </>
    );
}

function Form({ of, done, close }: { of: Receiver | null; done: () => void; close: () => void }) {
    const [name, setName] = useState(of?.name ?? "");
    const [kind, setKind] = useState<string>(of ? kindOf(of) : "webhook");
    const [address, setAddress] = useState(of ? addressOf(of) : "");
    const [conn, setConn] = useState(of?.conn_id ?? "");
    const act = () => api.put(to(name.trim()), { [kind]: address.trim(), ...(kind === "mail" && conn && { conn_id: conn }) });
    return (
        <FormDialog title={of ? `Change ${of.name}` : "New receiver"} act={act} done={() => (toast("The receiver is kept."), done())} close={close}>
            <Input label="Name" value={name} set={setName} required {...(of ? { disabled: true } : { focus: true })} />
            <Select label="Kind" value={kind} set={setKind} of={Object.entries(WORDS).map(([value, label]) => ({ value, label }))} />
            <Input label={kind === "mail" ? "People" : "URL"} value={address} set={setAddress} mono required hint={kind === "mail" ? "Addresses, with commas" : kind === "slack" ? "An incoming webhook of Slack" : "It gets what Alertmanager sends"} />
            {kind === "mail" && <Input label="Connection" value={conn} set={setConn} placeholder="smtp_default" hint="Workflows, Connections: host, login and password of the mail server" />}
        </FormDialog>
    );
}
