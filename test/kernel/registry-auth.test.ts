/**
 * Reaching a real registry that is guarded: TLS by an authority of its own, passwords, tokens, credential files and helpers,
 * proxies.
 */

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { caller } from "../support/caller.ts";
import { reasonToSkip } from "../support/kernel-test.ts";
import { makeImage, uploadImage } from "../support/made-image.ts";
import { startForwardProxy } from "../support/proxies.ts";
import { REGISTRY_NAME, type Registry, startRegistry } from "../support/registry.ts";
import { type Outcome, outcomeOf, pycri } from "../support/run.ts";
import { environment, makeOwned, runtimeDirectory, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { Terminal } from "../support/terminal.ts";

const skip = reasonToSkip(["registry"]);
const registryTest = (name: string, body: () => Promise<void>): void => void test(name, { skip }, body);

let open: Registry;
let guarded: Registry;
let tokens: Registry;
const image = makeImage({ layers: [tar([{ name: "text", data: "words" }])] });

before(async () => {
  if (skip !== false) return;
  open = await startRegistry();
  guarded = await startRegistry({ tls: true, login: ["user", "pass:word"] });
  tokens = await startRegistry({ token: ["user", "secret"] });
  await uploadImage(open.host, "a/b", "1", image);
  await store.ok("pull", `${open.host}/a/b:1`);
  await store.ok("push", "--creds", "user:pass:word", `${open.host}/a/b:1`, `${guarded.host}/a/b:1`);
});

after(async () => {
  if (skip !== false) return;
  for (const registry of [open, guarded, tokens]) await registry.stop();
});

let count = 0;

interface Store {
  readonly run: (args: readonly string[], env?: Readonly<Record<string, string>>, input?: string) => Promise<Outcome>;
  readonly ok: (...args: readonly string[]) => Promise<string>;
}

/** Callers with a store and a configuration of their own. */
function newStore(more: Readonly<Record<string, string>> = {}): Store {
  const base = { XDG_DATA_HOME: makeOwned(join(scratch, `data-${count++}`)), ...more };
  const run: Store["run"] = (args, env = {}, input) =>
    pycri(args, { env: { ...base, ...env }, ...(input === undefined ? {} : { input }) });
  return {
    run,
    ok: async (...args) => {
      const { status, stdout, stderr } = await run(args);
      assert.equal(status, 0, stderr);
      return stdout;
    },
  };
}

const store = newStore();

/** A file of the caller's. */
function write(path: string, text: string, mode = 0o644): string {
  writeFileSync(path, text);
  chmodSync(path, mode);
  chownSync(path, caller.uid, caller.gid);
  return path;
}

async function refused(outcome: Promise<Outcome>, words: RegExp): Promise<string> {
  const { status, stderr } = await outcome;
  assert.equal(status, 125, stderr);
  assert.match(stderr, words);
  return stderr;
}

registryTest("an unknown authority is refused where TLS must be verified, and known by three ways", async () => {
  const pull = ["pull", "--creds", "user:pass:word", "--tls-verify", `${guarded.host}/a/b:1`];
  assert.ok(guarded.certificate !== null);
  const stderr = await refused(newStore().run(pull), /UNABLE_TO_|SELF_SIGNED/);
  assert.match(stderr, new RegExp(`^hint: .*certs\\.d/${guarded.host}/ca\\.crt`, "m"));
  assert.equal((await newStore({ SSL_CERT_FILE: guarded.certificate }).run(pull)).status, 0);
  const config = makeOwned(join(scratch, "config"));
  const folder = join(config, "containers/certs.d", guarded.host);
  mkdirSync(folder, { recursive: true });
  const configured = newStore({ XDG_CONFIG_HOME: config });
  await refused(configured.run(pull), /UNABLE_TO_|SELF_SIGNED/);
  copyFileSync(guarded.certificate, join(folder, "ca.crt"));
  assert.equal((await configured.run(pull)).status, 0);
  await newStore().ok(...pull.map((word) => (word === "--tls-verify" ? "--tls-verify=false" : word)));
});

registryTest("an authority for one host vouches for no other", async () => {
  const config = makeOwned(join(scratch, "config-other"));
  const folder = join(config, "containers/certs.d/other.example:5000");
  mkdirSync(folder, { recursive: true });
  copyFileSync(guarded.certificate ?? "", join(folder, "ca.crt"));
  const args = ["pull", "--creds", "user:pass:word", "--tls-verify", `${guarded.host}/a/b:1`];
  await refused(newStore({ XDG_CONFIG_HOME: config }).run(args), /UNABLE_TO_|SELF_SIGNED/);
});

registryTest("plain HTTP where TLS must be verified is refused", async () => {
  await refused(newStore().run(["pull", "--tls-verify", `${open.host}/a/b:1`]), /cannot reach "https:/);
});

registryTest("login asks for what is not given, and shows no password", async () => {
  const authfile = join(makeOwned(join(scratch, "asked")), "auth.json");
  const login = ["login", "--tls-verify=false", "--authfile", authfile, guarded.host];
  using terminal = new Terminal();
  const outcome = outcomeOf(terminal.start(login));
  await terminal.sees("Username: ");
  terminal.type("user\r");
  await terminal.sees("Password: ");
  terminal.type("pass:word\r");
  await terminal.sees("Login Succeeded");
  assert.equal((await outcome).status, 0);
  const shown = stripVTControlCharacters(terminal.output).replaceAll("\r", "");
  assert.equal(shown, "Username: user\nPassword: \nLogin Succeeded\n");
  const auth = Buffer.from("user:pass:word").toString("base64");
  assert.deepEqual(JSON.parse(readFileSync(authfile, "utf8")), { auths: { [guarded.host]: { auth } } });
});

registryTest("a login that is given up in the middle of its questions ends with an error", async () => {
  using terminal = new Terminal();
  const before = terminal.stty("-g");
  const outcome = outcomeOf(terminal.start(["login", guarded.host]));
  await terminal.sees("Username: ");
  terminal.type("user\r");
  await terminal.sees("Password: ");
  terminal.type("\u0003");
  assert.equal((await outcome).status, 125);
  await terminal.sees("the input ended before the answer");
  assert.equal(terminal.stty("-g"), before);
});

registryTest("login tries the password before it keeps it, for the caller alone", async () => {
  const own = newStore();
  const file = join(runtimeDirectory, "containers/auth.json");
  const pull = ["pull", `${guarded.host}/a/b:1`];
  assert.match(await refused(own.run(pull), /UNAUTHORIZED|HTTP 401/), new RegExp(`pycri login ${guarded.host}`));
  await refused(own.run(["login", "-u", "user", "-p", "wrong", guarded.host]), /HTTP 401/);
  assert.ok(!existsSync(file));
  const { status, stdout } = await own.run(
    ["login", "-u", "user", "--password-stdin", guarded.host],
    {},
    "pass:word\n",
  );
  assert.deepEqual([status, stdout], [0, "Login Succeeded\n"]);
  const auth = Buffer.from("user:pass:word").toString("base64");
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { auths: { [guarded.host]: { auth } } });
  assert.deepEqual([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777], [0o600, 0o700]);
  assert.equal((await own.run(pull)).status, 0);
  assert.equal(await own.ok("logout", guarded.host), `Removed login credentials for ${guarded.host}\n`);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { auths: {} });
  await refused(own.run(["logout", guarded.host]), /not logged in/);
  await refused(newStore().run(pull), /HTTP 401/);
});

