/** A chart as a PNG: uPlot's canvas as it stands, or an SVG drawn with the colours it has on screen. */
import { colour, saveAs } from "../../kit";

function toBlob(c: HTMLCanvasElement): Promise<Blob | null> {
    return new Promise((done) => c.toBlob(done, "image/png"));
}

function sheet(width: number, height: number, title: string): { canvas: HTMLCanvasElement; c: CanvasRenderingContext2D; top: number } {
    const ratio = devicePixelRatio || 1;
    const top = 32;
    const canvas = document.createElement("canvas");
    canvas.width = width * ratio;
    canvas.height = (height + top) * ratio;
    const c = canvas.getContext("2d")!;
    c.scale(ratio, ratio);
    c.fillStyle = colour("paper-0");
    c.fillRect(0, 0, width, height + top);
    c.fillStyle = colour("ink-1");
    c.font = `600 14px ${getComputedStyle(document.body).fontFamily}`;
    c.fillText(title, 8, 21);
    return { canvas, c, top };
}

/** Shapes of an SVG with their colours: a copy can not see the page's sheets. */
async function drawSvg(svg: SVGSVGElement, c: CanvasRenderingContext2D, top: number, width: number, height: number): Promise<void> {
    const copy = svg.cloneNode(true) as SVGSVGElement;
    const from = svg.querySelectorAll<SVGElement>("path,rect,circle,line,text");
    copy.querySelectorAll<SVGElement>("path,rect,circle,line,text").forEach((el, i) => {
        const look = getComputedStyle(from[i]!);
        for (const name of ["fill", "fill-opacity", "stroke", "stroke-width", "opacity"]) el.setAttribute(name, look.getPropertyValue(name));
    });
    copy.setAttribute("width", String(width));
    copy.setAttribute("height", String(height));
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await image.decode();
    c.drawImage(image, 0, top, width, height);
}

/** Bars are HTML: drawn anew. */
function drawBars(list: Element, c: CanvasRenderingContext2D, top: number, width: number): void {
    c.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    list.querySelectorAll("li").forEach((li, i) => {
        const y = top + i * 20;
        const share = parseFloat(li.querySelector<HTMLElement>(".bar i")?.style.inlineSize ?? "0") / 100;
        c.fillStyle = colour("ink-1");
        c.fillText(li.querySelector(".bar-label")?.textContent ?? "", 8, y + 14, width * 0.3);
        c.fillText(li.querySelector(".num")?.textContent ?? "", width * 0.9, y + 14);
        c.fillStyle = colour("line-1");
        c.fillRect(width * 0.33, y + 4, width * 0.54 * share, 12);
    });
}

export async function picture(of: HTMLElement, title: string, name: string): Promise<boolean> {
    const plot = of.querySelector<HTMLCanvasElement>("canvas");
    const svg = of.querySelector<SVGSVGElement>("svg");
    const bars = of.querySelector(".bars");
    const box = (plot ?? svg ?? bars)?.getBoundingClientRect();
    if (!box) return false;
    const { canvas, c, top } = sheet(box.width, bars ? bars.children.length * 20 + 8 : box.height, title);
    if (plot) c.drawImage(plot, 0, top, box.width, box.height);
    else if (bars) drawBars(bars, c, top, box.width);
    else if (svg) await drawSvg(svg, c, top, box.width, box.height);
    const blob = await toBlob(canvas);
    if (blob) saveAs(name, blob, "image/png");
    return blob !== null;
}
