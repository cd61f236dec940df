/** CodeMirror, put together: a chunk of its own, which editor.tsx fetches. It lives in a shadow root, where its
 * styles are adopted sheets: the content policy lets no others in. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { markdownLanguage } from "@codemirror/lang-markdown";
import { sql, SQLDialect } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";

export interface Completion {
    label: string;
    kind?: string; // "table", "column", "function", "keyword", …
    detail?: string;
    insert?: string;
}
export interface CoreOptions {
    parent: ShadowRoot;
    label: string;
    value: string;
    language: "sql" | "markdown" | "text";
    lines: boolean;
    readOnly: boolean;
    placeholder: string;
    changed: (value: string) => void;
    run: (() => void) | undefined;
    complete: ((text: string, at: number) => Promise<{ from: number; options: Completion[] } | null>) | undefined;
}

const WORDS = `add aggregate all allow alter analyze and any apply as asc batch begin between by case cast check clustering cluster column columnfamily commit
compact counter create cross cube current_date current_timestamp day dead default delay delete desc describe distinct drop else emit end epoch exists explain false
filtering final first following for from full function grant group grouping having hop hour if ignore in index inner insert interval into is join json key keyspace
last lateral left letter like ilike limit list lookup match_recognize materialized materialize merge minute month names not null nulls of offset on only or order
over partition per preceding primary range rename replication replay restart retention revoke right role rollup row rows second select session set show skip source static
stream table then timestamp to token topic true truncate try_cast tumble ttl type unbounded union unique unlogged unnest update upsert use using values view watch
watermark when where window with writetime year`;
const TYPES = "ascii bigint blob boolean bytes counter date decimal double duration float frozen inet int integer list map real set smallint string text time timestamp timeuuid tinyint tuple uuid varchar varint";
const DIALECT = SQLDialect.define({ keywords: WORDS, types: TYPES, doubleQuotedStrings: false, doubleDollarQuotedStrings: true, slashComments: true, operatorChars: "*+-%<>!=&|~^/:", specialVar: "?" });

const COLOURS = HighlightStyle.define([
    { tag: [t.keyword, t.operatorKeyword], color: "var(--line-1)", fontWeight: "600" },
    { tag: [t.typeName], color: "var(--line-3)" },
    { tag: [t.string, t.special(t.string)], color: "var(--line-4)" },
    { tag: [t.number, t.bool, t.null], color: "var(--line-2)" },
    { tag: [t.comment], color: "var(--ink-3)", fontStyle: "italic" },
    { tag: [t.heading], fontWeight: "600" },
    { tag: [t.emphasis], fontStyle: "italic" },
    { tag: [t.strong], fontWeight: "600" },
    { tag: [t.link, t.url], color: "var(--accent)" },
    { tag: [t.monospace], color: "var(--line-2)" },
]);

const LOOK = EditorView.theme({
    "&": { color: "var(--ink-1)", backgroundColor: "transparent", fontSize: "13px", maxHeight: "var(--editor-tall, 60vh)" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto", minHeight: "var(--editor-short, 0px)" },
    ".cm-content": { padding: "6px 0", caretColor: "var(--ink-1)" },
    ".cm-line": { padding: "0 10px" },
    ".cm-cursor": { borderLeftColor: "var(--ink-1)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
    ".cm-selectionMatch": { backgroundColor: "var(--accent-soft)" },
    "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
    ".cm-gutters": { backgroundColor: "transparent", color: "var(--ink-3)", border: "none" },
    ".cm-placeholder": { color: "var(--ink-3)" },
    ".cm-tooltip": { backgroundColor: "var(--paper-0)", color: "var(--ink-1)", border: "1px solid var(--rule-2)", borderRadius: "4px", boxShadow: "var(--shadow)" },
    ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--font)", maxHeight: "240px" },
    ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "18px" },
    ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink-1)" },
    ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal", marginLeft: "12px" },
    ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "600" },
    ".cm-completionIcon": { display: "none" },
    ".cm-panels": { backgroundColor: "var(--paper-1)", color: "var(--ink-1)", borderColor: "var(--rule)" },
});

function completing(ask: NonNullable<CoreOptions["complete"]>) {
    return async (c: CompletionContext): Promise<CompletionResult | null> => {
        if (!c.explicit && !c.matchBefore(/[\w.]$/)) return null;
        const got = await ask(c.state.doc.toString(), c.pos);
        if (!got || c.aborted) return null;
        return { from: got.from, options: got.options.map((o) => ({ label: o.label, ...(o.detail && { detail: o.detail }), ...(o.kind && { type: o.kind }), ...(o.insert && { apply: o.insert }) })), validFor: /^\w*$/ };
    };
}

/** What is typed over a selection is put there by the editor: a browser that does it keeps the old text's look by a style
 * attribute, which the page's policy forbids. */
function typedOver(e: InputEvent, view: EditorView): boolean {
    const text = e.data;
    const { from, to, empty } = view.state.selection.main;
    if (e.inputType !== "insertText" || !text || empty || view.composing || view.state.readOnly) return false;
    const insert = () => view.state.update({ ...view.state.replaceSelection(text), userEvent: "input.type", scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((h) => h(view, from, to, text, insert))) view.dispatch(insert());
    return true; // and not by the browser
}

export function makeEditor(o: CoreOptions) {
    const locked = new Compartment();
    let setting = false; // what the page sets is no news to it
    const language: Extension[] = o.language === "sql" ? [sql({ dialect: DIALECT, upperCaseKeywords: true })] : o.language === "markdown" ? [markdownLanguage] : [];
    const view = new EditorView({
        parent: o.parent,
        root: o.parent,
        state: EditorState.create({
            doc: o.value,
            extensions: [
                keymap.of([
                    { key: "Mod-Enter", run: () => (o.run ? (o.run(), true) : false) },
                    { key: "Shift-Enter", run: () => (o.run ? (o.run(), true) : false) },
                ]),
                history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightSelectionMatches(),
                autocompletion(o.complete ? { override: [completing(o.complete)] } : {}),
                keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap]),
                ...(o.lines ? [lineNumbers()] : []),
                ...(o.placeholder ? [placeholder(o.placeholder)] : []),
                ...language,
                syntaxHighlighting(COLOURS), LOOK, EditorView.lineWrapping,
                EditorView.contentAttributes.of({ "aria-label": o.label }),
                locked.of(EditorState.readOnly.of(o.readOnly)),
                EditorView.domEventHandlers({ beforeinput: typedOver }),
                EditorView.updateListener.of((u) => u.docChanged && !setting && o.changed(u.state.doc.toString())),
            ],
        }),
    });
    return {
        set(value: string) {
            const now = view.state.doc.toString();
            setting = true;
            if (now !== value) view.dispatch({ changes: { from: 0, to: now.length, insert: value } });
            setting = false;
        },
        lock: (readOnly: boolean) => view.dispatch({ effects: locked.reconfigure(EditorState.readOnly.of(readOnly)) }),
        focus: () => view.focus(),
        end: () => view.destroy(),
    };
}
export type Core = ReturnType<typeof makeEditor>;