registryTest("logout --all forgets every registry, in the file and with its helpers", async () => {
  const folder = makeOwned(join(scratch, "logout"));
  write(join(folder, "docker-credential-all"), `#!/bin/sh\nread -r server; echo "$1 $server" >>${folder}/log\n`, 0o755);
  const text = {
    auths: { "a.example": { auth: "dTpw" }, "b.example/team": { auth: "dTpw" } },
    credHelpers: { "c.example": "all" },
    other: 1,
  };
  const file = write(join(scratch, "logout.json"), JSON.stringify(text));
  const own = newStore({ REGISTRY_AUTH_FILE: file, PATH: `${folder}:${environment["PATH"]}` });
  assert.equal(await own.ok("logout", "--all"), "Removed login credentials for all registries\n");
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { ...text, auths: {} });
  assert.equal(readFileSync(join(folder, "log"), "utf8"), "erase c.example\n");
  await refused(own.run(["logout", "--all", "a.example"]), /--all.*a\.example/);
});

registryTest("files of credentials are asked in order: the session's, the configuration's, Docker's", async () => {
  const folder = makeOwned(join(scratch, "order"));
  const places = ["run", "config", "docker"].map((name) => makeOwned(join(folder, name)));
  const [run = "", config = "", docker = ""] = places;
  const entry = (password: string): string =>
    JSON.stringify({
      auths: { [guarded.host]: { auth: Buffer.from(`user:${password}`).toString("base64") } },
    });
  const files = [join(run, "containers/auth.json"), join(config, "containers/auth.json"), join(docker, "config.json")];
  for (const place of [run, config]) makeOwned(join(place, "containers"));
  const env = { XDG_RUNTIME_DIR: run, XDG_CONFIG_HOME: config, DOCKER_CONFIG: docker };
  const pull = (more: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
    newStore({ ...env, ...more }).run(["pull", `${guarded.host}/a/b:1`]);
  // From the last to the first: each new file decides, whatever the ones below it say.
  for (const [index, file] of files.toReversed().entries()) {
    write(file, entry("wrong"));
    await refused(pull(), /HTTP 401/);
    write(file, entry("pass:word"));
    assert.equal((await pull()).status, 0, files[index]);
  }
  const chosen = write(join(folder, "chosen.json"), entry("wrong"));
  await refused(pull({ REGISTRY_AUTH_FILE: chosen }), /HTTP 401/);
  const named = await newStore({ ...env, REGISTRY_AUTH_FILE: chosen }).run([
    "pull",
    "--authfile",
    files[0] ?? "",
    `${guarded.host}/a/b:1`,
  ]);
  assert.equal(named.status, 0, named.stderr);
});

registryTest("credentials of one repository go before those of its host; what else a file has stays", async () => {
  const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });
  const auths = { [guarded.host]: auth("user:wrong"), [`${guarded.host}/a`]: auth("user:pass:word") };
  const file = write(join(scratch, "auth.json"), JSON.stringify({ auths, credHelpers: {}, other: [1] }));
  const own = newStore({ REGISTRY_AUTH_FILE: file });
  assert.equal((await own.run(["pull", `${guarded.host}/a/b:1`])).status, 0);
  await refused(own.run(["push", `${guarded.host}/a/b:1`, `${guarded.host}/c:1`]), /HTTP 401/);
  await own.ok("login", "-u", "user", "-p", "pass:word", guarded.host);
  const kept = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  assert.deepEqual(kept["other"], [1]);
  assert.deepEqual(kept["auths"], { ...auths, [guarded.host]: auth("user:pass:word") });
  await own.ok("push", `${guarded.host}/a/b:1`, `${guarded.host}/c:1`);
});

