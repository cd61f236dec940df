/** The world by country, shaded by a figure: a chunk of its own, with the shapes of Natural Earth (1:110 million). */
import { useMemo, useState } from "preact/hooks";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import world from "world-atlas/countries-110m.json";
import { count } from "./format";

export interface MapProps {
    title: string;
    of: { country: string; value: number }[]; // ISO's two letters, or a name in English
}

/** Two letters -> the number that the shapes carry, and names that records spell otherwise. */
const CODES: Record<string, string> = {
    AU: "036", BR: "076", CA: "124", CH: "756", DE: "276", DK: "208", ES: "724", FI: "246", FR: "250", GB: "826", IE: "372", IN: "356", IR: "364", MX: "484", NL: "528", NO: "578", NZ: "554", RS: "688", TR: "792", UA: "804", US: "840",
    AR: "032", AT: "040", BE: "056", BG: "100", CL: "152", CN: "156", CO: "170", CZ: "203", EG: "818", GR: "300", HU: "348", ID: "360", IL: "376", IS: "352", IT: "380", JP: "392", KE: "404", KR: "410", MA: "504", NG: "566", PE: "604", PK: "586", PL: "616", PT: "620", RO: "642", RU: "643", SA: "682", SE: "752", SG: "702", TH: "764", TN: "788", UY: "858", VN: "704", ZA: "710",
};
const SPELLED: Record<string, string> = { "united states": "840", usa: "840", "united states of america": "840", "united kingdom": "826", uk: "826", "great britain": "826", england: "826", turkey: "792", "türkiye": "792", czechia: "203", "czech republic": "203", holland: "528", russia: "643" };

const W = 960;
const H = 420;
const TOP = 84;
const BOTTOM = -58;
const px = (lon: number): number => ((lon + 180) / 360) * W;
const py = (lat: number): number => ((TOP - Math.max(BOTTOM, Math.min(TOP, lat))) / (TOP - BOTTOM)) * H;

/** A ring's path; where it would run once around the world it is lifted instead. */
function ring(points: number[][]): string {
    let out = "";
    let last = 0;
    points.forEach(([lon, lat], i) => {
        const jump = i > 0 && Math.abs(lon! - last) > 180;
        out += `${i === 0 || jump ? "M" : "L"}${px(lon!).toFixed(1)} ${py(lat!).toFixed(1)}`;
        last = lon!;
    });
    return out;
}

interface Country {
    id: string;
    name: string;
    d: string;
}

let drawn: Country[] | undefined;

function countries(): Country[] {
    if (drawn) return drawn;
    const topology = world as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>;
    return (drawn = feature(topology, topology.objects.countries).features.map((f) => {
        const g = f.geometry;
        const polygons = g.type === "Polygon" ? [g.coordinates] : g.type === "MultiPolygon" ? g.coordinates : [];
        return { id: String(f.id ?? ""), name: f.properties.name, d: polygons.flatMap((p) => p.map(ring)).join("") };
    }));
}

export function WorldMap({ title, of }: MapProps) {
    const all = countries();
    const [over, setOver] = useState<string>();
    const { values, lost, top } = useMemo(() => {
        const byName = new Map(all.map((c) => [c.name.toLowerCase(), c.id]));
        const found = new Map<string, number>();
        let without = 0;
        for (const { country, value } of of) {
            const word = country.trim();
            const id = CODES[word.toUpperCase()] ?? SPELLED[word.toLowerCase()] ?? byName.get(word.toLowerCase());
            if (id) found.set(id, (found.get(id) ?? 0) + value);
            else without += value;
        }
        return { values: found, lost: without, top: Math.max(1, ...found.values()) };
    }, [of]);
    const shown = all.find((c) => c.id === over);
    return (
        <figure class="map">
            <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={`${title}: ${[...values].sort((a, b) => b[1] - a[1]).slice(0, 10).map(([id, v]) => `${all.find((c) => c.id === id)?.name} ${count(v)}`).join(", ")}`}>
                {all.map((c) => {
                    const v = values.get(c.id);
                    return <path key={c.id + c.name} d={c.d} class={v === undefined ? "map-none" : "map-some"} style={v === undefined ? undefined : { "--share": String(0.15 + 0.85 * Math.sqrt(v / top)) }} onPointerEnter={() => setOver(c.id)} onPointerLeave={() => setOver(undefined)}><title>{v === undefined ? c.name : `${c.name}: ${count(v)}`}</title></path>;
                })}
            </svg>
            <figcaption class="quiet">{shown ? `${shown.name}: ${count(values.get(shown.id) ?? 0)}` : `${count(values.size)} countries`}{lost > 0 && `; ${count(lost)} of no country on the map`}</figcaption>
        </figure>
    );
}
