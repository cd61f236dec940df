/** Who may come in, and what each role may do; one's own password. */
import { useState } from "preact/hooks";
import { Await, Button, Command, Confirm, Empty, Facts, Forbidden, FormDialog, Icon, Input, Num, Section, Select, State, Table, api, at, duration, may, plural, session, shell, toast, useGet, type Answer, type Session } from "../../kit";
import { ROLES, type HeldBack, type People, type Person, type Role } from "./shape";

const to = (name: string, more = ""): string => at("system", "users", name).slice(1) + more;
type Window = { what: "own" } | { what: "new" } | { what: "password" | "role" | "remove"; of: Person };

export function Users() {
    const admin = may("Admin");
    const got = useGet<People>(admin ? "system/users" : null);
    const [window, setWindow] = useState<Window>();
    const close = () => setWindow(undefined);
    const done = (word: string) => (toast(word), close(), got.reload());
    return (
        <>
            <You change={() => setWindow({ what: "own" })} />
            <Section title="Users" note="One table for all doors: the console, Kafka, CQL, Airflow's API." acts={admin && <Button onClick={got.reload}><Icon name="refresh" /> Reload</Button>}>
                {admin ? <Await of={got} what="the users">{(p) => <List of={p} open={setWindow} />}</Await> : <Forbidden role="Admin" />}
            </Section>
            {got.value && got.value.held_back.length > 0 && <HeldList of={got.value.held_back} />}
            <Roles />
            {window?.what === "own" && <OwnPassword close={close} done={() => (toast("Your password is changed. Your other sessions have ended."), close(), admin && got.reload())} />}
            {window?.what === "new" && <NewUser close={close} done={() => done("The user is there.")} />}
            {window?.what === "password" && <Password of={window.of} close={close} done={() => done(`${window.of.name} has another password.`)} />}
            {window?.what === "role" && <ChangeRole of={window.of} close={close} done={() => done(`${window.of.name} has another role.`)} />}
            {window?.what === "remove" && (
                <Confirm title={`Remove user ${window.of.name}`} verb="Remove user" name={window.of.name} command={`sluice users remove ${shell(window.of.name)}`} act={() => api.delete(to(window.of.name))} onDone={() => done("The user is removed.")} onClose={close}>
                    <p>Nobody comes in by that name any more, at any door; its sessions here end now.</p>
                    <p>{plural(window.of.grants.length, "permission")} and {plural(window.of.member_of.length, "membership")} of it go, too.</p>
                </Confirm>
            )}
        </>
    );
}

function You({ change }: { change: () => void }) {
    const who = session.value!;
    return (
        <Section title="You" acts={<Button onClick={change} kind={who.well_known ? "main" : undefined}><Icon name="edit" /> Change your password</Button>}>
            <p><bdi><b>{who.name}</b></bdi>, with the role {who.role}. {who.well_known ? <State of="warn" word="the tutorials' password" /> : <span class="quiet">A new password ends your other sessions.</span>}</p>
        </Section>
    );
}

function List({ of, open }: { of: People; open: (w: Window) => void }) {
    const add = <Button onClick={() => open({ what: "new" })}><Icon name="plus" /> New user</Button>;
    return (
        <Table id="users" label="Users" rows={of.users} rowKey={(p) => p.name} sort="name" tools={add} height="40vh"
            columns={[
                { key: "name", title: "Name", of: (p) => p.name, width: "minmax(120px, 1.4fr)" },
                { key: "role", title: "Role", of: (p) => p.role, width: "64px" },
                { key: "login", title: "Password", of: (p) => passwordWord(p), cell: (p) => (p.well_known ? <State of="warn" word="the tutorials'" /> : <span class="quiet">{passwordWord(p)}</span>), width: "minmax(128px, 1fr)" },
                { key: "grants", title: "Granted", of: (p) => p.grants.length, cell: (p) => <Num of={p.grants.length} />, right: true, wide: true, width: "72px", hint: "Permissions by CQL's GRANT" },
                { key: "member", title: "Member of", of: (p) => p.member_of.join(", "), wide: true, width: "minmax(96px, 1fr)" },
            ]}
            panel={(p) => <PersonPanel of={p} last={p.role === "admin" && of.admins === 1} open={open} />}
            empty={<Empty title="Nobody." action={add} />} />
    );
}

