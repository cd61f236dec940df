/** Where each kind of thing has its page: the one place that knows. */
import { at } from "./router";

export function linkTo(kind: string, name: string): string {
    const dot = name.indexOf(".");
    switch (kind) {
        case "topic": return at("topics", name);
        case "group": return at("groups", name);
        case "source":
        case "stream":
        case "view": return at("streams", name);
        case "table": return dot > 0 ? at("tables", name.slice(0, dot), name.slice(dot + 1)) : at("tables", name);
        case "dag": return at("workflows", name);
        default: return "/";
    }
}
