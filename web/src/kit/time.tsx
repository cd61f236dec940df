/** Times that grow old on the screen, and numbers, as components. */
import { signal } from "@preact/signals";
import { ago, bytes, clock, count, exact, grouped, rate, short, toMs } from "./format";

/** The present, a step a second, while the tab is seen. */
export const now = signal(Date.now());
setInterval(() => {
    if (!document.hidden) now.value = Date.now();
}, 1000);
document.addEventListener("visibilitychange", () => (now.value = Date.now()));

/** "12 s ago", the exact time on hover. */
export function Ago({ at }: { at: string | number | null | undefined }) {
    const ms = toMs(at);
    if (ms === null) return <span class="none">–</span>;
    return (
        <time dateTime={new Date(ms).toISOString()} title={exact(ms)}>
            {ago(ms, now.value)}
        </time>
    );
}

/** "14:03:22", the exact time on hover. */
export function Clock({ at }: { at: string | number | null | undefined }) {
    const ms = toMs(at);
    if (ms === null) return <span class="none">–</span>;
    return (
        <time dateTime={new Date(ms).toISOString()} title={exact(ms)}>
            {clock(ms)}
        </time>
    );
}

/** A number; `live` ones grey when the server is not there. */
export function Num({ of, as = "count", live }: { of: number | null | undefined; as?: "count" | "rate" | "bytes" | "short"; live?: boolean }) {
    const say = { count, rate, bytes, short }[as];
    const whole = as !== "count" && of !== null && of !== undefined && Number.isFinite(of) ? `${grouped(of)}${as === "bytes" ? " bytes" : as === "rate" ? " a second" : ""}` : undefined;
    return (
        <span class={`num${live ? " live" : ""}${of ? "" : " none"}`} title={whole}>
            {say(of)}
        </span>
    );
}