const passwordWord = (p: Person) => (!p.login ? "may not log in" : p.well_known ? "the tutorials'" : p.mechanisms.length ? "its own" : "none");

function PersonPanel({ of: p, last, open }: { of: Person; last: boolean; open: (w: Window) => void }) {
    const self = session.value?.name === p.name;
    const lastWhy = last ? "The last admin stays: give somebody else the role first" : undefined;
    return (
        <div class="stack">
            <Facts of={[
                ["Role", p.role],
                ["Password", passwordWord(p)],
                p.mechanisms.length > 0 && ["Proved by", p.mechanisms.join(", ")],
                ["Member of", p.member_of.length ? <bdi>{p.member_of.join(", ")}</bdi> : undefined],
            ]} />
            {p.grants.length > 0 && (
                <Table id="grants" label="Granted" rows={p.grants} rowKey={(g) => g.resource} filter={false} height="200px"
                    columns={[{ key: "resource", title: "On", of: (g) => g.resource, mono: true, width: "minmax(96px, 1fr)" }, { key: "what", title: "May", of: (g) => g.permissions.join(", "), width: "minmax(96px, 1fr)" }]} />
            )}
            <div class="buttons">
                <Button onClick={() => open(self ? { what: "own" } : { what: "password", of: p })}>Change password</Button>
                <Button disabled={last} title={lastWhy} onClick={() => open({ what: "role", of: p })}>Change role</Button>
                <Button kind="danger" disabled={last} title={lastWhy} onClick={() => open({ what: "remove", of: p })}><Icon name="trash" /> Remove</Button>
            </div>
            <p class="quiet">While no server runs, the command line does the same:</p>
            <Command text={`sluice users passwd ${shell(p.name)}`} />
            <Command text={`sluice users role ${shell(p.name)} ${p.role}`} />
        </div>
    );
}

/** Two fields that have to say the same. */
function Twice({ first, second, setFirst, setSecond, focus }: { first: string; second: string; setFirst: (v: string) => void; setSecond: (v: string) => void; focus?: boolean }) {
    return (
        <>
            <Input label="New password" type="password" autocomplete="new-password" value={first} set={setFirst} required {...(focus && { focus })} />
            <Input label="The same again" type="password" autocomplete="new-password" value={second} set={setSecond} required wrong={second && first !== second ? "It is not the same." : undefined} />
        </>
    );
}

const differ: Answer<never> = { ok: false, problem: { status: 0, code: "ERR_USAGE", what: "The two passwords are not the same." } };

function OwnPassword({ close, done }: { close: () => void; done: () => void }) {
    const [old, setOld] = useState("");
    const [first, setFirst] = useState("");
    const [second, setSecond] = useState("");
    const act = async (): Promise<Answer<unknown>> => {
        if (first !== second) return differ;
        const got = await api.post<Session>("password", { old, new: first });
        if (got.ok) session.value = got.value;
        return got;
    };
    return (
        <FormDialog title="Change your password" verb="Change password" act={act} done={done} close={close} command={`sluice users passwd ${shell(session.value?.name ?? "NAME")}`}>
            <Input label="Old password" type="password" autocomplete="current-password" value={old} set={setOld} required focus />
            <Twice first={first} second={second} setFirst={setFirst} setSecond={setSecond} />
            <p class="quiet">It counts at every door from now on. This page stays logged in; your other sessions end.</p>
        </FormDialog>
    );
}

function NewUser({ close, done }: { close: () => void; done: () => void }) {
    const [name, setName] = useState("");
    const [role, setRole] = useState("viewer");
    const [first, setFirst] = useState("");
    const [second, setSecond] = useState("");
    const act = async (): Promise<Answer<unknown>> => (first !== second ? differ : api.post("system/users", { name, password: first, role }));
    return (
        <FormDialog title="New user" verb="Add user" act={act} done={done} close={close} command={`sluice users add ${shell(name || "NAME")} --role ${role}`}>
            <Input label="Name" value={name} set={setName} required focus hint="1 to 64 bytes, no spaces" />
            <RoleChoice value={role} set={setRole} />
            <Twice first={first} second={second} setFirst={setFirst} setSecond={setSecond} />
        </FormDialog>
    );
}

