/** Takes a page's rules into the document; build.mjs turns `import "./page.css"` into a call of this. */
export function adopt(rules: string): void {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
