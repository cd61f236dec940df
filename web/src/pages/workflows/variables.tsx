/** Variables: values that tasks ask for by name. What stands under a secret's name is never shown again. */
import { useState } from "preact/hooks";
import { FormDialog, Check, Command, Empty, Facts, Input, TextArea, api, at, shell } from "../../kit";
import { V2, type Variable } from "./api";
import { Things } from "./things";

const HIDDEN = "***";
const to = (key: string): string => V2 + at("variables", key);

export function Variables() {
    return (
        <Things<Variable> label="Variables" one="variable" path={`${V2}/variables`} list="variables" keyOf={(v) => v.key} at={to} command="sluice variables"
            columns={[
                { key: "key", title: "Key", width: "minmax(120px, 1fr)", mono: true, of: (v) => v.key },
                { key: "value", title: "Value", width: "minmax(120px, 2fr)", mono: true, sort: false, of: (v) => (v.value === HIDDEN ? "hidden" : v.value), cell: (v) => (v.value === HIDDEN ? <span class="quiet">hidden</span> : <bdi class="wf-cut" title={v.value}>{v.value}</bdi>) },
                { key: "about", title: "About", width: "minmax(96px, 1fr)", wide: true, of: (v) => v.description },
            ]}
            panel={(v) => <Facts of={[["Key", <bdi class="mono">{v.key}</bdi>], ["Value", v.value === HIDDEN ? "hidden: its name says that it is a secret" : <pre class="wf-json" tabIndex={0} aria-label="Value"><bdi>{v.value}</bdi></pre>], ["About", v.description && <bdi>{v.description}</bdi>]]} />}
            form={(v, done, close) => <Form of={v} done={done} close={close} />}
            empty={<Empty title="No variables." action={<Command text="sluice variables set KEY VALUE" />}>Templates read one as <code>{"{{ var.value.KEY }}"}</code>. A name with password, secret, token or api_key in it hides its value everywhere.</Empty>} />
    );
}

function Form({ of, done, close }: { of: Variable | null; done: () => void; close: () => void }) {
    const secret = of?.value === HIDDEN;
    const [key, setKey] = useState(of?.key ?? "");
    const [value, setValue] = useState(secret ? "" : (of?.value ?? ""));
    const [about, setAbout] = useState(of?.description ?? "");
    const [renew, setRenew] = useState(!secret);
    const act = () => {
        if (!of) return api.post(`${V2}/variables`, { key, value, description: about || null });
        const fields = renew ? "?update_mask=value&update_mask=description" : "?update_mask=description";
        return api.patch(to(of.key) + fields, { key: of.key, value: renew ? value : "", description: about || null });
    };
    return (
        <FormDialog title={of ? `Change ${of.key}` : "New variable"} act={act} done={done} close={close} command={`sluice variables set ${shell(key || "KEY")} VALUE`}>
            <Input label="Key" value={key} set={setKey} mono required {...(of ? { disabled: true } : { focus: true })} />
            {secret && <Check label="A new value" value={renew} set={setRenew} hint="The one it has is not shown, and stays unless you give another" />}
            {renew && (secret ? <Input label="Value" type="password" value={value} set={setValue} autocomplete="new-password" /> : <TextArea label="Value" mono rows={4} value={value} set={setValue} />)}
            <Input label="About" value={about} set={setAbout} />
        </FormDialog>
    );
}
