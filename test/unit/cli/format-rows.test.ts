/** Lists, sizes and ages as Docker prints them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRows } from "../../../src/cli/format-rows.ts";
import { formatAge, formatBytes } from "../../../src/cli/images/format-size.ts";

const ROWS = [
  { ID: "1", Repository: "debian", Size: "124MB" },
  { ID: "22", Repository: "a/long/name", Size: "1kB" },
];
const COLUMNS = [
  { heading: "REPOSITORY", field: "Repository" },
  { heading: "IMAGE ID", field: "ID" },
  { heading: "SIZE", field: "Size" },
];

test("columns are aligned under their headings, and stand without rows, too", () => {
  assert.equal(
    formatRows(ROWS, COLUMNS, undefined),
    "REPOSITORY    IMAGE ID   SIZE\ndebian        1          124MB\na/long/name   22         1kB\n",
  );
  assert.equal(formatRows([], COLUMNS, "table"), "REPOSITORY   IMAGE ID   SIZE\n");
});

test("json is an object a line, a template a line for each row", () => {
  assert.equal(formatRows(ROWS, COLUMNS, "json").split("\n")[1], '{"ID":"22","Repository":"a/long/name","Size":"1kB"}');
  assert.equal(formatRows(ROWS, COLUMNS, "{{.ID}}:{{.Size}}"), "1:124MB\n22:1kB\n");
});

test("table with a template has headings of its own", () => {
  assert.equal(
    formatRows(ROWS, COLUMNS, String.raw`table {{.ID}}\t{{.Size}}`),
    "IMAGE ID   SIZE\n1          124MB\n22         1kB\n",
  );
});

for (const [bytes, text] of [
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [5530, "5.53kB"],
  [124_400_000, "124MB"],
  [999_600, "1MB"],
  [1_230_000_000, "1.23GB"],
] as const) {
  test(`${bytes} bytes are ${text}`, () => assert.equal(formatBytes(bytes), text));
}

const NOW = Date.parse("2026-01-01T00:00:00Z");
const HOUR = 3600;
for (const [seconds, text] of [
  [0.5, "Less than a second ago"],
  [1, "1 second ago"],
  [59, "59 seconds ago"],
  [60, "About a minute ago"],
  [120, "2 minutes ago"],
  [HOUR, "About an hour ago"],
  [1.6 * HOUR, "2 hours ago"],
  [47 * HOUR, "47 hours ago"],
  [48 * HOUR, "2 days ago"],
  [14 * 24 * HOUR, "2 weeks ago"],
  [60 * 24 * HOUR, "2 months ago"],
  [731 * 24 * HOUR, "2 years ago"],
] as const) {
  test(`${seconds} seconds: ${text}`, () => {
    assert.equal(formatAge(new Date(NOW - seconds * 1000).toISOString(), NOW), text);
  });
}
