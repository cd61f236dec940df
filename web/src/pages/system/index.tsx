/** The server itself: its doors, its users, its settings, what it takes, what it says, what its doctor says. */
import "./system.css";
import { Page, Tabs, bytes, duration, go, now, param, plural, toMs, useActs, useChannel, useKeys, type PageArgs } from "../../kit";
import { Configuration } from "./configuration";
import { Doctor } from "./doctor";
import { Listeners } from "./listeners";
import { Logs } from "./logs";
import { ResourcesView } from "./resources";
import { share, type Resources } from "./shape";
import { Users } from "./users";

const VIEWS = [
    { key: "", title: "Listeners", of: Listeners },
    { key: "users", title: "Users and roles", of: Users },
    { key: "configuration", title: "Configuration", of: Configuration },
    { key: "resources", title: "Memory and processor", of: ResourcesView },
    { key: "logs", title: "Logs", of: Logs },
    { key: "doctor", title: "Doctor", of: Doctor },
];
const to = (view: string) => (view ? `/system?view=${view}` : "/system");

export default function System(_: PageArgs) {
    const view = VIEWS.find((v) => v.key === param("view")) ?? VIEWS[0]!;
    const r = useChannel<Resources>("resources").value;
    useKeys("System", VIEWS.map((v, i) => ({ key: String(i + 1), what: v.title, run: () => go(to(v.key)) })));
    useActs(VIEWS.map((v) => ({ title: `System: ${v.title}`, kind: "page", href: to(v.key) })));
    const up = toMs(r?.started);
    return (
        <Page title="System" answer={r && up !== null && (
            <span class="live">Up for {duration(Math.max(0, Math.floor((now.value - up) / 1000) * 1000))}, with {bytes(r.memory.used)} of {bytes(r.memory.budget)} and {share((r.cpu ?? 0) / r.processors)} of {plural(r.processors, "processor")}.</span>
        )}>
            <Tabs label="System" of={VIEWS} />
            <view.of />
        </Page>
    );
}
