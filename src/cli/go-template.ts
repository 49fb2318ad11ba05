/**
 * Go templates as `--format` takes them: fields, variables, pipelines, the functions that Docker offers, `if`, `range`, `with`,
 * trimming.
 * Evaluated over plain data; there is nothing in a template that could run code. Pure.
 */

import { RuntimeError } from "../errors.ts";

type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly words: readonly string[] };

type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly pipeline: readonly string[] }
  | {
      readonly kind: "if" | "range" | "with";
      readonly pipeline: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** Turns a row into text. */
export type Template = (data: unknown) => string;

/** Parse a template. @throws RuntimeError INVALID_ARGUMENT. */
export function parseTemplate(text: string): Template {
  const tokens = tokenize(text);
  const position = { index: 0 };
  const nodes = parseNodes(tokens, position, text, null);
  return (data) => render(nodes, data, new Map([["$", data]]), text);
}

function fail(template: string, fault: string): RuntimeError {
  return new RuntimeError("INVALID_ARGUMENT", `Cannot use the format "${template}": ${fault}`, {
    hint: "It is a Go template such as '{{.ID}}: {{json .}}', or the word json, or table and a template.",
  });
}

const WORD = /\s+|\(|\)|\||,|:=|"(?:[^"\\]|\\.)*"|`[^`]*`|(?:(?!:=)[^\s()|"`,])+/g;

function tokenize(template: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;
  const pushText = (text: string, trimEnd: boolean): void => {
    let trimmed = trimNext ? text.trimStart() : text;
    if (trimEnd) trimmed = trimmed.trimEnd();
    if (trimmed !== "") tokens.push({ kind: "text", text: trimmed });
  };
  for (;;) {
    const start = template.indexOf("{{", position);
    if (start === -1) {
      pushText(template.slice(position), false);
      return tokens;
    }
    const end = template.indexOf("}}", start);
    if (end === -1) throw fail(template, '"{{" is not closed');
    let body = template.slice(start + 2, end);
    const trimBefore = /^-\s/.test(body);
    const trimAfter = /\s-$/.test(body);
    body = body.slice(trimBefore ? 1 : 0, trimAfter ? -1 : undefined);
    pushText(template.slice(position, start), trimBefore);
    if (!/^\s*\/\*.*\*\/\s*$/s.test(body)) {
      tokens.push({ kind: "action", words: (body.match(WORD) ?? []).filter((word) => word.trim() !== "") });
    }
    trimNext = trimAfter;
    position = end + 2;
  }
}

function parseNodes(
  tokens: readonly Token[],
  position: { index: number },
  template: string,
  block: string | null,
): readonly Node[] {
  const nodes: Node[] = [];
  for (;;) {
    const token = tokens[position.index];
    if (token === undefined) {
      if (block !== null) throw fail(template, `{{${block}}} has no {{end}}`);
      return nodes;
    }
    if (token.kind === "text") {
      nodes.push(token);
      position.index++;
      continue;
    }
    const [first, ...rest] = token.words;
    if (first === "end" || first === "else") {
      if (block === null) throw fail(template, `{{${first}}} stands alone`);
      return nodes;
    }
    position.index++;
    if (first === "if" || first === "range" || first === "with") {
      nodes.push(parseBlock(first, rest, tokens, position, template));
    } else if (first === undefined) {
      throw fail(template, "an action is empty");
    } else {
      nodes.push({ kind: "output", pipeline: token.words });
    }
  }
}

function parseBlock(
  kind: "if" | "range" | "with",
  pipeline: readonly string[],
  tokens: readonly Token[],
  position: { index: number },
  template: string,
): Node {
  if (pipeline.length === 0) throw fail(template, `{{${kind}}} has no value`);
  const body = parseNodes(tokens, position, template, kind);
  const separator = tokens[position.index++];
  const words = separator?.kind === "action" ? separator.words : [];
  if (words[0] !== "else") return { kind, pipeline, body, otherwise: [] };
  if (words[1] === "if") {
    return { kind, pipeline, body, otherwise: [parseBlock("if", words.slice(2), tokens, position, template)] };
  }
  const otherwise = parseNodes(tokens, position, template, kind);
  position.index++;
  return { kind, pipeline, body, otherwise };
}

/** Variables by name; "$" is the whole data. */
type Scope = Map<string, unknown>;

/** A block's own variables end with it. */
function render(nodes: readonly Node[], dot: unknown, outer: Scope, template: string): string {
  const scope = new Map(outer);
  return nodes.map((node) => renderNode(node, dot, scope, template)).join("");
}

function renderNode(node: Node, dot: unknown, scope: Scope, template: string): string {
  if (node.kind === "text") return node.text;
  const { names, pipeline } = splitDeclaration(node.pipeline, template);
  const value = evaluate(pipeline, dot, scope, template);
  const [first, second] = names;
  if (node.kind === "output") {
    if (first === undefined) return print(value);
    scope.set(first, value);
    return "";
  }
  if (node.kind === "range") {
    const items = entriesOf(value);
    if (items.length === 0) return render(node.otherwise, dot, scope, template);
    return items
      .map(([key, item]) => {
        const inner = new Map(scope);
        if (second !== undefined) inner.set(second, item);
        if (first !== undefined) inner.set(first, second === undefined ? item : key);
        return render(node.body, item, inner, template);
      })
      .join("");
  }
  const inner = new Map(scope);
  if (first !== undefined) inner.set(first, value);
  return isTrue(value)
    ? render(node.body, node.kind === "with" ? value : dot, inner, template)
    : render(node.otherwise, dot, inner, template);
}

/** What `range` goes through: lists in order, objects by their keys. */
function entriesOf(value: unknown): readonly (readonly [key: unknown, item: unknown])[] {
  if (Array.isArray(value)) return [...(value as readonly unknown[]).entries()];
  if (!isRecord(value)) return [];
  return Object.keys(value)
    .toSorted()
    .map((key) => [key, value[key]]);
}

/** `$name :=` or `$key, $value :=` before a pipeline. */
function splitDeclaration(
  words: readonly string[],
  template: string,
): { readonly names: readonly string[]; readonly pipeline: readonly string[] } {
  const sign = words.indexOf(":=");
  if (sign === -1) return { names: [], pipeline: words };
  const names = words.slice(0, sign).filter((word) => word !== ",");
  if (names.length === 0 || names.length > 2 || names.some((name) => !/^\$\w+$/.test(name))) {
    throw fail(template, `"${words.slice(0, sign).join(" ")}" is not a variable`);
  }
  return { names, pipeline: words.slice(sign + 1) };
}

/** Commands separated by `|`; the result of each is the last argument of the next. */
function evaluate(words: readonly string[], dot: unknown, scope: Scope, template: string): unknown {
  let result: { readonly value: unknown } | null = null;
  for (const command of splitPipes(words)) {
    const operands = readOperands(command, dot, scope, template);
    const [head, ...args] = operands;
    if (head === undefined) throw fail(template, "a pipeline has an empty part");
    const all: readonly unknown[] = result === null ? args.map(valueOf) : [...args.map(valueOf), result.value];
    if (head.kind === "function") {
      result = { value: callFunction(head.name, all, template) };
    } else {
      if (all.length > 0) throw fail(template, `"${command.join(" ")}" calls what is no function`);
      result = { value: head.value };
    }
  }
  if (result === null) throw fail(template, "an action is empty");
  return result.value;
}

type Operand =
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "value"; readonly value: unknown };

function valueOf(operand: Operand): unknown {
  return operand.kind === "value" ? operand.value : FUNCTIONS[operand.name]?.([]);
}

function splitPipes(words: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = [[]];
  let depth = 0;
  for (const word of words) {
    if (word === "(") depth++;
    if (word === ")") depth--;
    if (word === "|" && depth === 0) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts;
}

function readOperands(words: readonly string[], dot: unknown, scope: Scope, template: string): readonly Operand[] {
  const operands: Operand[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word !== "(") {
      operands.push(readOperand(word, dot, scope, template));
      continue;
    }
    let depth = 1;
    let end = index + 1;
    for (; end < words.length && depth > 0; end++) depth += words[end] === "(" ? 1 : words[end] === ")" ? -1 : 0;
    if (depth > 0) throw fail(template, '"(" is not closed');
    operands.push({ kind: "value", value: evaluate(words.slice(index + 1, end - 1), dot, scope, template) });
    index = end - 1;
  }
  return operands;
}

function readOperand(word: string, dot: unknown, scope: Scope, template: string): Operand {
  if (word === ".") return { kind: "value", value: dot };
  if (word.startsWith("$")) {
    const [name = "", path] = word.split(/\.(.*)/s);
    if (!scope.has(name)) throw fail(template, `the variable "${name}" is not defined`);
    const value = scope.get(name);
    return { kind: "value", value: path === undefined ? value : field(value, path, template) };
  }
  if (word.startsWith(".")) return { kind: "value", value: field(dot, word.slice(1), template) };
  if (word.startsWith('"')) return { kind: "value", value: JSON.parse(word) as string };
  if (word.startsWith("`")) return { kind: "value", value: word.slice(1, -1) };
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(word)) return { kind: "value", value: Number(word) };
  if (word === "true" || word === "false") return { kind: "value", value: word === "true" };
  if (word === "nil") return { kind: "value", value: null };
  if (Object.hasOwn(FUNCTIONS, word)) return { kind: "function", name: word };
  throw fail(template, `the function "${word}" is not known`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A path of fields. A missing field of an object is an error, as in Go; of a map with free keys it is empty. */
function field(value: unknown, path: string, template: string): unknown {
  let current = value;
  for (const name of path.split(".")) {
    if (current === null || current === undefined) return null;
    if (!isRecord(current)) throw fail(template, `"${name}" is asked of something without fields`);
    if (!Object.hasOwn(current, name)) throw fail(template, `there is no field "${name}"`);
    current = current[name];
  }
  return current;
}

type TemplateFunction = (args: readonly unknown[]) => unknown;

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: ([value]) => JSON.stringify(value),
  lower: ([value]) => print(value).toLowerCase(),
  upper: ([value]) => print(value).toUpperCase(),
  title: ([value]) => print(value).replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  join: ([list, separator]) => asList(list).map(print).join(print(separator)),
  split: ([text, separator]) => print(text).split(print(separator)),
  len: ([value]) => (typeof value === "string" ? Buffer.byteLength(value) : asList(value).length),
  index: ([value, ...keys]) => keys.reduce(indexInto, value),
  truncate: ([text, length]) => print(text).slice(0, Number(length)),
  pad: ([text, before, after]) => " ".repeat(Number(before)) + print(text) + " ".repeat(Number(after)),
  print: (args) => args.map(print).join(""),
  println: (args) => `${args.map(print).join(" ")}\n`,
  printf: ([format, ...args]) => formatText(print(format), args),
  not: ([value]) => !isTrue(value),
  and: (args) => args.find((value) => !isTrue(value)) ?? args.at(-1),
  or: (args) => args.find(isTrue) ?? args.at(-1),
  eq: ([value, ...others]) => others.some((other) => other === value),
  ne: ([a, b]) => a !== b,
  lt: ([a, b]) => compare(a, b) < 0,
  le: ([a, b]) => compare(a, b) <= 0,
  gt: ([a, b]) => compare(a, b) > 0,
  ge: ([a, b]) => compare(a, b) >= 0,
};

