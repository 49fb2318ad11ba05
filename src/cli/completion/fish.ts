/** Completion for fish 3 and newer. Pure. */

import type { Candidates, CompletedCommand, ValueSource } from "./completion-tree.ts";

export function fishCompletion(
  tree: readonly CompletedCommand[],
  valueCommands: Readonly<Partial<Record<ValueSource, string>>>,
): string {
  const valued = tree.flatMap(({ path, options }) => {
    const spellings = options.flatMap((option) => (option.value === null ? [] : option.spellings));
    return spellings.length === 0 ? [] : [`        case ${quote(path)}\n            set valued ${spellings.join(" ")}`];
  });
  const paths = tree.flatMap(({ path }) => (path === "" ? [] : [quote(path)]));
  const stopping = tree.flatMap(({ path, optionsEndAtOperand }) => (optionsEndAtOperand ? [quote(path)] : []));
  return `# fish completion for pycri; put it into ~/.config/fish/completions/pycri.fish.
# Made by 'pycri completion fish' from the command definitions.

# Prints the command that the words so far name, and on the next line the number of operands after it.
function __pycri_position
    set -l words (commandline -opc)[2..-1]
    set -l path
    set -l operands 0
    set -l skip 0
    set -l valued
    for word in $words
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$path"
${valued.join("\n")}
        case '*'
            set valued
        end
        if test $operands = 0; and string match -q -- '-*' $word
            contains -- $word $valued; and set skip 1
            continue
        end
        string match -q -- '-*' $word; and not contains -- "$path" ${stopping.join(" ")}; and continue
        set -l longer (string trim -- "$path $word")
        if test $operands = 0; and contains -- "$longer" ${paths.join(" ")}
            set path $longer
        else
            set operands (math $operands + 1)
        end
    end
    echo "$path"
    echo $operands
end

# __pycri_at PATH: options of the command may stand here.
function __pycri_at
    set -l position (__pycri_position)
    test "$position[1]" = "$argv[1]"; or return 1
    test $position[2] = 0; or not contains -- "$argv[1]" ${stopping.join(" ")}
end

# __pycri_operand PATH INDEX: this operand of the command may stand here; with + that one or a later one.
function __pycri_operand
    set -l position (__pycri_position)
    test "$position[1]" = "$argv[1]"; or return 1
    if test "$argv[3]" = +
        test $position[2] -ge $argv[2]
    else
        test $position[2] = $argv[2]
    end
end

complete -c pycri -f
${tree.flatMap((command) => linesOf(command, valueCommands)).join("\n")}
`;
}

function linesOf(
  { path, children, options, operands }: CompletedCommand,
  valueCommands: Readonly<Partial<Record<ValueSource, string>>>,
): readonly string[] {
  const at = `complete -c pycri -n ${quote(`__pycri_at ${fishWord(path)}`)}`;
  return [
    ...children.map(
      ({ word, summary }) =>
        `complete -c pycri -n ${quote(`__pycri_operand ${fishWord(path)} 0`)} -a ${word} -d ${quote(summary)}`,
    ),
    ...options.map(({ spellings, help, value }) => {
      const names = spellings.map((spelling) =>
        spelling.startsWith("--") ? `-l ${spelling.slice(2)}` : `-s ${spelling.slice(1)}`,
      );
      const values = value === null ? "" : ` -x${argumentsOf(value, valueCommands)}`;
      return `${at} ${names.join(" ")} -d ${quote(help)}${values}`;
    }),
    ...operands.flatMap((operand, index) => {
      if (operand.words.length === 0 && operand.source === null) return [];
      const condition = `__pycri_operand ${fishWord(path)} ${index}${operand.repeats ? " +" : ""}`;
      return [`complete -c pycri -n ${quote(condition)}${argumentsOf(operand, valueCommands)}`];
    }),
  ];
}

/** `-a` with words and command substitutions, which fish expands when it is asked. */
function argumentsOf(
  { words, source }: Candidates,
  valueCommands: Readonly<Partial<Record<ValueSource, string>>>,
): string {
  const dynamic = (name: ValueSource): string => {
    const line = valueCommands[name];
    return line === undefined ? "" : `(${line} 2>/dev/null)`;
  };
  const sources: Readonly<Record<ValueSource, string>> = {
    file: "(__fish_complete_path (commandline -ct))",
    directory: "(__fish_complete_directories (commandline -ct))",
    rootfs: `(__fish_complete_directories (commandline -ct)) ${dynamic("image")}`,
    image: dynamic("image"),
    container: dynamic("container"),
  };
  const text = [...words, source === null ? "" : sources[source]].filter((part) => part !== "").join(" ");
  return text === "" ? "" : ` -a ${quote(text)}`;
}

/** A word inside an already quoted condition. */
function fishWord(path: string): string {
  return `"${path}"`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
