/** Lines of a log: numbered, bounded, and in the parts of Airflow's form. Pure. */
export interface LogLine {
    n: number;
    text: string;
}

/** The newest so many lines; what came before is counted. */
export class Lines {
    private list: LogLine[] = [];
    private next = 1;
    dropped = 0;
    constructor(private most: number) {}

    add(texts: readonly string[]): void {
        const list = this.list.concat(texts.map((text, i) => ({ n: this.next + i, text })));
        this.next += texts.length;
        const over = Math.max(0, list.length - this.most);
        this.dropped += over;
        this.list = over ? list.slice(over) : list;
    }

    all(): readonly LogLine[] {
        return this.list;
    }
}

/** "[2024-01-01T00:00:00.000+0000] {bash} INFO - said" -> its parts; what has no such form is text alone. */
export function parseLine(line: string): { stamp: string; time: string; from: string; level: string; text: string } {
    const m = line.match(/^\[(\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d)[^\]]*)\] \{([^}]*)\} (DEBUG|INFO|WARNING|ERROR|CRITICAL) - (.*)$/);
    if (!m) return { stamp: "", time: "", from: "", level: "", text: line };
    return { stamp: m[1]!, time: m[2]!, from: m[3]!, level: m[4]!, text: m[5]! };
}
