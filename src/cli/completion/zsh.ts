/** Completion for zsh, on its own _arguments. Pure. */

import type { Candidates, CompletedCommand, CompletedOption, ValueSource } from "./completion-tree.ts";

export function zshCompletion(
  tree: readonly CompletedCommand[],
  valueCommands: Readonly<Partial<Record<ValueSource, string>>>,
): string {
  return `#compdef pycri
# zsh completion for pycri; put it into a folder of $fpath as _pycri.
# Made by 'pycri completion zsh' from the command definitions.

${tree.map(commandFunction).join("\n")}
${(["image", "container"] as const).map((source) => sourceFunction(source, valueCommands[source])).join("\n")}
_pycri_rootfs() {
  _alternative 'word:host:(host)' 'directory:directory:_directories' 'image:image:_pycri_image'
}

_pycri_profile_or_file() {
  _alternative "profile:profile:($1)" 'file:file:_files'
}

if [[ $funcstack[1] == _pycri ]]; then _pycri_root "$@"; else compdef _pycri_root pycri; fi
`;
}

function functionName(path: string): string {
  return path === "" ? "_pycri_root" : `_pycri_command_${path.replace(/[^a-z]/g, "_")}`;
}

function commandFunction({ path, children, options, operands, optionsEndAtOperand }: CompletedCommand): string {
  const lines = [
    ...options.flatMap(optionSpecs),
    ...(children.length > 0
      ? ["'1: :->command'", "'*:: :->arguments'"]
      : operands.map(({ name, repeats, ...candidates }, index) => {
          const first = repeats && optionsEndAtOperand ? "*::" : repeats ? "*:" : `${index + 1}:`;
          return `'${first}${message(name)}:${action(candidates)}'`;
        })),
  ];
  const call = `  _arguments -s ${optionsEndAtOperand || children.length > 0 ? "-A '-*' " : ""}-S : \\\n    ${lines.join(" \\\n    ")}`;
  if (children.length === 0) return `${functionName(path)}() {\n${call}\n}\n`;
  const prefix = path === "" ? "" : `${path} `;
  const branches = children
    .filter(({ word }) => word !== "help")
    .map(({ word }) => `        ${word}) ${functionName(prefix + word)} ;;`);
  return `${functionName(path)}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
${call} && return 0
  case $state in
    command)
      local -a commands=(
${children.map(({ word, summary }) => `        ${quote(`${word}:${summary}`)}`).join("\n")}
      )
      _describe -t commands 'command' commands ;;
    arguments)
      case $words[1] in
${branches.join("\n")}
      esac ;;
  esac
}
`;
}

/** `'(-v --volume)'{-v,--volume}'[help]:SRC:_directories'`, a spec for each spelling. */
function optionSpecs({ spellings, help, value, repeatable }: CompletedOption): readonly string[] {
  const exclusion = repeatable ? "*" : spellings.length > 1 ? `(${spellings.join(" ")})` : "";
  const explanation = `[${message(help)}]`;
  const tail = value === null ? "" : `:${message(value.placeholder)}:${action(value)}`;
  return spellings.map((spelling) => {
    // `=`: the value in the same word or the next; `+` likewise for a letter.
    const suffix = value === null ? "" : spelling.startsWith("--") ? "=" : "+";
    return `'${exclusion}${spelling}${suffix}${explanation}${tail}'`;
  });
}

function action({ words, source }: Candidates): string {
  const list = words.map((word) => word.replace(/[^\w.=/-]/g, (character) => `\\${character}`)).join(" ");
  switch (source) {
    case "file":
      return words.length > 0 ? `{_pycri_profile_or_file "${list}"}` : "_files";
    case "directory":
      return "_directories";
    case "rootfs":
      return "_pycri_rootfs";
    case "image":
      return "_pycri_image";
    case "container":
      return "_pycri_container";
    case null:
      return words.length > 0 ? `(${list})` : " ";
  }
}

/** Inside single quotes and the brackets or between the colons of a spec. */
function message(text: string): string {
  return text.replace(/[[\]:\\]/g, (character) => `\\${character}`).replaceAll("'", "'\\''");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function sourceFunction(source: "image" | "container", line: string | undefined): string {
  const body = line === undefined ? "return 1" : `local -a found=(\${(f)"$(${line} 2>/dev/null)"}); compadd -a found`;
  return `_pycri_${source}() {\n  ${body}\n}\n`;
}
