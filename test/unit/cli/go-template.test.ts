/** Go templates against what text/template makes of them, as its documentation and Docker's tell. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeError } from "../../../src/errors.ts";
import { parseTemplate } from "../../../src/cli/go-template.ts";

const DATA = {
  ID: "abc",
  Size: 12,
  Names: ["a", "b"],
  Empty: [],
  None: null,
  Yes: true,
  Labels: { b: "2", a: "1" },
  Config: { Image: "debian", Env: ["A=1"] },
};

const TABLE: readonly (readonly [template: string, text: string])[] = [
  ["{{.ID}}", "abc"],
  ["x{{ .ID }}y", "xabcy"],
  ["{{.Config.Image}}", "debian"],
  ["{{.Names}} {{.Labels}}", "[a b] map[a:1 b:2]"],
  ["{{json .Names}} {{json .Labels}}", '["a","b"] {"b":"2","a":"1"}'],
  ["{{.Names | json}}", '["a","b"]'],
  ['{{join .Names ", "}}', "a, b"],
  ['{{split "a,b" ","}}', "[a b]"],
  ["{{upper .ID}} {{lower `X`}} {{title `word`}}", "ABC x Word"],
  ["{{len .Names}} {{len .ID}}", "2 3"],
  ["{{index .Names 1}} {{index .Labels `a`}}", "b 1"],
  ['{{printf "%s-%d|%5s|%-5s|%q|%%" .ID .Size .ID .ID .ID}}', 'abc-12|  abc|abc  |"abc"|%'],
  ['{{println "a" "b"}}', "a b\n"],
  ["{{if .Yes}}y{{else}}n{{end}}{{if .Empty}}y{{else}}n{{end}}", "yn"],
  ["{{if .None}}1{{else if .Size}}2{{else}}3{{end}}", "2"],
  ['{{if and .Yes (eq .ID "abc" "x")}}y{{end}}{{if or .None .Empty}}n{{end}}', "y"],
  ["{{if not .None}}y{{end}}{{if gt .Size 9}}y{{end}}{{if ne .ID .ID}}n{{end}}", "yy"],
  ["{{range .Names}}<{{.}}>{{end}}", "<a><b>"],
  ["{{range .Empty}}x{{else}}none{{end}}", "none"],
  ["{{range .Labels}}{{.}}{{end}}", "12"],
  ["{{range $i, $name := .Names}}{{$i}}={{$name}};{{end}}", "0=a;1=b;"],
  ["{{range $k,$v := .Labels}}{{$k}}={{$v}} {{end}}", "a=1 b=2 "],
  ["{{range $name := .Names}}{{$name}}{{$.ID}}{{end}}", "aabcbabc"],
  ["{{with .Config}}{{.Image}}{{end}}{{with .None}}x{{else}}-{{end}}", "debian-"],
  ["{{with $c := .Config}}{{$c.Image}}{{end}}", "debian"],
  ["{{$id := .ID}}{{range .Names}}{{$id}}{{.}} {{end}}", "abca abcb "],
  ["a {{- .ID -}} b", "aabcb"],
  ["{{/* a comment */}}{{.ID}}", "abc"],
  ['{{"{{"}}', "{{"],
  ["{{truncate .ID 2}}{{pad .ID 1 2}}", "ab abc  "],
];

for (const [template, text] of TABLE) {
  test(`${template} is ${JSON.stringify(text)}`, () => {
    assert.equal(parseTemplate(template)(DATA), text);
  });
}

const FAULTS: readonly (readonly [template: string, fault: RegExp])[] = [
  ["{{.ID", /"\{\{" is not closed/],
  ["{{if .ID}}x", /\{\{if\}\} has no \{\{end\}\}/],
  ["{{end}}", /\{\{end\}\} stands alone/],
  ["{{}}", /an action is empty/],
  ["{{.Nothing}}", /there is no field "Nothing"/],
  ["{{.ID.More}}", /"More" is asked of something without fields/],
  ["{{nothing .ID}}", /the function "nothing" is not known/],
  ["{{constructor}}", /the function "constructor" is not known/],
  ["{{.__proto__}}", /there is no field "__proto__"/],
  ["{{$x}}", /the variable "\$x" is not defined/],
  ["{{range $x := .Names}}{{end}}{{$x}}", /the variable "\$x" is not defined/],
  ["{{x := .ID}}", /"x" is not a variable/],
  ["{{.ID .Size}}", /calls what is no function/],
  ["{{(.ID}}", /"\(" is not closed/],
  ["{{range}}{{end}}", /\{\{range\}\} has no value/],
];

for (const [template, fault] of FAULTS) {
  test(`${template} is refused`, () => {
    assert.throws(
      () => parseTemplate(template)(DATA),
      (error) => error instanceof RuntimeError && error.code === "INVALID_ARGUMENT" && fault.test(error.message),
    );
  });
}
