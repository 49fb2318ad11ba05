/** Text as roff(7) wants it, and the few man(7) macros the pages use. Pure. */

/** Running text, safe inside a line or a macro's argument. */
export function escapeText(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll('"', "\\(dq")
    // Whole code points: roff knows them by number.
    .replace(/[^\x20-\x7e\n]/gu, (character) => `\\[u${hex(character)}]`);
  // A line that begins with one of these would be a request.
  return escaped.replace(/^(?=[.'])/gm, "\\&");
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

export interface Release {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

/** `.TH` and the page's name line. */
export function pageHead(name: string, { version, date }: Release, summary: string): string {
  return [
    `.TH "${escapeText(name.toUpperCase())}" "1" "${date}" "pycri ${escapeText(version)}" "User Commands"`,
    section("NAME"),
    `${escapeText(name)} \\- ${escapeText(summary)}`,
  ].join("\n");
}

export function section(title: string): string {
  return `.SH "${escapeText(title)}"`;
}

export function subsection(title: string): string {
  return `.SS "${escapeText(title)}"`;
}

/** A paragraph with a hanging tag; the tag is roff already. */
export function tagged(tag: string, text: string): string {
  return `.TP\n${tag}\n${escapeText(text)}`;
}

export function paragraph(text: string): string {
  return `.PP\n${escapeText(text)}`;
}
