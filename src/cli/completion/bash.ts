/** Completion for bash 4.2 and newer, without the package bash-completion. Pure. */

import type { Candidates, CompletedCommand, ValueSource } from "./completion-tree.ts";

export function bashCompletion(
  tree: readonly CompletedCommand[],
  valueCommands: Readonly<Partial<Record<ValueSource, string>>>,
): string {
  return `# bash completion for pycri; source it, or put it into /etc/bash_completion.d/pycri.
# Made by 'pycri completion bash' from the command definitions.

# _pycri_command PATH: sets children, options, valued and stop.
_pycri_command() {
  children= options= valued= stop=
  case $1 in
${tree.map(commandCase).join("\n")}
    *) return 1 ;;
  esac
}

# _pycri_value PATH OPTION: sets words and source.
_pycri_value() {
  words= source=
  case "$1 $2" in
${tree.flatMap(valueCases).join("\n")}
  esac
}

# _pycri_operand PATH INDEX: sets words and source.
_pycri_operand() {
  words= source=
  case "$1 $2" in
${tree.flatMap(operandCases).join("\n")}
  esac
}

_pycri_source() {
  case $1 in
    file) compopt -o filenames; COMPREPLY+=($(compgen -f -- "$2")) ;;
    directory) compopt -o filenames; COMPREPLY+=($(compgen -d -- "$2")) ;;
    rootfs) compopt -o filenames; COMPREPLY+=($(compgen -d -- "$2")) ${valueCommands.image === undefined ? "" : `; _pycri_source image "$2" `};;
${(["image", "container"] as const)
  .flatMap((source) => {
    const line = valueCommands[source];
    return line === undefined
      ? []
      : [`    ${source}) COMPREPLY+=($(compgen -W "$(${line} 2>/dev/null)" -- "$2")); _pycri_trim_colon "$2" ;;`];
  })
  .join("\n")}
  esac
}

# bash takes a colon for the end of a word: what stands before it is not to be repeated.
_pycri_trim_colon() {
  [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
  local prefix=\${1%"\${1##*:}"} at
  for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]=\${COMPREPLY[at]#"$prefix"}; done
}

_pycri() {
  local IFS=$' \\t\\n' path= children options valued stop words source word option= expected= ended= operands=0 at
  local current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  _pycri_command ""
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ $word == = ]]; then expected=$option; continue; fi
    if [[ -n $expected ]]; then expected=; continue; fi
    if [[ -z $ended && $word == -- ]]; then ended=1; continue; fi
    if [[ -z $ended && $word == -?* ]]; then
      option=\${word%%=*}
      [[ $word != *=* && " $valued " == *" $word "* ]] && expected=$word
      continue
    fi
    if [[ $operands == 0 && " $children " == *" $word "* ]]; then
      path=\${path:+$path }$word
      _pycri_command "$path" || return 0
      continue
    fi
    operands=$((operands + 1))
    [[ -n $stop ]] && ended=1
  done

  if [[ $current == = ]]; then current=; expected=$option
  elif [[ -z $ended && $current == --*=* ]]; then expected=\${current%%=*}; current=\${current#*=}
  fi
  if [[ -n $expected ]]; then
    _pycri_value "$path" "$expected"
  elif [[ -z $ended && $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    return 0
  elif [[ -n $children && $operands == 0 ]]; then
    COMPREPLY=($(compgen -W "$children" -- "$current"))
    return 0
  else
    _pycri_operand "$path" "$operands"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ -n $source ]] && _pycri_source "$source" "$current"
  return 0
}

complete -F _pycri pycri
`;
}

function commandCase({ path, children, options, optionsEndAtOperand }: CompletedCommand): string {
  const spellings = options.flatMap((option) => option.spellings);
  const valued = options.flatMap((option) => (option.value === null ? [] : option.spellings));
  const assignments = [
    ...(children.length > 0 ? [`children="${children.map(({ word }) => word).join(" ")}"`] : []),
    `options="${spellings.join(" ")}"`,
    ...(valued.length > 0 ? [`valued="${valued.join(" ")}"`] : []),
    ...(optionsEndAtOperand ? ["stop=1"] : []),
  ];
  return `    "${path}") ${assignments.join("; ")} ;;`;
}

function valueCases({ path, options }: CompletedCommand): readonly string[] {
  return options.flatMap(({ spellings, value }) => {
    if (value === null || (value.words.length === 0 && value.source === null)) return [];
    return [`    ${spellings.map((spelling) => `"${path} ${spelling}"`).join("|")}) ${assign(value)} ;;`];
  });
}

function operandCases({ path, operands }: CompletedCommand): readonly string[] {
  return operands.flatMap((operand, index) => {
    if (operand.words.length === 0 && operand.source === null) return [];
    const pattern = operand.repeats ? `"${path} "*` : `"${path} ${index}"`;
    return [`    ${pattern}) ${assign(operand)} ;;`];
  });
}

function assign({ words, source }: Candidates): string {
  const parts = [
    ...(words.length > 0 ? [`words="${words.join(" ")}"`] : []),
    ...(source === null ? [] : [`source=${source}`]),
  ];
  return parts.join("; ");
}
