/** Connections: addresses and logins that tasks name. Passwords are never shown again. */
import { useState } from "preact/hooks";
import { FormDialog, Check, Command, Empty, Facts, Input, TextArea, api, at, shell } from "../../kit";
import { V2, type Connection } from "./api";
import { Things } from "./things";

const KINDS = ["http", "https", "spark", "cassandra", "postgres", "kafka", "smtp", "aws", "fs", "generic"];
const to = (id: string): string => V2 + at("connections", id);

function address(c: Connection): string {
    return `${c.login ? c.login + "@" : ""}${c.host ?? ""}${c.port ? ":" + c.port : ""}${c.schema ? "/" + c.schema : ""}`;
}

export function Connections() {
    return (
        <Things<Connection> label="Connections" one="connection" path={`${V2}/connections`} list="connections" keyOf={(c) => c.connection_id} at={to} command="sluice connections"
            columns={[
                { key: "id", title: "Connection", width: "minmax(120px, 1fr)", mono: true, of: (c) => c.connection_id },
                { key: "type", title: "Type", width: "96px", of: (c) => c.conn_type },
                { key: "address", title: "Address", width: "minmax(120px, 2fr)", mono: true, of: address },
                { key: "secret", title: "Password", width: "96px", wide: true, of: (c) => (c.password ? "hidden" : "none"), cell: (c) => <span class="quiet">{c.password ? "hidden" : "none"}</span> },
                { key: "about", title: "About", width: "minmax(96px, 1fr)", wide: true, of: (c) => c.description },
            ]}
            panel={(c) => <Facts of={[["Type", c.conn_type], ["Host", <bdi>{c.host}</bdi>], ["Port", c.port && String(c.port)], ["Login", <bdi>{c.login}</bdi>], ["Password", c.password ? "hidden" : "none"], ["Schema", <bdi>{c.schema}</bdi>], ["Extra", c.extra && <pre class="wf-json" tabIndex={0} aria-label="Extra"><bdi>{c.extra}</bdi></pre>], ["About", <bdi>{c.description}</bdi>]]} />}
            form={(c, done, close) => <Form of={c} done={done} close={close} />}
            empty={<Empty title="No connections." action={<Command text="sluice connections add ID --conn-type TYPE --conn-host HOST" />}>Tasks of kinds as http, sql and submit name one by <code>conn_id</code>. Passwords are sealed where they rest, and never shown again.</Empty>} />
    );
}

function Form({ of, done, close }: { of: Connection | null; done: () => void; close: () => void }) {
    const [c, setC] = useState({ id: of?.connection_id ?? "", type: of?.conn_type ?? "http", host: of?.host ?? "", port: of?.port ? String(of.port) : "", login: of?.login ?? "", schema: of?.schema ?? "", extra: of?.extra ?? "", about: of?.description ?? "", password: "" });
    const [renew, setRenew] = useState(!of?.password);
    const set = (name: keyof typeof c) => (v: string) => setC({ ...c, [name]: v });
    const hides = (of?.extra ?? "").includes("***");
    const act = () => {
        const body = {
            connection_id: c.id, conn_type: c.type, host: c.host || null, port: c.port ? Number(c.port) : null, login: c.login || null, schema: c.schema || null,
            description: c.about || null, extra: c.extra || null, ...(renew && c.password && { password: c.password }),
        };
        if (!of) return api.post(`${V2}/connections`, body);
        const fields = ["conn_type", "host", "port", "login", "schema", "description", ...(c.extra !== (of.extra ?? "") ? ["extra"] : []), ...(renew ? ["password"] : [])];
        return api.patch(`${to(of.connection_id)}?${fields.map((f) => "update_mask=" + f).join("&")}`, { ...body, ...(renew && !c.password && { password: null }) });
    };
    return (
        <FormDialog title={of ? `Change ${of.connection_id}` : "New connection"} act={act} done={done} close={close} command={`sluice connections add ${shell(c.id || "ID")} --conn-type ${shell(c.type)}${c.host ? ` --conn-host ${shell(c.host)}` : ""}`}>
            <div class="fields wf-two">
                <Input label="Id" value={c.id} set={set("id")} mono required {...(of ? { disabled: true } : { focus: true })} />
                <Input label="Type" value={c.type} set={set("type")} list={KINDS} required />
                <Input label="Host" value={c.host} set={set("host")} />
                <Input label="Port" type="number" min={0} max={65535} value={c.port} set={set("port")} />
                <Input label="Login" value={c.login} set={set("login")} />
                <Input label="Schema" value={c.schema} set={set("schema")} hint="Or database, keyspace" />
            </div>
            {of?.password && <Check label="A new password" value={renew} set={setRenew} hint="The one it has is not shown, and stays unless you give another" />}
            {renew && <Input label="Password" type="password" value={c.password} set={set("password")} autocomplete="new-password" />}
            <TextArea label="Extra, as JSON" mono rows={3} value={c.extra} set={set("extra")} {...(hides && { hint: "*** stands for what is hidden: unchanged, the whole stays as it is; changed, give its secrets anew" })} />
            <Input label="About" value={c.about} set={set("about")} />
        </FormDialog>
    );
}