registryTest("a file of credentials that is broken is named, and left as it is", async () => {
  const file = write(join(scratch, "broken.json"), "{");
  const own = newStore({ REGISTRY_AUTH_FILE: file });
  await refused(own.run(["pull", `${guarded.host}/a/b:1`]), /broken\.json".*is not JSON/);
  await refused(own.run(["login", "-u", "user", "-p", "pass:word", guarded.host]), /broken\.json".*is not JSON/);
  assert.equal(readFileSync(file, "utf8"), "{");
});

registryTest("a credential helper is asked, told and made to forget; the file has no secret", async () => {
  const folder = makeOwned(join(scratch, "helpers"));
  // The protocol of docker-credential-helpers: the action as argument, the rest by stdin and stdout.
  const helper = `#!/bin/sh
state=${folder}/state
echo "$1" >>${folder}/log
case $1 in
  get) read -r server; if [ -e $state ]; then cat $state; else echo "credentials not found in native keychain"; exit 1; fi ;;
  store) sed 's/"ServerURL":"[^"]*",//' >$state ;;
  erase) rm -f $state ;;
esac
`;
  write(join(folder, "docker-credential-test"), helper, 0o755);
  const text = JSON.stringify({ credHelpers: { [guarded.host]: "test" } });
  const file = write(join(scratch, "helper.json"), text);
  const own = newStore({ REGISTRY_AUTH_FILE: file, PATH: `${folder}:${environment["PATH"]}` });
  const pull = ["pull", `${guarded.host}/a/b:1`];
  await refused(own.run(pull), /HTTP 401/);
  await own.ok("login", "-u", "user", "-p", "pass:word", guarded.host);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "state"), "utf8")), { Username: "user", Secret: "pass:word" });
  assert.equal((await own.run(pull)).status, 0);
  await own.ok("logout", guarded.host);
  assert.ok(!existsSync(join(folder, "state")));
  assert.equal(readFileSync(file, "utf8"), text);
  assert.equal(readFileSync(join(folder, "log"), "utf8"), "get\nstore\nget\nerase\n");
  const absent = newStore({ REGISTRY_AUTH_FILE: file });
  await refused(absent.run(pull), /cannot start the credential helper "docker-credential-test"/);
  const evil = write(join(scratch, "evil.json"), JSON.stringify({ credsStore: "../../x" }));
  await refused(newStore({ REGISTRY_AUTH_FILE: evil }).run(pull), /"\.\.\/\.\.\/x" is not the name of a helper/);
});

