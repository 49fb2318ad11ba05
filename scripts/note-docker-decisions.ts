/**
 * Notes what Docker's default profile decides, as digests, so that the tests can hold `default` to it where the profile
 * itself is not: `PYCRI_PROFILES=DIRECTORY node build/scripts/note-docker-decisions.js`, with moby-default.json in it.
 */
import { writeFileSync } from "node:fs";
import { parseProfileText } from "../src/profile/parse-profile.ts";
import { digestsOf, type DockerDecisions, noteFile, sha256 } from "../test/support/docker-decisions.ts";
import { foreignProfileText } from "../test/support/foreign-profiles.ts";

const text = foreignProfileText("moby-default");
if (text === null) throw new Error("PYCRI_PROFILES names no directory with a moby-default.json");
const note: DockerDecisions = {
  profile: "moby/profiles, seccomp/default.json",
  noted: new Date().toISOString().slice(0, 10),
  sha256: sha256(text),
  decisions: digestsOf(parseProfileText(text)),
};
writeFileSync(noteFile, `${JSON.stringify(note, null, 2)}\n`);
