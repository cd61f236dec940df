/** One notebook: its cells, kept by themselves a moment after a change. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Await, Button, Confirm, Icon, Page, api, at, link, may, saveAs, toast, useGet, useKeys, type Problem } from "../../kit";
import { CellView } from "./cell";
import { to } from "./list";
import { newId, read, write, type Cell, type Notebook } from "./shape";

interface Content {
    name: string;
    path: string;
    version: string;
    content: unknown;
}

export function Book({ name }: { name: string }) {
    const got = useGet<Content>(to(name));
    return <Await of={got} what="the notebook">{(v) => <Edit name={name} of={v} reload={got.reload} key={v.version} />}</Await>;
}

const REST_MS = 800;

function Edit({ name, of, reload }: { name: string; of: Content; reload: () => void }) {
    const [book, setBook] = useState<Notebook>(() => read(of.content));
    const [state, setState] = useState<"kept" | "changed" | "keeping">("kept");
    const [problem, setProblem] = useState<Problem>();
    const [turn, setTurn] = useState(0); // "run all"
    const version = useRef(of.version);
    const latest = useRef(book);
    const timer = useRef(0);
    const busy = useRef(false);
    const allowed = may("User");
    latest.current = book;
    const keep = async () => {
        clearTimeout(timer.current);
        if (busy.current) return void (timer.current = window.setTimeout(keep, REST_MS));
        busy.current = true;
        setState("keeping");
        const sent = latest.current;
        const done = await api.put<{ version: string }>(to(name), { content: write(sent), version: version.current });
        busy.current = false;
        if (!done.ok) {
            setState("changed");
            return setProblem(done.problem);
        }
        version.current = done.value.version;
        setProblem(undefined);
        setState(latest.current === sent ? "kept" : "changed");
    };
    const change = (cells: Cell[]) => {
        const next = { ...latest.current, cells };
        latest.current = next;
        setBook(next);
        if (!allowed) return;
        setState("changed");
        clearTimeout(timer.current);
        timer.current = window.setTimeout(keep, REST_MS);
    };
    useEffect(() => {
        const warn = (e: BeforeUnloadEvent) => state !== "kept" && allowed && e.preventDefault();
        addEventListener("beforeunload", warn);
        return () => removeEventListener("beforeunload", warn);
    }, [state]);
    useEffect(() => () => { if (timer.current && allowed) { clearTimeout(timer.current); void keep(); } }, []);
    const patch = (id: string, part: Partial<Cell>) => change(latest.current.cells.map((c) => (c.id === id ? { ...c, ...part } : c)));
    const add = (kind: "sql" | "markdown", after: number) => change([...book.cells.slice(0, after + 1), { id: newId(), kind, text: "", raw: {} }, ...book.cells.slice(after + 1)]);
    const move = (i: number, by: number) => {
        const cells = [...book.cells];
        const [c] = cells.splice(i, 1);
        cells.splice(i + by, 0, c!);
        change(cells);
    };
    useKeys("Notebook", [{ key: "Mod+s", what: "Keep now", run: () => void keep() }]);
    const word = !allowed ? "Only to look at: this needs the role User" : link.value.state === "lost" ? "Not kept: the server is away" : { kept: "Kept", changed: "Changed", keeping: "Keeping" }[state];
    return (
        <Page title={name} back={{ href: at("notebooks"), title: "Notebooks" }} answer={<><code>{of.path}</code> <span class="quiet" role="status">{word}</span></>}
            acts={<><Button onClick={() => setTurn((t) => t + 1)}><Icon name="play" /> Run all</Button><Button onClick={() => saveAs(`${name}.ipynb`, JSON.stringify(write(book), null, 1), "application/x-ipynb+json")}>Save as .ipynb</Button></>}>
            {problem && (problem.status === 409 ? <Clash problem={problem} reload={reload} name={name} book={book} close={() => setProblem(undefined)} /> : <p role="alert" class="nb-problem">{problem.what} {problem.hint}</p>)}
            <ol class="nb-cells">
                {book.cells.map((c, i) => (
                    <li key={c.id}>
                        <CellView of={c} turn={turn} locked={!allowed} patch={(part) => patch(c.id, part)} first={i === 0} last={i === book.cells.length - 1} number={i + 1}
                            move={(by) => move(i, by)} drop={() => change(book.cells.filter((o) => o.id !== c.id))} />
                        {allowed && <Between add={(kind) => add(kind, i)} />}
                    </li>
                ))}
            </ol>
            {!book.cells.length && allowed && <Between add={(kind) => add(kind, -1)} />}
        </Page>
    );
}

function Between({ add }: { add: (kind: "sql" | "markdown") => void }) {
    return <div class="nb-between"><Button kind="bare" onClick={() => add("sql")}><Icon name="plus" /> SQL</Button><Button kind="bare" onClick={() => add("markdown")}><Icon name="plus" /> Text</Button></div>;
}

function Clash({ problem, reload, name, book, close }: { problem: Problem; reload: () => void; name: string; book: Notebook; close: () => void }) {
    const copy = `${name} (mine)`;
    return (
        <Confirm title="Somebody else has changed this notebook" verb="Keep mine as a copy" act={() => api.put(to(copy), { content: write(book) })} onDone={() => (toast(`Yours is kept as ${copy}.`), reload())} onClose={close}>
            <p>{problem.what}. Yours can be kept as <code>{copy}</code>; then theirs is shown.</p>
        </Confirm>
    );
}
