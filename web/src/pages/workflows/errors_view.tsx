/** Import errors: which file, which line, what is wrong and what to do. */
import { Ago, Await, Command, Empty, Section, type Got } from "../../kit";
import { channel, useList, type ImportError } from "./api";
import { storyOf } from "./errors";

type List = Got<{ rows: ImportError[]; total: number }>;

export function Errors({ of, file }: { of?: List; file?: string }) {
    const own = useList<ImportError>(of ? null : "/api/v2/importErrors", "import_errors", {}, of ? null : channel("dags"));
    return <Await of={of ?? own} what="the import errors" lines={4}>{(v) => <Shown rows={file ? v.rows.filter((e) => e.filename === file) : v.rows} bare={Boolean(file)} />}</Await>;
}

function Shown({ rows, bare }: { rows: ImportError[]; bare: boolean }) {
    if (!rows.length) return bare ? null : <Empty title="No import errors.">Every file of dags was read without a mistake. A file with one is told of here, with its line, and disturbs no other.</Empty>;
    return (
        <Section title="Import errors" acts={<Command text="sluice dags list-import-errors" />}>
            <ul class="wf-errors">
                {rows.map((e) => {
                    const s = storyOf(e.stack_trace, e.filename);
                    return (
                        <li key={e.import_error_id}>
                            <p class="wf-error-at"><code><bdi>{s.file}</bdi>{s.line !== null && <b>:{s.line}{s.column !== null && `:${s.column}`}</b>}</code> <span class="quiet"><Ago at={e.timestamp} /></span></p>
                            <p><bdi>{s.what}</bdi></p>
                            {s.rest.map((l) => <p key={l} class="quiet"><bdi>{l}</bdi></p>)}
                        </li>
                    );
                })}
            </ul>
        </Section>
    );
}
