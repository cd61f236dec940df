/** The order of names: "topic2" before "topic10", "Zoo" after "abc". Pure. */

let collator: Intl.Collator | undefined; // its first use costs a fresh page tens of ms, and it is slow: only for names that need it

const KEEP = /(\d+)/;

/** A name in parts that compare as they are: text in small letters, numbers. */
function parts(name: string): (string | number)[] {
    return name.toLowerCase().split(KEEP).map((p, i) => (i % 2 ? Number(p) : p));
}

/** How two of these names compare. */
export function byName(names: readonly string[]): (a: string, b: string) => number {
    if (names.some((n) => /[^\x20-\x7e]/.test(n))) {
        collator ??= new Intl.Collator("en", { numeric: true, sensitivity: "base" });
        return collator.compare;
    }
    const known = new Map<string, (string | number)[]>();
    const of = (n: string) => {
        let p = known.get(n);
        if (!p) known.set(n, (p = parts(n)));
        return p;
    };
    return (a, b) => {
        const x = of(a);
        const y = of(b);
        for (let i = 0; i < x.length && i < y.length; i++) {
            if (x[i]! < y[i]!) return -1;
            if (x[i]! > y[i]!) return 1;
        }
        return x.length - y.length;
    };
}