function RoleChoice({ value, set }: { value: string; set: (v: string) => void }) {
    const roles = useGet<Role[]>("system/roles").value;
    return <Select label="Role" value={value} set={set} of={ROLES} hint={roles?.find((r) => r.name === value)?.console} />;
}

function Password({ of, close, done }: { of: Person; close: () => void; done: () => void }) {
    const [first, setFirst] = useState("");
    const [second, setSecond] = useState("");
    const act = async (): Promise<Answer<unknown>> => (first !== second ? differ : api.put(to(of.name, "/password"), { password: first }));
    return (
        <FormDialog title={`Another password for ${of.name}`} verb="Change password" act={act} done={done} close={close} command={`sluice users passwd ${shell(of.name)}`}>
            <Twice first={first} second={second} setFirst={setFirst} setSecond={setSecond} focus />
            <p class="quiet">All sessions of <bdi>{of.name}</bdi> end.</p>
        </FormDialog>
    );
}

function ChangeRole({ of, close, done }: { of: Person; close: () => void; done: () => void }) {
    const [role, setRole] = useState(of.role);
    return (
        <FormDialog title={`Role of ${of.name}`} verb="Change role" act={() => api.put(to(of.name, "/role"), { role })} done={done} close={close} command={`sluice users role ${shell(of.name)} ${role}`}>
            <RoleChoice value={role} set={setRole} />
            <p class="quiet">It counts from the next request on.</p>
        </FormDialog>
    );
}

function HeldList({ of }: { of: HeldBack[] }) {
    return (
        <Section title="Held back" note="Addresses whose logins at the console failed within the last minute. Nobody is locked out: the answers come later and later.">
            <Table id="held" label="Held back" rows={of} rowKey={(h) => h.address} filter={false} height="160px"
                columns={[
                    { key: "address", title: "Address", of: (h) => h.address, mono: true, width: "minmax(120px, 1fr)" },
                    { key: "failures", title: "Failed", of: (h) => h.failures, right: true, width: "72px" },
                    { key: "wait", title: "The next waits", of: (h) => h.wait_ms, cell: (h) => duration(h.wait_ms), right: true, width: "104px" },
                    { key: "ago", title: "Last one", of: (h) => h.ago_ms, cell: (h) => `${duration(h.ago_ms)} ago`, right: true, width: "96px" },
                ]} />
        </Section>
    );
}

function Roles() {
    const got = useGet<Role[]>("system/roles");
    return (
        <Section title="Roles" note="Each may do what those above it may.">
            <Await of={got} what="the roles">
                {(roles) => (
                    <Table id="roles" label="Roles" rows={roles} rowKey={(r) => r.name} filter={false} height="260px"
                        columns={[
                            { key: "name", title: "Role", of: (r) => r.name, width: "72px", sort: false },
                            { key: "console", title: "In these pages", of: (r) => r.console, width: "minmax(180px, 3fr)", sort: false },
                            { key: "kafka", title: "Kafka", of: (r) => r.kafka, width: "minmax(120px, 1.4fr)", wide: true, sort: false },
                            { key: "cql", title: "CQL", of: (r) => r.cql, width: "minmax(120px, 1.4fr)", wide: true, sort: false },
                        ]}
                        panel={(r) => (
                            <div class="stack">
                                <Facts of={[["In these pages", r.console], ["Kafka", r.kafka], ["CQL", r.cql]]} />
                                <h3>What it may ask of the API beside the one above</h3>
                                <ul class="system-adds">{r.adds.map((a) => <li key={`${a.method} ${a.path}`}><code>{a.method} {a.path}</code><span class="quiet">{a.about}</span></li>)}</ul>
                            </div>
                        )} />
                )}
            </Await>
        </Section>
    );
}
