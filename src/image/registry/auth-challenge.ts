/**
 * The WWW-Authenticate header (RFC 9110, section 11.6.1): which schemes a registry accepts, with their parameters. Pure,
 * and linear in the length of the header.
 */

export interface AuthChallenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;
const BLANKS = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;

/** Every challenge of one header value, in order. What does not follow the grammar ends the list. */
export function parseChallenges(header: string): readonly AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let position = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const found = pattern.exec(header);
    if (found !== null) position = pattern.lastIndex;
    return found;
  };

  let parameters: Record<string, string> | null = null;
  while (position < header.length) {
    match(SEPARATORS);
    const start = position;
    const name = match(TOKEN)?.[0];
    if (name === undefined) break;
    match(BLANKS);
    if (header[position] === "=" && parameters !== null) {
      position++;
      match(BLANKS);
      const quoted = match(QUOTED)?.[1];
      const value = quoted === undefined ? match(TOKEN)?.[0] : quoted.replaceAll(/\\(.)/g, "$1");
      if (value === undefined) break;
      parameters[name.toLowerCase()] = value;
      continue;
    }
    if (position === start + name.length && position < header.length && header[position] !== ",") break;
    parameters = Object.create(null) as Record<string, string>;
    challenges.push({ scheme: name.toLowerCase(), parameters });
    match(TOKEN68);
  }
  return challenges;
}
