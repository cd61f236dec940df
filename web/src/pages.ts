/** Every page, a row each: where it stands, its word in the navigation, its key after `g`, and its chunk. */
import type { ComponentType } from "preact";
import type { PageArgs } from "./kit/page";

export interface PageRow {
    path: string;
    title: string;
    key: string;
    role?: string; // who has less is not shown it
    load: () => Promise<{ default: ComponentType<PageArgs> }>;
}

export const PAGES: PageRow[] = [
    { path: "/", title: "Overview", key: "o", load: () => import("./pages/overview") },
    { path: "/topics", title: "Topics", key: "t", load: () => import("./pages/topics") },
    { path: "/groups", title: "Groups", key: "g", load: () => import("./pages/groups") },
    { path: "/schemas", title: "Schemas", key: "c", load: () => import("./pages/schemas") },
    { path: "/streams", title: "Streams", key: "s", load: () => import("./pages/streams") },
    { path: "/tables", title: "Tables", key: "b", load: () => import("./pages/tables") },
    { path: "/workflows", title: "Workflows", key: "w", load: () => import("./pages/workflows") },
    { path: "/notebooks", title: "Notebooks", key: "n", load: () => import("./pages/notebooks") },
    { path: "/dashboards", title: "Dashboards", key: "d", load: () => import("./pages/dashboards") },
    { path: "/alerts", title: "Alerts", key: "a", load: () => import("./pages/alerts") },
    { path: "/docs", title: "Docs", key: "h", load: () => import("./pages/docs") },
    { path: "/system", title: "System", key: "y", load: () => import("./pages/system") },
];
