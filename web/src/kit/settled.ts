/** A field whose text stands in the address bar once the typing has settled: each letter would ask the server anew. */
import { useEffect, useRef, useState } from "preact/hooks";
import { param, setQuery, type Query } from "./router";

const SETTLES_MS = 250;

/** What the field shows, and what it calls. `also` is changed with it. */
export function useSettled(name: string, also: Query = {}): [string, (v: string) => void] {
    const now = param(name);
    const [text, setText] = useState(now);
    const timer = useRef<ReturnType<typeof setTimeout>>();
    const sent = useRef(now);
    useEffect(() => {
        if (now !== sent.current) setText((sent.current = now));
    }, [now]);
    useEffect(() => () => clearTimeout(timer.current), []);
    return [text, (v) => {
        setText(v);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => ((sent.current = v), setQuery({ [name]: v, ...also })), v ? SETTLES_MS : 0);
    }];
}
