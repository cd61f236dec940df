/** The few signs of the console, 16 x 16, in the colour of the text. */
const SHAPES = {
    menu: "M2 4h12M2 8h12M2 12h12",
    close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
    search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14",
    copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
    check: "M3 8.5l3.5 3.5L13 4.5",
    up: "M4 10l4-4 4 4",
    down: "M4 6l4 4 4-4",
    right: "M6 4l4 4-4 4",
    left: "M10 4L6 8l4 4",
    sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9L13 13M13 3l-1.1 1.1M4.1 11.9L3 13",
    moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
    half: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
    play: "M4.5 2.5l8 5.5-8 5.5z",
    pause: "M5 3v10M11 3v10",
    plus: "M8 3v10M3 8h10",
    trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4",
    edit: "M3 13l.6-2.9 7-7 2.3 2.3-7 7z",
    download: "M8 2v8M4.5 7L8 10.5 11.5 7M3 13.5h10",
    refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
    more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
    link: "M6.5 9.5l3-3M7 5l1.8-1.8a2.8 2.8 0 0 1 4 4L11 9M9 11l-1.8 1.8a2.8 2.8 0 0 1-4-4L5 7",
    full: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
} as const;
export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { name: IconName }) {
    return (
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d={SHAPES[name]} />
            {name === "half" && <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />}
        </svg>
    );
}
