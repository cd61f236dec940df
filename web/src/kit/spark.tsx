/** A line without axes, as tall as a word: the last minutes at a glance. Zero-based; a gap is a gap. */
export function Spark({ of, width = 72, height = 18, title }: { of: (number | null)[] | undefined; width?: number; height?: number; title?: string }) {
    const list = of ?? [];
    const top = Math.max(...list.map((v) => v ?? 0), 1e-9);
    const step = list.length > 1 ? (width - 2) / (list.length - 1) : 0;
    let d = "";
    let pen = false;
    list.forEach((v, i) => {
        if (v === null || !Number.isFinite(v)) return void (pen = false);
        d += `${pen ? "L" : "M"}${(1 + i * step).toFixed(1)} ${(height - 1.5 - (Math.max(0, v) / top) * (height - 3)).toFixed(1)}`;
        pen = true;
    });
    return (
        <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role={title ? "img" : undefined} aria-label={title} aria-hidden={title ? undefined : "true"}>
            <path class="spark-zero" d={`M0 ${height - 0.5}H${width}`} />
            {d && <path class="spark-line" d={d} />}
        </svg>
    );
}
