/** A value within a channel's name ("tail:t?q=…"): only what would end it, or may not stand there, is escaped. */
export function encodeWord(value: string): string {
    return value.replace(/[%&+\u0000-\u001f\u007f]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