registryTest("tokens: pulling without a name, pushing with one", async () => {
  const own = newStore();
  await own.ok("pull", `${open.host}/a/b:1`);
  const push = ["push", `${open.host}/a/b:1`, `${tokens.host}/x/y:1`];
  await refused(own.run(push), /gives no token.*HTTP 401/);
  await refused(own.run(["push", "--creds", "user:wrong", ...push.slice(1)]), /gives no token.*HTTP 401/);
  await own.ok("push", "--creds", "user:secret", ...push.slice(1));
  await newStore().ok("pull", `${tokens.host}/x/y:1`);
  // What is mounted from another repository has to be readable there.
  const mounted = await own.run(["push", "--creds", "user:secret", push[1] ?? "", `${tokens.host}/z:1`]);
  assert.equal(mounted.status, 0, mounted.stderr);
  assert.equal(mounted.stderr.match(/: Mounted$/gm)?.length, 2, mounted.stderr);
  const asked = new Set(tokens.tokenRequests);
  assert.deepEqual(
    [...asked],
    [
      "anonymous repository:x/y:pull,push",
      "user repository:x/y:pull,push",
      "anonymous repository:x/y:pull",
      "user repository:z:pull,push",
      "user repository:z:pull,push repository:x/y:pull",
    ],
  );
});

registryTest("HTTPS_PROXY: a tunnel to a name that only the proxy knows, TLS verified through it", async () => {
  const proxy = await startForwardProxy("proxy-user:proxy-pass");
  const name = `${REGISTRY_NAME}:${guarded.port}`;
  const args = ["pull", "--creds", "user:pass:word", `${name}/a/b:1`];
  const own = (env: Readonly<Record<string, string>>): Promise<Outcome> =>
    newStore({ SSL_CERT_FILE: guarded.certificate ?? "", ...env }).run(args);
  const address = `127.0.0.1:${proxy.port}`;
  const through = await own({ HTTPS_PROXY: `http://proxy-user:proxy-pass@${address}` });
  assert.equal(through.status, 0, through.stderr);
  assert.deepEqual([...new Set(proxy.log)], [`CONNECT ${name}`]);
  await refused(own({ https_proxy: `http://${address}` }), /407/);
  const before = proxy.log.length;
  await refused(own({ HTTPS_PROXY: `http://${address}`, NO_PROXY: ".invalid" }), /ENOTFOUND|EAI_AGAIN/);
  await refused(own({ HTTP_PROXY: `http://${address}` }), /ENOTFOUND|EAI_AGAIN/);
  assert.equal(proxy.log.length, before);
  await proxy.stop();
});

registryTest("HTTP_PROXY: plain HTTP is passed on, loopback goes past it", async () => {
  const proxy = await startForwardProxy();
  const file = write(
    join(scratch, "insecure.conf"),
    `[[registry]]\nlocation = "${REGISTRY_NAME}:${open.port}"\ninsecure = true\n`,
  );
  const own = newStore({ HTTP_PROXY: `127.0.0.1:${proxy.port}`, CONTAINERS_REGISTRIES_CONF: file });
  await own.ok("pull", `${open.host}/a/b:1`);
  assert.deepEqual(proxy.log, []);
  await own.ok("pull", `${REGISTRY_NAME}:${open.port}/a/b:1`);
  assert.equal(proxy.log[0], `GET http://${REGISTRY_NAME}:${open.port}/v2/a/b/manifests/1`);
  await proxy.stop();
});