function callFunction(name: string, args: readonly unknown[], template: string): unknown {
  const result = FUNCTIONS[name];
  if (result === undefined) throw fail(template, `the function "${name}" is not known`);
  return result(args);
}

function indexInto(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) return (value as readonly unknown[])[Number(key)];
  const name = print(key);
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : null;
}

function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  return isRecord(value) ? Object.values(value) : [];
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [print(a), print(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return value !== null && value !== undefined && value !== "" && value !== 0 && value !== false;
}

/** As fmt.Print has it: `[a b]`, `map[k:v]`. */
function print(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return `[${(value as readonly unknown[]).map(print).join(" ")}]`;
  if (isRecord(value)) {
    const keys = Object.keys(value).toSorted();
    return `map[${keys.map((key) => `${key}:${print(value[key])}`).join(" ")}]`;
  }
  return String(value as string | number | boolean);
}

function formatText(format: string, args: readonly unknown[]): string {
  let next = 0;
  return format.replaceAll(/%(-?\d*)([sdvq%])/g, (_match, width: string, verb: string) => {
    if (verb === "%") return "%";
    const value = args[next++];
    const text = verb === "q" ? JSON.stringify(print(value)) : print(value);
    const size = Math.abs(Number(width || 0));
    return width.startsWith("-") ? text.padEnd(size) : text.padStart(size);
  });
}
