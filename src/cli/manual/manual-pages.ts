/** The manual, section 1: a page for pycri, and one for every public command. Pure. */

import type { Command, OptionDefinition } from "../command.ts";
import { helpOf, upperFirst } from "../help-text.ts";
import { bold, escapeText, italic, pageHead, type Release, paragraph, section, subsection, tagged } from "./roff.ts";

export interface ManualPage {
  /** `pycri-run`; the file is this and `.1`. */
  readonly name: string;
  readonly text: string;
}

const DEFAULT_GROUP = "Options";

export function manualPages(commands: readonly Command[], release: Release): readonly ManualPage[] {
  const listed = commands.filter(({ internal }) => internal !== true);
  return [
    { name: "pycri", text: mainPage(listed, release) },
    ...listed.map((command) => ({ name: pageName(command.path), text: commandPage(command, listed, release) })),
  ];
}

function pageName(path: readonly string[]): string {
  return ["pycri", ...path].join("-");
}

function mainPage(commands: readonly Command[], release: Release): string {
  return page([
    pageHead("pycri", release, "run containers without root, and compile seccomp profiles"),
    section("SYNOPSIS"),
    `${bold("pycri")} ${italic("COMMAND")} [${italic("OPTIONS")}] [${italic("ARG")}...]`,
    section("DESCRIPTION"),
    paragraph(
      "pycri runs containers for ordinary users, without a daemon and without setuid code of its own, and owns the whole way from a JSON seccomp profile to the filter in the kernel.",
    ),
    paragraph("pycri doctor says what a host lacks for it."),
    section("COMMANDS"),
    ...commands.map(({ path, summary }) => tagged(`${bold(pageName(path))}(1)`, `${upperFirst(summary)}.`)),
    section("OPTIONS"),
    tagged(bold("--help"), "Show help; after a command, that of the command."),
    tagged(bold("--version"), "Print the version and exit."),
    section("EXIT STATUS"),
    paragraph("0 when all went well, 125 when pycri failed. Commands with other statuses say so on their pages."),
    section("ENVIRONMENT"),
    ...ENVIRONMENT.map(([name, text]) => tagged(bold(name), text)),
    section("FILES"),
    ...FILES.map(([name, text]) => tagged(italic(name), text)),
    section("SEE ALSO"),
    seeAlso(
      commands.map(({ path }) => pageName(path)),
      ["newuidmap(1)", "seccomp(2)", "subuid(5)", "user_namespaces(7)"],
    ),
  ]);
}

const ENVIRONMENT = [
  ["XDG_RUNTIME_DIR", "State of running containers is below its pycri; /run/pycri or /tmp/pycri-UID without it."],
  ["XDG_DATA_HOME", "Images are below its pycri; ~/.local/share without it."],
  ["XDG_CACHE_HOME", "Compiled filters are below its pycri; ~/.cache without it."],
  ["REGISTRY_AUTH_FILE", "Credentials for registries."],
  ["http_proxy, https_proxy, no_proxy", "How registries are reached."],
  ["NO_COLOR", "Honoured: pycri prints no colours at all."],
] as const;

const FILES = [
  ["/etc/subuid, /etc/subgid", "Ids that a user's containers may have besides the user's own."],
  ["/etc/containers/registries.conf", "Short names, mirrors and blocked registries."],
] as const;

function commandPage(command: Command, commands: readonly Command[], release: Release): string {
  const words = ["pycri", ...command.path].join(" ");
  const related = commands
    .filter(({ path }) => path !== command.path && path.length > 1 && path[0] === command.path[0])
    .map(({ path }) => pageName(path));
  return page([
    pageHead(pageName(command.path), release, command.summary),
    section("SYNOPSIS"),
    [bold(words), ...synopsis(command)].join(" "),
    section("DESCRIPTION"),
    paragraph(`${upperFirst(command.summary)}.`),
    ...(command.description ?? []).map(paragraph),
    ...operandSection(command),
    ...optionSections(command),
    ...exampleSection(command),
    section("SEE ALSO"),
    seeAlso(["pycri", ...related], []),
  ]);
}

function synopsis({ options, operands }: Command): readonly string[] {
  return [
    ...(Object.keys(options).length > 0 ? [`[${italic("OPTIONS")}]`] : []),
    ...operands.map(({ name, count }) => {
      const text = count === "many" || count === "some" ? `${italic(name)}...` : italic(name);
      return count === "one" || count === "some" ? text : `[${text}]`;
    }),
  ];
}

function operandSection({ operands }: Command): readonly string[] {
  if (operands.length === 0) return [];
  return [section("OPERANDS"), ...operands.map(({ name, help }) => tagged(italic(name), `${upperFirst(help)}.`))];
}

function optionSections({ options }: Command): readonly string[] {
  const byGroup = new Map<string, string[]>();
  for (const [long, definition] of Object.entries(options)) {
    if (definition.refusal !== undefined) continue;
    const group = definition.group ?? DEFAULT_GROUP;
    const lines = byGroup.get(group) ?? [];
    lines.push(tagged(optionTag(long, definition), `${upperFirst(helpOf(definition))}.`));
    byGroup.set(group, lines);
  }
  const help = tagged(bold("--help"), "Show help.");
  byGroup.set(DEFAULT_GROUP, [...(byGroup.get(DEFAULT_GROUP) ?? []), help]);
  if (byGroup.size === 1) return [section("OPTIONS"), ...(byGroup.get(DEFAULT_GROUP) ?? [])];
  return [section("OPTIONS"), ...[...byGroup].flatMap(([group, lines]) => [subsection(group), ...lines])];
}

/** `-v`, `--volume=SRC:DST`, and the other spellings. */
function optionTag(long: string, definition: OptionDefinition): string {
  const value = definition.type === "flag" ? "" : `=${italic(definition.value)}`;
  const shortValue = definition.type === "flag" ? "" : ` ${italic(definition.value)}`;
  return [
    ...(definition.short === undefined ? [] : [`${bold(`-${definition.short}`)}${shortValue}`]),
    `${bold(`--${long}`)}${value}`,
    ...(definition.aliases ?? []).map((alias) => `${bold(`--${alias}`)}${value}`),
  ].join(", ");
}

function exampleSection({ examples = [] }: Command): readonly string[] {
  if (examples.length === 0) return [];
  return [
    section("EXAMPLES"),
    ...examples.flatMap(({ command, explanation }) => [
      paragraph(`${upperFirst(explanation)}:`),
      ".RS 4",
      ".nf",
      escapeText(command),
      ".fi",
      ".RE",
    ]),
  ];
}

function seeAlso(own: readonly string[], others: readonly string[]): string {
  const references = [...own.map((name) => `${name}(1)`), ...others];
  return references
    .map((reference, index) => {
      const [, name = "", number = ""] = /^(.*)(\(\d\))$/.exec(reference) ?? [];
      return `.BR ${escapeText(name)} ${number}${index + 1 < references.length ? "," : ""}`;
    })
    .join("\n");
}

function page(parts: readonly string[]): string {
  // A section begins a paragraph by itself.
  const text = parts.join("\n").replace(/^(\.S[HS] .*\n)\.PP\n/gm, "$1");
  return `.\\" Made from the command definitions of pycri.\n${text}\n`;
}
